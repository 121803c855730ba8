"""Taking a stranger's file: one of a multipart form, or the body itself, never more than the settings say.

There is no session and no cookie here, so a forged request could only have a visitor's browser check a file that the
forger has already. It would use up the visitor's allowance, though; so a form on another site's page is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

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
_FIELDS = 256 * 1024  # bytes of a field; Werkzeug measures its own reads by it, too, which are of 64 KiB
_PARTS = 12
_IN_MEMORY = 1024 * 1024
_NO_FORM = "The form cannot be read: send multipart/form-data with one file in the field `file`."
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
    with house().checks.inside_for(address), ExitStack() as opened:
        yield _wish(opened)


def said(name: str) -> str:
    """What a field of the form said, once it has been read, else the parameter of that name."""
    form: Mapping[str, str] = g.get("upload_form", {})
    return (form.get(name) or request.args.get(name) or "").strip()


def _refuse_other_sites() -> None:
    if request.headers.get("Sec-Fetch-Site") == "cross-site" and not is_raw():
        raise Forbidden(
            "This form was sent from another site's page. Open /tools/validate and send it from there."
        )


def _wish(opened: ExitStack) -> Wish:
    most = house().settings.check_bytes
    try:
        file, name = _body(opened, most) if is_raw() else _field(opened, most)
    except RequestEntityTooLarge:
        _drain()
        raise _too_large(most) from None
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > most:
        raise _too_large(most)
    if not size:
        raise BadValue(
            "The file is empty. Choose the Green Button file itself, XML or gzip.", parameter="file"
        )
    return Wish(file, name, _profile(), _edition(), _claims())


def _spool(opened: ExitStack) -> BinaryIO:
    return cast(BinaryIO, opened.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY)))


def _field(opened: ExitStack, most: int) -> tuple[BinaryIO, str]:
    """The file of a form. The form is parsed here and not by Flask, so that what it opens is closed, come what may."""
    parser = FormDataParser(
        stream_factory=lambda *_, **__: _spool(opened),
        max_form_memory_size=_FIELDS,
        max_content_length=most + _AROUND,
        max_form_parts=_PARTS,
        silent=False,
    )
    try:
        _, form, files = parser.parse_from_environ(request.environ)
    except ValueError:
        raise BadValue(_NO_FORM, parameter="file") from None
    g.upload_form = form
    given = [each for each in files.getlist("file") if each.filename]
    if len(given) > 1:
        raise BadValue("Send one file at a time.", parameter="file")
    if not given:
        others = ", ".join(f"`{name[:40]}`" for name in files if name != "file")
        also = f" What came is called {others}." if others else ""
        raise BadValue(f"Choose a file: the field `file` of the form has none.{also}", parameter="file")
    return cast(BinaryIO, given[0].stream), shown_name(given[0].filename or "")


def _body(opened: ExitStack, most: int) -> tuple[BinaryIO, str]:
    request.max_content_length = most
    spool = _spool(opened)
    while chunk := request.stream.read(_CHUNK):
        spool.write(chunk)
    return spool, shown_name(request.args.get("name", "")) or "the request's body"


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


def _profile() -> Profile:
    text = said("profile") or str(Profile.CERTIFICATION)
    if text not in list(Profile):
        raise BadValue(
            f"The profile must be one of {', '.join(Profile)}.", parameter="profile", value=text[:80]
        )
    return Profile(text)


def _edition() -> str | None:
    text = said("edition") or DETECT
    if text != DETECT and text not in editions.EDITIONS:
        known = ", ".join((DETECT, *editions.EDITIONS))
        raise BadValue(f"The edition must be one of {known}.", parameter="edition", value=text[:80])
    return None if text == DETECT else text


def _claims() -> tuple[int, ...]:
    text = said("claims").upper().removeprefix("FB=").rstrip("; ")
    if not text:
        return ()
    numbers = [int(each) for each in re.findall(r"\d+", text)] if _BLOCKS.fullmatch(text) else [-1]
    unknown = [number for number in numbers if number not in FUNCTION_BLOCKS]
    if unknown:
        accepted = "numbers of function blocks with blanks, commas or _ between, such as 4 5 15"
        raise BadValue(f"Function blocks must be {accepted}.", parameter="claims", value=text[:80])
    return tuple(numbers)
