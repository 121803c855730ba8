"""What real files get wrong and can be put right without guessing: the house's list, applied to one content.

Works on content in its JSON form (`Content.to_json`), so nothing here knows XML. Each function changes the content
in place and answers with the words for the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from espi_server.espi.codes import CommodityKind, Currency, ServiceKind
from espi_server.espi.content import Content
from espi_server.espi.fields import Field

# The first second of the year 2200: what lies beyond is no time in seconds, and as milliseconds it is after 1974.
LATEST = 7_258_118_400
_EARLIEST_MILLISECONDS = 100_000_000_000
_LONGEST = 2**32 - 1
_DAY_IN_MILLISECONDS = 86_400_000

COMMODITIES: Mapping[str, tuple[CommodityKind, ServiceKind]] = {
    "electricity": (CommodityKind.ELECTRICITY_SECONDARY_METERED, ServiceKind.ELECTRICITY),
    "gas": (CommodityKind.NATURAL_GAS, ServiceKind.GAS),
    "water": (CommodityKind.POTABLE_WATER, ServiceKind.WATER),
    "steam": (CommodityKind.STEAM, ServiceKind.HEAT),
    "heat": (CommodityKind.HEATING_FLUID, ServiceKind.HEAT),
}
"""A utility's word for what it delivers, and the two codes ESPI has for it."""

_UNITS: Mapping[str, frozenset[int]] = {
    "electricity": frozenset({5, 29, 33, 38, 61, 63, 65, 71, 72, 73, 106, 153}),
    "gas": frozenset({119, 120, 123, 132, 133, 169}),
    "water": frozenset({128, 129, 130, 134, 137}),
}


def milliseconds(kind: type[Content], content: dict[str, Any]) -> list[str]:
    """Times given in milliseconds become seconds; the words name each element."""
    return [
        f"{path} was in milliseconds and was divided by 1000" for path in _corrected(kind, content, kind.name)
    ]


def _corrected(kind: type[Content], content: dict[str, Any], path: str) -> Iterator[str]:
    if kind.name == "DateTimeInterval":
        yield from _interval(content, path)
        return
    for field, values, below in _walk(kind, content, path):
        for place, value in enumerate(values):
            if field.content is not None:
                yield from _corrected(field.content, value, below)
            elif field.leaf.name == "TimeType" and _is_milliseconds(value):
                values[place] = value // 1000
                yield below
        content[field.name] = values if field.many else values[0]


def _walk(kind: type[Content], content: dict[str, Any], path: str) -> Iterator[tuple[Field, list[Any], str]]:
    """The elements that hold times or other elements, each with its values as a list."""
    for name, value in list(content.items()):
        field = kind.by_name[name]
        if field.content is not None or field.leaf.name == "TimeType":
            yield field, (value if field.many else [value]), f"{path}/{name}"


def _interval(content: dict[str, Any], path: str) -> Iterator[str]:
    start, duration = content.get("start", 0), content.get("duration", 0)
    if _is_milliseconds(start):
        content["start"] = start // 1000
        yield f"{path}/start"
        # A period of a day or more in milliseconds would be 2.7 years or more in seconds.
        if duration >= _DAY_IN_MILLISECONDS:
            content["duration"] = duration // 1000
            yield f"{path}/duration"
    elif duration > _LONGEST:
        content["duration"] = duration // 1000
        yield f"{path}/duration"


def _is_milliseconds(value: Any) -> bool:
    return isinstance(value, int) and value >= _EARLIEST_MILLISECONDS


def status_time(content: dict[str, Any], published: int | None) -> list[str]:
    """A UsageSummary must say when it was made up; one that does not, was so at the end of its period."""
    period = content.get("billingPeriod")
    if "statusTimeStamp" in content or not (period or published):
        return []
    content["statusTimeStamp"] = period["start"] + period["duration"] if period else published
    return ["UsageSummary/statusTimeStamp was missing and became the end of the billing period"]


class Supplies:
    """What a utility's settings say where a source says nothing."""

    def __init__(self, commodities: list[str], currency: str) -> None:
        self._commodities = [name for name in commodities if name in COMMODITIES] or ["electricity"]
        self.commodity = self._commodities[0]
        self.currency = int(Currency[currency]) if currency in Currency.__members__ else int(Currency.OTHER)

    def reading_type(self, content: dict[str, Any]) -> list[str]:
        """Commodity, currency and power of ten of a ReadingType."""
        commodity, _ = COMMODITIES[self._by_unit(content.get("uom"))]
        return _supplied(
            content, "ReadingType", commodity=int(commodity), currency=self.currency, powerOfTenMultiplier=0
        )

    def usage_summary(self, content: dict[str, Any], service: int | None) -> list[str]:
        """Commodity and currency of a UsageSummary; `service` is its usage point's ServiceKind."""
        return _supplied(
            content, "UsageSummary", currency=self.currency, commodity=int(self._commodity_of(service))
        )

    def usage_point(self, content: dict[str, Any], commodity: int | None) -> list[str]:
        """ServiceCategory of a UsagePoint; `commodity` is that of its reading types, where there are any."""
        if "ServiceCategory" in content:
            return []
        kinds = {int(code): int(service) for code, service in COMMODITIES.values()}
        kind = kinds.get(commodity or 0, int(COMMODITIES[self._commodities[0]][1]))
        content["ServiceCategory"] = {"kind": kind}
        return ["UsagePoint/ServiceCategory was missing"]

    def _by_unit(self, uom: int | None) -> str:
        """The commodity a unit belongs to, if the utility delivers it; else the first it delivers."""
        fitting = [name for name in self._commodities if uom in _UNITS.get(name, ())]
        return (fitting or self._commodities)[0]

    def _commodity_of(self, service: int | None) -> CommodityKind:
        for commodity, kind in COMMODITIES.values():
            if service is not None and int(kind) == service:
                return commodity
        return COMMODITIES[self._commodities[0]][0]


def _supplied(content: dict[str, Any], kind: str, **values: int) -> list[str]:
    missing = [name for name in values if name not in content]
    content.update({name: values[name] for name in missing})
    return [f"{kind}/{name} was missing" for name in missing]
