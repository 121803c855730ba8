"""LocalTimeParameters out of a time zone's name, for sources that send none.

A rule of daylight time is 32 bits, written as 8 hexadecimal digits (DstRuleType): seconds within the hour (bits 0
to 11), hour (12 to 16), weekday from Monday 1 to Sunday 7 (17 to 19), day of the month (20 to 24), operator (25 to
27) and month (28 to 31). Operators used here: 2 to 6 for the first to fifth such weekday, 7 for the last one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

OFF = "FFFFFFFF"
_YEARS_AHEAD = 6  # enough for "second Sunday" and "last Sunday" to differ
_FIRST, _LAST = 2, 7


class _Switch(NamedTuple):
    """The wall clock just before it changes, and by how much it changes."""

    wall: datetime
    shift: timedelta


def parameters(timezone: str, now: datetime) -> dict[str, int | str]:
    """The content of LocalTimeParameters, by the zone's rules from `now` on."""
    zone = ZoneInfo(timezone)
    switches = [_switches(zone, now.year + ahead) for ahead in range(_YEARS_AHEAD)]
    forward = [switch for year in switches for switch in year if switch.shift > timedelta(0)]
    back = [switch for year in switches for switch in year if switch.shift < timedelta(0)]
    standard = min(_offset(zone, datetime(now.year, month, 1, tzinfo=UTC)) for month in (1, 7))
    if len(forward) != _YEARS_AHEAD or len(back) != _YEARS_AHEAD:
        return {"dstEndRule": OFF, "dstOffset": 0, "dstStartRule": OFF, "tzOffset": _seconds(standard)}
    return {
        "dstEndRule": _rule([switch.wall for switch in back]),
        "dstOffset": _seconds(forward[0].shift),
        "dstStartRule": _rule([switch.wall for switch in forward]),
        "tzOffset": _seconds(standard),
    }


def _switches(zone: ZoneInfo, year: int) -> list[_Switch]:
    """The changes of the clock in one year, each found to the second between two hours that differ."""
    found = []
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        later = moment + timedelta(days=1)
        if _offset(zone, moment) != _offset(zone, later):
            found.append(_switch(zone, moment, later))
        moment = later
    return found


def _switch(zone: ZoneInfo, earlier: datetime, later: datetime) -> _Switch:
    before, after = _offset(zone, earlier), _offset(zone, later)
    while later - earlier > timedelta(seconds=1):
        middle = earlier + timedelta(seconds=(later - earlier) // timedelta(seconds=2))
        earlier, later = (middle, later) if _offset(zone, middle) == before else (earlier, middle)
    return _Switch((later + before).replace(tzinfo=None), after - before)


def _rule(walls: list[datetime]) -> str:
    """The one rule behind several years' changes: the same month, weekday and hour."""
    wall = walls[0]
    ordinals = {(day.day - 1) // 7 for day in walls}
    operator = _FIRST + ordinals.pop() if len(ordinals) == 1 else _LAST
    within_the_hour = wall.minute * 60 + wall.second
    bits = wall.month << 28 | operator << 25 | wall.isoweekday() << 17 | wall.hour << 12 | within_the_hour
    return f"{bits:08X}"


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
