"""IntervalBlocks as they come, from any source, to readings."""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, cast

import numpy as np
from lxml import etree

from espi_server.espi.readings.columns import (
    EXTENSIONS,
    MISSING,
    MIXED_QUALITY,
    QUALITIES,
    RANGES,
    Column,
    Rare,
    Readings,
    ReadingsError,
)

_NS: Final = "{http://naesb.org/espi}"
_READING: Final = _NS + "IntervalReading"
_PERIOD: Final = _NS + "timePeriod"
_QUALITY: Final = _NS + "ReadingQuality"
_EXTENSION: Final = _NS + "extension"
_TAGS: Final = {
    "start": _NS + "start",
    "duration": _NS + "duration",
    "value": _NS + "value",
    "cost": _NS + "cost",
    "quality": _NS + "quality",
    "tou": _NS + "tou",
    "tier": _NS + "consumptionTier",
    "cpp": _NS + "cpp",
}
_IN_READING: Final = ("value", "cost", "tou", "tier", "cpp")
_IN_PERIOD: Final = ("start", "duration")
_CHILDREN: Final = {
    _READING: {_PERIOD, _QUALITY, _EXTENSION, *(_TAGS[name] for name in _IN_READING)},
    _PERIOD: {_TAGS[name] for name in _IN_PERIOD},
    _QUALITY: {_TAGS["quality"]},
}

_NUMBERS: Final = frozenset(_TAGS.values())
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")

# One axis from one node: libxml2 needs quadratic time to unite the node sets of many.
_HAS_ASIDES = etree.XPath("boolean(descendant::comment() or descendant::processing-instruction())")
_SIZE = etree.XPath("count(descendant-or-self::*)")
_START_OF_BLOCK: Final = f"{_NS}interval/{_NS}start"

Texts = dict[int, str | None]


def read(
    block: etree._Element,
    *,
    interval_length: int | None = None,
    quality_words: Mapping[str, int] | None = None,
    notes: list[str] | None = None,
) -> Readings:
    """The readings of one IntervalBlock element, whatever its prefix.

    A reading without timePeriod follows its predecessor (the first: the block's interval) by `interval_length`, the
    ReadingType's, in seconds. `quality_words` says which code a source's own word stands for. What had to be placed,
    left out or chosen joins `notes`. Raises ReadingsError with the line for what is no number or out of range.
    """
    notes = [] if notes is None else notes
    block = _without_asides(block)
    found = _walk(block)
    if found.elements != _size(block):
        _explain(block, notes)
    columns = {name: _column(block, name, found.texts[name], found.count) for name in _IN_READING}
    qualities = _qualities(block, found, quality_words or {})
    start, duration = _times(block, found, interval_length, notes)
    return Readings.of(
        start,
        duration,
        **columns,
        quality=_mixed(qualities, found.count),
        extra=_rare(found, qualities),
        notes=notes,
    )


def _size(element: etree._Element) -> int:
    """How many elements it is, with all inside it."""
    return int(cast(float, _SIZE(element)))


@dataclass
class _Found:
    """The texts of one block by column and row."""

    texts: dict[str, Texts] = field(default_factory=lambda: {name: {} for name in _TAGS})
    qualities: dict[int, list[str | None]] = field(default_factory=dict)
    extensions: dict[int, list[str]] = field(default_factory=dict)
    count: int = 0
    elements: int = 0
    """How many elements were understood; if the block has more, something unusual is in it."""


def _without_asides(block: etree._Element) -> etree._Element:
    """The block without comments and processing instructions, which may stand even inside a number."""
    if not _HAS_ASIDES(block):
        return block
    block = deepcopy(block)
    etree.strip_tags(block, etree.Comment, etree.ProcessingInstruction)
    return block


def _walk(block: etree._Element) -> _Found:
    found = _Found()
    leaves = {_TAGS[name]: found.texts[name] for name in _IN_READING}
    parts = {_TAGS[name]: found.texts[name] for name in _IN_PERIOD}
    row, groups = -1, 0
    for row, reading in enumerate(block.iterchildren(_READING)):
        for child in reading:
            tag = child.tag
            if tag in leaves:
                leaves[tag][row] = child.text
            elif tag == _PERIOD:
                groups += 1
                for part in child:
                    if part.tag in parts:
                        parts[part.tag][row] = part.text
            elif tag == _QUALITY:
                groups += 1
                codes = [part.text for part in child if part.tag == _TAGS["quality"]]
                found.qualities.setdefault(row, []).extend(codes)
            elif tag == _EXTENSION:
                groups += _size(child)
                found.extensions.setdefault(row, []).append(
                    etree.tostring(child, encoding="unicode", with_tail=False)
                )
    found.count = row + 1
    columns = (*found.texts.values(), *found.qualities.values())
    around = 1 + sum(_size(child) for child in block.iterchildren("*") if child.tag != _READING)
    found.elements = around + found.count + groups + sum(map(len, columns))
    return found


def _explain(block: etree._Element, notes: list[str]) -> None:
    """Something stands in a reading that should not: an error if it makes a number unsure, else a note."""
    for parent in block.iterdescendants(*_CHILDREN):
        seen = set()
        for child in parent:
            if child.tag not in _CHILDREN[parent.tag]:
                notes.append(f"{_place(child)} is not part of {_name(parent)} and was left out.")
            elif child.tag in seen and child.tag not in (_QUALITY, _EXTENSION):
                raise ReadingsError(f"{_place(child)} stands a second time in its {_name(parent)}.")
            elif len(child) and child.tag in _NUMBERS:
                raise ReadingsError(
                    f"{_place(child)} holds elements; it must hold a number and nothing else."
                )
            seen.add(child.tag)


def _place(element: etree._Element) -> str:
    return f"Line {element.sourceline}: {_name(element)}"


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _column(block: etree._Element, name: str, texts: Texts, count: int) -> Column | None:
    return _spread(list(texts), _numbers(block, name, list(texts), list(texts.values())), count)


def _spread(rows: list[int], numbers: list[int], count: int) -> Column | None:
    """Numbers in their rows, the other rows MISSING."""
    if not rows:
        return None
    if len(rows) == count:
        return np.array(numbers, np.int64)
    cells = np.full(count, MISSING)
    cells[rows] = numbers
    return cells


def _numbers(block: etree._Element, name: str, rows: list[int], texts: list[str | None]) -> list[int]:
    """The texts as integers in the column's range; the first that is not one is refused by its line."""
    if not texts:
        return []
    low, high = RANGES[name]
    plain = [text or "" for text in texts]
    try:
        numbers = list(map(int, plain))
    except ValueError:
        raise _refusal(block, name, rows, plain) from None
    together = "".join(plain)
    # int() takes digits of any script and underscores between them; XSD does not.
    if min(numbers) < low or max(numbers) > high or not together.isascii() or "_" in together:
        raise _refusal(block, name, rows, plain)
    return numbers


def _refusal(block: etree._Element, name: str, rows: list[int], texts: list[str]) -> ReadingsError:
    low, high = RANGES[name]
    row, text = next((row, text) for row, text in zip(rows, texts, strict=True) if not _fits(text, low, high))
    reading = _reading(block, row)
    line = next(
        (leaf.sourceline for leaf in reading.iter(_TAGS[name]) if (leaf.text or "") == text),
        reading.sourceline,
    )
    said = f"{text.strip()!r}" if text.strip() else "empty"
    return ReadingsError(
        f"Line {line}: {_name_of(name)} is {said}; it must be a whole number from {low} to {high}."
    )


def _fits(text: str, low: int, high: int) -> bool:
    return bool(_INTEGER.fullmatch(text.strip())) and low <= int(text) <= high


def _name_of(column: str) -> str:
    return _TAGS[column].removeprefix(_NS)


def _reading(block: etree._Element, row: int) -> etree._Element:
    return next(islice(block.iterchildren(_READING), row, None))


def _qualities(block: etree._Element, found: _Found, words: Mapping[str, int]) -> dict[int, list[int]]:
    """All quality codes by row; the source's own words become the codes they stand for."""
    rows = [row for row, codes in found.qualities.items() for _ in codes]
    texts = [text for codes in found.qualities.values() for text in codes]
    if words:
        texts = [str(words.get((text or "").strip(), text)) for text in texts]
    numbers = iter(_numbers(block, "quality", rows, texts))
    return {row: list(islice(numbers, len(codes))) for row, codes in found.qualities.items() if codes}


def _mixed(qualities: dict[int, list[int]], count: int) -> Column | None:
    codes = [
        codes[0] if codes.count(codes[0]) == len(codes) else MIXED_QUALITY for codes in qualities.values()
    ]
    return _spread(list(qualities), codes, count)


def _rare(found: _Found, qualities: dict[int, list[int]]) -> dict[int, Rare]:
    rare: dict[int, Rare] = {row: {QUALITIES: codes} for row, codes in qualities.items() if len(codes) > 1}
    for row, extensions in found.extensions.items():
        rare.setdefault(row, {})[EXTENSIONS] = extensions
    return rare


def _times(
    block: etree._Element, found: _Found, interval_length: int | None, notes: list[str]
) -> tuple[Column, Column]:
    """Starts and durations; where they are not said, the predecessor and `interval_length` say them."""
    empty = np.full(found.count, MISSING)
    start, duration = (_column(block, name, found.texts[name], found.count) for name in _IN_PERIOD)
    start, duration = empty if start is None else start, empty.copy() if duration is None else duration
    untold = np.flatnonzero((start == MISSING) | (duration == MISSING)).tolist()
    if not untold:
        return start, duration
    if not interval_length:
        line = _reading(block, untold[0]).sourceline
        raise ReadingsError(
            f"Line {line}: the reading has no timePeriod and its ReadingType no intervalLength."
        )
    duration[duration == MISSING] = interval_length
    for row in untold:
        if start[row] == MISSING:
            start[row] = start[row - 1] + interval_length if row else _start_of(block)
    notes.append(
        f"{len(untold)} readings without timePeriod were placed by intervalLength, {interval_length} s each."
    )
    return start, duration


def _start_of(block: etree._Element) -> int:
    """Where the block's own interval starts."""
    text = block.findtext(_START_OF_BLOCK, "")
    if not _fits(text, *RANGES["start"]):
        raise ReadingsError(
            f"Line {block.sourceline}: neither the first reading nor the IntervalBlock says its start."
        )
    return int(text)
