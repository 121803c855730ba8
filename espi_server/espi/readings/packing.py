"""Readings to bytes and back: the form in which readings are kept for good.

Encoding 1 is one zlib stream over: count (UInt32), first start (Int64), then the columns in fixed order, starts
as differences. A column is a tag and, by tag, nothing (absent), one Int64 (constant), runs (lengths and values)
or byte planes: all lowest bytes, then all second bytes, …, of the distances to the smallest value. A regular
month therefore costs a few bytes for its times; quarter-hour values need a little over one byte each.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from espi_server.espi.readings.columns import MISSING, OPTIONAL, Column, Readings, ReadingsError

ENCODING: Final = 1
"""Version of the packed form, kept beside the bytes; it changes when the form does."""

_ABSENT, _CONSTANT, _RUNS, _PLANES, _SOME_MISSING = 0, 1, 2, 3, 0x10
_RUNS_PAY_BELOW = 8  # Readings per run under which planes are shorter.
_OWN_BLOCK_FROM = 256  # Bytes; for less, a block's own Huffman table costs more than it saves.
# Meter values have little to repeat: entropy coding alone is shorter than looking for matches, except in quiet houses.
_STRATEGIES: Final = (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)
_COUNT = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_PLANE_HEAD = struct.Struct("<qB")


class DamagedReadings(ReadingsError):
    """Packed readings are not as they were written; restore them from a backup or import their source again."""


def pack(readings: Readings) -> tuple[int, bytes, dict[str, Any] | None]:
    """(encoding, packed bytes, extra for a JSON column or None): everything `unpack` needs."""
    extra = {str(start): rare for start, rare in readings.extra.items()}
    parts = [_COUNT.pack(len(readings))]
    if len(readings):
        parts.append(_INTEGER.pack(int(readings.start[0])))
        parts += _coded(np.diff(readings.start))
        parts += _coded(readings.duration)
        for name in OPTIONAL:
            parts += _optional(getattr(readings, name))
    return ENCODING, min((_deflated(parts, strategy) for strategy in _STRATEGIES), key=len), extra or None


def unpack(encoding: int, packed: bytes, extra: Mapping[str, Any] | None = None) -> Readings:
    """The readings that `pack` was given; raises DamagedReadings for bytes it did not write."""
    if encoding != ENCODING:
        raise DamagedReadings(f"Packed readings have encoding {encoding}; this version reads {ENCODING}.")
    source = _Source(_inflated(packed))
    count = int(source.unpack(_COUNT)[0])
    if not count:
        source.close()
        return Readings.none()
    first = source.unpack(_INTEGER)[0]
    steps = source.column(count - 1)
    duration = source.column(count)
    columns = {name: source.column(count) for name in OPTIONAL}
    source.close()
    if steps is None or duration is None:
        raise DamagedReadings("Packed readings lack their times.")
    start = np.cumsum(np.concatenate([[first], steps]), dtype=np.int64)
    return Readings(start, duration, **columns, extra=_by_start(extra))


def _by_start(extra: Mapping[str, Any] | None) -> dict[int, dict[str, list[Any]]]:
    return {int(start): dict(rare) for start, rare in (extra or {}).items()}


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed)
    except zlib.error as fault:
        raise DamagedReadings(f"Packed readings cannot be inflated ({fault}).") from fault
    if not stream.eof or stream.unused_data:
        raise DamagedReadings(f"Packed readings are {'too long' if stream.eof else 'cut off'}.")
    return plain


def _deflated(parts: list[bytes], strategy: int) -> bytes:
    """One zlib stream; long parts get blocks of their own, because each plane has its own distribution."""
    stream = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    pieces: list[bytes] = []
    for part in parts:
        if len(part) < _OWN_BLOCK_FROM:
            pieces.append(stream.compress(part))
        else:
            pieces += (stream.flush(zlib.Z_BLOCK), stream.compress(part), stream.flush(zlib.Z_BLOCK))
    return b"".join([*pieces, stream.flush()])


def _optional(cells: Column | None) -> list[bytes]:
    if cells is None:
        return [bytes([_ABSENT])]
    missing = cells == MISSING
    if not missing.any():
        return _coded(cells)
    (tag,), *rest = _coded(cells[~missing])
    return [bytes([tag | _SOME_MISSING]), np.packbits(missing).tobytes(), *rest]


def _coded(cells: Column) -> list[bytes]:
    """Tag and parts of the shortest form, roughly: constant, runs, planes."""
    changes = np.flatnonzero(cells[1:] != cells[:-1]) + 1
    if not len(changes):
        return [bytes([_CONSTANT]), _INTEGER.pack(int(cells[0]) if len(cells) else 0)]
    if len(changes) * _RUNS_PAY_BELOW > len(cells):
        return [bytes([_PLANES]), *_planes(cells)]
    bounds = np.concatenate([[0], changes, [len(cells)]])
    lengths, values = np.diff(bounds), cells[bounds[:-1]]
    return [bytes([_RUNS]), _COUNT.pack(len(values)), *_planes(lengths), *_planes(values)]


def _planes(cells: Column) -> list[bytes]:
    """Smallest value and width, then one part for each byte of the distances to it."""
    lowest = int(cells.min())
    width = max(1, -(-(int(cells.max()) - lowest).bit_length() // 8))
    by_byte = (cells - lowest).astype("<i8").view(np.uint8).reshape(-1, 8).T
    return [_PLANE_HEAD.pack(lowest, width), *(plane.tobytes() for plane in by_byte[:width])]


class _Source:
    """Takes columns off the front of inflated bytes, and complains when they end early or late."""

    def __init__(self, plain: bytes) -> None:
        self._plain, self._at = plain, 0

    def take(self, size: int) -> bytes:
        taken = self._plain[self._at : self._at + size]
        if len(taken) < size:
            raise DamagedReadings(
                f"Packed readings end after {len(self._plain)} bytes, in the middle of a column."
            )
        self._at += size
        return taken

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))

    def close(self) -> None:
        if self._at != len(self._plain):
            raise DamagedReadings(f"Packed readings have {len(self._plain) - self._at} bytes too many.")

    def column(self, count: int) -> Column | None:
        tag = self.take(1)[0]
        if tag == _ABSENT:
            return None
        if not tag & _SOME_MISSING:
            return self._coded(tag, count)
        bits = np.frombuffer(self.take(-(-count // 8)), np.uint8)
        there = np.unpackbits(bits, count=count) == 0
        cells = np.full(count, MISSING)
        cells[there] = self._coded(tag & ~_SOME_MISSING, int(np.count_nonzero(there)))
        return cells

    def _coded(self, tag: int, count: int) -> Column:
        if tag == _CONSTANT:
            return np.full(count, self.unpack(_INTEGER)[0])
        if tag == _PLANES:
            return self._planes(count)
        if tag != _RUNS:
            raise DamagedReadings(f"Packed readings have a column of unknown form {tag}.")
        runs = self.unpack(_COUNT)[0]
        lengths, values = self._planes(runs), self._planes(runs)
        if (lengths < 1).any() or int(lengths.sum()) != count:
            raise DamagedReadings(f"Packed readings have runs that do not add up to {count}.")
        return np.repeat(values, lengths)

    def _planes(self, count: int) -> Column:
        lowest, width = self.unpack(_PLANE_HEAD)
        if not 1 <= width <= 8:
            raise DamagedReadings(f"Packed readings have numbers {width} bytes wide; 1 to 8 are possible.")
        by_byte = np.zeros((count, 8), np.uint8)
        by_byte[:, :width] = np.frombuffer(self.take(count * width), np.uint8).reshape(width, count).T
        distances: Column = by_byte.view("<i8").reshape(count).astype(np.int64) + lowest
        return distances
