"""Taking a stranger's file: one of a multipart form, or the body itself, never more than the settings say.

There is no session and no cookie here, so a forged request could only have a visitor's browser check a file that the
forger has already. It would use up the visitor's allowance, though; so a form on another site's page is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from flask import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from espi_server.errors import BadValue, Forbidden, Problem
from espi_server.espi import editions
from espi_server.espi.checks.rule import Profile
from espi_server.espi.tables import FUNCTION_BLOCKS
from espi_server.web.house import house

BUSY = "All places for checking are taken just now. Wait a moment and send the file again."
ENOUGH = (
    "From this address came as many files as one may send in an hour. Wait a little, or check files on your own "
    "machine: `espi-server validate FILE`."
)
DETECT = "auto"
_FORM = "multipart/form-data"
_FORMS = (_FORM, "application/x-www-form-urlencoded", "")
_AROUND = 64 * 1024  # bytes of a form around its file
_PARTS = 12
_DRAINED = 32 * 1024 * 1024
_CHUNK = 64 * 1024
_BLOCKS = re.compile(r"\d{1,3}(?:[\s,_]+\d{1,3})*")
_NAME = re.compile(r"[^\w .()+-]+")


class TooLarge(Problem):
    """The file is too large to be checked here."""

    status = 413


@dataclass(frozen=True)
class Wish:
    """What is to be judged, and how; `edition` None is the one the file names."""

    file: BinaryIO
    name: str
    profile: Profile
    edition: str | None
    claims: tuple[int, ...]


def is_raw() -> bool:
    """Whether the body is the file itself, and no form."""
    return request.mimetype not in _FORMS


@contextmanager
def taken() -> Iterator[Wish]:
    """The file that was sent, gone when the block ends. Problems name the field and what to do.

    The place is taken before the body is read: so slow senders cannot hold more threads than there are places.
    """
    _refuse_other_sites()
    address = request.remote_addr or "?"
    house().checkers.take(address)
    with house().checks.inside_for(address):
        wish = _wish()
        try:
            yield wish
        finally:
            wish.file.close()


def _refuse_other_sites() -> None:
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and not is_raw():
        raise Forbidden(
            "This form was sent from another site's page. Open /tools/validate and send it from there."
        )


def _wish() -> Wish:
    most = house().settings.check_bytes
    request.max_content_length = most + _AROUND
    request.max_form_parts = _PARTS
    request.max_form_memory_size = _AROUND
    try:
        file, name = _body() if is_raw() else _field()
    except RequestEntityTooLarge:
        _drain()
        raise _too_large(most) from None
    except HTTPException:
        raise BadValue("The form cannot be read: send multipart/form-data with one file in the field `file`.",
                       parameter="file") from None  # fmt: skip
    size = file.seek(0, 2)
    file.seek(0)
    if size > most:
        raise _too_large(most)
    if not size:
        raise BadValue(
            "The file is empty. Choose the Green Button file itself, XML or gzip.", parameter="file"
        )
    return Wish(file, name, _profile(), _edition(), _claims())


def _field() -> tuple[BinaryIO, str]:
    files = [each for each in request.files.getlist("file") if each.filename]
    if len(files) > 1:
        raise BadValue("Send one file at a time.", parameter="file")
    if not files:
        others = ", ".join(f"`{name[:40]}`" for name in request.files) if request.files else ""
        also = f" What came is called {others}." if others and "file" not in request.files else ""
        raise BadValue(f"Choose a file: the field `file` of the form has none.{also}", parameter="file")
    return cast(BinaryIO, files[0].stream), shown_name(files[0].filename or "")


def _body() -> tuple[BinaryIO, str]:
    spool = SpooledTemporaryFile(max_size=1024 * 1024)  # noqa: SIM115 - closed by `taken`
    try:
        while chunk := request.stream.read(_CHUNK):
            spool.write(chunk)
    except BaseException:
        spool.close()
        raise
    return cast(BinaryIO, spool), shown_name(request.args.get("name", "")) or "the request's body"


def _drain() -> None:
    """Read on a little: a browser that may not finish sending shows no answer."""
    stream, left = request.environ["wsgi.input"], min(request.content_length or 0, _DRAINED)
    while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
        left -= len(chunk)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        f"The file is larger than {most / 2**20:.3g} MiB, more than is checked here. Send it as gzip or in parts, or "
        "check it on your own machine: `espi-server validate FILE`.",
        parameter="file",
    )


def shown_name(name: str) -> str:
    """A file's name as it may be shown: without folders and odd characters, and not too long."""
    return _NAME.sub("_", re.split(r"[/\\]", name)[-1]).strip()[-80:]


def _said(name: str) -> str:
    return (request.form.get(name) or request.args.get(name) or "").strip()


def _profile() -> Profile:
    text = _said("profile") or str(Profile.CERTIFICATION)
    if text not in list(Profile):
        raise BadValue(
            f"The profile must be one of {', '.join(Profile)}.", parameter="profile", value=text[:80]
        )
    return Profile(text)


def _edition() -> str | None:
    text = _said("edition") or DETECT
    if text != DETECT and text not in editions.EDITIONS:
        known = ", ".join((DETECT, *editions.EDITIONS))
        raise BadValue(f"The edition must be one of {known}.", parameter="edition", value=text[:80])
    return None if text == DETECT else text


def _claims() -> tuple[int, ...]:
    text = _said("claims").upper().removeprefix("FB=").rstrip("; ")
    if not text:
        return ()
    numbers = [int(each) for each in re.findall(r"\d+", text)] if _BLOCKS.fullmatch(text) else [-1]
    unknown = [number for number in numbers if number not in FUNCTION_BLOCKS]
    if unknown:
        accepted = "numbers of function blocks with blanks, commas or _ between, such as 4 5 15"
        raise BadValue(f"Function blocks must be {accepted}.", parameter="claims", value=text[:80])
    return tuple(numbers)
