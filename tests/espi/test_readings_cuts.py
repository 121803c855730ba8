"""Cuts along local days, months and years, where clocks do what they do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from espi_server.espi.readings import Readings, cut, summed

PACIFIC = ZoneInfo("America/Los_Angeles")


def quarters(first: datetime, days: float, **more) -> Readings:
    count = int(days * 96)
    return Readings.of(
        int(first.timestamp()) + 900 * np.arange(count), 900, **({"value": np.ones(count, int)} | more)
    )


def lengths(readings, zone, by="day"):
    return [rows.stop - rows.start for _, rows in cut(readings, zone, by)]


@pytest.mark.parametrize(
    ("zone", "first", "days", "expected"),
    [
        ("America/Los_Angeles", (2024, 3, 9), 3, [96, 92, 96, 4]),
        ("America/Los_Angeles", (2024, 11, 2), 3, [96, 100, 92]),
        ("Australia/Lord_Howe", (2024, 10, 5), 2, [96, 94, 2]),  # Half an hour of summer time.
        ("Asia/Kolkata", (2024, 3, 9), 2, [96, 96]),
        ("Asia/Kathmandu", (2024, 3, 9), 2, [96, 96]),
        ("America/Havana", (2024, 3, 9), 3, [96, 92, 96, 4]),  # No midnight on the 10th.
        ("America/Havana", (2024, 11, 2), 3, [96, 100, 92]),  # Two midnights on the 3rd.
        ("Asia/Beirut", (2022, 3, 26), 3, [96, 92, 96, 4]),
        ("America/St_Johns", (2010, 11, 6), 3, [100, 96, 92]),  # 00:01 becomes 23:01 of the day before.
        ("Pacific/Apia", (2011, 12, 29), 2, [96, 96]),  # The 30th never was.
    ],
)
def test_local_days_have_the_quarter_hours_they_have(zone, first, days, expected):
    zone = ZoneInfo(zone)

    assert lengths(quarters(datetime(*first, tzinfo=zone), days), zone) == expected


def test_a_cut_is_known_by_its_local_start_even_if_its_first_readings_are_missing():
    midnight = datetime(2024, 3, 10, tzinfo=PACIFIC)
    readings = quarters(midnight + timedelta(hours=5), 0.25)

    assert cut(readings, PACIFIC, "day")[0][0] == midnight.timestamp()
    assert cut(readings, PACIFIC, "month")[0][0] == datetime(2024, 3, 1, tzinfo=PACIFIC).timestamp()
    assert cut(readings, PACIFIC, "year")[0][0] == datetime(2024, 1, 1, tzinfo=PACIFIC).timestamp()


def test_a_reading_belongs_to_the_cut_it_starts_in():
    late = Readings.of([int(datetime(2024, 1, 31, 23, 30, tzinfo=PACIFIC).timestamp())], 86_400)

    assert cut(late, PACIFIC, "month") == [
        (int(datetime(2024, 1, 1, tzinfo=PACIFIC).timestamp()), slice(0, 1))
    ]


def test_days_without_readings_have_no_cut():
    gap = Readings.of([0, 10 * 86_400], 900)

    assert cut(gap, UTC, "day") == [(0, slice(0, 1)), (10 * 86_400, slice(1, 2))]
    assert cut(Readings.none(), UTC, "day") == []


def test_months_and_years_follow_local_time():
    year = quarters(datetime(2024, 1, 1, tzinfo=PACIFIC), 366)

    assert lengths(year, PACIFIC, "year") == [366 * 96]
    assert lengths(year, PACIFIC, "month")[2] == 31 * 96 - 4
    assert lengths(year, PACIFIC, "month")[10] == 30 * 96 + 4


@pytest.mark.parametrize(
    "zone", ["America/Havana", "Asia/Beirut", "America/Los_Angeles", "Pacific/Apia", "Asia/Gaza"]
)
def test_every_cut_of_decades_starts_where_its_local_date_begins(zone):
    zone = ZoneInfo(zone)
    hours = Readings.of(
        np.arange(datetime(2005, 1, 1, tzinfo=UTC).timestamp(), 1.8e9, 1800).astype(np.int64), 1800
    )

    for start, rows in cut(hours, zone, "day"):
        local = datetime.fromtimestamp(start, zone).date()
        assert datetime.fromtimestamp(start - 1, zone).date() < local
        assert datetime.fromtimestamp(int(hours.start[rows][0]), zone).date() == local
        assert datetime.fromtimestamp(int(hours.start[rows][-1]), zone).date() == local


def test_sums_stand_on_local_hours_and_days():
    zone = ZoneInfo("Asia/Kolkata")
    day = quarters(datetime(2024, 3, 9, tzinfo=zone), 1)

    hours, days = summed(day, 3600, zone), summed(day, 86_400, zone)

    assert hours.value.tolist() == [4] * 24
    assert hours.start[0] == day.start[0]
    assert (days.value.tolist(), days.duration.tolist()) == ([96], [86_400])


def test_sums_are_never_finer_than_promised_on_days_of_odd_length():
    days = quarters(datetime(2024, 3, 10, tzinfo=PACIFIC), 1)[:92]

    two_hours = summed(days, 7200, PACIFIC)

    assert two_hours.duration.tolist() == [7200] * 10 + [10_800]
    assert summed(days, 86_400, PACIFIC).duration.tolist() == [82_800]


def test_an_odd_step_becomes_the_next_that_divides_a_day():
    day = quarters(datetime(2024, 3, 9, tzinfo=PACIFIC), 1)

    assert set(summed(day, 1000, PACIFIC).duration.tolist()) == {1800}


def test_readings_already_coarse_enough_stay_as_they_are():
    billing = Readings.of([0, 30 * 86_400], 30 * 86_400, value=[1, 2])

    assert summed(billing, 31 * 86_400, PACIFIC) is billing
    assert summed(Readings.none(), 3600, PACIFIC) == Readings.none()


def test_months_and_years_are_summed_by_the_calendar():
    year = quarters(datetime(2024, 1, 1, tzinfo=PACIFIC), 366)

    months, whole = summed(year, 30 * 86_400, PACIFIC), summed(year, 60 * 86_400, PACIFIC)

    assert months.value.tolist()[:3] == [31 * 96, 29 * 96, 31 * 96 - 4]
    assert whole.value.tolist() == [366 * 96]


def test_the_quality_of_a_sum_says_what_it_was_made_of():
    start = 900 * np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15])
    quality = [17, 17, 17, 17, 17, 8, 17, 17, 17, 17, 17, 17, 17, 17, 17]
    value = [1] * 14 + [None]

    sums = summed(Readings.of(start, 900, value=value, quality=quality), 3600, UTC)

    assert sums.quality.tolist() == [17, 13, 10, 10]
    assert sums.value.tolist() == [4, 4, 3, 3]


def test_cost_is_summed_only_where_every_reading_has_one_and_tou_kept_only_where_all_agree():
    hours = Readings.of(
        900 * np.arange(8), 900, value=[1] * 8, cost=[5] * 7 + [None], tou=[1] * 5 + [2] * 3, quality=[0] * 8
    )

    sums = summed(hours, 3600, UTC)

    assert sums == Readings.of([0, 3600], 3600, value=[4, 4], cost=[20, None], tou=[1, None], quality=[0, 0])
