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
_INTERVAL: Final = _NS + "interval"
_NUMBERS: Final = frozenset(_TAGS.values())
_FRAMES: Final = frozenset({_NS + "IntervalBlock", _INTERVAL, _PERIOD, _QUALITY})
_CHILDREN: Final = {
    _READING: _NUMBERS - {_TAGS["start"], _TAGS["duration"], _TAGS["quality"]} | {_PERIOD, _QUALITY},
    _PERIOD: {_TAGS["start"], _TAGS["duration"]},
    _QUALITY: {_TAGS["quality"]},
}
_IN_READING: Final = ("value", "cost", "tou", "tier", "cpp")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")

_CHILD_COUNT = etree.XPath("count(e:IntervalReading/*)", namespaces={"e": _NS.strip("{}")})
_START_OF_BLOCK: Final = f"{_INTERVAL}/{_TAGS['start']}"

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
    found = _walk(block)
    if found.odd:
        block, extensions = _cleaned(block, notes)
        found = _walk(block)
        found.extensions.update(extensions)
    columns = {name: _column(block, name, found) for name in _IN_READING}
    quality, several = _qualities(block, found, quality_words or {})
    start, duration = _times(block, found, interval_length, notes)
    return Readings.of(
        start,
        duration,
        **columns,
        quality=quality,
        extra=_rare(found, several),
        notes=notes,
    )


@dataclass
class _Found:
    """The texts of one block by column and row."""

    texts: dict[str, Texts] = field(default_factory=lambda: {name: {} for name in _TAGS if name != "quality"})
    quality_rows: list[int] = field(default_factory=list)
    quality_texts: list[str | None] = field(default_factory=list)
    extensions: dict[int, list[str]] = field(default_factory=dict)
    count: int = 0
    odd: bool = False
    """Something else stands among the readings: a comment, an extension, a number given twice or elsewhere."""


def _walk(block: etree._Element) -> _Found:
    """One flat pass in document order, twice as fast as going down reading by reading."""
    found = _Found()
    column_of = {_TAGS[name]: texts for name, texts in found.texts.items()}.get
    quality = _TAGS["quality"]
    frames: list[str] = []
    row = -1
    _total = 0
    for _total, element in enumerate(block.iter(), 1):
        tag = element.tag
        texts = column_of(tag)
        if texts is not None:
            texts[row] = element.text
        elif tag == _READING:
            row += 1
        elif tag == quality:
            found.quality_rows.append(row)
            found.quality_texts.append(element.text)
        else:
            frames.append(tag)
    found.count = row + 1
    found.odd = _is_odd(block, found, _total, frames)
    for texts in found.texts.values():
        texts.pop(-1, None)  # Start and duration of the block's own interval.
    return found


def _is_odd(block: etree._Element, found: _Found, elements: int, frames: list[str]) -> bool:
    """Whether the flat pass overlooked anything: an unknown element, one given twice, a number inside another."""
    understood = found.count + len(frames) + len(found.quality_rows) + sum(map(len, found.texts.values()))
    children = (
        frames.count(_PERIOD) + frames.count(_QUALITY) + sum(len(found.texts[name]) for name in _IN_READING)
    )
    return (
        understood != elements
        or not _FRAMES.issuperset(frames)
        or children != int(cast(float, _CHILD_COUNT(block)))
    )


def _cleaned(block: etree._Element, notes: list[str]) -> tuple[etree._Element, dict[int, list[str]]]:
    """A copy with nothing but readings in it, and the extensions that were in them by row.

    A comment may stand even inside a number; what is unknown becomes a note, what makes a number unsure an error.
    """
    block = deepcopy(block)
    etree.strip_tags(block, etree.Comment, etree.ProcessingInstruction)
    for child in block:
        if child.tag not in (_READING, _INTERVAL):
            block.remove(child)
    for interval in block.findall(_INTERVAL):
        block.insert(0, interval)
    extensions = {
        row: [_taken_out(extension) for extension in reading.findall(_EXTENSION)]
        for row, reading in enumerate(block.iterchildren(_READING))
    }
    for parent in list(block.iterdescendants(*_CHILDREN)):
        _tidy(parent, notes)
    return block, {row: texts for row, texts in extensions.items() if texts}


def _taken_out(extension: etree._Element) -> str:
    text = etree.tostring(extension, encoding="unicode", with_tail=False)
    parent = extension.getparent()
    if parent is not None:
        parent.remove(extension)
    return text


def _tidy(parent: etree._Element, notes: list[str]) -> None:
    seen = set()
    for child in list(parent):
        if child.tag not in _CHILDREN[parent.tag]:
            notes.append(f"{_place(child)} is not part of {_name(parent)} and was left out.")
            parent.remove(child)
        elif child.tag in seen and child.tag != _QUALITY:
            raise ReadingsError(f"{_place(child)} stands a second time in its {_name(parent)}.")
        elif len(child) and child.tag in _NUMBERS:
            raise ReadingsError(f"{_place(child)} holds elements; it must hold a number and nothing else.")
        seen.add(child.tag)


def _place(element: etree._Element) -> str:
    return f"Line {element.sourceline}: {_name(element)}"


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _column(block: etree._Element, name: str, found: _Found) -> Column | None:
    texts = found.texts[name]
    rows = list(texts)
    return _spread(rows, _numbers(block, name, rows, list(texts.values())), found.count)


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


def _qualities(
    block: etree._Element, found: _Found, words: Mapping[str, int]
) -> tuple[Column | None, dict[int, list[int]]]:
    """The quality column, and all codes of the rows that have several; a source's own words become codes."""
    rows, texts = found.quality_rows, found.quality_texts
    if words:
        texts = [str(words.get((text or "").strip(), text)) for text in texts]
    codes = _numbers(block, "quality", rows, texts)
    if len(set(rows)) == len(rows):
        return _spread(rows, codes, found.count), {}
    by_row: dict[int, list[int]] = {}
    for row, code in zip(rows, codes, strict=True):
        by_row.setdefault(row, []).append(code)
    agreed = [codes[0] if len(set(codes)) == 1 else MIXED_QUALITY for codes in by_row.values()]
    several = {row: codes for row, codes in by_row.items() if len(codes) > 1}
    return _spread(list(by_row), agreed, found.count), several


def _rare(found: _Found, several: dict[int, list[int]]) -> dict[int, Rare]:
    rare: dict[int, Rare] = {row: {QUALITIES: codes} for row, codes in several.items()}
    for row, extensions in found.extensions.items():
        rare.setdefault(row, {})[EXTENSIONS] = extensions
    return rare


def _times(
    block: etree._Element, found: _Found, interval_length: int | None, notes: list[str]
) -> tuple[Column, Column]:
    """Starts and durations; where they are not said, the predecessor and `interval_length` say them."""
    empty = np.full(found.count, MISSING)
    start, duration = (_column(block, name, found) for name in ("start", "duration"))
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
