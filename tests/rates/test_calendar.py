"""Where readings fall: local clock, billing cycles, kinds of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from espi_server.rates.calendar import (
    Calendar,
    Cycle,
    check_cycles,
    midnight,
    months,
    reading_times,
    utc_offsets,
    zone_named,
)
from espi_server.rates.errors import DoesNotFit, UnknownZone
from tests.rates.records import PACIFIC, read_days, utc, year_of


@pytest.mark.parametrize(
    "name",
    ["America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Africa/Casablanca"],
)
def test_local_clock_is_that_of_the_tz_database(name: str) -> None:
    zone = ZoneInfo(name)
    times = np.arange(utc("2025-01-01T00:00:00"), utc("2026-01-01T00:00:00"), 1800)

    offsets = utc_offsets(zone, times)

    expected = [datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset() for at in times.tolist()]
    assert offsets.tolist() == [gap.total_seconds() for gap in expected if gap is not None]


def test_each_reading_has_the_cell_of_its_local_hour_and_day() -> None:
    used = year_of(1)
    holiday = date(2025, 7, 4)
    calendar = read_days(
        *(date(2025, 1, 1) + timedelta(days=73 * n) for n in range(6)), holidays=frozenset({holiday})
    )

    index = calendar.index(used.start, used.step, len(used))

    for n in range(0, 8760, 7):
        local = calendar.local(used.start + n * 3600)
        part, rest = divmod(int(index.cell[n]), 72)
        kind = 2 if local.date() == holiday else 1 if local.weekday() >= 5 else 0
        assert divmod(rest, 24) == (kind, local.hour)
        assert calendar.parts[part].month == local.month


def test_parts_are_the_months_of_a_cycle_with_their_days() -> None:
    calendar = read_days(date(2025, 5, 20), date(2025, 6, 19), date(2025, 7, 18))

    assert [(part.cycle, part.month, part.days) for part in calendar.parts] == [
        (0, 5, 12), (0, 6, 18), (1, 6, 12), (1, 7, 17)]  # fmt: skip
    assert [calendar.days(n) for n in range(2)] == [30, 29]
    assert [calendar.month(n) for n in range(2)] == [6, 7]


def test_cycle_cut_at_an_odd_hour_counts_its_dates_once() -> None:
    start, end = utc("2025-01-09T18:00:00"), utc("2025-02-01T18:00:00")
    calendar = Calendar(PACIFIC, (Cycle(start, end),))

    index = calendar.index(start, 3600, (end - start) // 3600)

    assert calendar.days(0) == 23
    assert [part.month for part in calendar.parts] == [1]
    assert index.expected.sum() == 23 * 24


def test_daily_readings_begin_at_local_midnights() -> None:
    start = midnight(PACIFIC, date(2025, 7, 1))

    times = reading_times(PACIFIC, start, 86400, 200)

    assert {datetime.fromtimestamp(at, PACIFIC).hour for at in times.tolist()} == {0}


def test_unknown_zone_names_those_alike() -> None:
    with pytest.raises(UnknownZone, match="America/Los_Angeles"):
        zone_named("America/Los_Angles")
    with pytest.raises(UnknownZone):
        zone_named("../etc/passwd")


def test_calendar_months_must_be_whole() -> None:
    zone = PACIFIC

    assert len(months(zone, midnight(zone, date(2025, 1, 1)), midnight(zone, date(2026, 1, 1)))) == 12
    with pytest.raises(DoesNotFit, match="begin on 2024-12-31 at 16:00"):
        months(zone, utc("2025-01-01T00:00:00"), midnight(zone, date(2026, 1, 1)))
    with pytest.raises(DoesNotFit, match="end on 2024-12-31"):
        months(zone, midnight(zone, date(2024, 1, 1)), midnight(zone, date(2024, 12, 31)))


@pytest.mark.parametrize(
    ("days", "words"),
    [([(1, 9), (8, 20)], "overlaps"), ([(1, 9), (10, 20)], "gap"), ([(9, 9)], "less than a day")],
)
def test_cycles_follow_one_another(days: list[tuple[int, int]], words: str) -> None:
    cycles = [Cycle(*(midnight(PACIFIC, date(2025, 1, day)) for day in pair)) for pair in days]

    with pytest.raises(DoesNotFit, match=words):
        check_cycles(cycles)
