"""Checkpoints: how long a utility's chain was at a moment, and how it ended, signed and kept outside the database.

Without one nobody can tell that the last acts were cut off, nor that a whole chain was written anew by somebody who
knows the installation's secret. With one, whoever holds a copy can.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, keys
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.errors import Problem, Unreadable
from espi_server.jobs.worker import Duty

EVERY: Final = 3600
SUFFIX: Final = ".jws"
TYPE: Final = "espi-audit+jws"
_LONGEST = 4_096
_log = logging.getLogger("espi_server.audit")


@dataclass(frozen=True)
class Checkpoint:
    """What a file says of a chain: its last act at a moment (epoch seconds). `kid` names the key that signed it."""

    file: str
    kid: str
    text: str
    utility: str
    number: int
    digest: str
    at: int


def duties(folder: str, secret: str) -> list[Duty]:
    """What workers do every hour, where a folder is set."""
    run = partial(write, folder=Path(folder), secret=secret)
    return [Duty("write checkpoints", EVERY, run)] if folder else []


def write(database: Database, folder: Path, secret: str) -> None:
    """A file for each chain that grew since the last one. What goes wrong is logged: work goes on without."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for code in _grown(database, folder):
            with database.writing() as session:
                utility = utilities.find(session, code)
                number, signed = sign(session, utility, secret)
            _put(_file(folder, code, number), signed)
    except (OSError, Problem) as error:
        _log.error("checkpoints of the audit could not be written to %s: %s", folder, error)


def _grown(database: Database, folder: Path) -> list[str]:
    with database.reading() as session:
        heads = [(each.code, audit.head(session, each.id)[0]) for each in utilities.every(session)]
    return [code for code, number in heads if number and not _file(folder, code, number).exists()]


def _file(folder: Path, code: str, number: int) -> Path:
    return folder / f"{code}-{number:012d}{SUFFIX}"


def _put(file: Path, text: str) -> None:
    """The whole file or none."""
    unfinished = file.with_suffix(".part")
    unfinished.write_text(text + "\n", "ascii")
    unfinished.replace(file)


def sign(session: Session, utility: Utility, secret: str) -> tuple[int, str]:
    """Where a chain ends now: the number of its last act, and the checkpoint as a compact JWS (RFC 7515)."""
    key = keys.active(session, utility.id, secret, keys.AUDIT)
    number, digest = audit.head(session, utility.id)
    said = {"utility": utility.code, "number": number, "digest": digest.hex(), "at": clock.seconds()}
    header = {"alg": keys.ALGORITHM, "kid": key.kid, "typ": TYPE}
    return number, jws.serialize_compact(header, audit.canonical(said), key)


def read(paths: Sequence[str]) -> list[Checkpoint]:
    """The checkpoints in these files and folders, by utility and number; `Unreadable` names what is none."""
    found = [_read(file) for path in paths for file in _files(Path(path))]
    return sorted(found, key=lambda each: (each.utility, each.number))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(path.glob(f"*{SUFFIX}"))
    else:
        yield path


def _read(file: Path) -> Checkpoint:
    try:
        text = file.read_text("ascii").strip()
        parts = jws.extract_compact(text[:_LONGEST].encode())
        said = json.loads(parts.payload)
        return Checkpoint(
            file=str(file), kid=str(parts.headers()["kid"]), text=text, utility=str(said["utility"]),
            number=int(said["number"]), digest=str(said["digest"]), at=int(said["at"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, JoseError) as error:
        raise Unreadable(f"{file} is no checkpoint that can be read: {error}") from error


def is_ours(session: Session, utility_id: uuid.UUID, checkpoint: Checkpoint, secrets: Sequence[str]) -> bool:
    """Was it signed by a key of this utility that one of these secrets opens?

    The public half alone would not do: whoever writes to the database could put one there.
    """
    key = keys.kept(session, utility_id, checkpoint.kid, *secrets)
    return key is not None and _is_signed(checkpoint, key)


def _is_signed(checkpoint: Checkpoint, key: ECKey) -> bool:
    try:
        found: Any = jws.deserialize_compact(checkpoint.text, key, algorithms=[keys.ALGORITHM])
    except JoseError:
        return False
    return bool(found.headers().get("typ") == TYPE)
