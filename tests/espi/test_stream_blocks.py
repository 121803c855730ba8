"""Stored bodies: day segments end to end, and every slice of them."""

import gzip
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi import stream
from espi_server.espi.blocks import Body, DamagedIndex
from espi_server.espi.deflate import FAST, PLAIN
from espi_server.espi.readings import Readings, cut, render
from espi_server.espi.stream import Segment

from .shapes import readings

PACIFIC = ZoneInfo("America/Los_Angeles")
BOTH = st.sampled_from([by for by in (PLAIN, FAST) if by])


def march() -> Readings:
    """A month of quarter-hours with its day of 23 hours."""
    first = int(datetime(2024, 3, 1, tzinfo=PACIFIC).timestamp())
    return Readings.of(first + 900 * np.arange(31 * 96 - 4), 900, value=np.arange(31 * 96 - 4) % 700)


def plain(segment: Segment) -> bytes:
    """What a client gets, by way of the gzip sink, so that crc and operator are proved too."""
    return gzip.decompress(b"".join(stream.gzip([b"<", segment, b">"])))[1:-1]


@given(readings(), BOTH, st.data())
def test_every_slice_of_a_body_is_the_rendering_of_its_readings(given_readings, by, data):
    cuts = cut(given_readings, PACIFIC, "day")
    written = Body.of(given_readings, cuts, by)

    body = Body(written.data, written.index)

    assert plain(body.whole()) == render(given_readings)
    first = data.draw(st.integers(0, len(cuts)))
    last = data.draw(st.integers(first, len(cuts)))
    rows = slice(cuts[first][1].start, cuts[last - 1][1].stop) if first < last else slice(0, 0)
    assert plain(body.part(first, last)) == render(given_readings[rows])
    assert body.part(0, len(cuts)) == body.whole()


def test_a_day_is_known_by_its_local_start_and_the_interval_of_its_readings():
    month = march()
    body = Body.of(month[10:], cut(month[10:], PACIFIC, "day"))

    first, tenth = body.days[0], body.days[9]

    assert (first.day, first.start, first.duration, first.readings) == (
        month.start[0],
        month.start[10],
        77_400,
        86,
    )
    assert (tenth.duration, tenth.readings) == (82_800, 92)
    assert plain(body.part(9)) == render(month[864:956])


def test_days_of_a_window_are_those_it_touches():
    month = march()
    body = Body.of(month, cut(month, PACIFIC, "day"))
    second, fourth = body.days[1].day, body.days[3].day

    assert body.between(second, fourth) == range(1, 3)
    assert body.between(second - 1, fourth + 1) == range(0, 4)
    assert body.between(0, second) == range(0, 1)
    assert body.between(0, 5) == range(0)


def test_a_body_without_readings_is_empty():
    body = Body.of(Readings.none(), [])

    assert body.days == []
    assert plain(body.whole()) == b""


def test_yearly_readings_index_as_well_as_quarter_hours():
    years = Readings.of([0, 31_536_000], 2**32 - 1, value=[1, 2])

    body = Body.of(years, cut(years, UTC, "year"))

    assert [day.duration for day in body.days] == [2**32 - 1] * 2


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda index: index[:5], "cut off after 5 bytes"),
        (lambda index: index[:-1], "bytes for 31 days"),
        (lambda index: b"\x09" + index[1:], "version 9"),
    ],
)
def test_a_damaged_index_is_refused(damage, said):
    written = Body.of(march(), cut(march(), PACIFIC, "day"))
    body = Body(written.data, damage(written.index))

    with pytest.raises(DamagedIndex, match=said):
        body.whole(), body.days
