"""Numbers and times as custodians write them: decimal commas, grouped thousands, minus signs behind, 24:00."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from espi_server.energy.layout import Layout
from espi_server.energy.meter_table import BadRow

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_INTERVAL = re.compile(r"([0-9]{1,5})\s*(s|m|h)[a-z]*", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_GROUPS = {".": r"[, '\u202f\xa0]", ",": r"[. '\u202f\xa0]"}
_NUMBERS = {
    decimal: re.compile(rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)?(?:{re.escape(decimal)}[0-9]+)?")
    for decimal, group in _GROUPS.items()
}


def number(text: str, decimal: str, column: str) -> str:
    """A number as Python reads it. The minus may stand in front, behind (SAP), or be brackets (bookkeepers)."""
    bare = text.strip().replace("$", "").strip()
    sign = "-" if bare.startswith("-") or bare.endswith("-") or re.fullmatch(r"\(.*\)", bare) else ""
    digits = bare.strip("()").removeprefix("-").removeprefix("+").removesuffix("-").strip()
    if not digits or not _NUMBERS[decimal].fullmatch(digits):
        raise BadRow(f"{column} {text!r} is not a number such as 1{_other(decimal)}234{decimal}56")
    return sign + re.sub(_GROUPS[decimal], "", digits).replace(decimal, ".")


def _other(decimal: str) -> str:
    return "," if decimal == "." else "."


def interval(text: str) -> int:
    """Seconds of `15min`, `1 hour`, `900 s`."""
    found = _INTERVAL.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise BadRow(f"the interval {text!r} is not one such as 15min, 1 hour or 900 s")
    return int(found[1]) * _SECONDS[found[2].lower()]


def wall(layout: Layout, day: str, clock: str | None = None) -> datetime:
    """A date and a time of the day, or both in one text, as the clock on the wall showed them."""
    text = " ".join((day if clock is None else f"{day} {clock}").replace("\xa0", " ").split())
    midnight = re.fullmatch(r"(.+) 24:00(?::00)?", text)
    if midnight:
        return wall(layout, midnight[1], _midnight(layout)) + _DAY
    formats = [f"{date} {time}" for date in layout.dates for time in layout.times]
    for each in formats:
        try:
            return datetime.strptime(text, each)  # noqa: DTZ007 - what a wall clock shows has no zone
        except ValueError:
            continue
    raise BadRow(f"{text!r} is no time this layout knows; it has {', '.join(formats)}")


def date(layout: Layout, day: str) -> datetime:
    """The midnight a date begins with."""
    return wall(layout, day, _midnight(layout))


def _midnight(layout: Layout) -> str:
    return datetime(2000, 1, 1, tzinfo=UTC).strftime(layout.times[0])


def lasting(start: datetime, end: datetime, zone: tzinfo | None) -> int:
    """Seconds from one wall time to another; `zone` knows when clocks change, None is a clock that never does.

    A reading of an hour or less takes what the clock shows: in the doubled hour from 01:45 to 02:00 is a quarter
    both times. Only across the hour that is skipped, and for longer readings, the clock's change counts.
    """
    shown = end - start
    if zone is None:
        return int(shown.total_seconds())
    real = end.replace(tzinfo=zone).timestamp() - start.replace(tzinfo=zone).timestamp()
    if shown <= _HOUR * 2 and not 0 < real < shown.total_seconds():
        return int(shown.total_seconds())
    return int(real)


def standard(zone: tzinfo, year: int) -> timezone:
    """A zone's time without daylight saving."""
    offsets = [datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7)]
    return timezone(min(offsets))


def occurs(moment: datetime, zone: tzinfo) -> int:
    """How often a wall time occurs: once, twice when clocks go back over it, never when they skip it."""
    first, second = (moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return 1 if first == second else 2 if first < second else 0
