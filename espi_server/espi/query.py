"""The seven query parameters of ESPI, and `format`, read once, with errors a client's developer can act on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Protocol

from .errors import EspiError

DATE_TIME = "an RFC 3339 date-time with its zone, such as 2026-11-21T08:00:00Z"
COUNT = "a positive integer of at most 18 digits"

FORMATS = ("xml", "atom", "json", "csv")
FORMAT = "xml or atom, json, or (of readings and bills) csv"

GREATEST = 999_999_999
"""Counts above this mean this: clients send their language's greatest number to say "all"."""


class BadParameter(EspiError):
    """A query parameter is not of the accepted form; carries `name`, `value` and `accepted`."""

    def __init__(self, name: str, value: str, accepted: str) -> None:
        self.name, self.value, self.accepted = name, value, accepted
        shown = value if len(value) <= 60 else value[:60] + "…"
        super().__init__(f"The parameter {name} is {shown!r}; accepted is {accepted}.")


class MultiMapping(Protocol):
    """What a web framework's arguments offer: every value of a name, in order."""

    def __contains__(self, key: object, /) -> bool:
        """Is anything given under this name?"""
        ...

    def getlist(self, key: str, /) -> list[str]:
        """All values given under this name."""
        ...


Arguments = MultiMapping | Mapping[str, Sequence[str]]
"""A web framework's arguments, or a mapping of names to lists of values (or to one value)."""


@dataclass(frozen=True, slots=True)
class Query:
    """What of a collection is asked for. Times are epoch seconds; None is no limit.

    Both ends of a range belong to it, for every entry but one kind: an IntervalBlock is selected by its
    own interval instead of ``published``, and there the window is half open like the interval itself. A
    client that fetches day after day gets each block once. See `overlaps`.
    """

    published_min: int | None = None
    published_max: int | None = None
    updated_min: int | None = None
    updated_max: int | None = None
    max_results: int | None = None
    start_index: int = 1
    depth: int | None = None
    format: str = ""
    """How the answer is to be written, ours: no selection, but links to other pages must carry it."""

    @classmethod
    def parse(cls, arguments: Arguments) -> "Query":
        """Read the seven parameters and `format`, and ignore all others; raises BadParameter.

        Others are ignored because links in the field carry them (PG&E adds correlationID). A parameter
        given twice is an error: which of the two was meant, nobody can tell. A time in the future is fine.
        """
        if not arguments:
            return cls()
        query = cls(
            published_min=_time(arguments, "published-min", earliest=True),
            published_max=_time(arguments, "published-max"),
            updated_min=_time(arguments, "updated-min", earliest=True),
            updated_max=_time(arguments, "updated-max"),
            max_results=_count(arguments, "max-results"),
            start_index=_count(arguments, "start-index") or 1,
            depth=_count(arguments, "depth"),
            format=read_format(arguments),
        )
        _check_order("published", query.published_min, query.published_max)
        _check_order("updated", query.updated_min, query.updated_max)
        return query

    @property
    def limit(self) -> int | None:
        """The greatest number of entries: the smaller of max-results and depth.

        The standard describes depth in the words of max-results, so it is a second limit.
        """
        return min((count for count in (self.max_results, self.depth) if count is not None), default=None)

    @property
    def offset(self) -> int:
        """How many entries to pass over; the first has the index 1."""
        return self.start_index - 1

    @property
    def part(self) -> slice:
        """The entries asked for among all that are selected."""
        return slice(self.offset, None if self.limit is None else self.offset + self.limit)

    @property
    def is_whole(self) -> bool:
        """Is everything asked for, in whatever form?"""
        return self == Query() or (bool(self.format) and replace(self, format="") == Query())

    @property
    def ends_after(self) -> int | None:
        """A block must end after this to be selected."""
        return self.published_min

    @property
    def starts_before(self) -> int | None:
        """A block must start before this to be selected; a window of one instant holds that instant."""
        if self.published_max is not None and self.published_max == self.published_min:
            return self.published_max + 1
        return self.published_max

    def overlaps(self, start: int, end: int) -> bool:
        """Does an interval from `start` up to, not including, `end` meet the published window?"""
        after, before = self.ends_after, self.starts_before
        return (before is None or start < before) and (after is None or max(end, start + 1) > after)

    def selects(self, published: int, updated: int) -> bool:
        """Do an entry's own times lie inside what is asked for? Both ends belong to a range."""
        return (
            (self.published_min is None or published >= self.published_min)
            and (self.published_max is None or published <= self.published_max)
            and (self.updated_min is None or updated >= self.updated_min)
            and (self.updated_max is None or updated <= self.updated_max)
        )

    def page(self, start_index: int) -> "Query":
        """The same selection from another first entry on, for links to the next and previous page."""
        return replace(self, start_index=start_index)

    def __str__(self) -> str:
        """The canonical query string without ``?``: equal queries print equally, '' asks for everything."""
        return _printed(self)


# One request prints its query for its own address, its state and the record of disclosures.
@lru_cache(maxsize=256)
def _printed(query: Query) -> str:
    given = ((field.name, getattr(query, field.name), field.default) for field in fields(query))
    return "&".join(
        f"{name.replace('_', '-')}={_print(value) if name.startswith(('published', 'updated')) else value}"
        for name, value, default in given
        if value != default
    )


def read_format(arguments: Arguments) -> str:
    """The parameter `format`, '' where it is not given."""
    text = _single(arguments, "format")
    if text is not None and text not in FORMATS:
        raise BadParameter("format", text, FORMAT)
    return text or ""


_RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,20}))?"
    r"(?:[Zz]|([-+ ])([0-9]{2}):([0-9]{2}))"
)
_WHOLE = re.compile(r"[0-9]{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _check_order(name: str, low: int | None, high: int | None) -> None:
    # An empty feed would read as "no data yet" and hide swapped dates for days; so it is an error.
    if low is not None and high is not None and low > high:
        raise BadParameter(
            f"{name}-min", _print(low), f"a time not after {name}-max, which is {_print(high)}"
        )


def _single(arguments: Arguments, name: str) -> str | None:
    """The one value of a parameter, or None where it is not given."""
    if name not in arguments:
        return None
    if hasattr(arguments, "getlist"):
        values: Sequence[str] = arguments.getlist(name)
    else:
        values = arguments.get(name, ())
        values = [values] if isinstance(values, str) else values
    if len(values) > 1:
        raise BadParameter(name, ", ".join(values), "one value, not several")
    return values[0] if values else None


def _time(arguments: Arguments, name: str, earliest: bool = False) -> int | None:
    """Epoch seconds; a fraction is rounded into the range, because our entries have whole seconds."""
    text = _single(arguments, name)
    if text is None:
        return None
    try:
        moment, fraction = _moment(text)
    except (ValueError, OverflowError):
        raise BadParameter(name, text, DATE_TIME) from None
    return (moment - _EPOCH) // timedelta(seconds=1) + (1 if earliest and fraction else 0)


def _moment(text: str) -> tuple[datetime, bool]:
    """The time in UTC, and whether it has a fraction; raises ValueError or OverflowError."""
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(text)
    *parts, fraction, sign, hours, minutes = match.groups()
    offset = timedelta()
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError(text)
        # A + that was not percent-encoded arrives as a blank.
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    year, month, day, hour, minute, second = map(int, parts)
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset))
    return moment.astimezone(UTC), bool(fraction and int(fraction))


def _count(arguments: Arguments, name: str) -> int | None:
    text = _single(arguments, name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text) or int(text) == 0:
        raise BadParameter(name, text, COUNT)
    return min(int(text), GREATEST)


def _print(seconds: int) -> str:
    moment = _EPOCH + timedelta(seconds=seconds)
    return moment.replace(tzinfo=None).isoformat() + "Z"
