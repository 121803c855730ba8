"""A later delivery over what is stored: who wins, and what changed by it."""

from typing import NamedTuple

import numpy as np

from espi_server.espi.readings.columns import NAMES, Column, Mask, Readings, joined


class Merged(NamedTuple):
    """The outcome of a merge; `created`, `changed` and `unchanged` are masks over the new readings."""

    readings: Readings
    created: Mask
    changed: Mask
    unchanged: Mask
    replaced: Readings
    """Old readings that gave way, for the correction history: changed ones, and those a longer new one covers."""
    overlaps: int
    """Readings of the result that begin before an earlier one ends; kept, since demand windows legally overlap."""


def merge(old: Readings, new: Readings) -> Merged:
    """Old readings with a later delivery over them.

    A new reading takes the place of the old one with its start, and of shorter old ones that lie wholly inside it
    (four quarter-hours re-delivered as an hour must not count twice). Any other overlap is kept and counted.
    Equal content is no change.
    """
    if not len(old):
        none = np.zeros(len(new), np.bool_)
        return Merged(new, ~none, none, none, old, _overlaps(new))
    at = np.searchsorted(old.start, new.start)
    met = old.start[np.minimum(at, len(old) - 1)] == new.start
    unchanged = met & _same(old, new, np.where(met, at, 0))
    changed = met & ~unchanged
    gone = _covered(old, new)
    gone[at[met]] = False
    gone[at[changed]] = True
    result = joined([old[~gone], new])
    return Merged(result, ~met, changed, unchanged, old[gone], _overlaps(result))


def _same(old: Readings, new: Readings, at: Column) -> Mask:
    """Where the old row `at` says the same as the new one."""
    same = np.ones(len(new), np.bool_)
    for name in NAMES:
        same &= old.cells(name)[at] == new.cells(name)
    for start in old.extra.keys() | new.extra.keys():
        if old.extra.get(start) != new.extra.get(start):
            same &= new.start != start
    return same


def _covered(old: Readings, new: Readings) -> Mask:
    """Old readings that lie wholly inside a new one."""
    if not len(new):
        return np.zeros(len(old), np.bool_)
    reach = np.maximum.accumulate(new.end)
    before = np.searchsorted(new.start, old.start, "right") - 1
    return (before >= 0) & (reach[np.maximum(before, 0)] >= old.end)


def _overlaps(readings: Readings) -> int:
    reach = np.maximum.accumulate(readings.end)
    return int(np.count_nonzero(readings.start[1:] < reach[:-1]))
