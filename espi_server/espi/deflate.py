"""Raw deflate, from isal where it is installed and from zlib otherwise; both read what either wrote."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, cast

from espi_server.espi import crc

_RAW: Final = -15


class Inflater(Protocol):
    """What is left of a decompressor object: bytes in, bytes out."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most so many of the plain bytes that `data` adds to what came before."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What of `data` is to be given again, once there is room for more."""


@dataclass(frozen=True)
class Deflate:
    """One implementation of what segments need."""

    compress: Callable[[bytes], bytes]
    """Raw deflate ended by a full flush: whole bytes, refers to nothing before it, not the end of a stream."""
    inflater: Callable[[], Inflater]
    fault: type[Exception]
    """What an inflater raises for damaged bytes."""
    crc32: Callable[[bytes | memoryview, int], int]
    join: Callable[[int, int, int, int], int]
    """CRC of two pieces from the CRCs of both and the second's length and operator."""


def _plain_compress(plain: bytes) -> bytes:
    stream = zlib.compressobj(6, zlib.DEFLATED, _RAW)
    return stream.compress(plain) + stream.flush(zlib.Z_FULL_FLUSH)


def _plain_join(first: int, second: int, length: int, operator: int) -> int:
    return crc.join(first, second, operator)


PLAIN: Final = Deflate(
    compress=_plain_compress,
    inflater=lambda: zlib.decompressobj(_RAW),
    fault=zlib.error,
    crc32=zlib.crc32,
    join=_plain_join,
)


def _isal() -> Deflate | None:
    """Deflate by Intel's library: compresses four times, inflates twice as fast."""
    try:
        from isal import isal_zlib
    except ImportError:
        return None

    def compress(plain: bytes) -> bytes:
        # Level 2 is within 4 % of zlib's size at a fraction of its time; level 3 is slower and no smaller.
        stream = isal_zlib.compressobj(2, isal_zlib.DEFLATED, _RAW)
        return bytes(stream.compress(plain) + stream.flush(isal_zlib.Z_FULL_FLUSH))

    def join(first: int, second: int, length: int, operator: int) -> int:
        return int(isal_zlib.crc32_combine(first, second, length))

    return Deflate(
        compress=compress,
        inflater=lambda: isal_zlib.decompressobj(_RAW),
        fault=cast(type[Exception], isal_zlib.IsalError),
        crc32=isal_zlib.crc32,
        join=join,
    )


FAST: Final = _isal()
BEST: Final = FAST or PLAIN
