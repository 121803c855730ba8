"""Readings that differ in their numbers alone, as nearly all in a file do: from bytes to columns without a tree.

Take the digits out of such readings and the first of them repeats itself to the end. So one reading is read with
care, by a pattern, and all others are compared with it: the same bytes between the same number of numbers. What is
not alike in this strict sense is left to those who read one by one.
"""

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from lxml import etree

from espi_server.espi.readings.columns import OPTIONAL, RANGES, Column, Readings

_BLANK: Final = b" \t\r\n"
_DIGITS: Final = b"-0123456789"
_MINUS, _ZERO = ord("-"), ord("0")
_MOST_DIGITS: Final = 18

Columns = dict[str, Column]
_Bytes = npt.NDArray[np.uint8]

ORDER: Final = ("cost", "quality", "duration", "start", "value", "tier", "tou", "cpp")
"""The columns in the order in which the schema has their elements."""


_NS: Final = "http://naesb.org/espi"
_OPENING: Final = re.compile(rb"<([^<>/\s:]++:)?IntervalReading>")


@lru_cache(maxsize=32)
def _before(prefix: bytes) -> re.Pattern[bytes]:
    """What stands before the first reading of a block: nothing but its interval."""
    p, blank = re.escape(prefix), rb"[ \t\r\n]*+"
    leaves = rb"(?:<%b(?:duration|start)>[^<>]*+</%b(?:duration|start)>%b)*+" % (p, p, blank)
    interval = rb"<%binterval>%b%b</%binterval>%b" % (p, blank, leaves, p, blank)
    return re.compile(rb"<%bIntervalBlock(?: [^<>]*+)?>%b(?:%b)?" % (p, blank, interval))


@lru_cache(maxsize=32)
def pattern(prefix: bytes) -> re.Pattern[bytes]:
    """One whole reading in the schema's order, each element at most once; its groups are the columns in `ORDER`.

    The prefix ends in its colon. No attributes, no references, nothing but digits, at most eighteen of them.
    """
    p, blank = re.escape(prefix), rb"[ \t\r\n]*+"

    def leaf(name: bytes, digits: bytes) -> bytes:
        return rb"<%b%b>(%b)</%b%b>%b" % (p, name, digits, p, name, blank)

    def group(name: bytes, inside: bytes) -> bytes:
        return rb"<%b%b>%b%b</%b%b>%b" % (p, name, blank, inside, p, name, blank)

    money, small = rb"-?[0-9]{1,15}", rb"-?[0-9]{1,5}"
    quality = group(b"ReadingQuality", leaf(b"quality", rb"[0-9]{1,5}"))
    period = group(b"timePeriod", leaf(b"duration", rb"[0-9]{1,10}") + leaf(b"start", rb"-?[0-9]{1,12}"))
    optional = [rb"(?:%b)?" % leaf(name, small) for name in (b"consumptionTier", b"tou", b"cpp")]
    inside = rb"(?:%b)?(?:%b)?" % (leaf(b"cost", money), quality) + period + leaf(b"value", money)
    return re.compile(group(b"IntervalReading", inside + b"".join(optional))[: -len(blank)])


def alike(data: bytes, prefix: bytes) -> Columns | None:
    """The columns of readings end to end, from the first byte of one to the last byte of one; None if not alike.

    What is in the columns is in the range of its type.
    """
    first = pattern(prefix).match(data)
    if first is None:
        return None
    following = data.find(b"<", first.end())
    record = data[: following if following > 0 else len(data)]
    if record[first.end() :].strip(_BLANK):
        return None
    numbers = _numbers(data)
    places = _numbers(record)
    count = len(numbers.start) // len(places.start)
    if not _repeats(data, numbers, record, places, count):
        return None
    told = {first.start(place): name for place, name in enumerate(ORDER, 1) if first[place] is not None}
    return _columns(np.frombuffer(data, np.uint8), numbers, places, told, count)


def read_alike(block: etree._Element, notes: list[str] | None = None) -> Readings | None:
    """The readings of an IntervalBlock element if they are alike, and nothing else is in it; else None.

    The parser has settled what comments, CDATA and references mean; what it understood is written anew and read here,
    in a third of the time that a walk from element to element takes.
    """
    text = etree.tostring(block, encoding="utf-8", xml_declaration=False, with_tail=False)
    opening = _OPENING.search(text)
    if opening is None:
        return None
    prefix, begin = opening[1] or b"", opening.start()
    behind = text.rfind(b"</")
    closing = b"</%bIntervalReading>" % prefix
    end = text.rfind(closing) + len(closing)
    if not _before(prefix).fullmatch(text, 0, begin) or text[end:behind].strip(_BLANK):
        return None
    if block.nsmap.get(prefix[:-1].decode() or None) != _NS:
        return None
    columns = alike(text[begin:end], prefix)
    return None if columns is None else of_columns(columns, notes)


def of_columns(columns: Columns, notes: list[str] | None = None) -> Readings:
    """Readings of these columns; a line about starts given twice joins `notes`. Raises ReadingsError."""
    others: dict[str, Any] = {name: cells for name, cells in columns.items() if name in OPTIONAL}
    return Readings.of(columns["start"], columns["duration"], **others, notes=notes)


class _Numbers(NamedTuple):
    """Where runs of digits (a minus is taken for one) begin and end."""

    start: Column
    end: Column


def _numbers(data: bytes) -> _Numbers:
    cells = np.frombuffer(data, np.uint8)
    digits = (cells - _ZERO <= 9) | (cells == _MINUS)
    # A reading begins and ends with a bracket, so every run has two edges.
    edges = np.flatnonzero(digits[1:] != digits[:-1]) + 1
    return _Numbers(edges[::2], edges[1::2])


def _repeats(data: bytes, numbers: _Numbers, record: bytes, places: _Numbers, count: int) -> bool:
    """Whether the data are the record again and again, but for what the numbers are."""
    if len(numbers.start) != count * len(places.start):
        return False
    # The last one has no blanks behind it.
    between = np.append(places.start[1:], len(record) + places.start[0]) - places.end
    if not np.array_equal(numbers.start[1:] - numbers.end[:-1], np.tile(between, count)[:-1]):
        return False
    words = record.translate(None, _DIGITS)
    last = record.rstrip(_BLANK).translate(None, _DIGITS)
    return data.translate(None, _DIGITS) == words * (count - 1) + last


def _columns(
    cells: _Bytes, numbers: _Numbers, places: _Numbers, told: dict[int, str], count: int
) -> Columns | None:
    """The numbers of each column; None where one is none of its type, or where a name changes its digits."""
    columns: Columns = {}
    width = len(places.start)
    for place, begin in enumerate(places.start.tolist()):
        start, end = numbers.start[place::width], numbers.end[place::width]
        if begin not in told:
            if not _same(cells, start, end):
                return None
            continue
        found, (low, high) = _integers(cells, start, end), RANGES[told[begin]]
        if found is None or found.min() < low or found.max() > high:
            return None
        columns[told[begin]] = found
    return columns


def _same(cells: _Bytes, start: Column, end: Column) -> bool:
    """Whether the same bytes stand at all these places."""
    length = int(end[0] - start[0])
    if (end - start != length).any():
        return False
    return all((cells[start + at] == cells[start[0] + at]).all() for at in range(length))


def _integers(cells: _Bytes, start: Column, end: Column) -> Column | None:
    """What the digits at these places say; None where a minus stands among them, or more than an int64 holds."""
    negative = cells[start] == _MINUS
    is_signed = bool(negative.any())
    if is_signed:
        start = start + negative
    length = end - start
    shortest, longest = int(length.min()), int(length.max())
    if not 1 <= shortest <= longest <= _MOST_DIGITS:
        return None
    found = np.zeros(len(start), np.int64)
    for behind in range(longest, 0, -1):
        digit = cells[end - behind] - _ZERO
        if behind > shortest:
            digit[length < behind] = 0
        if digit.max() > 9:
            return None
        found = found * 10 + digit
    return np.where(negative, -found, found) if is_signed else found
