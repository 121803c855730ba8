"""Rules on units: what a ReadingType must say, and whether unit, kind, commodity and service go together."""

from __future__ import annotations

from typing import Any

from espi_server.espi.codes import CommodityKind, MeasurementKind, ServiceKind, UnitSymbolKind

from .rule import Faults, Severity, rule
from .subjects import Resource
from .whole import DELTA, DEMAND, ENERGY, Point

ERROR, WARNING, ADVICE = Severity
_POWER = 37
_VOLUME = 58
_UNITS = UnitSymbolKind
_ELECTRIC = frozenset({1, 2, 26})
_GASES = frozenset({7, 8})
_WATERS = frozenset({9, 11, 14})
_HEATS = frozenset({10, 12, 13})
_ENERGIES = frozenset({31, 71, 72, 73, 101, 104, 105, 106, 132, 163, 164, 169})
_RATES = frozenset({38, 61, 63, 100, 133, 161, 162})
_VOLUMES = frozenset({42, 119, 120, 128, 130, 134, 156, 157, 166, 167})
_FLOWS = frozenset({45, 82, 123, 125, 126, 127, 129, 131, 137, 138, 139})
_CURRENTS = frozenset({5, 29, 33, 65, 66, 67, 68, 69, 70, 74, 75, 81, 102, 103, 151, 152, 153})
_FITTING = {
    _ELECTRIC: (_ENERGIES | _RATES | _CURRENTS) - {132, 133, 169},
    _GASES: _VOLUMES | _FLOWS | {31, 72, 132, 133, 169, 39, 140, 141, 142, 155, 23, 6},
    _WATERS: _VOLUMES | _FLOWS | {39, 140, 141, 142, 155, 23, 6},
    _HEATS: _VOLUMES | _FLOWS | _ENERGIES | _RATES | {3, 23, 6},
}
"""The units each commodity can be measured in; a unit no list has (money, counts, time) fits them all."""

_KNOWN = frozenset().union(*_FITTING.values())
_OF_KIND = {
    ENERGY: _ENERGIES | _VOLUMES,  # gas and water by volume are sent as energy too, and certified so
    DEMAND: _RATES | _FLOWS,
    _POWER: _RATES,
    _VOLUME: _VOLUMES,
}
_SERVICES = {
    ServiceKind.ELECTRICITY: _ELECTRIC, ServiceKind.GAS: _GASES, ServiceKind.WATER: _WATERS, ServiceKind.HEAT: _HEATS,
}  # fmt: skip
_MEASURING = {1: 600, 2: 900, 3: 60, 4: 86_400, 5: 1_800, 6: 300, 7: 3_600, 10: 120, 14: 180, 31: 1_200}


def _must_have(name: str) -> Any:
    def look(resource: Resource) -> Faults:
        if getattr(resource.instance, resource.cls.by_name[name].attribute) is None and not _stands(
            resource, "", name
        ):
            yield resource.fault(f"The ReadingType has no {name}.")

    return look


for _number, _name, _weight, _why in (
    (1, "uom", ERROR, "Without a unit a value is a number and nothing more."),
    (
        2,
        "powerOfTenMultiplier",
        ERROR,
        "FB_04 asks for it. Taken for 0 where 3 was meant, a bill is a thousandth.",
    ),
    (3, "intervalLength", ERROR, "FB_04 asks for it. Readings without a time are placed by it."),
    (4, "commodity", ERROR, "Wh may be electricity or heat; a program sorts by commodity, not by guessing."),
    (5, "flowDirection", WARNING, "Whether energy came or went: without it solar export is counted as use."),
    (
        6,
        "accumulationBehaviour",
        WARNING,
        "Amounts per interval (4) are added up, registers (1, 3) subtracted.",
    ),
    (7, "kind", WARNING, "Energy (12) and demand (8) share units in the field; kind tells them apart."),
):
    rule(
        f"UNIT-{_number:02}", _weight, f"A ReadingType says its {_name}", why=_why,
        breaks=f"a ReadingType without <espi:{_name}>", kinds="ReadingType",
        lenient=WARNING if _number == 1 else ADVICE,
    )(_must_have(_name))  # fmt: skip


@rule(
    "UNIT-08",
    ERROR,
    "A unit fits its commodity",
    why="Gallons of electricity and watts of water are a wrong code in one of two places.",
    breaks="commodity 1 (electricity), uom 119 (cubic feet)",
    kinds="ReadingType",
    lenient=WARNING,
)
def unit_fits_commodity(resource: Resource) -> Faults:
    unit, commodity = resource.instance.uom, resource.instance.commodity
    for commodities, units in _FITTING.items():
        if commodity in commodities and unit in _KNOWN and unit not in units:
            words = f"{_word(CommodityKind, commodity)} is measured in {_word(_UNITS, unit)} here."
            yield resource.fault(words, "uom")


@rule(
    "UNIT-09",
    ERROR,
    "A unit fits the kind of measurement",
    why="Energy is in Wh, therms or a volume, demand in W or VA; with the other's unit a peak is read as a total.",
    breaks="kind 12 (energy), uom 38 (W)",
    kinds="ReadingType",
    lenient=WARNING,
)
def unit_fits_kind(resource: Resource) -> Faults:
    unit, kind = resource.instance.uom, resource.instance.kind
    if kind in _OF_KIND and unit in _KNOWN and unit not in _OF_KIND[kind]:
        yield resource.fault(
            f"{_word(MeasurementKind, kind)} is measured in {_word(_UNITS, unit)} here.", "uom"
        )


@rule(
    "UNIT-10",
    WARNING,
    "Amounts per interval are not in a unit of power",
    why="Delta data are added up over time; watts are not.",
    breaks="accumulationBehaviour 4, uom 38 (W), without kind",
    kinds="ReadingType",
    lenient=ADVICE,
)
def amounts_are_not_power(resource: Resource) -> Faults:
    kind = resource.instance
    if kind.accumulation_behaviour == DELTA and kind.uom in _RATES | _FLOWS and kind.kind in (None, 0):
        yield resource.fault(
            f"accumulationBehaviour is 4 (delta), and uom is {_word(_UNITS, kind.uom)}.", "uom"
        )


@rule(
    "UNIT-11",
    WARNING,
    "measuringPeriod and intervalLength agree",
    why="Both say how long a reading lasts; of two answers one is wrong.",
    breaks="measuringPeriod 2 (15 minutes), intervalLength 3600",
    kinds="ReadingType",
    lenient=ADVICE,
)
def periods_agree(resource: Resource) -> Faults:
    period, length = resource.instance.measuring_period, resource.instance.interval_length
    said = _MEASURING.get(period or 0)
    if said and length and said != length and resource.instance.accumulation_behaviour == DELTA:
        words = f"measuringPeriod {int(period)} is {said} s, and intervalLength {length} s."
        yield resource.fault(words, "measuringPeriod")


@rule(
    "UNIT-12",
    ERROR,
    "An interval lasts some time",
    why="Nothing is used in no time; a length of zero divides by zero in whoever reads on.",
    breaks="<espi:intervalLength>0</espi:intervalLength>",
    kinds="ReadingType",
    lenient=WARNING,
)
def intervals_last(resource: Resource) -> Faults:
    if resource.instance.interval_length == 0 and resource.instance.accumulation_behaviour == DELTA:
        yield resource.fault("intervalLength is 0.", "intervalLength")


@rule(
    "UNIT-13",
    ERROR,
    "A UsagePoint says which service it is",
    why="ServiceCategory tells electricity from gas before any number is read.",
    breaks="a UsagePoint without <espi:ServiceCategory>",
    kinds="UsagePoint",
    lenient=ADVICE,
)
def point_has_a_service(resource: Resource) -> Faults:
    if resource.instance.service_category is None:
        yield resource.fault("The UsagePoint has no ServiceCategory.")


@rule(
    "UNIT-14",
    ERROR,
    "Readings are of the usage point's service",
    why="A gas point with electric readings is two meters in one place, or a wrong code.",
    breaks="ServiceCategory 1 (gas), and readings of commodity 1",
    lenient=WARNING,
)
def readings_fit_the_service(point: Point) -> Faults:
    fitting = _SERVICES.get(_service(point))
    for series in point.series:
        commodity = getattr(series.type, "commodity", None)
        if fitting and commodity and commodity not in fitting and any(commodity in each for each in _FITTING):
            service, of = _word(ServiceKind, _service(point)), _word(CommodityKind, commodity)
            words = f"The service is {service}, the readings {of}."
            yield point.fault(words, series.row.place, "MeterReading")


@rule(
    "UNIT-15",
    ERROR,
    "Summaries are of the usage point's service",
    why="A gas bill on an electric point belongs to the neighbour's meter, or has a wrong code.",
    breaks="ServiceCategory 0, and a UsageSummary of commodity 7",
    lenient=WARNING,
)
def summaries_fit_the_service(point: Point) -> Faults:
    fitting = _SERVICES.get(_service(point))
    for summary in point.summaries:
        commodity = getattr(summary.instance, "commodity", None)
        if fitting and commodity and commodity not in fitting and any(commodity in each for each in _FITTING):
            service, of = _word(ServiceKind, _service(point)), _word(CommodityKind, commodity)
            words = f"The service is {service}, the summary {of}."
            yield point.fault(words, summary.place, f"{summary.kind}/commodity")


@rule(
    "UNIT-16",
    ERROR,
    "A measurement with a value says its unit and power of ten",
    why="peakDemand 5 is five watts or five kilowatts; only uom and powerOfTenMultiplier say which.",
    breaks="<espi:value>412</espi:value> without <espi:uom>",
    lenient=WARNING,
)
def measurements_have_units(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if field.content is None or field.content.name != "SummaryMeasurement" or value.value is None:
            continue
        missing = [
            name for name, code in (("uom", value.uom), ("powerOfTenMultiplier", value.power_of_ten_multiplier))
            if code is None and value.reading_type_ref is None and not _stands(resource, path, name)
        ]  # fmt: skip
        if missing:
            yield resource.fault(f"{field.name} has a value and no {' and no '.join(missing)}.", path)


def _stands(resource: Resource, path: str, name: str) -> bool:
    """Whether the element is there though nothing could be read from it, as XSD-07 tells."""
    return resource.find(path).find(f"{{{resource.cls.namespace}}}{name}") is not None


def _service(point: Point) -> Any:
    category = point.instance.service_category
    return getattr(category, "kind", None)


def _word(codes: Any, value: Any) -> str:
    """A code in words: natural gas (7)."""
    return (
        f"{codes(value).name.lower().replace('_', ' ')} ({int(value)})"
        if value in list(codes)
        else str(value)
    )
