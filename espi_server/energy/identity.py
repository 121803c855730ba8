"""Who is who among imported things: ids that stay the same however often, and from wherever, a thing arrives.

Every id is a version 5 UUID in the utility's own random namespace over `kind:key`, so it survives a change of
host name and cannot be guessed from a meter number. What a source calls a thing is kept beside it, never used as
an id by itself: real files share self links, mint new ids for each answer and point up to the wrong parent.
"""

from __future__ import annotations

import hashlib
import uuid

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

    The meter reading's id is the namespace here, and has the utility's in it. Written out rather than left to
    `uuid.uuid5`, because a feed asks once for every block it sends.
    """
    digest = bytearray(hashlib.sha1(b"%sIntervalBlock:%s:%d" % (meter_reading_id.bytes, cut.encode(), local_start)).digest())  # fmt: skip  # noqa: E501, S324
    digest[6] = digest[6] & 0x0F | 0x50  # version 5
    digest[8] = digest[8] & 0x3F | 0x80  # the variant of RFC 9562
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"
