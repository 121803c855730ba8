"""What somebody asks of the usage side: whose data, which of it, and how it is to be addressed."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from espi_server.energy.find import Opening
from espi_server.energy.models import Kind
from espi_server.espi.query import Query
from espi_server.espi.readings import starts_around
from espi_server.espi.rights import Rights


@dataclass(frozen=True)
class Asking:
    """One request for a feed.

    `at` makes the address usage points stand on from a subscription's id; `rights` tells what a subscription's
    scope and consented history allow. `kinds` None asks for a whole tree, else for a collection of these kinds,
    of one usage point or meter reading where given.
    """

    opening: Opening
    base: str
    href: str
    link_type: str
    title: str
    id: uuid.UUID
    at: Callable[[str], str]
    rights: Callable[[str | None, int | None], Rights]
    zone: ZoneInfo
    digest: bytes
    now: int
    query: Query = field(default_factory=Query)
    kinds: frozenset[int] | None = None
    usage_point: uuid.UUID | None = None
    meter_reading: uuid.UUID | None = None

    def wants(self, kind: int, rights: Rights) -> bool:
        """Is this kind asked for, and may it be seen?"""
        return (self.kinds is None or kind in self.kinds) and rights.sees(Kind(kind).name)

    @property
    def wants_blocks(self) -> bool:
        """Are interval blocks asked for?"""
        return self.kinds is None or Kind.IntervalBlock in self.kinds

    @cached_property
    def is_selective(self) -> bool:
        """Does the query leave entries out by their times?"""
        query = self.query
        times = (query.published_min, query.published_max, query.updated_min, query.updated_max)
        return any(each is not None for each in times)

    @cached_property
    def who(self) -> dict[str, Any]:
        """What every statement is given: whose data, and who asks."""
        return {**self.opening.parameters, "digest": self.digest, "now": self.now}

    @cached_property
    def times(self) -> dict[str, Any]:
        """The query's limits on an entry's own times; strict for a collection, which has no frame."""
        query = self.query
        return {
            "published_min": query.published_min,
            "published_max": query.published_max,
            "updated_min": query.updated_min,
            "updated_max": query.updated_max,
            "strict": None if self.kinds is None else 1,
        }

    @cached_property
    def window(self) -> dict[str, Any]:
        """The query's limits on interval blocks."""
        query = self.query
        after, before = query.ends_after, query.starts_before
        return {
            "after": after,
            "before": before,
            "year_of_after": None if after is None else _years(after, self.zone)[0],
            "year_after_before": None if before is None else _years(before, self.zone)[1],
            "updated_min": query.updated_min,
            "updated_max": query.updated_max,
            "meter_reading": self.meter_reading,
        }


_FIRST_YEAR, _LAST_YEAR, _A_YEAR = (
    -62_000_000_000,
    253_000_000_000,
    366 * 86_400,
)  # the calendar has years 1 to 9999


@lru_cache(maxsize=1024)
def _years(moment: int, zone: ZoneInfo) -> tuple[int, int]:
    """Where the local year of a moment begins, and where the next one does; outside the calendar, a year around it."""
    if not _FIRST_YEAR <= moment < _LAST_YEAR:
        return moment - _A_YEAR, moment + _A_YEAR
    starts = starts_around(np.array([moment]), zone, "year").tolist()
    place = bisect_right(starts, moment)
    return starts[place - 1], starts[place]
