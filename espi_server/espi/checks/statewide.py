"""Rules on what the Statewide Standard Tool adds: Rate Identification Numbers, and where they may stand."""

from __future__ import annotations

import re

from .rule import Faults, Profile, Severity, rule
from .subjects import Resource

ERROR, WARNING, ADVICE = Severity
_SST = frozenset({Profile.SST})
_OTHERS = frozenset({Profile.CERTIFICATION, Profile.LENIENT})
# Country and state, distributor and energy company, rate, location (16 to 25 characters).
_RIN = re.compile(r"[A-Z]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{1,10}")
_RINS = ("bundledRin", "deliveryRin", "generationRin")


def rins(resource: Resource) -> list[tuple[str, str]]:
    """Name and text of each Rate Identification Number of a summary."""
    summary = resource.instance
    given = (summary.bundled_rin, summary.delivery_rin, summary.generation_rin)
    return [(name, value) for name, value in zip(_RINS, given, strict=True) if value is not None]


@rule(
    "SST-01",
    ERROR,
    "The tool's elements stand in no document of the standard alone",
    why="ESPI as published has no bundledRin; a client that validates refuses the summary. They are sent to those who "
    "asked for them.",
    breaks="<espi:bundledRin> in a file judged by ESPI 4.0",
    kinds="UsageSummary",
    lenient=ADVICE,
    profiles=_OTHERS,
)
def no_rin_without_the_tool(resource: Resource) -> Faults:
    for name, _ in rins(resource):
        yield resource.fault(f"{name} is not in {resource.context.edition.title}.", name)


@rule(
    "SST-02",
    ERROR,
    "A RIN has the form of a RIN",
    why="MIDAS knows a rate by USCA-PGPG-0505-0000: country and state, companies, rate, location.",
    breaks="<espi:bundledRin>E-ELEC</espi:bundledRin>",
    kinds="UsageSummary",
    profiles=_SST,
)
def rins_have_their_form(resource: Resource) -> Faults:
    for name, value in rins(resource):
        if not _RIN.fullmatch(value):
            yield resource.fault(f"{name} is {value!r}; it must look like USCA-PGPG-0505-0000.", name)


@rule(
    "SST-03",
    ERROR,
    "A rate is bundled, or delivery and generation",
    why="One company's whole rate has one RIN; where two serve, each has its own, and there is no third.",
    breaks="bundledRin and generationRin in one summary",
    kinds="UsageSummary",
    profiles=_SST,
)
def rins_do_not_mix(resource: Resource) -> Faults:
    found = dict(rins(resource))
    if "bundledRin" in found and len(found) > 1:
        others = " and ".join(name for name in found if name != "bundledRin")
        yield resource.fault(f"bundledRin stands beside {others}.", "bundledRin")


@rule(
    "SST-04",
    WARNING,
    "A summary with a RIN says whose rate it is",
    why="The tool shows tariffProfile and billingChargeSource/agencyName beside the number, so that people know it.",
    breaks="bundledRin without tariffProfile",
    kinds="UsageSummary",
    profiles=_SST,
)
def rates_have_names(resource: Resource) -> Faults:
    summary = resource.instance
    if rins(resource) and not summary.tariff_profile:
        yield resource.fault("The summary has a RIN and no tariffProfile.", rins(resource)[0][0])
    if rins(resource) and not getattr(summary.billing_charge_source, "agency_name", None):
        yield resource.fault(
            "The summary has a RIN and no billingChargeSource/agencyName.", rins(resource)[0][0]
        )
