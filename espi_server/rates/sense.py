"""Is this record what the tariff sheet says? Faults that real records were found to have, and their kin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from espi_server.rates.fields import TIER_FIELDS, UNPRICED
from espi_server.rates.finding import NO_LIMIT, Finding, Plain, money, note, number

RULES = ("Net Metering", "Net Billing Instantaneous", "Net Billing Hourly", "Buy All Sell All")
DEAREST_KWH, CHEAPEST_KWH, DEAREST_KW = Decimal(3), Decimal(-1), Decimal(200)
THREE_CENTS_A_DAY = Decimal("0.9")  # in dollars a month


def _tier_names(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        for name in sorted(set(tier) - TIER_FIELDS):
            yield money(
                "UNKNOWN_FIELD",
                f"{where}.{name}",
                "is not a field of a tier (rate, adj, max, unit, sell); "
                "whatever it charges is not in the bill.",
            )


def _tiers(plain: Plain) -> Iterator[tuple[str, Plain]]:
    for name in ("energyratestructure", "demandratestructure", "flatdemandstructure"):
        for p, period in enumerate(plain.get(name, ())):
            for t, tier in enumerate(period):
                yield f"{name}[{p}][{t}]", tier


def _prices(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        if tier.get("rate") is None and tier.get("adj") is None:
            yield money("RATE_MISSING", f"{where}.rate", "No price; it is taken as zero.")
        price = (number(tier.get("rate")) or Decimal(0)) + (number(tier.get("adj")) or Decimal(0))
        energy = where.startswith("energy")
        if price > (DEAREST_KWH if energy else DEAREST_KW) or price < (
            CHEAPEST_KWH if energy else Decimal(0)
        ):
            yield money(
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
                yield money(
                    "LAST_TIER_ENDS",
                    f"{name}[{p}][{len(period) - 1}].max",
                    f"No price above {limit}; the last price is taken to go on.",
                )


def _limit_units(plain: Plain) -> Iterator[Finding]:
    for where, tier in _tiers(plain):
        if tier.get("max") is not None and tier.get("unit") is None and where.startswith("energy"):
            yield money(
                "UNIT_MISSING",
                f"{where}.unit",
                "The limit has no unit; it is taken as kWh in a billing period.",
            )


def _mixed_units(plain: Plain) -> Iterator[Finding]:
    for p, period in enumerate(plain["energyratestructure"]):
        units = {str(tier.get("unit", "kWh")).lower() for tier in period if tier.get("max") is not None}
        if units == {"kwh", "kwh daily"}:
            yield money(
                "UNITS_MIXED",
                f"energyratestructure[{p}]",
                "Limits in kWh and in kWh daily stand in one ladder: which comes first depends on the days of the "
                "bill. Write all of them in one unit.",
            )


def _same_price(plain: Plain) -> Iterator[Finding]:
    for p, period in enumerate(plain["energyratestructure"]):
        prices = [(number(tier.get("rate")) or 0) + (number(tier.get("adj")) or 0) for tier in period]
        for t, (one, two) in enumerate(pairwise(prices), 1):
            if one == two:
                yield note(
                    "TIER_SAME_PRICE",
                    f"energyratestructure[{p}][{t}]",
                    f"Tier {t} costs the same as tier "
                    f"{t - 1} ({two} $/kWh): the limit between them has no effect.",
                )


def _typing_errors(plain: Plain) -> Iterator[Finding]:
    for p, period in enumerate(plain["energyratestructure"]):
        rates = [number(tier.get("rate")) for tier in period]
        for t, (one, two) in enumerate(pairwise(rates), 1):
            if one and two and _one_digit_apart(one, two):
                yield money(
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
            yield money(
                code,
                unit,
                f"{plain[unit]!r} stands without {amount}; nothing is charged. Was the amount lost?",
            )
        if plain.get(amount) is not None and plain.get(unit) is None and number(plain[amount]):
            yield money(
                "UNIT_MISSING", unit, f"{amount} {plain[amount]} has no unit; it is taken as $/month."
            )


def _odd_fixed_unit(plain: Plain) -> Iterator[Finding]:
    amount, unit = number(plain.get("fixedchargefirstmeter")), str(plain.get("fixedchargeunits", "")).lower()
    if amount and unit == "$/month" and 0 < amount < THREE_CENTS_A_DAY:
        yield money(
            "FIXED_UNIT_SUSPECT",
            "fixedchargeunits",
            f"{amount} $/month is less than three cents a day. Is it {amount} $/day?",
        )
    if amount and unit == "$/day" and str(plain.get("sector", "")).lower() == "residential" and amount > 5:
        yield money(
            "FIXED_UNIT_SUSPECT",
            "fixedchargeunits",
            f"{amount} $/day is {amount * 30} $ a month for a home. Is it {amount} $/month?",
        )


def _wrong_season(plain: Plain) -> Iterator[Finding]:
    """A month whose hours point to a period of another season, where the months of its own season do not."""
    for what in ("energy", "demand"):
        weekday, weekend = plain.get(f"{what}weekdayschedule"), plain.get(f"{what}weekendschedule")
        if weekday is None or weekend is None or f"{what}ratestructure" not in plain:
            continue
        rows = [[int(number(p) or 0) for p in (*weekday[m], *weekend[m])] for m in range(12)]
        seasons = _alike_months(rows)
        for months in seasons:
            for period, strangers in _strangers(rows, months, seasons):
                month, column = strangers[0], rows[strangers[0]].index(period)
                days, hour = ("weekday", column) if column < 24 else ("weekend", column - 24)
                usual = next(rows[m][column] for m in months if m not in strangers)
                yield money(
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
        if weekday is None or weekend is None or f"{what}ratestructure" not in plain:
            continue
        used = {int(number(period) or 0) for rows in (weekday, weekend) for row in rows for period in row}
        for period in sorted(set(range(len(plain[f"{what}ratestructure"]))) - used):
            yield note(
                "PERIOD_UNUSED",
                f"{what}ratestructure[{period}]",
                "No hour of the schedules uses this period.",
            )


def _service(plain: Plain) -> Iterator[Finding]:
    service = str(plain.get("servicetype", ""))
    if service and service.lower() != "bundled":
        yield money(
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
            yield money(
                "PRICE_IN_COMMENT",
                name,
                f"{amount.group(0).strip()!r} stands only in a comment and is not "
                "charged. Put it into the sidecar.",
            )
        elif re.search(r"\bnot (?:reflected|included|modell?ed)\b", text, re.IGNORECASE):
            yield note("LEFT_OUT", name, f"The record says that something is not in it: {text[:120]!r}")


def _not_priced(plain: Plain) -> Iterator[Finding]:
    for name in sorted(UNPRICED & set(plain)):
        if _has_money(plain[name]):
            yield money(
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
        yield money("RULE_UNKNOWN", "dgrules", f"{rule!r} is not known; accepted: {', '.join(RULES)}.")
    sells = any(number(tier.get("sell")) is not None for _, tier in _tiers(plain))
    if rule and "billing" in str(rule).lower() and not sells:
        yield money(
            "SELL_PRICE_MISSING",
            "energyratestructure",
            f"{rule} needs a sell price in the tiers, or --export-rate.",
        )


def _look_back(plain: Plain) -> Iterator[Finding]:
    share = number(plain.get("lookbackpercent"))
    if share and share > 1:
        yield money(
            "RATCHET_SHARE",
            "lookbackpercent",
            f"{share} is taken as {share} percent; URDB writes a share such as {share / 100}.",
        )
    if any(plain.get("lookbackmonths") or ()) and number(plain.get("lookbackrange")):
        yield note(
            "RATCHET_BOTH",
            "lookbackrange",
            "Months and range are both given: the named months within the range count.",
        )


def _standing(plain: Plain) -> Iterator[Finding]:
    if plain.get("approved") is False:
        yield note("NOT_APPROVED", "approved", "URDB's own review has not approved this record.")
    if not plain.get("name"):
        yield note("NAME_MISSING", "name", "The record has no name.")
    start, end = number(plain.get("startdate")), number(plain.get("enddate"))
    if start and end and end <= start:
        yield money("DATES_REVERSED", "enddate", "The record ends before it starts.")


SENSE = (
    _tier_names,
    _prices,
    _open_end,
    _limit_units,
    _mixed_units,
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
