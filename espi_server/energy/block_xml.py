"""One IntervalBlock element to readings, with the repairs real files need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from lxml import etree

from espi_server.energy.repair import LATEST
from espi_server.espi import usage
from espi_server.espi.content import ESPI
from espi_server.espi.errors import EspiError
from espi_server.espi.raw import Element, parser, split
from espi_server.espi.readings import Readings, read

_NS = {"e": ESPI}
_UNTOLD = etree.XPath(
    "boolean(e:IntervalReading[not(e:timePeriod/e:start) or not(e:timePeriod/e:duration)])", namespaces=_NS
)
_PERIODS = etree.XPath("e:interval | e:IntervalReading/e:timePeriod", namespaces=_NS)
_DECLARED = frozenset(f"{{{ESPI}}}{name}" for name in usage.IntervalBlock.by_name)
_WHOLE = re.compile(r"\s*[0-9]{1,17}\s*")
_A_MINUTE = 60_000  # in milliseconds


def readings_of(
    block: Element,
    *,
    notes: list[str],
    qualities: Mapping[str, int] | None = None,
    interval_length: int | None = None,
) -> Readings:
    """The readings of a block; what was repaired or left out joins `notes`. EspiError says what cannot be read.

    Milliseconds are noticed by times beyond the year 2200 and divided away.
    """
    try:
        return read(block, interval_length=interval_length, quality_words=qualities, notes=notes)
    except EspiError:
        if not _divide_milliseconds(block):
            raise
    notes.append("times were in milliseconds and were divided by 1000")
    return read(block, interval_length=interval_length, quality_words=qualities, notes=notes)


def needs_its_type(block: Element) -> bool:
    """Has it readings without a time of their own? Only their ReadingType tells how long they are."""
    return bool(_UNTOLD(block))


def set_aside(block: Element) -> bytes:
    """The block as XML to be read later. Its lines stay where they are, so that an error names the right one."""
    line: Any = block.sourceline
    above = b"\n" * ((line or 1) - 1)
    return above + etree.tostring(block, with_tail=False)


def taken_up(raw: bytes) -> Element:
    """The block that was set aside."""
    return etree.fromstring(raw, parser())


def unknown_in(block: Element) -> list[str]:
    """Elements of a block that the standard does not know; those inside readings are told by the reading."""
    tags = (child.tag for child in block)
    return [f"IntervalBlock/{split(tag)[1]}" for tag in tags if isinstance(tag, str) and tag not in _DECLARED]


def _divide_milliseconds(block: Element) -> bool:
    """Turn the block's times into seconds, if that is what is wrong with them."""
    found = False
    for period in cast(list[Element], _PERIODS(block)):
        start, duration = (_leaf(period, name) for name in ("start", "duration"))
        if start is None or _number(start) < LATEST:
            continue
        found = True
        start.text = str(_number(start) // 1000)
        if duration is not None and _number(duration):
            duration.text = str(_seconds(_number(duration)))
    return found


def _leaf(period: Element, name: str) -> Element | None:
    return period.find(f"{{{ESPI}}}{name}")


def _number(leaf: Element) -> int:
    """The element's whole number, 0 where it holds none."""
    text = leaf.text or ""
    return int(text) if _WHOLE.fullmatch(text) else 0


def _seconds(duration: int) -> int:
    """Beside a start in milliseconds a duration may be in either; whole minutes in milliseconds are such."""
    return duration // 1000 if duration and duration % _A_MINUTE == 0 else duration
