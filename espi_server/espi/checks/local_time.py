"""Local time by a document's own LocalTimeParameters: the reverse of writing their rules."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from espi_server.espi.atom import moment

DAY = 86_400
OFF = "FFFFFFFF"
_WHOLE = re.compile("[0-9A-Fa-f]{8}")
_LEAP = 2024
_LATEST = 62_135_510_400  # from here on, and as far before 1970, datetime knows no year


class Rule(NamedTuple):
    """The fields of a rule: month 1 to 12, operator, day of the month, weekday (Monday 1, none 0), hour, seconds."""

    month: int
    operator: int
    day: int
    weekday: int
    hour: int
    seconds: int

    @property
    def complaint(self) -> str:
        """Which field cannot be, in words; empty where all can."""
        if not 1 <= self.month <= 12:
            return f"its month is {self.month}, and there are months 1 to 12"
        if self.hour > 23 or self.seconds > 3_599:
            return f"it names hour {self.hour} and second {self.seconds} of it"
        if self.operator and not self.weekday:
            return "it counts weekdays and names none"
        if self.operator < 2 and not 1 <= self.day <= monthrange(_LEAP, self.month)[1]:
            return f"its day of the month is {self.day}"
        return ""

    def in_year(self, year: int) -> datetime:
        """When the clock changes, by the wall clock just before."""
        time = timedelta(hours=self.hour, seconds=self.seconds)
        day = min(self.day, monthrange(year, self.month)[1]) if self.operator < 2 else 1
        first = datetime(year, self.month, day)  # noqa: DTZ001 – a wall clock
        if not self.operator:
            return first + time
        ahead = (self.weekday - first.isoweekday()) % 7
        if self.operator < 7:
            return first + timedelta(days=ahead + 7 * max(self.operator - 2, 0)) + time
        after = datetime(year + self.month // 12, self.month % 12 + 1, 1)  # noqa: DTZ001
        return after - timedelta(days=(after.isoweekday() - self.weekday - 1) % 7 + 1) + time


def when(seconds: int) -> str:
    """A time as people read it; beyond the calendar the bare number."""
    return moment(seconds) if abs(seconds) < _LATEST else f"second {seconds}"


def decoded(rule: str) -> Rule | None:
    """The fields of eight hexadecimal digits; None for anything else, and for FFFFFFFF, which is no rule."""
    if not _WHOLE.fullmatch(rule) or rule.upper() == OFF:
        return None
    bits = int(rule, 16)
    return Rule(
        bits >> 28, bits >> 25 & 7, bits >> 20 & 31, bits >> 17 & 7, bits >> 12 & 31, bits & 0xFFF
    )  # fmt: skip


@dataclass(frozen=True)
class LocalTime:
    """Local time as LocalTimeParameters say it: seconds from UTC, seconds more in summer, and when summer is."""

    standard: int
    summer: int = 0
    starts: Rule | None = None
    ends: Rule | None = None

    @classmethod
    def of(cls, parameters: Any) -> LocalTime | None:
        """From a LocalTimeParameters resource; None where its numbers cannot be."""
        standard, summer = parameters.tz_offset, parameters.dst_offset
        if (
            not isinstance(standard, int)
            or not isinstance(summer, int)
            or max(abs(standard), abs(summer)) > DAY
        ):
            return None
        rules = [decoded(str(each or "")) for each in (parameters.dst_start_rule, parameters.dst_end_rule)]
        if not summer or None in rules or any(rule.complaint for rule in rules if rule):
            return cls(standard)
        return cls(standard, summer, rules[0], rules[1])

    def offset(self, moment: int) -> int:
        """Seconds to add to UTC at this moment."""
        if self.starts is None or self.ends is None or not 0 <= moment < _LATEST:
            return self.standard
        start, end = _summer(self, datetime.fromtimestamp(moment + self.standard, UTC).year)
        inside = start <= moment < end if start < end else not end <= moment < start
        return self.standard + self.summer * inside

    def is_midnight(self, moment: int) -> bool:
        """Whether a local day begins at this moment."""
        return (moment + self.offset(moment)) % DAY == 0

    def day_after(self, midnight: int) -> int:
        """The next local midnight after one."""
        guess = midnight + DAY
        return guess + self.offset(midnight) - self.offset(guess)


@lru_cache(maxsize=256)
def _summer(zone: LocalTime, year: int) -> tuple[int, int]:
    """When summer starts and ends that year, epoch seconds."""
    if zone.starts is None or zone.ends is None:
        return 0, 0
    start = int(zone.starts.in_year(year).replace(tzinfo=UTC).timestamp()) - zone.standard
    end = int(zone.ends.in_year(year).replace(tzinfo=UTC).timestamp()) - zone.standard - zone.summer
    return start, end
