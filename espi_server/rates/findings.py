"""Everything found in tariff records: their shape, their names, their sense, and beside their siblings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from espi_server.rates.fields import KNOWN, OLD_CHARGES, canonical, normalised, respelled
from espi_server.rates.finding import NO_LIMIT, Finding, Plain, Weight, money, note, number
from espi_server.rates.sense import SENSE
from espi_server.rates.shape import SHAPE

__all__ = ["NO_LIMIT", "Finding", "Weight", "check", "check_all"]


def check(record: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]] = ()) -> list[Finding]:
    """Everything found in one record, errors first. `siblings` are other records of the same utility."""
    return _check(record, normalised(record), [normalised(sibling) for sibling in siblings])


def check_all(records: Sequence[Mapping[str, Any]]) -> list[list[Finding]]:
    """The findings of each record of one file, each laid beside the others of its utility and sector."""
    plain = [normalised(record) for record in records]
    kin: dict[str, list[Plain]] = defaultdict(list)
    for one in plain:
        kin[_family(one)].append(one)
    found = [
        _check(record, one, [other for other in kin[_family(one)] if other is not one])
        for record, one in zip(records, plain, strict=True)
    ]
    for n in _same_label(plain):
        found[n].append(money("LABEL_TWICE", "label", "Another record of this file has the same label."))
    for n in _same_name(plain):
        words = "Another record of this utility has the same name and an overlapping time."
        found[n].append(money("NAME_TWICE", "name", words))
    return [_once(findings) for findings in found]


def _check(record: Mapping[str, Any], plain: Plain, siblings: Sequence[Plain]) -> list[Finding]:
    found = [finding for look in SHAPE for finding in look(plain)]
    found += _names(record)
    if not any(finding.is_error for finding in found):
        found += [finding for look in SENSE for finding in look(plain)]
        found += _against_siblings(plain, siblings)
    order = list(Weight)
    return sorted(found, key=lambda finding: order.index(finding.weight))


def _family(plain: Plain) -> str:
    return f"{plain.get('utility')} {plain.get('sector')}"


def _names(record: Mapping[str, Any]) -> Iterator[Finding]:
    for name in sorted(record):
        if canonical(name) not in KNOWN and name.lower() not in OLD_CHARGES:
            yield note("UNKNOWN_FIELD", name, "is not a field of URDB version 8; it is kept and not used.")
    other = respelled(record)
    if other:
        yield note(
            "OTHER_SPELLING",
            other[0],
            "These fields are spelled as in the bulk download and were read as "
            f"the API's: {', '.join(other)}.",
        )


def _against_siblings(plain: Plain, siblings: Sequence[Plain]) -> Iterator[Finding]:
    kin = [one for one in siblings if _family(one) == _family(plain)]
    for amount, unit, code in (
        ("fixedchargefirstmeter", "fixedchargeunits", "FIXED_UNIT_SUSPECT"),
        ("mincharge", "minchargeunits", "MINIMUM_UNIT_SUSPECT"),
    ):
        yield from _unlike_unit(plain, kin, amount, unit, code)


def _unlike_unit(plain: Plain, kin: Sequence[Plain], amount: str, unit: str, code: str) -> Iterator[Finding]:
    value, own = number(plain.get(amount)), plain.get(unit)
    same = Counter(str(one.get(unit)) for one in kin if value and number(one.get(amount)) == value)
    if value and same and own is not None and same.most_common(1)[0][0] != str(own):
        usual, times = same.most_common(1)[0]
        yield money(
            code,
            unit,
            f"{value} {own} here, but {times} record{'s' * (times > 1)} of the same utility "
            f"say{'s' * (times == 1)} {value} {usual}.",
        )


def _same_label(records: Sequence[Plain]) -> list[int]:
    times = Counter(str(record.get("label")) for record in records if record.get("label"))
    return [n for n, record in enumerate(records) if times[str(record.get("label"))] > 1]


def _same_name(records: Sequence[Plain]) -> list[int]:
    groups: dict[str, list[int]] = defaultdict(list)
    for n, record in enumerate(records):
        if record.get("name"):
            groups[f"{record.get('utility')} {record['name']}"].append(n)
    return sorted(
        n
        for group in groups.values()
        for n in group
        if any(_overlap(records[n], records[m]) for m in group if m != n)
    )


def _overlap(one: Plain, two: Plain) -> bool:
    ends = [number(record.get("enddate")) or NO_LIMIT for record in (one, two)]
    starts = [number(record.get("startdate")) or Decimal(0) for record in (one, two)]
    return max(starts) < min(ends)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """A fault seen both alone and beside its siblings is told once per place, the later words being the better."""
    latest = {(finding.code, finding.where): finding for finding in findings}
    return list(latest.values())
