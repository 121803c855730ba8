"""Readings and bills as the rows of a table, made of Atom entries: what an entry does not say, no row can.

Numbers are exact: a value is multiplied by its power of ten, money by 10⁻⁵, as decimals. Times stand twice, in UTC
and with the local offset, so the doubled hour of autumn is two hours. A text that a spreadsheet would take for a
formula gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, ClassVar, NamedTuple, Protocol

from espi_server.espi import paths
from espi_server.espi.atom import Entry
from espi_server.espi.codes import (
    CommodityKind,
    Currency,
    FlowDirectionKind,
    QualityOfReading,
    UnitSymbolKind,
)
from espi_server.espi.content import ESPI
from espi_server.espi.fields import Field
from espi_server.espi.raw import Element, split
from espi_server.espi.readings import Readings, read
from espi_server.espi.readings.columns import MISSING, QUALITIES
from espi_server.espi.types import Choice, Whole
from espi_server.espi.usage import DateTimeInterval, ReadingType, SummaryMeasurement, UsageSummary

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
VERSION = 1
"""Of the columns: it goes into every ETag."""

Row = tuple[str, ...]

MONEY = -5
"""The power of ten of every amount, whatever a ReadingType says."""

_POWERS = range(-40, 41)  # beyond them a number is written with its exponent
_FORMULA = tuple("=+-@\t\r\n")

_UNITS = {
    UnitSymbolKind.WATT_HOUR: "Wh",
    UnitSymbolKind.WATT: "W",
    UnitSymbolKind.VOLT_AMPERE: "VA",
    UnitSymbolKind.VOLT_AMPERE_HOUR: "VAh",
    UnitSymbolKind.VOLT_AMPERE_REACTIVE: "var",
    UnitSymbolKind.VOLT_AMPERE_REACTIVE_HOUR: "varh",
    UnitSymbolKind.VOLT: "V",
    UnitSymbolKind.AMPERE: "A",
    UnitSymbolKind.HERTZ: "Hz",
    UnitSymbolKind.THERM: "therm",
    UnitSymbolKind.BTU: "Btu",
    UnitSymbolKind.CUBIC_FOOT: "ft3",
    UnitSymbolKind.CUBIC_METRE: "m3",
    UnitSymbolKind.US_GALLON: "gal",
    UnitSymbolKind.LITRE: "l",
    UnitSymbolKind.DEGREE_CELSIUS: "°C",
}
_FLOWS = {FlowDirectionKind.FORWARD: "delivered", FlowDirectionKind.REVERSE: "received"}
_COMMODITIES = {
    CommodityKind.ELECTRICITY_SECONDARY_METERED: "electricity",
    CommodityKind.NATURAL_GAS: "gas",
    CommodityKind.POTABLE_WATER: "water",
    CommodityKind.STEAM: "steam",
    CommodityKind.HEATING_FLUID: "heat",
}
_SPECIAL: dict[type[Enum], Mapping[Any, str]] = {
    UnitSymbolKind: _UNITS,
    FlowDirectionKind: _FLOWS,
    CommodityKind: _COMMODITIES,
    Currency: {each: each.name for each in Currency},
}


# Cells


def number(value: Any, power: int = 0) -> str:
    """A whole number times a power of ten, every digit of it; '' for none."""
    if value is None or value == MISSING:
        return ""
    if not power:
        return str(int(value))
    if power not in _POWERS:
        return f"{int(value)}E{power}"
    return format(Decimal(int(value)).scaleb(power), "f")


def text(value: str | None) -> str:
    """A text that no spreadsheet takes for a formula."""
    plain = value or ""
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def word(members: type[Enum], code: Any) -> str:
    """A code's word, the code itself where it has none; '' for none."""
    return "" if code is None else _words(members).get(code) or str(int(code))


@cache
def _words(members: type[Enum]) -> Mapping[Any, str]:
    plain = {each.value: each.name.lower().replace("_", " ") for each in members}
    return plain | dict(_SPECIAL.get(members, {}))


def utc(seconds: int) -> str:
    """A time in UTC; the number as it is where no calendar reaches it."""
    return local(seconds, UTC).replace("+00:00", "Z")


def local(seconds: int, zone: tzinfo) -> str:
    """A time with the offset that holds there and then; the number as it is where no calendar reaches it."""
    try:
        return datetime.fromtimestamp(seconds, zone).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(seconds)


# Tables


class Table(Protocol):
    """A kind of table: its columns, and what an entry contributes."""

    columns: ClassVar[Row]

    def rows(self, entry: Entry) -> Iterator[Row] | None:
        """The rows of an entry; None for one that is no row itself but tells about others."""


class Told(NamedTuple):
    """The readings of one IntervalBlock, with what stands elsewhere about them."""

    ids: dict[str, str]
    """Those in the block's own address, by kind."""
    type: ReadingType
    readings: Readings

    @property
    def power(self) -> int:
        """The power of ten every value is multiplied by."""
        return int(self.type.power_of_ten_multiplier or 0)


class Blocks:
    """IntervalBlocks of a feed, whose entries come in its order: ReadingType and MeterReading before their blocks."""

    def __init__(self) -> None:
        self._types: dict[str, ReadingType] = {}
        self._series: dict[str, str] = {}

    def told(self, entry: Entry) -> Told | None:
        """What an IntervalBlock says; None for any other entry, which is noted where it tells about blocks."""
        for content in entry.contents:
            match split(str(content.tag)):
                case (namespace, "IntervalBlock") if namespace == ESPI:
                    return self._block(entry, content)
                case (namespace, "ReadingType") if namespace == ESPI:
                    self._types[_last(entry, "self")] = ReadingType.read(content)
                case (namespace, "MeterReading") if namespace == ESPI:
                    types = (href for href in entry.hrefs("related") if "/ReadingType/" in href)
                    self._series[_last(entry, "self")] = next(types, "").rpartition("/")[2]
        return None

    def _block(self, entry: Entry, block: Element) -> Told:
        ids = _ids(entry)
        type_ = self._types.get(self._series.get(ids.get("MeterReading", ""), ""), ReadingType())
        return Told(ids, type_, read(block, interval_length=type_.interval_length))


class ReadingRows:
    """One row a reading. Entries come as in a feed: a ReadingType and a MeterReading before its IntervalBlocks."""

    columns: ClassVar[Row] = (
        "usage_point",
        "start",
        "local_start",
        "duration",
        "value",
        "unit",
        "flow",
        "commodity",
        "quality",
        "cost",
        "currency",
        "tou",
        "consumption_tier",
        "cpp",
        "meter_reading",
        "subscription",
    )

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._blocks = Blocks()

    def rows(self, entry: Entry) -> Iterator[Row] | None:
        """The readings of an IntervalBlock."""
        told = self._blocks.told(entry)
        return None if told is None else self._rows(told)

    def _rows(self, told: Told) -> Iterator[Row]:
        ids, type_, readings = told
        currency = word(Currency, type_.currency)
        said = (word(UnitSymbolKind, type_.uom), word(FlowDirectionKind, type_.flow_direction))
        commodity = word(CommodityKind, type_.commodity)
        columns = [
            readings.cells(name).tolist()
            for name in ("start", "duration", "value", "cost", "tou", "tier", "cpp")
        ]
        qualities = quality_words(readings, type_.default_quality)
        for quality, (start, duration, value, cost, tou, tier, cpp) in zip(
            qualities, zip(*columns, strict=True), strict=True
        ):
            yield (
                ids.get("UsagePoint", ""),
                utc(start),
                local(start, self._zone),
                str(duration),
                number(value, told.power),
                *said,
                commodity,
                quality,
                number(cost, MONEY),
                currency if cost != MISSING else "",
                number(tou),
                number(tier),
                number(cpp),
                ids.get("MeterReading", ""),
                ids.get("Subscription", ""),
            )


class BillRows:
    """One row a UsageSummary, every element a column; its lines and riders, of which there are many, are left out."""

    columns: ClassVar[Row]

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def rows(self, entry: Entry) -> Iterator[Row] | None:
        """What a UsageSummary says."""
        for content in entry.contents:
            if split(str(content.tag)) == (ESPI, "UsageSummary"):
                return iter([self._bill(entry, UsageSummary.read(content))])
        return None

    def _bill(self, entry: Entry, summary: UsageSummary) -> Row:
        ids = _ids(entry)
        cells = [cell for field in _TOLD for cell in self._cells(field, getattr(summary, field.attribute))]
        return (ids.get("UsagePoint", ""), *cells, ids.get("UsageSummary", ""), ids.get("Subscription", ""))

    def _cells(self, field: Field, value: Any) -> Sequence[str]:
        if value is None:
            return [""] * len(_named(field))
        if isinstance(value, DateTimeInterval):
            start = value.start or 0
            return [utc(start), local(start, self._zone), str(value.duration)]
        if isinstance(value, SummaryMeasurement):
            return [
                number(value.value, int(value.power_of_ten_multiplier or 0)),
                word(UnitSymbolKind, value.uom),
            ]
        if field.name == "billingChargeSource":
            return [text(value.agency_name)]
        if isinstance(field.leaf, Choice):
            return [word(field.leaf.members, value)]
        if isinstance(field.leaf, Whole):
            return [utc(value) if field.name == "statusTimeStamp" else number(value, MONEY)]
        return [text(value)]


_UNTOLD = frozenset({"extension", "batchItemInfo", "costAdditionalDetailLastPeriod", "tariffRiderRefs"})
_TOLD = tuple(field for field in UsageSummary.fields if field.name not in _UNTOLD)


def _named(field: Field) -> Row:
    """The columns of one element."""
    if field.content is DateTimeInterval:
        before = "" if field.name == "billingPeriod" else f"{field.attribute}_"
        return tuple(f"{before}{name}" for name in ("start", "local_start", "duration"))
    if field.content is SummaryMeasurement:
        return (field.attribute, f"{field.attribute}_unit")
    return (field.attribute,)


BillRows.columns = (
    "usage_point",
    *(name for field in _TOLD for name in _named(field)),
    "usage_summary",
    "subscription",
)


def quality_words(readings: Readings, default: int | None) -> Iterator[str]:
    """The word of each reading's quality; of several, all."""
    words = {
        code: word(QualityOfReading, code) for code in set(readings.cells("quality").tolist()) - {MISSING}
    }
    words[MISSING] = word(QualityOfReading, default)
    for start, code in zip(readings.start.tolist(), readings.cells("quality").tolist(), strict=True):
        several = readings.extra.get(start, {}).get(QUALITIES) if readings.extra else None
        yield "; ".join(word(QualityOfReading, each) for each in several) if several else words[code]


def _ids(entry: Entry) -> dict[str, str]:
    """The ids in an entry's own address, by kind."""
    path = paths.parse(next(iter(entry.hrefs("self")), ""))
    return dict(path.ids) if path else {}


def _last(entry: Entry, rel: str) -> str:
    return next(iter(entry.hrefs(rel)), "").rpartition("/")[2]


# Text


def line(cells: Iterable[str]) -> str:
    """A row as RFC 4180 writes it."""
    return lines([cells])


def lines(rows: Iterable[Iterable[str]]) -> str:
    """Rows as RFC 4180 writes them."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
