"""What is wrong, doubtful or worth knowing in a URDB record: each finding has a code, words and a place.

Three weights: an ERROR cannot be priced; MONEY may make bills wrong, so an imported record is not used until someone
accepts that finding by its code; a NOTE is only told. Every check is one small generator over the normalised record.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

from espi_server.rates.fields import KNOWN, TIER_FIELDS, UNPRICED, canonical, normalised, respelled

Plain = Mapping[str, Any]

NO_LIMIT = Decimal("1e30")  # URDB and SAM write 1e38 for "no end"
ENERGY_UNITS = ("kWh", "kWh daily", "kWh/kW", "kWh/kW daily")
CHARGE_UNITS = ("$/day", "$/month", "$/year")
RULES = ("Net Metering", "Net Billing Instantaneous", "Net Billing Hourly", "Buy All Sell All")
DEAREST_KWH, CHEAPEST_KWH, DEAREST_KW = Decimal(3), Decimal(-1), Decimal(200)
THREE_CENTS_A_DAY = Decimal("0.9")  # in dollars a month


class Weight(Enum):
    """How much a finding matters."""

    ERROR = "error"
    MONEY = "money"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a record. `where` is a path such as `energyratestructure[4][1].rate`."""

    code: str
    weight: Weight
    where: str
    words: str

    @property
    def is_error(self) -> bool:
        """The record cannot be priced."""
        return self.weight is Weight.ERROR

    @property
    def changes_money(self) -> bool:
        """Bills may be wrong: the record waits until this code is accepted."""
        return self.weight is not Weight.NOTE

    def __str__(self) -> str:
        return f"{self.code} at {self.where}: {self.words}"

    def to_json(self) -> dict[str, str]:
        """The finding for machines."""
        return {"code": self.code, "weight": self.weight.value, "where": self.where, "words": self.words}


def check(record: Mapping[str, Any], siblings: Sequence[Mapping[str, Any]] = ()) -> list[Finding]:
    """Everything found in one record, errors first. `siblings` are other records of the same utility."""
    plain = normalised(record)
    found = [finding for look in SHAPE for finding in look(plain)]
    found += _names(record)
    if not any(finding.is_error for finding in found):
        found += [finding for look in SENSE for finding in look(plain)]
        found += _against_siblings(plain, [normalised(sibling) for sibling in siblings])
    order = list(Weight)
    return sorted(found, key=lambda finding: order.index(finding.weight))


def _error(code: str, where: str, words: str) -> Finding:
    return Finding(code, Weight.ERROR, where, words)


def _money(code: str, where: str, words: str) -> Finding:
    return Finding(code, Weight.MONEY, where, words)


def _note(code: str, where: str, words: str) -> Finding:
    return Finding(code, Weight.NOTE, where, words)


def number(value: Any) -> Decimal | None:
    """The value as a finite decimal; None where it is not a number (a boolean is none)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        read = Decimal(str(value))
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


# --- shape: can it be priced at all ------------------------------------------------------------------------------


def _has_energy(plain: Plain) -> Iterator[Finding]:
    if "energyratestructure" not in plain:
        yield _error(
            "ENERGY_MISSING",
            "energyratestructure",
            "The record has no energy prices. A rate needs "
            "energyratestructure, a list of periods, each a list of tiers.",
        )


def _structures(plain: Plain) -> Iterator[Finding]:
    for name in ("energyratestructure", "demandratestructure", "flatdemandstructure"):
        if name not in plain:
            continue
        periods = plain[name]
        if not isinstance(periods, list) or not periods:
            yield _error("STRUCTURE_SHAPE", name, "must be a list with at least one period.")
            continue
        for number_, period in enumerate(periods):
            yield from _ladder(name, f"{name}[{number_}]", period)


def _ladder(name: str, where: str, period: Any) -> Iterator[Finding]:
    if not isinstance(period, list) or not period or not all(isinstance(tier, dict) for tier in period):
        yield _error(
            "PERIOD_EMPTY", where, "must be a list with at least one tier {rate, adj, max, unit, sell}."
        )
        return
    for number_, tier in enumerate(period):
        yield from _tier_numbers(f"{where}[{number_}]", tier)
        yield from _tier_unit(name, f"{where}[{number_}]", tier)
    yield from _tier_limits(where, period)


def _tier_numbers(where: str, tier: Plain) -> Iterator[Finding]:
    for key in ("rate", "adj", "max", "sell"):
        if tier.get(key) is not None and number(tier[key]) is None:
            yield _error("NOT_A_NUMBER", f"{where}.{key}", f"{tier[key]!r} is not a number.")
    limit = number(tier.get("max"))
    if limit is not None and limit <= 0:
        yield _error(
            "LIMIT_NOT_POSITIVE", f"{where}.max", f"A tier cannot end at {limit}; leave max out for no end."
        )


def _tier_unit(name: str, where: str, tier: Plain) -> Iterator[Finding]:
    unit = tier.get("unit")
    accepted = ENERGY_UNITS if name == "energyratestructure" else ("kW",)
    if unit is not None and str(unit).lower() not in {word.lower() for word in accepted}:
        yield _error(
            "UNIT_UNKNOWN",
            f"{where}.unit",
            f"{unit!r} is not a unit of {name}; accepted: {', '.join(accepted)}.",
        )


def _tier_limits(where: str, period: Sequence[Plain]) -> Iterator[Finding]:
    limits = [number(tier.get("max")) for tier in period]
    units = [str(tier.get("unit", "kWh")).lower() for tier in period]
    for n in range(len(period) - 1):
        here, following = limits[n], limits[n + 1]
        if here is None:
            yield _error(
                "TIERS_OVERLAP",
                f"{where}[{n}]",
                f"This tier has no max, so tier {n + 1} after it is never "
                "reached. Only the last tier may be without max.",
            )
        elif following is not None and following <= here and units[n] == units[n + 1]:
            yield _error(
                "TIERS_OVERLAP",
                f"{where}[{n + 1}].max",
                f"max counts from zero and must rise from tier to tier: {following} follows {here}.",
            )


def _schedules(plain: Plain) -> Iterator[Finding]:
    for what in ("energy", "demand"):
        structure = plain.get(f"{what}ratestructure")
        names = [f"{what}weekdayschedule", f"{what}weekendschedule"]
        if not isinstance(structure, list):
            continue
        for name in names:
            if name in plain:
                yield from _schedule(name, plain[name], len(structure))
            elif len(structure) > 1 or any(other in plain for other in names):
                yield _error(
                    "SCHEDULE_MISSING",
                    name,
                    f"{what}ratestructure has {len(structure)} periods; the "
                    "schedule must say when each holds (12 rows of 24 period numbers).",
                )


def _schedule(name: str, rows: Any, periods: int) -> Iterator[Finding]:
    if (
        not isinstance(rows, list)
        or len(rows) != 12
        or any(not isinstance(row, list) or len(row) != 24 for row in rows)
    ):
        yield _error("SCHEDULE_SHAPE", name, "must be 12 rows (January first) of 24 hours.")
        return
    for month, row in enumerate(rows):
        for hour, period in enumerate(row):
            if number(period) is None or number(period) != int(period):
                yield _error(
                    "NOT_A_NUMBER", f"{name}[{month}][{hour}]", f"{period!r} is not a period number."
                )
            elif not 0 <= int(period) < periods:
                yield _error(
                    "PERIOD_MISSING",
                    f"{name}[{month}][{hour}]",
                    f"Period {period} is not in the structure, which has periods 0 to {periods - 1}.",
                )
                return


def _flat_months(plain: Plain) -> Iterator[Finding]:
    structure, months = plain.get("flatdemandstructure"), plain.get("flatdemandmonths")
    if not isinstance(structure, list):
        return
    if months is None:
        if len(structure) > 1:
            yield _error(
                "SCHEDULE_MISSING",
                "flatdemandmonths",
                f"flatdemandstructure has {len(structure)} periods; "
                "flatdemandmonths must say which holds in each of the 12 months.",
            )
    elif not isinstance(months, list) or len(months) != 12:
        yield _error("SCHEDULE_SHAPE", "flatdemandmonths", "must be 12 period numbers, January first.")
    else:
        for month, period in enumerate(months):
            if number(period) is None or not 0 <= int(period) < len(structure):
                yield _error(
                    "PERIOD_MISSING",
                    f"flatdemandmonths[{month}]",
                    f"Period {period} is not in "
                    f"flatdemandstructure, which has periods 0 to {len(structure) - 1}.",
                )


def _demand_units(plain: Plain) -> Iterator[Finding]:
    for name in ("demandrateunit", "flatdemandunit"):
        unit = plain.get(name)
        if unit is not None and str(unit).lower() != "kw":
            yield _error("UNIT_UNKNOWN", name, f"{unit!r} cannot be told from kWh readings; accepted: kW.")


def _charges(plain: Plain) -> Iterator[Finding]:
    for amount, unit in (("fixedchargefirstmeter", "fixedchargeunits"), ("mincharge", "minchargeunits")):
        if plain.get(amount) is not None and number(plain[amount]) is None:
            yield _error("NOT_A_NUMBER", amount, f"{plain[amount]!r} is not a number.")
        if plain.get(unit) is not None and str(plain[unit]).lower() not in CHARGE_UNITS:
            yield _error(
                "UNIT_UNKNOWN",
                unit,
                f"{plain[unit]!r} is not a unit of {amount}; accepted: {', '.join(CHARGE_UNITS)}.",
            )


def _ratchet(plain: Plain) -> Iterator[Finding]:
    for name in ("lookbackpercent", "lookbackrange", "startdate", "enddate", "eiaid"):
        if plain.get(name) not in (None, "") and number(plain[name]) is None:
            yield _error("NOT_A_NUMBER", name, f"{plain[name]!r} is not a number.")
    months = plain.get("lookbackmonths")
    if months and (not isinstance(months, list) or len(months) != 12):
        yield _error("SCHEDULE_SHAPE", "lookbackmonths", "must be 12 true or false, January first.")


SHAPE = (_has_energy, _structures, _schedules, _flat_months, _demand_units, _charges, _ratchet)


# --- names ---------------------------------------------------------------------------------------------------------


def _names(record: Mapping[str, Any]) -> Iterator[Finding]:
    for name in sorted(record):
        if canonical(name) not in KNOWN and name.lower() not in (
            "fixedmonthlycharge",
            "minmonthlycharge",
            "annualmincharge",
        ):
            yield _note("UNKNOWN_FIELD", name, "is not a field of URDB version 8; it is kept and not used.")
    other = respelled(record)
    if other:
        yield _note(
            "OTHER_SPELLING",
            other[0],
            "These fields are spelled as in the bulk download and were read as "
            f"the API's: {', '.join(other)}.",
        )


def _tier_names(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        for name in sorted(set(tier) - TIER_FIELDS):
            yield _money(
                "UNKNOWN_FIELD",
                f"{where}.{name}",
                "is not a field of a tier (rate, adj, max, unit, sell); "
                "whatever it charges is not in the bill.",
            )


# --- sense: is it what the tariff sheet says -------------------------------------------------------------------


def _tiers(plain: Plain) -> Iterator[tuple[str, Plain]]:
    for name in ("energyratestructure", "demandratestructure", "flatdemandstructure"):
        for p, period in enumerate(plain.get(name, ())):
            for t, tier in enumerate(period):
                yield f"{name}[{p}][{t}]", tier


def _prices(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        if tier.get("rate") is None and tier.get("adj") is None:
            yield _money("RATE_MISSING", f"{where}.rate", "No price; it is taken as zero.")
        price = (number(tier.get("rate")) or Decimal(0)) + (number(tier.get("adj")) or Decimal(0))
        energy = where.startswith("energy")
        if price > (DEAREST_KWH if energy else DEAREST_KW) or price < (
            CHEAPEST_KWH if energy else Decimal(0)
        ):
            yield _money(
                "PRICE_OUTLIER",
                f"{where}.rate",
                f"{price} $/{'kWh' if energy else 'kW'} is far from any "
                "price in use. Cents instead of dollars?",
            )


def _open_end(plain: Plain) -> Iterator[Finding]:
    for name in ("energyratestructure", "demandratestructure", "flatdemandstructure"):
        for p, period in enumerate(plain.get(name, ())):
            limit = number(period[-1].get("max"))
            if limit is not None and limit < min(NO_LIMIT, Decimal(10**8)):
                yield _money(
                    "LAST_TIER_ENDS",
                    f"{name}[{p}][{len(period) - 1}].max",
                    f"No price above {limit}; the last price is taken to go on.",
                )


def _limit_units(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        if tier.get("max") is not None and tier.get("unit") is None and where.startswith("energy"):
            yield _money(
                "UNIT_MISSING",
                f"{where}.unit",
                "The limit has no unit; it is taken as kWh in a billing period.",
            )


def _same_price(plain: Plain) -> Iterator[Finding]:
    for p, period in enumerate(plain["energyratestructure"]):
        prices = [(number(tier.get("rate")) or 0) + (number(tier.get("adj")) or 0) for tier in period]
        for t, (one, two) in enumerate(itertools.pairwise(prices), 1):
            if one == two:
                yield _note(
                    "TIER_SAME_PRICE",
                    f"energyratestructure[{p}][{t}]",
                    f"Tier {t} costs the same as tier "
                    f"{t - 1} ({two} $/kWh): the limit between them has no effect.",
                )


def _typing_errors(plain: Plain) -> Iterator[Finding]:
    for p, period in enumerate(plain["energyratestructure"]):
        rates = [number(tier.get("rate")) for tier in period]
        for t, (one, two) in enumerate(itertools.pairwise(rates), 1):
            if one and two and _one_digit_apart(one, two):
                yield _money(
                    "TIER_PRICE_TYPO",
                    f"energyratestructure[{p}][{t}].rate",
                    f"{two} differs from the {one} "
                    f"of tier {t - 1} by one digit. One of them is probably mistyped.",
                )


def _one_digit_apart(one: Decimal, two: Decimal) -> bool:
    if abs(one - two) * 200 > abs(one):
        return False
    a, b = f"{one:f}", f"{two:f}"
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1


def _units_without_value(plain: Plain) -> Iterator[Finding]:
    for amount, unit, code in (
        ("fixedchargefirstmeter", "fixedchargeunits", "FIXED_VALUE_MISSING"),
        ("mincharge", "minchargeunits", "MINIMUM_VALUE_MISSING"),
    ):
        if plain.get(unit) is not None and plain.get(amount) is None:
            yield _money(
                code,
                unit,
                f"{plain[unit]!r} stands without {amount}; nothing is charged. Was the amount lost?",
            )
        if plain.get(amount) is not None and plain.get(unit) is None and number(plain[amount]):
            yield _money(
                "UNIT_MISSING", unit, f"{amount} {plain[amount]} has no unit; it is taken as $/month."
            )


def _odd_fixed_unit(plain: Plain) -> Iterator[Finding]:
    amount, unit = number(plain.get("fixedchargefirstmeter")), str(plain.get("fixedchargeunits", "")).lower()
    if amount and unit == "$/month" and 0 < amount < THREE_CENTS_A_DAY:
        yield _money(
            "FIXED_UNIT_SUSPECT",
            "fixedchargeunits",
            f"{amount} $/month is less than three cents a day. Is it {amount} $/day?",
        )
    if amount and unit == "$/day" and str(plain.get("sector", "")).lower() == "residential" and amount > 5:
        yield _money(
            "FIXED_UNIT_SUSPECT",
            "fixedchargeunits",
            f"{amount} $/day is {amount * 30} $ a month for a home. Is it {amount} $/month?",
        )


def _wrong_season(plain: Plain) -> Iterator[Finding]:
    """A month whose hours point to a period of another season, where the months of its own season do not."""
    for what in ("energy", "demand"):
        weekday, weekend = plain.get(f"{what}weekdayschedule"), plain.get(f"{what}weekendschedule")
        if weekday is None or weekend is None:
            continue
        rows = [[int(p) for p in (*weekday[m], *weekend[m])] for m in range(12)]
        seasons = _alike_months(rows)
        for months in seasons:
            for period, strangers in _strangers(rows, months, seasons):
                month, column = strangers[0], rows[strangers[0]].index(period)
                days, hour = ("weekday", column) if column < 24 else ("weekend", column - 24)
                usual = next(rows[m][column] for m in months if m not in strangers)
                yield _money(
                    "SCHEDULE_SEASON",
                    f"{what}{days}schedule[{month}][{hour}]",
                    "Months "
                    f"{', '.join(str(m + 1) for m in strangers)} point to period {period}, which belongs to "
                    f"another season; the months like them have period {usual} there.",
                )


def _alike_months(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Months grouped so that each shares at least three quarters of its hours with another of its group."""
    groups: list[list[int]] = []
    for month in range(12):
        near = [
            group
            for group in groups
            if any(
                sum(a == b for a, b in zip(rows[month], rows[other], strict=True)) >= 36 for other in group
            )
        ]
        groups = [group for group in groups if group not in near] + [
            sorted([month, *(m for g in near for m in g)])
        ]
    return groups


def _strangers(
    rows: Sequence[Sequence[int]], months: list[int], seasons: Iterable[list[int]]
) -> Iterator[tuple[int, list[int]]]:
    for period in sorted({period for month in months for period in rows[month]}):
        inside = [month for month in months if period in rows[month]]
        at_home_elsewhere = any(
            all(period in rows[month] for month in other) for other in seasons if other != months
        )
        if at_home_elsewhere and len(inside) < len(months):
            yield period, inside


def _unused_periods(plain: Plain) -> Iterator[Finding]:
    for what in ("energy", "demand"):
        weekday, weekend = plain.get(f"{what}weekdayschedule"), plain.get(f"{what}weekendschedule")
        if weekday is None or weekend is None:
            continue
        used = {int(period) for rows in (weekday, weekend) for row in rows for period in row}
        for period in sorted(set(range(len(plain[f"{what}ratestructure"]))) - used):
            yield _note(
                "PERIOD_UNUSED",
                f"{what}ratestructure[{period}]",
                "No hour of the schedules uses this period.",
            )


def _service(plain: Plain) -> Iterator[Finding]:
    service = str(plain.get("servicetype", ""))
    if service and service.lower() != "bundled":
        yield _money(
            "NOT_BUNDLED",
            "servicetype",
            f"{service}: part of the service is not in these prices. Compare "
            "it only together with the record of the other supplier.",
        )


def _comments(plain: Plain) -> Iterator[Finding]:
    for name in (
        "energycomments",
        "demandcomments",
        "fixedcomments",
        "basicinformationcomments",
        "description",
    ):
        text = str(plain.get(name, ""))
        amount = re.search(
            r"\b[\w ]*(?:credit|discount|surcharge|rider|adder)[\w ]*[=:]\s*\$?(-?[\d.]*\d)",
            text,
            re.IGNORECASE,
        )
        if amount:
            yield _money(
                "PRICE_IN_COMMENT",
                name,
                f"{amount.group(0).strip()!r} stands only in a comment and is not "
                "charged. Put it into the sidecar.",
            )
        elif re.search(r"\bnot (?:reflected|included|modell?ed)\b", text, re.IGNORECASE):
            yield _note("LEFT_OUT", name, f"The record says that something is not in it: {text[:120]!r}")


def _not_priced(plain: Plain) -> Iterator[Finding]:
    for name in sorted(UNPRICED & set(plain)):
        if _has_money(plain[name]):
            yield _money(
                "NOT_PRICED",
                name,
                "is part of the tariff but cannot be charged from kWh readings; bills leave it out.",
            )


def _has_money(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_money(item) for item in value)
    if isinstance(value, dict):
        return any(_has_money(item) for item in value.values())
    return bool(number(value))


def _rules(plain: Plain) -> Iterator[Finding]:
    rule = plain.get("dgrules")
    if rule and str(rule).strip().lower() not in {word.lower() for word in RULES}:
        yield _money("RULE_UNKNOWN", "dgrules", f"{rule!r} is not known; accepted: {', '.join(RULES)}.")
    sells = any(number(tier.get("sell")) is not None for _, tier in _tiers(plain))
    if rule and "billing" in str(rule).lower() and not sells:
        yield _money(
            "SELL_PRICE_MISSING",
            "energyratestructure",
            f"{rule} needs a sell price in the tiers, or --export-rate.",
        )


def _look_back(plain: Plain) -> Iterator[Finding]:
    share = number(plain.get("lookbackpercent"))
    if share and share > 1:
        yield _money(
            "RATCHET_SHARE",
            "lookbackpercent",
            f"{share} is taken as {share} percent; URDB writes a share such as {share / 100}.",
        )
    if any(plain.get("lookbackmonths") or ()) and number(plain.get("lookbackrange")):
        yield _note(
            "RATCHET_BOTH",
            "lookbackrange",
            "Months and range are both given: the named months within the range count.",
        )


def _standing(plain: Plain) -> Iterator[Finding]:
    if plain.get("approved") is False:
        yield _note("NOT_APPROVED", "approved", "URDB's own review has not approved this record.")
    if not plain.get("name"):
        yield _note("NAME_MISSING", "name", "The record has no name.")
    start, end = number(plain.get("startdate")), number(plain.get("enddate"))
    if start and end and end <= start:
        yield _money("DATES_REVERSED", "enddate", "The record ends before it starts.")


SENSE = (
    _tier_names,
    _prices,
    _open_end,
    _limit_units,
    _same_price,
    _typing_errors,
    _units_without_value,
    _odd_fixed_unit,
    _wrong_season,
    _unused_periods,
    _service,
    _comments,
    _not_priced,
    _rules,
    _look_back,
    _standing,
)


# --- against the records of the same utility ---------------------------------------------------------------------


def _against_siblings(plain: Plain, siblings: Sequence[Plain]) -> Iterator[Finding]:
    kin = [
        one
        for one in siblings
        if one.get("utility") == plain.get("utility") and one.get("sector") == plain.get("sector")
    ]
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
        yield _money(
            code,
            unit,
            f"{value} {own} here, but {times} record{'s' * (times > 1)} of the same utility "
            f"say{'s' * (times == 1)} {value} {usual}.",
        )


def check_all(records: Sequence[Mapping[str, Any]]) -> list[list[Finding]]:
    """The findings of each record of one file, each laid beside the others."""
    found = [check(record, [other for other in records if other is not record]) for record in records]
    for code, key, words in (
        ("LABEL_TWICE", "label", "Another record of this file has the same label."),
        ("NAME_TWICE", "name", "Another record of this utility has the same name and an overlapping time."),
    ):
        for n in _doubles([normalised(record) for record in records], key):
            found[n].append(_money(code, key, words))
    return [_once(findings) for findings in found]


def _doubles(records: Sequence[Plain], key: str) -> list[int]:
    seen: dict[Any, list[int]] = defaultdict(list)
    for n, record in enumerate(records):
        if record.get(key):
            seen[(record.get("utility") if key == "name" else None, record[key])].append(n)
    overlapping = [group for group in seen.values() if len(group) > 1]
    if key == "name":
        overlapping = [
            [n for n in group if any(_overlap(records[n], records[m]) for m in group if m != n)]
            for group in overlapping
        ]
    return sorted(n for group in overlapping for n in group)


def _overlap(one: Plain, two: Plain) -> bool:
    ends = [number(record.get("enddate")) or NO_LIMIT for record in (one, two)]
    starts = [number(record.get("startdate")) or Decimal(0) for record in (one, two)]
    return max(starts) < min(ends)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """A fault seen both alone and beside its siblings is told once per place, the later words being the better."""
    latest = {(finding.code, finding.where): finding for finding in findings}
    return list(latest.values())
