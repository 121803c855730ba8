"""Rules on codes: what a number of an open list means, since the schema takes any number."""

from __future__ import annotations

from typing import Any

from .rule import Faults, Severity, rule
from .subjects import Resource

ERROR, WARNING, ADVICE = Severity
# What changes the meaning of a number: not knowing such a code is not knowing the number.
_MEASURES = frozenset({
    "uom", "powerOfTenMultiplier", "commodity", "accumulationBehaviour", "flowDirection", "kind", "currency"
})  # fmt: skip
_GBA_ADDS = 10  # UnitMultiplier of the alliance's own edition, 3.3.2.20201019
# In use as of 2026, and those that old bills still show.
_ISO_4217 = frozenset(
    {
        8, 12, 32, 36, 44, 48, 50, 51, 52, 60, 64, 68, 72, 84, 90, 96, 104, 108, 116, 124, 132, 136,
        144, 152, 156, 170, 174, 188, 191, 192, 203, 208, 214, 222, 230, 232, 238, 242, 262, 270,
        292, 320, 324, 328, 332, 340, 344, 348, 352, 356, 360, 364, 368, 376, 388, 392, 396, 398,
        400, 404, 408, 410, 414, 417, 418, 422, 426, 430, 434, 446, 454, 458, 462, 480, 484, 496,
        498, 504, 512, 516, 524, 532, 533, 548, 554, 558, 566, 578, 586, 590, 598, 600, 604, 608,
        634, 643, 646, 654, 682, 690, 694, 702, 704, 706, 710, 728, 748, 752, 756, 760, 764, 776,
        780, 784, 788, 800, 807, 818, 826, 834, 840, 858, 860, 882, 886, 901, 925, 926, 927, 928,
        929, 930, 931, 932, 933, 934, 936, 938, 940, 941, 943, 944, 946, 947, 948, 949, 950, 951,
        952, 953, 960, 967, 968, 969, 970, 971, 972, 973, 975, 976, 977, 978, 979, 980, 981, 984,
        985, 986, 990, 997,
    }
)  # fmt: skip


@rule(
    "CODE-01",
    ERROR,
    "A code that says what a number means is one of the list",
    why="The schema takes any number; but a unit, power of ten or flow nobody knows makes the value worthless.",
    breaks="<espi:uom>999</espi:uom>",
    lenient=WARNING,
)
def measures_are_known(resource: Resource) -> Faults:
    for path, field, value in resource.unlisted:
        if field.name in _MEASURES - {"currency"} and isinstance(value, int) and not _is_gbas(field, value):
            yield resource.fault(_unlisted(field, value), path)


@rule(
    "CODE-02",
    WARNING,
    "Any other code is one of its list",
    why="The schema takes any number; a reader takes those whose meaning is written down.",
    breaks="<espi:timeAttribute>7</espi:timeAttribute>",
    lenient=ADVICE,
)
def codes_are_known(resource: Resource) -> Faults:
    for path, field, value in resource.unlisted:
        if field.name not in _MEASURES and isinstance(value, int):
            yield resource.fault(_unlisted(field, value), path)


@rule(
    "CODE-03",
    ADVICE,
    "A word of an open list is one of the list",
    why="The schema takes any word there; a program understands those that are written down.",
    breaks="<cust:kind>household</cust:kind>",
)
def words_are_known(resource: Resource) -> Faults:
    for path, field, value in resource.unlisted:
        if isinstance(value, str):
            yield resource.fault(_unlisted(field, value), path)


@rule(
    "CODE-04",
    ERROR,
    "A currency is a number of ISO 4217",
    why="840 is the US dollar, 124 the Canadian; with another number nobody knows what money it is.",
    breaks="<espi:currency>1</espi:currency>",
    lenient=WARNING,
)
def currencies_exist(resource: Resource) -> Faults:
    for path, field, value in resource.unlisted:
        if field.name == "currency" and value not in _ISO_4217:
            yield resource.fault(f"currency {value} is no number of ISO 4217.", path)


@rule(
    "CODE-05",
    ADVICE,
    "A power of ten is one of the standard's own",
    why="The alliance's edition 3.3.2 allows 10; the standard's lists -12 to 12 in its own steps.",
    breaks="<espi:powerOfTenMultiplier>10</espi:powerOfTenMultiplier>",
)
def powers_are_the_standards(resource: Resource) -> Faults:
    for path, field, value in resource.unlisted:
        if _is_gbas(field, value):
            yield resource.fault("powerOfTenMultiplier 10 is of the alliance's edition only.", path)


def _is_gbas(field: Any, value: object) -> bool:
    return field.name == "powerOfTenMultiplier" and value == _GBA_ADDS


def _unlisted(field: Any, value: object) -> str:
    known = ", ".join(str(item) for item in field.leaf.listed)
    return f"{field.name} is {value!r}; the list has {known if len(known) < 90 else known[:80] + '…'}."
