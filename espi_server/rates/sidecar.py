"""What a rate needs and URDB has no field for. It stands beside the record under the record's label; the URDB part
stays untouched.

Baseline and medical allowances, percentage discounts, bill credits, charges per imported kWh (non-bypassable, PCIA,
franchise), minimum delivery charge, export prices by hour, edges off the hour, holidays, RINs, and the generation
record that belongs to a delivery record. `Sidecar.parse` refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from espi_server.rates import holidays
from espi_server.rates.calendar import zone_named
from espi_server.rates.charges import Charge, Per, charge
from espi_server.rates.errors import RatesError
from espi_server.rates.finding import number

if TYPE_CHECKING:
    from espi_server.rates.tariff import Schedule

ALL_MONTHS = frozenset(range(1, 13))
COMPONENTS = ("energy", "fixed", "demand_flat", "demand_tou", "minimum")


class BadSidecar(RatesError):
    """The sidecar object has a part that is not understood; the message names it and the accepted form."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Baseline energy of a day in those months, in kWh."""

    months: frozenset[int]
    kwh_per_day: Decimal


@dataclass(frozen=True, slots=True)
class Baseline:
    """A customer's daily allowance by season.

    With `credit` (dollars per kWh, negative) use up to the allowance is credited. Without it the allowance takes the
    place of the first `kWh daily` limit of every ladder, and higher limits grow in proportion.
    """

    allowances: tuple[Allowance, ...]
    medical_extra: Decimal = Decimal(0)
    credit: Decimal | None = None
    territory: str = ""
    heat_source: str = ""

    def per_day(self, month: int) -> Decimal | None:
        """kWh a day in that month, None where the rate has no allowance then."""
        return next(
            (
                allowance.kwh_per_day + self.medical_extra
                for allowance in self.allowances
                if month in allowance.months
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage off components of the bill, taken after everything else is computed."""

    name: str
    percent: Decimal
    on: tuple[str, ...] = ("energy",)


@dataclass(frozen=True, slots=True)
class BillCredit:
    """Dollars given on the bills of those months, such as a climate credit."""

    name: str
    amount: Decimal
    months: frozenset[int] = ALL_MONTHS


@dataclass(frozen=True, slots=True)
class Adder:
    """Dollars per imported kWh that no export credit pays: non-bypassable charge, PCIA, franchise fee."""

    name: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class MinimumDelivery:
    """The delivery part of a bill is at least this; `price` is the delivery part of a kWh."""

    charge: Charge
    price: Decimal


@dataclass(frozen=True, slots=True)
class Edge:
    """Local times, in minutes of the day, between which an energy period holds in those months."""

    months: frozenset[int]
    days: str
    start: int
    end: int
    period: int


@dataclass(frozen=True)
class Sidecar:
    """Everything beside the record; empty where nothing is said."""

    rins: tuple[tuple[str, str], ...] = ()
    currency: str = "USD"
    time_zone: str = ""
    holidays: str | tuple[date, ...] = ()
    baseline: Baseline | None = None
    discounts: tuple[Discount, ...] = ()
    credits: tuple[BillCredit, ...] = ()
    adders: tuple[Adder, ...] = ()
    minimum_delivery: MinimumDelivery | None = None
    generation_record: str = ""
    export_prices: tuple[tuple[tuple[Decimal, ...], ...], ...] = ()
    edges: tuple[Edge, ...] = ()
    open: bool = True
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Sidecar:
        """The sidecar a JSON object describes. Raises BadSidecar naming the part."""
        unknown = sorted(set(given) - set(PARTS) - set(CARRIED))
        if unknown:
            raise BadSidecar(
                f"The sidecar has unknown parts: {', '.join(unknown)}. Known: "
                f"{', '.join(sorted({*PARTS, *CARRIED}))}."
            )
        parts = {name: _part(name, given[name]) for name in PARTS if name in given}
        return cls(**parts, more={name: given[name] for name in CARRIED if name in given})

    def holidays_in(self, years: Iterable[int]) -> frozenset[date]:
        """The holidays of those years."""
        if isinstance(self.holidays, str):
            return holidays.days(self.holidays, years)
        wanted = set(years)
        return frozenset(day for day in self.holidays if day.year in wanted)

    def with_edges(self, schedule: Schedule, periods: int) -> Schedule:
        """The schedule with the sidecar's edges laid over it, in quarter hours where there are any.

        Raises BadSidecar where an edge names none of the record's `periods`.
        """
        if not self.edges:
            return schedule
        if strangers := sorted({edge.period for edge in self.edges} - set(range(periods))):
            raise BadSidecar(
                f"The sidecar's edges name period {strangers[0]}; energyratestructure has periods 0 to {periods - 1}."
            )
        fine = schedule.with_slots(96)
        rows = {
            "weekday": [list(row) for row in fine.weekday],
            "weekend": [list(row) for row in fine.weekend],
        }
        for edge in self.edges:
            for days in ("weekday", "weekend") if edge.days == "all" else (edge.days,):
                for month in edge.months:
                    quarters = slice(edge.start // 15, edge.end // 15)
                    rows[days][month - 1][quarters] = [edge.period] * (edge.end // 15 - edge.start // 15)
        return type(schedule)(*(tuple(tuple(row) for row in rows[days]) for days in ("weekday", "weekend")))


NO_SIDECAR = Sidecar()


def _decimal(given: Any) -> Decimal:
    read = number(given)
    if read is None:
        raise ValueError(f"{given!r} is not a number")
    return read


def _zone(given: Any) -> str:
    return str(zone_named(str(given)).key)


def _yes_or_no(given: Any) -> bool:
    if not isinstance(given, bool):
        raise ValueError(f"{given!r} is neither true nor false")
    return given


def _rins(given: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(rin["role"]), str(rin["rin"])) for rin in given)


def _holidays(given: Any) -> str | tuple[date, ...]:
    if isinstance(given, str):
        if given not in holidays.CALENDARS:
            raise ValueError(f"{given!r} is no holiday calendar; known: {', '.join(holidays.CALENDARS)}")
        return given
    return tuple(sorted(date.fromisoformat(day) for day in given))


def _months(given: Any) -> frozenset[int]:
    months = frozenset(int(month) for month in given)
    if not months <= ALL_MONTHS:
        raise ValueError("months are numbers from 1 to 12")
    return months


def _baseline(given: Any) -> Baseline:
    credit = given.get("credit")
    return Baseline(
        allowances=tuple(
            Allowance(_months(one["months"]), _decimal(one["kwh_per_day"])) for one in given["allowances"]
        ),
        medical_extra=_decimal(given.get("medical_extra", 0)),
        credit=None if credit is None else _decimal(credit),
        territory=str(given.get("territory", "")),
        heat_source=str(given.get("heat_source", "")),
    )


def _discounts(given: Any) -> tuple[Discount, ...]:
    found = tuple(
        Discount(str(one["name"]), _decimal(one["percent"]), tuple(one.get("on", ("energy",))))
        for one in given
    )
    if any(set(one.on) - set(COMPONENTS) for one in found):
        raise ValueError(f"'on' names components of a bill: {', '.join(COMPONENTS)}")
    return found


def _credits(given: Any) -> tuple[BillCredit, ...]:
    return tuple(
        BillCredit(str(one["name"]), _decimal(one["amount"]), _months(one.get("months", ALL_MONTHS)))
        for one in given
    )


def _adders(given: Any) -> tuple[Adder, ...]:
    return tuple(Adder(str(one["name"]), _decimal(one["price"])) for one in given)


def _minimum_delivery(given: Any) -> MinimumDelivery | None:
    if given["unit"] not in [per.value for per in Per]:
        raise ValueError(f"{given['unit']!r} is not one of {', '.join(per.value for per in Per)}")
    least = charge(_decimal(given["amount"]), given["unit"])
    return None if least is None else MinimumDelivery(least, _decimal(given["delivery_price"]))


def _export_prices(given: Any) -> tuple[tuple[tuple[Decimal, ...], ...], ...]:
    tables = tuple(
        tuple(tuple(_decimal(price) for price in row) for row in given[days])
        for days in ("weekday", "weekend")
    )
    if any(len(table) != 12 or any(len(row) != 24 for row in table) for table in tables):
        raise ValueError("weekday and weekend are 12 rows of 24 prices in $/kWh")
    return tables


def _edges(given: Any) -> tuple[Edge, ...]:
    found = tuple(
        Edge(
            _months(one.get("months", ALL_MONTHS)),
            str(one.get("days", "all")),
            _minutes(one["from"]),
            _minutes(one["to"]),
            int(one["period"]),
        )
        for one in given
    )
    if any(edge.days not in ("all", "weekday", "weekend") or edge.end <= edge.start for edge in found):
        raise ValueError("'days' is all, weekday or weekend, and 'from' is before 'to'")
    return found


def _minutes(clock: Any) -> int:
    hours, minutes = (int(part) for part in str(clock).split(":"))
    found = hours * 60 + minutes
    if not 0 <= found <= 24 * 60 or found % 15:
        raise ValueError(f"{clock!r} is not a quarter hour such as 16:30")
    return found


PARTS: dict[str, Callable[[Any], Any]] = {
    "rins": _rins,
    "currency": str,
    "time_zone": _zone,
    "holidays": _holidays,
    "baseline": _baseline,
    "discounts": _discounts,
    "credits": _credits,
    "adders": _adders,
    "minimum_delivery": _minimum_delivery,
    "generation_record": str,
    "export_prices": _export_prices,
    "edges": _edges,
    "open": _yes_or_no,
}
FORMS = {
    "rins": '[{"role": "bundled", "rin": "USCA-…"}]',
    "currency": '"USD"',
    "time_zone": '"America/Los_Angeles"',
    "holidays": '"us-eight" or ["2025-07-04", …]',
    "baseline": '{"allowances": [{"months": [6, 7], "kwh_per_day": 9.8}], "medical_extra": 0, "credit": -0.09}',
    "discounts": '[{"name": "CARE", "percent": 35, "on": ["energy"]}]',
    "credits": '[{"name": "Climate credit", "amount": 58.23, "months": [4, 10]}]',
    "adders": '[{"name": "PCIA 2021", "price": 0.0094}]',
    "minimum_delivery": '{"amount": 0.4, "unit": "$/day", "delivery_price": 0.1}',
    "generation_record": "a label",
    "export_prices": '{"weekday": 12 rows of 24 prices, "weekend": the same}',
    "edges": '[{"months": [6, 7], "days": "weekday", "from": "16:30", "to": "21:00", "period": 1}]',
    "open": "true or false",
}
CARRIED = ("eligibility", "event_adders", "vintage", "comment")  # kept for others, no part of a bill here


def _part(name: str, given: Any) -> Any:
    try:
        return PARTS[name](given)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as wrong:
        reason = f"{wrong} is missing" if isinstance(wrong, KeyError) else str(wrong)
        if isinstance(
            wrong, TypeError | AttributeError
        ):  # Python's words about its own types help nobody here
            reason = f"{given!r} has another form"
        raise BadSidecar(
            f"The sidecar's {name} is not understood: {reason.rstrip('.')}. Accepted: {FORMS[name]}."
        ) from wrong
