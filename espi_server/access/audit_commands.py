"""`espi-server audit …`: is the record as it was written, how did it end, and what does it say?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from espi_server.access import audit, checkpoints, recorded, verifying
from espi_server.access.checkpoints import Checkpoint
from espi_server.access.verifying import Verdict
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.errors import Unreadable
from espi_server.settings import Settings
from espi_server.shell import opened, operator
from espi_server.terminal import tell

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])
PROBLEMS = 1


@click.group("audit")
def audit_command() -> None:
    """The record of acts and of data that left."""


@audit_command.command()
@click.option("--utility", "code", help="Only this one.")
@click.option(
    "--checkpoint", "paths", multiple=True, type=click.Path(exists=True),
    help="A checkpoint, or a folder of them; repeatable. Those in ESPI_AUDIT_CHECKPOINTS are looked at anyway.",
)  # fmt: skip
@click.option(
    "--earlier-secret", "secret_files", multiple=True, type=click.Path(exists=True, dir_okay=False),
    help="A file with an ESPI_SECRET_KEY this installation had before; repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(code: str | None, paths: tuple[str, ...], secret_files: tuple[str, ...], as_json: bool) -> None:
    """Find out whether anybody changed, removed or added anything. Ends with 1 where something is wrong.

    \b
    Example:  espi-server audit verify --checkpoint /mnt/elsewhere/checkpoints
    """
    settings = Settings.load()
    known = checkpoints.read([*paths, *_folder(settings)])
    secrets = [settings.secret_key, *settings.older_secrets, *map(_secret, secret_files)]
    with opened(settings) as database, database.reading() as session:
        every = utilities.every(session)
        chosen = [utilities.find(session, code)] if code else every
        verdicts = [verifying.verify(session, each, secrets, _of(known, each)) for each in chosen]
        codes = {each.code for each in every}
    for each in known:
        if each.utility not in codes:
            tell(f"{each.file} is of {each.utility}, a utility that is not here.")
    _print(verdicts, as_json)
    if any(each.findings for each in verdicts) or {each.utility for each in known} - codes:
        sys.exit(PROBLEMS)


@audit_command.command()
@click.option("--utility", "code", required=True)
@click.option("--from", "start", type=MOMENT, help="UTC; from the beginning if not given.")
@click.option("--until", "end", type=MOMENT, help="UTC, not included.")
@click.argument("file", type=click.File("w", "utf-8", lazy=True), default="-")
def export(code: str, start: datetime | None, end: datetime | None, file: TextIO) -> None:
    """Write a utility's acts, then its disclosures, to FILE or stdout, one JSON object a line.

    \b
    Example:  espi-server audit export --utility north --from 2026-11-01 --until 2026-12-01 november.jsonl
    """
    first, last = (
        None if each is None else int(each.replace(tzinfo=UTC).timestamp()) for each in (start, end)
    )
    with opened() as database:
        with database.writing() as session:
            utility = utilities.find(session, code)
            audit.record(
                session,
                utility.id,
                "audit.exported",
                actor=operator(),
                subject="audit",
                start=first,
                end=last,
            )
        lines = 0
        file.write("")  # a file there is, even if nothing happened in that time
        with database.reading() as session:
            for line in recorded.lines(session, utility, first, last):
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                lines += 1
    tell(f"{lines} lines.")


@audit_command.command()
@click.option("--utility", "code", required=True)
def checkpoint(code: str) -> None:
    """Print where the chain ends now, signed; keep it where nobody who reaches the database can.

    \b
    Example:  espi-server audit checkpoint --utility north > north.jws
    """
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        _, signed = checkpoints.sign(session, utilities.find(session, code), settings.secret_key)
    click.echo(signed)


def _folder(settings: Settings) -> Iterator[str]:
    if settings.audit_checkpoints and Path(settings.audit_checkpoints).is_dir():
        yield settings.audit_checkpoints


def _secret(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unreadable(f"{file} cannot be read: {error}") from error


def _of(known: Sequence[Checkpoint], utility: Utility) -> list[Checkpoint]:
    return [each for each in known if each.utility == utility.code]


def _print(verdicts: Sequence[Verdict], as_json: bool) -> None:
    if as_json:
        said = {"schema_version": 1, "utilities": [_described(each) for each in verdicts]}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    for each in () if as_json else verdicts:
        looked_at = (
            f"{each.acts} acts, {each.disclosures} sealed disclosures, {each.waiting} waiting for a seal"
        )
        problems = "1 problem" if len(each.findings) == 1 else f"{len(each.findings) or 'no'} problems"
        click.echo(f"{each.utility}: {looked_at}; {problems}.")
        for found in each.findings:
            click.echo(f"  {found.kind}: {found.words}")


def _described(each: Verdict) -> dict[str, Any]:
    return {
        "utility": each.utility,
        "acts": each.acts,
        "disclosures": each.disclosures,
        "waiting": each.waiting,
        "problems": [
            {"kind": found.kind, "number": found.number, "message": found.words} for found in each.findings
        ],
    }
