"""The two sinks: one gzip member out of pieces, and the same pieces in plain."""

import gzip
import shutil
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi import crc, deflate, stream
from espi_server.espi.deflate import FAST, PLAIN, Deflate
from espi_server.espi.stream import CHUNK, DamagedSegment, Length, Segment

ENGINES = [pytest.param(by, id=name) for name, by in (("zlib", PLAIN), ("isal", FAST)) if by]
BOTH = st.sampled_from([by for by in (PLAIN, FAST) if by])
PLAINS = st.one_of(
    st.binary(max_size=300), st.integers(0, 70_000).map(lambda size: b"<value>7</value>"[: size % 17] * size)
)
FEEDS = st.lists(st.tuples(st.booleans(), PLAINS), max_size=8)


def pieces(feed: list[tuple[bool, bytes]], by: Deflate) -> list[stream.Piece]:
    return [Segment.of(plain, by) if stored else plain for stored, plain in feed]


@given(FEEDS, BOTH, BOTH)
def test_both_sinks_say_the_same_and_lengths_are_exact(feed, written_by, read_by):
    length = Length()
    for piece in pieces(feed, written_by):
        if isinstance(piece, Segment):
            length.segments(len(piece.data), piece.length)
        else:
            length.literal(len(piece))

    zipped = b"".join(stream.gzip(pieces(feed, written_by), by=read_by))
    plain = b"".join(stream.identity(pieces(feed, written_by), by=read_by))

    assert plain == b"".join(plain for _, plain in feed)
    assert gzip.decompress(zipped) == plain
    assert (len(plain), len(zipped)) == (length.identity, length.gzip)


@given(FEEDS)
def test_the_gzip_stream_has_a_single_member_and_nothing_after_it(feed):
    zipped = b"".join(stream.gzip(pieces(feed, PLAIN)))
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)

    plain = decoder.decompress(zipped)

    assert plain == b"".join(plain for _, plain in feed)
    assert decoder.eof
    assert decoder.unused_data == b""


@pytest.mark.skipif(not shutil.which("gzip"), reason="the gzip program is not here")
def test_the_gzip_program_finds_nothing_wrong():
    feed = [b"<feed>" * 30_000, Segment.of(b"<entry/>" * 50_000), b"", Segment.of(b""), b"</feed>"]
    zipped = b"".join(stream.gzip(feed))

    tested = subprocess.run(["gzip", "-tv"], input=zipped, capture_output=True, check=False)

    assert tested.returncode == 0, tested.stderr


def test_many_literals_are_counted_at_once():
    length = Length()

    length.literal(70_000, times=3)

    zipped = b"".join(stream.gzip([bytes(70_000)] * 3))
    assert (length.identity, length.gzip) == (210_000, len(zipped))


@pytest.mark.parametrize("sink", [stream.gzip, stream.identity])
def test_chunks_are_gathered_to_at_least_64_kb(sink):
    small = [piece for number in range(3000) for piece in (b"x" * 100, Segment.of(b"%d" % number * 200))]

    *chunks, last = map(len, sink(small))

    assert min(chunks) >= CHUNK
    assert max([*chunks, last]) < 2 * CHUNK


def test_a_large_segment_comes_out_in_parts():
    large = Segment.of(bytes(10_000_000))

    assert max(map(len, stream.identity([large, b"tail"]))) < 2 * CHUNK


@pytest.mark.parametrize("sink", [stream.gzip, stream.identity])
def test_a_fault_of_the_source_comes_out_midway(sink):
    def source():
        yield b"x" * 2 * CHUNK
        yield b"kept back"
        raise ConnectionError("database away")

    sent = bytearray()

    with pytest.raises(ConnectionError):
        for chunk in sink(source()):
            sent += chunk

    assert len(sent) >= CHUNK
    assert b"kept back" not in sent


def damaged(segment: Segment) -> dict[str, Segment]:
    middle = len(segment.data) // 2
    flipped = segment.data[:middle] + bytes([segment.data[middle] ^ 0x10]) + segment.data[middle + 1 :]
    return {
        "a flipped bit": segment._replace(data=flipped),
        "cut off": segment._replace(data=segment.data[:middle]),
        "a wrong crc": segment._replace(crc=segment.crc ^ 1),
        "too short a length": segment._replace(length=segment.length - 1),
        "too long a length": segment._replace(length=segment.length + 1),
        "nothing": segment._replace(data=b""),
        "an ended stream": segment._replace(data=b"\x03\x00" + segment.data),
    }


@pytest.mark.parametrize("by", ENGINES)
@pytest.mark.parametrize("damage", damaged(Segment.of(b"<value>77</value>" * 50)))
def test_a_damaged_segment_stops_the_stream_before_its_end(damage, by):
    plain = b"".join(b"<value>%d</value>" % number for number in range(20_000))
    broken = damaged(Segment.of(plain, by))[damage]
    sent = bytearray()

    with pytest.raises(DamagedSegment):
        for chunk in stream.identity([b"<feed>", broken], by=by):
            sent += chunk

    assert len(sent) < len(plain)


@pytest.mark.parametrize("by", ENGINES)
def test_a_segment_stands_on_whole_bytes_and_ends_no_stream(by):
    segment = Segment.of(b"<value>77</value>" * 500, by)
    inflater = zlib.decompressobj(-15)

    assert inflater.decompress(segment.data + segment.data) == b"<value>77</value>" * 1000
    assert not inflater.eof
    assert segment.data.endswith(b"\x00\x00\xff\xff")


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_crcs_join_as_if_the_bytes_had(first, second):
    expected = zlib.crc32(first + second)

    assert crc.join(zlib.crc32(first), zlib.crc32(second), crc.operator(len(second))) == expected
    for by in filter(None, (PLAIN, FAST)):
        assert (
            by.join(zlib.crc32(first), zlib.crc32(second), len(second), crc.operator(len(second))) == expected
        )


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_operators_multiply_as_lengths_add(one, other):
    assert crc.multiply(crc.operator(one), crc.operator(other)) == crc.operator(one + other)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_multiplying_is_what_multiplying_is(one, two, three):
    assert crc.multiply(one, crc.ONE) == one
    assert crc.multiply(one, two) == crc.multiply(two, one)
    assert crc.multiply(one ^ two, three) == crc.multiply(one, three) ^ crc.multiply(two, three)
    assert crc.multiply(crc.multiply(one, two), three) == crc.multiply(one, crc.multiply(two, three))


def test_the_operator_of_a_length_is_what_that_many_zero_bytes_do():
    for length in (0, 1, 2, 3, 365, 65_537):
        assert crc.join(0x1234_5678, zlib.crc32(bytes(length)), crc.operator(length)) == zlib.crc32(
            bytes(length), 0x1234_5678
        )


def test_without_isal_everything_is_zlibs(monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)

    assert deflate._isal() is None
