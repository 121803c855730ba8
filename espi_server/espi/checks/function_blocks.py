"""Function blocks: which of them a document shows, and which it claims in vain.

Each is one function that says what is missing of the block; nothing said means the document shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from espi_server.espi.tables import FUNCTION_BLOCKS

from .rule import Faults, Severity, rule
from .whole import DEMAND, ENERGY, FORWARD, NET, REGISTERS, REVERSE, WATT_HOUR, Claim, Evidence

ERROR = Severity.ERROR
Lacks: TypeAlias = Callable[[Evidence], str]
BLOCKS: dict[int, Lacks] = {}
"""The blocks a document can show by what is in it. All others are about how data travel."""

_FB_15 = (
    "billingPeriod",
    "overallConsumptionLastPeriod",
    "currentBillingPeriodOverAllConsumption",
    "qualityOfReading",
    "statusTimeStamp",
)
_FB_16 = ("billLastPeriod", "costAdditionalLastPeriod", "currency")
_FB_27 = ("peakDemand", "previousDayOverallConsumption")
_DEMAND_UNITS = (38, 61)
_TEMPERATURE = (46, 23, 6)


def _block(number: int, breaks: str) -> Callable[[Lacks], Lacks]:
    def declare(lacks: Lacks) -> Lacks:
        BLOCKS[number] = lacks
        name = FUNCTION_BLOCKS[number]

        def look(claim: Claim) -> Faults:
            missing = lacks(claim.document.evidence)
            if missing:
                yield claim.document.fault(f"FB_{number} ({name}) is claimed, and there is {missing}.")

        rule(
            f"FB-{number:02}", ERROR, f"A claim of FB_{number}, {name}, is kept",
            why="What is claimed is tested: " + (lacks.__doc__ or "").strip(), breaks=breaks, kinds=str(number),
        )(look)  # fmt: skip
        return lacks

    return declare


@_block(4, "a claim of FB_4, and a file of bills")
def interval_metering(seen: Evidence) -> str:
    """MeterReading, ReadingType and IntervalBlock, joined by links, with readings."""
    missing = [kind for kind in ("MeterReading", "ReadingType", "IntervalBlock") if not seen.kinds[kind]]
    if missing:
        return f"no {' and no '.join(missing)}"
    return "" if seen.any_series() else "no MeterReading with a type and readings"


@_block(5, "a claim of FB_5, and a gas meter")
def electricity(seen: Evidence) -> str:
    """readings in Wh of the kind energy."""
    return "" if seen.any_series(kind=(ENERGY,), uom=(WATT_HOUR,)) else "no energy in Wh"


@_block(6, "a claim of FB_6, and energy only")
def demand(seen: Evidence) -> str:
    """readings of the kind demand in W or VA."""
    return "" if seen.any_series(kind=(DEMAND,), uom=_DEMAND_UNITS) else "no demand in W or VA"


@_block(7, "a claim of FB_7, and flowDirection 1")
def net_metering(seen: Evidence) -> str:
    """readings whose flow direction is net (4)."""
    return "" if seen.any_series(flow=(NET,)) else "no series with flowDirection 4"


@_block(8, "a claim of FB_8, and one MeterReading")
def both_ways(seen: Evidence) -> str:
    """a usage point with two MeterReadings, forward (1) and reverse (19)."""
    return "" if seen.both_ways else f"no usage point with flowDirection {FORWARD} and {REVERSE}"


@_block(9, "a claim of FB_9, and delta data only")
def registers(seen: Evidence) -> str:
    """register values, that is bulk quantity readings."""
    return "" if seen.any_series(behaviour=tuple(REGISTERS)) else "no register values"


@_block(10, "a claim of FB_10, and electricity")
def gas(seen: Evidence) -> str:
    """readings of natural gas (7)."""
    return "" if seen.any_series(commodity=(7,)) else "no gas"


@_block(11, "a claim of FB_11, and electricity")
def water(seen: Evidence) -> str:
    """readings of water (9 or 14)."""
    return "" if seen.any_series(commodity=(9, 14)) else "no water"


@_block(12, "a claim of FB_12, and readings without cost")
def interval_cost(seen: Evidence) -> str:
    """a cost in readings."""
    return "" if seen.costs else "no cost in any reading"


@_block(15, "a claim of FB_15, and a summary without qualityOfReading")
def usage_summary(seen: Evidence) -> str:
    """UsageSummary with billing period, consumption of it and of the current one, quality and time stamp."""
    return _in_summaries(seen, _FB_15)


@_block(16, "a claim of FB_16, and a summary without billLastPeriod")
def summary_with_cost(seen: Evidence) -> str:
    """UsageSummary with billLastPeriod, costAdditionalLastPeriod and currency."""
    return _in_summaries(seen, _FB_16)


@_block(17, "a claim of FB_17, and no ElectricPowerQualitySummary")
def power_quality(seen: Evidence) -> str:
    """ElectricPowerQualitySummary."""
    return "" if seen.kinds["ElectricPowerQualitySummary"] else "no ElectricPowerQualitySummary"


@_block(26, "a claim of FB_26, and bills without lines")
def billing_details(seen: Evidence) -> str:
    """UsageSummary with costAdditionalDetailLastPeriod, the lines of the bill."""
    return _in_summaries(seen, ("costAdditionalDetailLastPeriod",))


@_block(27, "a claim of FB_27, and a summary without peakDemand")
def demands(seen: Evidence) -> str:
    """UsageSummary with peak demand and the previous day's consumption."""
    return _in_summaries(seen, _FB_27)


@_block(28, "a claim of FB_28, and a summary without billToDate")
def current_cost(seen: Evidence) -> str:
    """UsageSummary with billToDate."""
    return _in_summaries(seen, ("billToDate",))


@_block(29, "a claim of FB_29, and no temperature")
def temperature(seen: Evidence) -> str:
    """readings of temperature, in °C or K."""
    return "" if seen.any_series(uom=_TEMPERATURE[1:]) else "no temperature"


_CUSTOMER_BLOCKS = {
    54: "Customer", 56: "CustomerAccount", 57: "CustomerAgreement", 58: "ServiceLocation", 59: "ServiceSupplier",
    60: "Meter", 61: "EndDevice", 62: "ProgramDateIdMappings", 71: "Statement",
}  # fmt: skip


def _customer_block(number: int, kind: str) -> None:
    def lacks(seen: Evidence) -> str:
        return "" if seen.kinds[kind] else f"no {kind}"

    lacks.__doc__ = f"{kind}."
    _block(number, f"a claim of FB_{number}, and no {kind}")(lacks)


for _number, _kind in _CUSTOMER_BLOCKS.items():
    _customer_block(_number, _kind)


def _in_summaries(seen: Evidence, names: tuple[str, ...]) -> str:
    if not seen.summaries:
        return "no UsageSummary"
    # What belongs to the current period or day stands only in the latest summary of a usage point.
    nowhere = [name for name in names if seen.lacking[name] == seen.summaries]
    partly = [
        name for name in names if 0 < seen.lacking[name] < seen.summaries and name not in _OF_THE_LATEST
    ]
    if nowhere:
        return f"no {' and no '.join(nowhere)} in any UsageSummary"
    return (
        f"no {' and no '.join(partly)} in {seen.lacking[partly[0]]} of the UsageSummaries" if partly else ""
    )


_OF_THE_LATEST = frozenset(_FB_15[2:3]) | frozenset(_FB_27) | {"billToDate"}
