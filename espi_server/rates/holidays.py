"""Holiday calendars a tariff may name: the days it bills like weekend days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

MONDAY, THURSDAY, SATURDAY, SUNDAY = 0, 3, 5, 6
Rule = Callable[[int], date]


def fixed(month: int, day: int) -> Rule:
    """That date every year; the Monday after when it is a Sunday, as tariffs say."""

    def rule(year: int) -> date:
        found = date(year, month, day)
        return found + timedelta(days=1) if found.weekday() == SUNDAY else found

    return rule


def nth(number: int, weekday: int, month: int) -> Rule:
    """The first, second … such weekday of the month; -1 is the last."""

    def rule(year: int) -> date:
        if number > 0:
            first = date(year, month, 1)
            return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
        last = (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - weekday) % 7)

    return rule


NEW_YEAR, INDEPENDENCE, VETERANS, CHRISTMAS = fixed(1, 1), fixed(7, 4), fixed(11, 11), fixed(12, 25)
WASHINGTON, MEMORIAL = nth(3, MONDAY, 2), nth(-1, MONDAY, 5)
LABOR, THANKSGIVING = nth(1, MONDAY, 9), nth(4, THURSDAY, 11)

CALENDARS: dict[str, tuple[Rule, ...]] = {
    "us-six": (NEW_YEAR, MEMORIAL, INDEPENDENCE, LABOR, THANKSGIVING, CHRISTMAS),
    "us-eight": (NEW_YEAR, WASHINGTON, MEMORIAL, INDEPENDENCE, LABOR, VETERANS, THANKSGIVING, CHRISTMAS),
    "us-federal": (
        NEW_YEAR,
        nth(3, MONDAY, 1),
        WASHINGTON,
        MEMORIAL,
        fixed(6, 19),
        INDEPENDENCE,
        LABOR,
        nth(2, MONDAY, 10),
        VETERANS,
        THANKSGIVING,
        CHRISTMAS,
    ),
}


def days(calendar: str, years: Iterable[int]) -> frozenset[date]:
    """The holidays of a named calendar in those years. Raises KeyError for an unknown name."""
    rules = CALENDARS[calendar]
    return frozenset(rule(year) for year in years for rule in rules)
