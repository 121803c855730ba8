"""Who is who among imported things: ids that stay the same however often, and from wherever, a thing arrives.

Every id is a version 5 UUID in the utility's own random namespace over `kind:key`, so it survives a change of
host name and cannot be guessed from a meter number. What a source calls a thing is kept beside it, never used as
an id by itself: real files share self links, mint new ids for each answer and point up to the wrong parent.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator

DAY = "day"
MONTH = "month"


def made(namespace: uuid.UUID, kind: str, *key: object) -> uuid.UUID:
    """The id of the `kind` with this key; parts of the key are joined by colons."""
    return uuid.uuid5(namespace, ":".join([kind, *map(str, key)]))


def by_content(namespace: uuid.UUID, kind: str, xml: bytes) -> uuid.UUID:
    """ReadingType and LocalTimeParameters: equal content is one resource. `xml` is the content as we write it."""
    return made(namespace, kind, hashlib.sha256(xml).hexdigest())


def usage_point(namespace: uuid.UUID, key: str) -> uuid.UUID:
    """A usage point by the key its source's profile chooses."""
    return made(namespace, "UsagePoint", key)


def meter_reading(
    namespace: uuid.UUID, usage_point_id: uuid.UUID, reading_type_id: uuid.UUID, last: str = ""
) -> uuid.UUID:
    """A meter reading by its pair; `last`, the last path part of its self link, tells a second one of the pair."""
    return made(namespace, "MeterReading", usage_point_id, reading_type_id, *([last] if last else []))


def in_period(
    namespace: uuid.UUID, kind: str, usage_point_id: uuid.UUID, period: tuple[int, int] | int
) -> uuid.UUID:
    """UsageSummary and ElectricPowerQualitySummary: by (start, duration), or the status time where there is none."""
    start, duration = period if isinstance(period, tuple) else (period, None)
    return made(namespace, kind, usage_point_id, start, *([] if duration is None else [duration]))


def below(namespace: uuid.UUID, kind: str, parent: uuid.UUID, last: str) -> uuid.UUID:
    """Customer kinds: the parent, and the last path part of the self link (else the atom id)."""
    return made(namespace, kind, parent, last)


def block_id(meter_reading_id: uuid.UUID, cut: str, local_start: int) -> str:
    """The id of a served IntervalBlock, as text: `cut` is DAY or MONTH, `local_start` where the cut begins.

    The meter reading's id is the namespace here, and has the utility's in it.
    """
    return next(block_ids(meter_reading_id, cut, [local_start]))


def block_ids(meter_reading_id: uuid.UUID, cut: str, local_starts: Iterable[int]) -> Iterator[str]:
    """The ids of many blocks; written out rather than left to `uuid.uuid5`, for a year has one for every day."""
    stem = hashlib.sha1(meter_reading_id.bytes + b"IntervalBlock:%s:" % cut.encode(), usedforsecurity=False)
    for start in local_starts:
        one = stem.copy()
        one.update(b"%d" % start)
        text = one.hexdigest()
        # Version 5, and the variant of RFC 9562.
        yield f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
