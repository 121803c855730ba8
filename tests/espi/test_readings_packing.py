"""The packed form: lossless, small, and suspicious."""

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi.readings import ENCODING, DamagedReadings, Readings, pack, unpack

from .shapes import readings

NOON = 1_700_049_600


@given(readings())
def test_unpacking_gives_back_any_legal_readings(given_readings):
    encoding, packed, extra = pack(given_readings)

    assert unpack(encoding, packed, json.loads(json.dumps(extra))) == given_readings


def test_a_month_of_quarter_hours_takes_under_one_point_four_bytes_a_reading():
    values = np.random.default_rng(3).gamma(1.5, 240, 2976).astype(np.int64)
    month = Readings.of(NOON + 900 * np.arange(2976), 900, value=values, quality=np.full(2976, 17))

    assert len(pack(month)[1]) < 1.4 * 2976
    assert unpack(*pack(month)) == month


def test_times_of_a_regular_month_with_gaps_cost_almost_nothing():
    start = NOON + 900 * np.delete(np.arange(2976), [5, 6, 1000])

    assert len(pack(Readings.of(start, 900, value=np.zeros(len(start), np.int64)))[1]) < 120


@given(readings(max_size=10), st.data())
def test_damaged_bytes_are_refused_or_were_no_damage(given_readings, data):
    encoding, packed, extra = pack(given_readings)
    at = data.draw(st.integers(0, len(packed) - 1))
    damaged = packed[:at] + bytes([packed[at] ^ data.draw(st.integers(1, 255))]) + packed[at + 1 :]

    try:
        assert unpack(encoding, damaged, extra) == given_readings  # Some header bits mean nothing.
    except DamagedReadings:
        pass


@given(readings(max_size=10), st.data())
def test_any_other_content_of_a_sound_zlib_stream_is_refused(given_readings, data):
    plain = zlib.decompress(pack(given_readings)[1])
    cut = data.draw(st.integers(0, len(plain) - 1))

    for other in (plain[:cut], plain + b"\0"):
        with pytest.raises(DamagedReadings):
            unpack(ENCODING, zlib.compress(other))


def test_cut_off_overlong_and_foreign_bytes_are_refused():
    packed = pack(Readings.of([NOON], 900, value=[1]))[1]

    for damaged, said in (
        (packed[:-1], "cut off"),
        (packed + b"x", "too long"),
        (b"", "cut off"),
        (b"no", "inflated"),
    ):
        with pytest.raises(DamagedReadings, match=said):
            unpack(ENCODING, damaged)


def test_an_unknown_encoding_is_refused():
    with pytest.raises(DamagedReadings, match="encoding 9"):
        unpack(9, b"")
