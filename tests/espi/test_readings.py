"""Columns of readings: building, clipping, merging."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi.readings import MISSING, Readings, ReadingsError, joined, merge

from .shapes import readings

NOON = 1_700_049_600


def quarters(values, start=NOON, **more):
    return Readings.of([start + 900 * row for row in range(len(values))], 900, value=values, **more)


def test_readings_are_put_in_order_of_start():
    mixed = Readings.of([NOON + 900, NOON], 900, value=[2, 1])

    assert mixed == quarters([1, 2])


def test_the_later_of_two_readings_with_one_start_wins_and_is_reported():
    notes = []

    kept = Readings.of(
        [NOON, NOON + 900, NOON], 900, value=[1, 2, 3], extra={0: {"quality": [0, 8]}}, notes=notes
    )

    assert kept == quarters([3, 2])
    assert notes == [f"1 readings share their start with a later one, which was kept (first at {NOON})."]


def test_a_column_no_reading_has_is_none():
    assert quarters([1, 2], cost=[None, None]).cost is None
    assert quarters([1, 2, 3], cost=[None, None, 5])[:2].cost is None


def test_a_cell_one_reading_lacks_is_missing():
    assert quarters([1, None]).value.tolist() == [1, MISSING]


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("value", 2**47 + 1, "value[1] is 140737488355329; it must be a whole number from"),
        ("cost", -(2**47) - 1, "cost[1] is -140737488355329"),
        ("value", 1.5, "value[1] is 1.5"),
        ("value", "7", "value[1] is '7'"),
        ("value", 2**70, "value[1] is 1180591620717411303424"),
        ("quality", -1, "quality[1] is -1"),
        ("tou", 2**15, "tou[1] is 32768"),
        ("duration", 2**32, "duration[1] is 4294967296"),
        ("start", 1_700_049_600_000, "It looks like milliseconds"),
        ("start", None, "start[1] is None"),
    ],
)
def test_what_espi_does_not_allow_is_named_by_column_row_and_value(column, cell, said):
    columns = {"start": [NOON, NOON + 900], "duration": [900, 900], column: [0, cell]}

    with pytest.raises(ReadingsError) as refused:
        Readings.of(**columns)

    assert said in str(refused.value)


def test_int48_limits_are_inclusive():
    assert quarters([2**47, -(2**47)]).totals().value == 0


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ReadingsError, match="value has 1 cells for 2 readings"):
        Readings.of([NOON, NOON + 900], 900, value=[1])


def test_floats_in_arrays_are_refused_rather_than_cut():
    with pytest.raises(ReadingsError, match=r"value\[0\] is 1.0"):
        Readings.of([NOON], 900, value=np.array([1.0]))


def test_clip_keeps_only_readings_wholly_inside():
    clipped = quarters([1, 2, 3, 4]).clip(NOON + 1, NOON + 2700)

    assert clipped.value.tolist() == [2, 3]
    assert quarters([1, 2]).clip() == quarters([1, 2])


def test_without_cost_takes_extensions_too():
    extra = {0: {"quality": [0, 8], "extension": ["<extension>cost 7</extension>"]}}

    bare = quarters([1], cost=[5], quality=[13], extra=extra).without_cost()

    assert bare == quarters([1], quality=[13], extra={0: {"quality": [0, 8]}})


def test_totals_are_exact_far_beyond_64_bits():
    many = 140_000

    totals = Readings.of(np.arange(many), 1, value=np.full(many, 2**47)).totals()

    assert totals == (many, many * 2**47, None)


def test_interval_spans_all_readings():
    overlapping = Readings.of([NOON, NOON + 900], [7200, 900])

    assert overlapping.interval == (NOON, 7200)
    assert Readings.none().interval == (0, 0)


def test_parts_of_one_delivery_join_and_the_later_part_wins():
    first = quarters([1, 2], quality=[13, 0], extra={0: {"quality": [0, 8]}})
    second = quarters([5], start=NOON)

    assert joined([first, second]) == quarters([5, 2], quality=[None, 0])
    assert joined([]) == Readings.none()


def test_merge_tells_created_changed_and_unchanged():
    old = quarters([1, 2, 3])
    new = quarters([2, 9, 4], start=NOON + 900)

    merged = merge(old, new)

    assert merged.readings == quarters([1, 2, 9, 4])
    assert merged.unchanged.tolist() == [True, False, False]
    assert merged.changed.tolist() == [False, True, False]
    assert merged.created.tolist() == [False, False, True]
    assert merged.replaced == quarters([3], start=NOON + 1800)
    assert merged.overlaps == 0


def test_a_difference_in_extra_alone_is_a_change():
    old, new = (quarters([1], quality=[13], extra={0: {"quality": codes}}) for codes in ([0, 8], [0, 9]))

    merged = merge(old, new)

    assert merged.changed.all()
    assert merged.replaced == old


def test_an_hour_replaces_the_quarters_inside_it():
    hour = Readings.of([NOON], 3600, value=[10])

    merged = merge(quarters([1, 2, 3, 4, 5]), hour)

    assert merged.readings.value.tolist() == [10, 5]
    assert merged.replaced.value.tolist() == [1, 2, 3, 4]


def test_quarters_inside_a_stored_hour_are_kept_beside_it_and_counted():
    merged = merge(Readings.of([NOON], 3600, value=[10]), quarters([2], start=NOON + 900))

    assert len(merged.readings) == 2
    assert merged.overlaps == 1


def test_rolling_demand_windows_do_not_push_each_other_out():
    rolling = Readings.of([NOON + 900 * row for row in range(8)], 3600, value=list(range(8)))

    merged = merge(rolling, rolling[3:5])

    assert merged.readings == rolling
    assert merged.unchanged.all()


@given(readings(), readings())
def test_after_a_merge_every_new_reading_stands_and_nothing_is_lost(old, new):
    merged = merge(old, new)

    starts = merged.readings.start
    assert merged.readings[np.isin(starts, new.start)] == new
    assert (merged.created ^ merged.changed ^ merged.unchanged).all()
    assert len(old) + merged.created.sum() - len(merged.replaced) + merged.changed.sum() == len(
        merged.readings
    )
    assert merge(merged.readings, new).unchanged.all()


@given(st.lists(readings(max_size=8), max_size=4))
def test_joining_equals_building_from_all_rows(parts):
    whole = joined(parts)

    expected = sorted({start for part in parts for start in part.start.tolist()})
    assert whole.start.tolist() == expected
    for part in parts[-1:]:
        assert whole[np.isin(whole.start, part.start)] == part
