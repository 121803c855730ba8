"""Feeds out of stored pieces: as they are into one gzip stream, or inflated.

A feed is an iterator of literals (bytes made for this answer) and segments (rendered once, kept compressed). Both
sinks hold one chunk at a time. They read the iterator to its end or fail with it: what it raises comes out
midway, so that a body cut short never looks whole.

The gzip stream has a single member, since curl and httpx silently stop after the first of several (RFC 1952, 2.2).
"""

import struct
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from espi_server.espi import crc
from espi_server.espi.deflate import BEST, Deflate, Inflater
from espi_server.espi.errors import EspiError

CHUNK: Final = 65_536
"""Bytes a sink gathers, at least, before it hands them on."""

_STORED_MAX: Final = 65_535
_STORED_HEAD: Final = struct.Struct("<BHH")
_GZIP_HEAD: Final = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
_LAST_BLOCK: Final = b"\x03\x00"
_TRAILER: Final = struct.Struct("<II")
_GZIP_FRAME: Final = len(_GZIP_HEAD) + len(_LAST_BLOCK) + _TRAILER.size


class DamagedSegment(EspiError):
    """A stored segment is not what was rendered; it can be made anew from the packed readings."""


class WrongLength(EspiError):
    """A feed does not come out as long as was promised before its first byte."""


class Segment(NamedTuple):
    """Bytes kept as raw deflate that ends in a full flush, with what a gzip trailer needs to know of them."""

    data: bytes
    length: int
    """Bytes of the plain form."""
    crc: int
    operator: int
    """x^(8·length) modulo the CRC polynomial, see `crc`."""

    @classmethod
    def of(cls, plain: bytes, by: Deflate = BEST) -> "Segment":
        """A segment of rendered bytes."""
        return cls(by.compress(plain), len(plain), by.crc32(plain, 0), crc.operator(len(plain), by.crc32))


Piece: TypeAlias = bytes | Segment


class Length:
    """The exact length of a body before it is made, from counts and sums alone."""

    def __init__(self) -> None:
        self.identity = 0
        self.gzip = _GZIP_FRAME

    def literal(self, size: int, times: int = 1) -> None:
        """Counts `times` literals of `size` bytes each."""
        self.identity += size * times
        self.gzip += stored_size(size) * times

    def segments(self, size: int, length: int) -> None:
        """Counts segments: the sums of their stored sizes and of their plain lengths."""
        self.identity += length
        self.gzip += size


def stored_size(size: int) -> int:
    """What a literal of `size` bytes takes in a gzip stream: five bytes for each stored block of 65,535 or less."""
    return size + _STORED_HEAD.size * -(-size // _STORED_MAX)


def promised(parts: Iterable[bytes], length: int) -> Generator[bytes, None, None]:
    """The parts, if they are `length` bytes in all; else WrongLength, and the last of them is kept back.

    A server cuts what is too long and waits behind what is too short; cut short, a feed might look whole.
    """
    held, left = b"", length
    for part in parts:
        left -= len(part)
        if left < 0:
            break
        if held:
            yield held
        held = part
    if left:
        raise WrongLength(
            f"A feed of {length} bytes came out {'longer' if left < 0 else f'{left} bytes short'}."
        )
    yield held


def gzip(pieces: Iterable[Piece], *, chunk: int = CHUNK, by: Deflate = BEST) -> Iterator[bytes]:
    """The pieces as one single-member gzip stream, in chunks; nothing is compressed here."""
    crc32, join = by.crc32, by.join
    held, size = [_GZIP_HEAD], len(_GZIP_HEAD)
    total = length = 0
    for piece in pieces:
        if isinstance(piece, Segment):
            total = join(total, piece.crc, piece.length, piece.operator)
            length += piece.length
            held.append(piece.data)
            size += len(piece.data)
        else:
            total = crc32(piece, total)
            length += len(piece)
            held += _stored(piece)
            size += len(piece)
        if size >= chunk:
            yield b"".join(held)
            held, size = [], 0
    held.append(_LAST_BLOCK + _TRAILER.pack(total, length & 0xFFFF_FFFF))
    yield b"".join(held)


def identity(pieces: Iterable[Piece], *, chunk: int = CHUNK, by: Deflate = BEST) -> Iterator[bytes]:
    """The pieces in plain form, in chunks. Raises DamagedSegment for one whose length or CRC is not as stored."""
    return _gathered(_plain_parts(pieces, by), chunk)


def _gathered(parts: Iterator[bytes], chunk: int) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= chunk:
            yield b"".join(held)
            held.clear()
            size = 0
    if held:
        yield b"".join(held)


def _stored(literal: bytes) -> Iterable[bytes]:
    """Stored deflate blocks, RFC 1951 3.2.4; the stream is at a byte's edge here, before and after."""
    size = len(literal)
    if size <= _STORED_MAX:
        return (_STORED_HEAD.pack(0, size, size ^ 0xFFFF), literal) if size else ()
    return chain.from_iterable(_stored(literal[at : at + _STORED_MAX]) for at in range(0, size, _STORED_MAX))


def _plain_parts(pieces: Iterable[Piece], by: Deflate) -> Iterator[bytes]:
    inflater = by.inflater()
    for piece in pieces:
        if isinstance(piece, Segment):
            yield from _inflated(piece, inflater, by)
        else:
            yield piece


def _inflated(segment: Segment, inflater: Inflater, by: Deflate) -> Iterator[bytes]:
    """A segment's plain form in parts that fit a processor's cache; the last part only if all is well."""
    data, length, total = segment.data, 0, 0
    try:
        while True:
            plain = inflater.decompress(data, CHUNK)
            data = inflater.unconsumed_tail
            length += len(plain)
            total = by.crc32(plain, total)
            if length >= segment.length or not plain:
                break
            yield plain
        more = inflater.decompress(data, 1)
    except by.fault as fault:
        raise DamagedSegment(
            f"A stored segment of {len(segment.data)} bytes cannot be inflated ({fault})."
        ) from fault
    if more or (length, total) != (segment.length, segment.crc):
        raise DamagedSegment(f"A stored segment of {segment.length} plain bytes inflates to something else.")
    yield plain
