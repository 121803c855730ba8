"""Holiday calendars."""

from datetime import date

from espi_server.rates import holidays
from espi_server.rates.sidecar import Sidecar


def test_eight_holidays_of_2026_fall_where_tariff_sheets_say() -> None:
    assert sorted(holidays.days("us-eight", [2026])) == [
        date(2026, 1, 1), date(2026, 2, 16), date(2026, 5, 25), date(2026, 7, 4), date(2026, 9, 7),
        date(2026, 11, 11), date(2026, 11, 26), date(2026, 12, 25)]  # fmt: skip


def test_holiday_on_a_sunday_is_kept_on_monday() -> None:
    assert date(2027, 7, 5) in holidays.days("us-six", [2027])


def test_sidecar_names_a_calendar_or_dates() -> None:
    named, dated = Sidecar.parse({"holidays": "us-six"}), Sidecar.parse({"holidays": ["2025-07-04"]})

    assert len(named.holidays_in([2025, 2026])) == 12
    assert dated.holidays_in([2025]) == {date(2025, 7, 4)}
    assert dated.holidays_in([2026]) == frozenset()
