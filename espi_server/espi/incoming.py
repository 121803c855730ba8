"""Bytes that strangers send, turned into UTF-8 without trusting a word of them: gzip, encodings, prolog."""

import codecs
import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from .errors import EspiError

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CHUNK = 256 * KIB

_IN_MEMORY = 4 * MIB
_RATIO_FREE = 32 * MIB  # a small file may compress as well as it likes
_PROLOG = 64 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of anything is taken. The sizes are bytes of UTF-8, after decompression; `tags` are those of one entry,
    each element having at most two."""

    size: int = 4 * GIB
    ratio: int = 300
    entry: int = 64 * MIB
    depth: int = 64
    text: int = MIB
    attribute: int = 16 * KIB
    attributes: int = 64
    names: int = 500
    tags: int = 8_000_000


DEFAULT = Limits()


class DocumentError(EspiError):
    """A document cannot be taken; `line` is where, if known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message if line is None else f"Line {line}: {message}")


class UnreadableXml(DocumentError):
    """This is no well-formed XML document."""


class HostileXml(DocumentError):
    """This document holds what harms a reader; nothing of it is taken."""


def open_document(source: str | os.PathLike[str] | BinaryIO, limits: Limits = DEFAULT) -> BinaryIO:
    """The document as a seekable binary file of UTF-8, positioned at its start; the caller closes it.

    A plain UTF-8 file is handed back as it is. Gzip (known by its first bytes, whatever the name) and
    other encodings are unpacked to a temporary file that vanishes when closed. Raises UnreadableXml,
    HostileXml, and OSError where the file itself cannot be opened.
    """
    opened: list[BinaryIO] = []
    document: BinaryIO | None = None
    try:
        document = _unpacked(source, limits, opened)
    finally:
        for file in opened:
            if file is not document:
                file.close()
    return document


def _unpacked(source: str | os.PathLike[str] | BinaryIO, limits: Limits, opened: list[BinaryIO]) -> BinaryIO:
    """The document; what is opened on the way to it is added to `opened`."""

    def ours(file: BinaryIO) -> BinaryIO:
        opened.append(file)
        return file

    file = (
        ours(Path(source).open("rb"))  # noqa: SIM115 – closed by open_document or its caller
        if isinstance(source, (str, os.PathLike))
        else source
    )
    if not file.seekable():
        file = ours(_spooled(_chunks(file), limits))
    if _head(file).startswith(b"\x1f\x8b"):
        file = ours(_spooled(_gunzipped(file, limits), limits))
    head = _head(file)
    if not head:
        raise UnreadableXml("The file is empty.")
    refuse_other_formats(head)
    if _codec(head) != "utf-8":
        return ours(_spooled(utf8(file, limits), limits))
    if file.seek(0, os.SEEK_END) > limits.size:
        raise _too_large(limits)
    file.seek(0)
    return file


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(_PROLOG)
    file.seek(0)
    return head


def _spooled(chunks: Iterable[bytes], limits: Limits) -> BinaryIO:
    """A temporary file of the chunks: in memory while small, on disk beyond."""
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 – handed to the caller
    try:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > limits.size:
                raise _too_large(limits)
            spool.write(chunk)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return cast(BinaryIO, spool)


def _too_large(limits: Limits) -> HostileXml:
    return HostileXml(f"The document is larger than {limits.size:,} bytes; send it in parts.")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


# --- gzip ---------------------------------------------------------------------------------------------


def _gunzipped(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The content of a gzip file of one or several members."""
    inflater = zlib.decompressobj(wbits=31)
    taken = given = 0
    for data in _chunks(file):
        taken += len(data)
        while True:
            if inflater.eof:
                if not data.strip(b"\0"):  # padding, as tapes and some tools leave it
                    break
                inflater = zlib.decompressobj(wbits=31)
            piece = _inflated(inflater, data)
            given += len(piece)
            if given > _RATIO_FREE and given > limits.ratio * taken:
                raise HostileXml(f"The gzip file unpacks to more than {limits.ratio} times its size.")
            yield piece
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if not data and len(piece) < CHUNK:
                break
    if not inflater.eof:
        raise UnreadableXml("The gzip file is cut off; fetch it again.")


def _inflated(inflater: "zlib._Decompress", data: bytes) -> bytes:
    try:
        return inflater.decompress(data, CHUNK)
    except zlib.error:
        raise UnreadableXml("The gzip file is damaged, or something follows it; fetch it again.") from None


# --- encodings ----------------------------------------------------------------------------------------

_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,400}?\?>")
_DECLARED = re.compile(r"""encoding\s*=\s*["']([^"'<>]*)["']""")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
# Every byte is some ISO-8859-1, but these are control characters nobody types: the text is another's.
_NOT_LATIN = re.compile("[\x80-\x9f]")


def _codec(head: bytes) -> str:
    """Python's name of the document's encoding; an unlisted one, or a declaration that lies, is refused."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise HostileXml("The encoding UTF-32 is not taken; send UTF-8.")
    if head[:2] in (b"<\0", b"\0<"):
        raise HostileXml("UTF-16 without a byte order mark is not taken; send UTF-8.")
    marked = next((codec for bom, codec in _BOMS if head.startswith(bom)), None)
    start = head[:1024].decode(marked or "latin-1", "ignore").lstrip("\ufeff")
    found = _DECLARED.search(start.partition("?>")[0]) if start.startswith("<?xml") else None
    if found is None:
        return marked or "utf-8"
    codec = _CODECS.get(found[1].lower())
    if codec is None:
        raise HostileXml(
            f"The encoding {found[1][:40]!r} is not taken; send UTF-8"
            " (UTF-16, ISO-8859-1, US-ASCII and windows-1252 are read too)."
        )
    if (marked or codec) != codec or (codec == "utf-16" and not marked):
        raise HostileXml(f"The document says it is {found[1]}, and its first bytes say it is not.")
    return codec


def utf8(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The document from here on in chunks of UTF-8, its XML declaration blanked out.

    Blanks keep the offsets and lines of a UTF-8 file as they are.
    """
    head = file.read(CHUNK)
    if not head:
        raise UnreadableXml("The file is empty.")
    refuse_other_formats(head)
    codec = _codec(head)
    chunks: Iterable[bytes] = chain([head], _chunks(file))
    if codec != "utf-8":
        chunks = _transcoded(chunks, codec)
    line, size, first = 1, 0, True
    for chunk in chunks:
        if b"\0" in chunk:
            raise HostileXml("A NUL byte is no part of XML.", line + chunk[: chunk.index(b"\0")].count(b"\n"))
        line += chunk.count(b"\n")
        size += len(chunk)
        if size > limits.size:
            raise _too_large(limits)
        yield _without_declaration(chunk) if first else chunk
        first = False


def _transcoded(chunks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    for chunk in chain(chunks, [b""]):
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise _lie(codec, line + chunk[: error.start].count(b"\n")) from None
        if codec == "iso-8859-1" and (found := _NOT_LATIN.search(text)):
            raise _lie(codec, line + text[: found.start()].count("\n"))
        line += text.count("\n")
        if text:
            yield text.encode()


def _lie(codec: str, line: int) -> UnreadableXml:
    return UnreadableXml(f"The document says it is {codec}, and here it is not; send UTF-8.", line)


def _without_declaration(head: bytes) -> bytes:
    bare = head.removeprefix(codecs.BOM_UTF8)
    found = _DECLARATION.match(bare)
    blank = re.sub(rb"[^\r\n]", b" ", found[0]) if found else b""
    return b" " * (len(head) - len(bare)) + blank + bare[len(blank) :]


# --- what is no XML, and what comes before the first element ------------------------------------------

_FORMATS = (
    (b"PK\x03\x04", "a zip archive; unpack it and send the XML inside"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF", "a PDF; send the Green Button XML file"),
    (b"\x1f\x8b", "gzip within gzip; unpack it once"),
    (b"BZh", "a bzip2 file; send it plain or as gzip"),
    (b"\xfd7zXZ", "an xz file; send it plain or as gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; send it plain or as gzip"),
    (b"\xd0\xcf\x11\xe0", "an office document; send the Green Button XML file"),
    (b"{", "JSON; send the Green Button XML file"),
    (b"[", "JSON; send the Green Button XML file"),
)
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html)\b",
    re.IGNORECASE | re.DOTALL,
)
# Possessive, so that no prolog makes it try again.
_MISC = re.compile(rb"(?:\s++|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_DOCTYPE = b"<!DOCTYPE"


def refuse_other_formats(head: bytes) -> None:
    """Raise UnreadableXml for what is well known and no XML, in words that help."""
    for magic, what in _FORMATS:
        if head.startswith(magic):
            raise UnreadableXml(f"This is no XML but {what}.")
    if _HTML.match(head.removeprefix(codecs.BOM_UTF8)):
        raise UnreadableXml(
            "This is a web page, no Green Button file; perhaps a sign-in page was saved instead."
        )


def after_prolog(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks; before the first is passed on, the prolog has been seen to hold no DOCTYPE.

    So no parser ever meets a declaration of entities: they can stand nowhere else.
    """
    held = b""
    for chunk in chunks:
        held += chunk
        if _reaches_the_root(held):
            yield held
            yield from chunks
            return
        if len(held) > _PROLOG + CHUNK:
            raise HostileXml(f"The first {_PROLOG // KIB} KiB hold no element.")
    raise UnreadableXml("The document ends before its first element.")


def _reaches_the_root(held: bytes) -> bool:
    match = _MISC.match(held)
    rest = held[match.end() :] if match else held
    if rest.upper().startswith(_DOCTYPE):
        line = held[: len(held) - len(rest)].count(b"\n") + 1
        raise HostileXml("A DOCTYPE is not taken; remove it, no Green Button file needs one.", line)
    if not rest or rest == b"<" or rest.startswith((b"<!", b"<?")):
        if rest.startswith(b"<!") and not (
            b"<!--".startswith(rest[:4]) or _DOCTYPE.startswith(rest[:9].upper())
        ):
            raise UnreadableXml("This is no XML: before the first element stands something else.")
        return False
    if not rest.startswith(b"<"):
        raise UnreadableXml("This is no XML: it begins with text.")
    return True
