"""Times as people write them in tables: epoch seconds, ISO 8601 with an offset, or local time where that was agreed."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

_EPOCH = re.compile(r"-?[0-9]{1,11}")
_MILLISECONDS = re.compile(r"[0-9]{12,14}")


class BadMoment(ValueError):
    """This is not a time a table may hold."""


def moment(text: str, zone: tzinfo, *, local: bool, after: int | None = None) -> tuple[int, bool]:
    """Epoch seconds of a table's time, and whether it stood in a doubled hour.

    A local time that occurs twice is the first one not before `after`, the reading before it: order tells. Raises
    BadMoment with what is accepted.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return int(text), False
    if _MILLISECONDS.fullmatch(text):
        raise BadMoment(f"{text} looks like milliseconds; give whole seconds since 1970")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadMoment(
            f"{text!r} is no time; give 2026-01-31T06:00:00Z, an offset such as -08:00, or epoch seconds"
        ) from None
    if found.tzinfo is not None:
        return int(found.timestamp()), False
    if not local:
        raise BadMoment(f"{text!r} has no offset; add Z or an offset such as -08:00, or import with --local")
    return _local(found, zone, after)


def _local(found: datetime, zone: tzinfo, after: int | None) -> tuple[int, bool]:
    first, second = (int(found.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    if first > second:
        raise BadMoment(f"{found} never was: clocks were put forward over it")
    if first == second:
        return first, False
    return (second if after is not None and first <= after else first), True


def day_or_moment(text: str, zone: tzinfo) -> int | None:
    """A date (its local midnight) or a time; None for an empty cell."""
    text = text.strip()
    if not text:
        return None
    return moment(text, zone, local=True)[0]
