"""Where everything stands in the rows below one header row of a custodian's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from itertools import pairwise
from typing import NamedTuple

from espi_server.energy.layout import Channel, Layout, fits, plain
from espi_server.espi.errors import EspiError

_DAY = 86_400
_TIMES = ("start", "period", "date")


class BadTable(EspiError):
    """This file is neither Green Button XML nor a table known here."""


class Place(NamedTuple):
    """A column of values. `clock` is where in the day it stands (seconds), for columns that are times of the day."""

    name: str
    value: int
    unit: str = ""
    unit_at: int | None = None
    flow: str = ""
    cost_at: int | None = None
    interval_at: int | None = None
    clock: int | None = None


@dataclass(frozen=True)
class Heading:
    """The columns of a table: our names for them, its values, how many there are, and what is left alone."""

    width: int
    at: Mapping[str, int]
    places: tuple[Place, ...]
    step: int
    left_alone: tuple[str, ...]


def recognised(layout: Layout, cells: Sequence[str]) -> Heading | None:
    """The heading, if this row is one in this layout. BadTable for a column nobody can place."""
    names = [plain(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    at = {
        field: place for field, known in layout.columns.items() if (place := _find(names, known)) is not None
    }
    if not any(field in at for field in _TIMES):
        return None
    places = tuple(_channels(layout, names))
    clocks = {} if not layout.wide else _clocks(layout, names)
    step = 0
    if not places and len(clocks) > 1:
        step, places = _wide(clocks, names)
    if not places:
        return None
    used = {*at.values(), *(index for place in places for index in _used(place))}
    others = [index for index in range(len(names)) if index not in used and names[index]]
    strange = [index for index in others if not any(fits(names[index], each) for each in layout.ignore)]
    if strange:
        raise BadTable(
            f"The layout {layout.name} does not know the column {cells[strange[0]].strip()!r}. If it may be left "
            "alone, describe the table in a layout of your own and name it under ignore."
        )
    return Heading(len(names), at, places, step, tuple(cells[index].strip() for index in others))


def _find(names: Sequence[str], known: Sequence[str], start: int = 0) -> int | None:
    wanted = [plain(each) for each in known]
    return next((place for place in range(start, len(names)) if names[place] in wanted), None)


def _used(place: Place) -> Iterator[int]:
    yield place.value
    yield from (each for each in (place.unit_at, place.cost_at, place.interval_at) if each is not None)


def _channels(layout: Layout, names: Sequence[str]) -> Iterator[Place]:
    for channel in layout.channels:
        value = _find(names, [channel.value])
        while value is not None:
            yield _place(channel, names, value)
            value = _find(names, [channel.value], value + 1) if layout.repeated else None


def _place(channel: Channel, names: Sequence[str], value: int) -> Place:
    def beside(column: str) -> int | None:
        # Of repeated columns, those right of the value belong to it.
        return _find(names, [column], value) if column else None

    cost = next((place for each in channel.cost if (place := _find(names, [each])) is not None), None)
    unit_at, interval_at = beside(channel.unit_column), beside(channel.interval_column)
    return Place(channel.value, value, channel.unit, unit_at, channel.flow, cost, interval_at)


def _clocks(layout: Layout, names: Sequence[str]) -> dict[int, int]:
    """Columns that are times of the day, as seconds since midnight."""
    found = ((place, clock_of(name, layout.times)) for place, name in enumerate(names))
    return {place: clock for place, clock in found if clock is not None}


def clock_of(text: str, formats: Sequence[str]) -> int | None:
    """Seconds since midnight, 86400 for 24:00; None for what is no time."""
    if text.startswith("24:00"):
        return _DAY if not text.strip("240:") else None
    for each in formats:
        try:
            found: time = datetime.strptime(text, each).time()  # noqa: DTZ007 - a time of the day has no zone
        except ValueError:
            continue
        return found.hour * 3600 + found.minute * 60 + found.second
    return None


def _wide(clocks: Mapping[int, int], names: Sequence[str]) -> tuple[int, tuple[Place, ...]]:
    """The columns of a day: named by where their readings begin, or (from 00:15 to 24:00) by where they end."""
    order = list(clocks.values())
    step = min((later - earlier for earlier, later in pairwise(order) if later > earlier), default=0)
    ends = order[0] == step
    starts = [(clock or _DAY) - step if ends else clock for clock in order]
    if not step or _DAY % step or (order[0] and not ends) or {*starts} != {*range(0, _DAY, step)}:
        raise BadTable(
            f"The {len(order)} columns from {names[next(iter(clocks))]!r} on are no whole day in equal steps; give one "
            "column for each, from 00:00 on (or, where they tell the end, from the first end to 24:00)."
        )
    places = (Place(names[at], at, clock=start) for at, start in zip(clocks, starts, strict=True))
    return step, tuple(places)
