"""Readings from a table: `usage_point,start,duration,value,unit,flow,commodity,quality,cost,currency`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple, NoReturn
from urllib.parse import quote

from espi_server.energy import identity
from espi_server.energy.house import House
from espi_server.energy.models import Kind
from espi_server.energy.moments import BadMoment, moment
from espi_server.energy.records import LONGEST_KEY, Record, checked
from espi_server.energy.repair import COMMODITIES
from espi_server.energy.report import Report
from espi_server.energy.spool import Spool, unit_of
from espi_server.espi import usage
from espi_server.espi.codes import AccumulationKind, Currency, FlowDirectionKind, QualityOfReading
from espi_server.espi.readings import Readings

REQUIRED = ("usage_point", "start", "duration", "value", "unit")
OPTIONAL = ("flow", "commodity", "quality", "cost", "currency")

_POWER = (
    -3
)  # thousandths of the unit keep six decimals of a kWh, and every series of a unit has the same type
_GATHERED = 50_000  # readings held before they are spooled
_SMALLEST, _LARGEST = -(2**47), 2**47


class Unit(NamedTuple):
    """How a table's unit is said in ESPI: its code, what one of it is in that, the kind of quantity, a commodity."""

    uom: int
    factor: Decimal
    kind: int
    commodity: str


_ENERGY, _DEMAND, _VOLUME = 12, 8, 58
UNITS: Mapping[str, Unit] = {
    "wh": Unit(72, Decimal(1), _ENERGY, "electricity"),
    "kwh": Unit(72, Decimal(1000), _ENERGY, "electricity"),
    "mwh": Unit(72, Decimal(1_000_000), _ENERGY, "electricity"),
    "w": Unit(38, Decimal(1), _DEMAND, "electricity"),
    "kw": Unit(38, Decimal(1000), _DEMAND, "electricity"),
    "kvah": Unit(71, Decimal(1000), _ENERGY, "electricity"),
    "kvarh": Unit(73, Decimal(1000), _ENERGY, "electricity"),
    "therm": Unit(169, Decimal(1), _ENERGY, "gas"),
    "dth": Unit(169, Decimal(10), _ENERGY, "gas"),
    "btu": Unit(132, Decimal(1), _ENERGY, "gas"),
    "ft3": Unit(119, Decimal(1), _VOLUME, "gas"),
    "ccf": Unit(119, Decimal(100), _VOLUME, "gas"),
    "m3": Unit(42, Decimal(1), _VOLUME, "gas"),
    "gal": Unit(128, Decimal(1), _VOLUME, "water"),
    "l": Unit(134, Decimal(1), _VOLUME, "water"),
}
FLOWS: Mapping[str, int] = {
    "delivered": FlowDirectionKind.FORWARD, "forward": FlowDirectionKind.FORWARD,
    "received": FlowDirectionKind.REVERSE, "reverse": FlowDirectionKind.REVERSE,
    "net": FlowDirectionKind.NET, "total": FlowDirectionKind.TOTAL,
}  # fmt: skip
QUALITIES: Mapping[str, int] = {
    **{each.name.lower().replace("_", " "): int(each) for each in QualityOfReading},
    "estimated": int(QualityOfReading.ESTIMATED_USING_REFERENCE_DAY),
    "actual": int(QualityOfReading.VALID),
}
_WHOLE = re.compile(r"[0-9]{1,9}")


class BadRow(ValueError):
    """A row of a table that cannot be taken in."""


@dataclass
class _Series:
    """Readings of one usage point and reading type that wait to be spooled."""

    id: int
    line: int
    start: list[int] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    value: list[int] = field(default_factory=list)
    quality: list[int | None] = field(default_factory=list)
    cost: list[int | None] = field(default_factory=list)
    last: int | None = None

    def add(self, start: int, duration: int, value: int, quality: int | None, cost: int | None) -> None:
        """One more reading."""
        self.start.append(start)
        self.duration.append(duration)
        self.value.append(value)
        self.quality.append(quality)
        self.cost.append(cost)
        self.last = start


class MeterTable:
    """Takes the rows of one file of readings into the spool."""

    def __init__(
        self, spool: Spool, house: House, report: Report, file: int, name: str, *, local: bool
    ) -> None:
        self._spool = spool
        self._house = house
        self._report = report
        self._file = file
        self._name = name
        self._local = local
        self._series: dict[tuple[str, uuid.UUID], _Series] = {}
        self._types: set[uuid.UUID] = set()
        self._gathered = 0
        self._qualities = {word.lower(): code for word, code in house.qualities.items()} | dict(QUALITIES)
        self._reading_type = lru_cache(maxsize=4096)(self._made_type)

    def row(self, line: int, cells: Mapping[str, str]) -> None:
        """One reading. Raises BadRow with what is accepted."""
        key = cells["usage_point"] or _refuse("usage_point is empty")
        if len(key) > LONGEST_KEY:
            raise BadRow(f"usage_point is longer than {LONGEST_KEY} characters")
        duration = _whole(cells["duration"], "duration")
        unit = UNITS.get(cells["unit"].lower()) or _refuse(
            f"unit {cells['unit']!r} is not one of {', '.join(UNITS)}"
        )
        length = _whole(cells.get("length") or cells["duration"], "duration")
        type_id = self._reading_type(
            unit, length, cells["flow"].lower(), cells["commodity"].lower(), cells["currency"].upper()
        )
        series = self._series_of(key, type_id, line)
        start = self._start(series, line, cells["start"])
        value = _scaled(cells["value"], unit.factor.scaleb(-_POWER), "value")
        cost = _scaled(cells["cost"], Decimal(100_000), "cost") if cells["cost"] else None
        quality = self._quality(cells["quality"]) if cells["quality"] else None
        series.add(start, duration, value, quality, cost)
        self._gathered += 1
        if self._gathered >= _GATHERED:
            self.finish()

    def finish(self) -> None:
        """Spool what waits."""
        for series in self._series.values():
            if series.start:
                again = len(series.start) - len(set(series.start))
                if again:
                    words = "a row has the time of another one of its usage point; the later was taken"
                    self._report.repair(self._name, series.line, f"{words} ({again} in all)")
                readings = Readings.of(
                    series.start, series.duration, value=series.value, quality=_any(series.quality),
                    cost=_any(series.cost),
                )  # fmt: skip
                self._spool.add_chunk(series.id, series.line, None, readings)
            for column in (series.start, series.duration, series.value, series.quality, series.cost):
                column.clear()
        self._gathered = 0

    def _start(self, series: _Series, line: int, text: str) -> int:
        try:
            start, doubled = moment(text, self._house.zone, local=self._local, after=series.last)
        except BadMoment as error:
            raise BadRow(f"start {error}") from None
        if not -2_208_988_800 <= start < 7_258_118_400:
            raise BadRow(f"start {text} lies outside the years 1900 to 2199")
        if doubled and series.last is not None and start <= series.last:
            raise BadRow(
                f"start {text} stands in the doubled hour, and a reading of that time or later stands before it; "
                "put the rows in order of time"
            )
        if doubled:
            self._report.repair(
                self._name, line, "a time in the doubled hour was resolved by the order of rows"
            )
        return start

    def _quality(self, text: str) -> int:
        code = self._qualities.get(text.lower())
        if code is None and not _WHOLE.fullmatch(text):
            raise BadRow(f"quality {text!r} is neither a number nor a known word ({', '.join(QUALITIES)})")
        number = int(text) if code is None else code
        return number if number < 2**16 else _refuse(f"quality {text} is not below 65536")

    def _series_of(self, key: str, type_id: uuid.UUID, line: int) -> _Series:
        series = self._series.get((key, type_id))
        if series is None:
            unit = unit_of("usage", identity.usage_point(self._house.namespace, key))
            here = f"UsagePoint/{quote(key, safe='')}/MeterReading/{type_id}"
            record = Record(self._file, line, Kind.MeterReading, self=here)
            entry = self._spool.add(record, unit=unit, reference=str(type_id))
            series = _Series(self._spool.add_series(self._file, line, unit, entry), line)
            self._series[key, type_id] = series
        return series

    def _made_type(self, unit: Unit, duration: int, flow: str, commodity: str, currency: str) -> uuid.UUID:
        """The ReadingType a row means; spooled when it is met first."""
        content = {
            "accumulationBehaviour": int(AccumulationKind.DELTA_DATA),
            "commodity": self._commodity(commodity, unit),
            "currency": self._currency(currency),
            "dataQualifier": 12,
            "flowDirection": int(FLOWS.get(flow or "delivered") or _code(flow, "flow", FLOWS)),
            "intervalLength": duration,
            "kind": unit.kind,
            "powerOfTenMultiplier": _POWER,
            "timeAttribute": 0,
            "uom": unit.uom,
        }
        content, xml = checked(usage.ReadingType, content)
        id = identity.by_content(self._house.namespace, Kind.ReadingType.name, xml)
        self._spool.add(Record(self._file, None, Kind.ReadingType, content=content), id=str(id))
        return id

    def _commodity(self, text: str, unit: Unit) -> int:
        if not text:
            self._report.supply(self._name, None, "commodity was missing and follows from the unit")
        known = COMMODITIES.get(text or unit.commodity)
        return int(known[0]) if known else _code(text, "commodity", COMMODITIES)

    def _currency(self, text: str) -> int:
        if not text:
            self._report.supply(self._name, None, "currency was missing")
            return self._house.supplies.currency
        known = Currency.__members__.get(text)
        return int(known) if known is not None else _code(text, "currency", Currency.__members__)


def _code(text: str, column: str, words: Mapping[str, object]) -> int:
    """A code given as a number."""
    if _WHOLE.fullmatch(text) and int(text) < 2**16:
        return int(text)
    return _refuse(f"{column} {text!r} is neither a code nor one of {', '.join(words)}")


def _whole(text: str, column: str) -> int:
    if not _WHOLE.fullmatch(text) or not int(text):
        raise BadRow(f"{column} {text!r} is not a whole number of seconds, 1 or more")
    return int(text)


def _scaled(text: str, factor: Decimal, column: str) -> int:
    """A decimal number as the whole number ESPI has; half a last digit is rounded to even."""
    try:
        number = Decimal(text) * factor
    except InvalidOperation:
        raise BadRow(f"{column} {text!r} is not a number such as 0.345") from None
    if not number.is_finite() or not _SMALLEST <= number <= _LARGEST:
        raise BadRow(f"{column} {text} is beyond what ESPI can say")
    return int(number.to_integral_value())


def _any(column: list[int | None]) -> list[int | None] | None:
    return column[:] if any(cell is not None for cell in column) else None


def _refuse(words: str) -> NoReturn:
    raise BadRow(words)
