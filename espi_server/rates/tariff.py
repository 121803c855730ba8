"""A tariff: prices, schedules and charges of one URDB record, checked and unchangeable.

Prices are decimals exactly as the record writes them. `read(record, sidecar)` is the only way in: it raises
UnusableTariff with every reason at once if the record cannot be priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any

from espi_server.rates import findings
from espi_server.rates.charges import Charge, charge, decimal
from espi_server.rates.errors import UnusableTariff
from espi_server.rates.fields import normalised
from espi_server.rates.finding import NO_LIMIT
from espi_server.rates.sidecar import NO_SIDECAR, Sidecar


class Unit(Enum):
    """What the upper limit of an energy tier is counted in."""

    KWH = "kWh"
    KWH_DAILY = "kWh daily"
    KWH_PER_KW = "kWh/kW"
    KWH_PER_KW_DAILY = "kWh/kW daily"

    @property
    def per_day(self) -> bool:
        """The limit is multiplied by the days of the billing period."""
        return self in (Unit.KWH_DAILY, Unit.KWH_PER_KW_DAILY)

    @property
    def per_kw(self) -> bool:
        """The limit is multiplied by the billing demand."""
        return self in (Unit.KWH_PER_KW, Unit.KWH_PER_KW_DAILY)

    @classmethod
    def named(cls, text: str) -> Unit:
        """The unit of that name in any case."""
        return next(unit for unit in cls if unit.value.lower() == text.lower())


class Metering(Enum):
    """What becomes of exported energy."""

    KWH_CREDIT = "kwh-credit"
    DOLLAR_CREDIT = "dollar-credit"
    NET_BILLING = "net-billing"
    NET_BILLING_HOURLY = "net-billing-hourly"
    BUY_ALL_SELL_ALL = "buy-all-sell-all"

    @property
    def sells(self) -> bool:
        """Exports are sold at a price of their own instead of being netted against use."""
        return self in (Metering.NET_BILLING, Metering.NET_BILLING_HOURLY, Metering.BUY_ALL_SELL_ALL)


DGRULES = {
    "net metering": Metering.KWH_CREDIT,
    "net billing instantaneous": Metering.NET_BILLING,
    "net billing hourly": Metering.NET_BILLING_HOURLY,
    "buy all sell all": Metering.BUY_ALL_SELL_ALL,
}


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a ladder: up to `limit` (None: no end) a unit costs `rate` + `adjustment`."""

    rate: Decimal
    adjustment: Decimal = Decimal(0)
    limit: Decimal | None = None
    unit: Unit = Unit.KWH
    sell: Decimal | None = None

    @property
    def price(self) -> Decimal:
        """Dollars per unit."""
        return self.rate + self.adjustment


Ladder = tuple[Tier, ...]
Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Schedule:
    """The period of every slot of the day, by month: twelve rows for weekdays and twelve for weekends."""

    weekday: Rows
    weekend: Rows

    @property
    def slots(self) -> int:
        """Columns: 24 hours, or more where an edge falls off the hour."""
        return len(self.weekday[0])

    def periods(self, month: int) -> frozenset[int]:
        """The periods used in that month (1 to 12)."""
        return frozenset(self.weekday[month - 1] + self.weekend[month - 1])

    def with_slots(self, slots: int) -> Schedule:
        """The same schedule in more columns."""
        times = slots // self.slots
        return (
            self
            if times == 1
            else Schedule(
                *(
                    tuple(tuple(period for period in row for _ in range(times)) for row in rows)
                    for rows in (self.weekday, self.weekend)
                )
            )
        )

    @classmethod
    def always(cls, period: int = 0) -> Schedule:
        """One period all the time."""
        rows = ((period,) * 24,) * 12
        return cls(rows, rows)


@dataclass(frozen=True, slots=True)
class Ratchet:
    """The billing demand is at least `share` of the highest demand of earlier months.

    `months` (1 to 12) are those looked back to, empty for all; `range` is how many months back, 0 for a year.
    """

    share: Decimal
    months: frozenset[int] = frozenset()
    range: int = 0


@dataclass(frozen=True)
class Tariff:
    """What a URDB record and its sidecar charge."""

    label: str
    name: str
    utility: str = ""
    energy: tuple[Ladder, ...] = ()
    energy_schedule: Schedule = dataclass_field(default_factory=Schedule.always)
    flat_demand: tuple[Ladder, ...] = ()
    flat_demand_months: tuple[int, ...] = (0,) * 12
    demand: tuple[Ladder, ...] = ()
    demand_schedule: Schedule = dataclass_field(default_factory=Schedule.always)
    fixed: Charge | None = None
    minimum: Charge | None = None
    ratchet: Ratchet | None = None
    metering: Metering | None = None
    sector: str = ""
    service: str = ""
    eia_id: int | None = None
    start: int | None = None
    end: int | None = None
    supersedes: str = ""
    observes_holidays: bool = False
    sidecar: Sidecar = NO_SIDECAR

    @property
    def slots(self) -> int:
        """How finely the day must be cut to price this tariff."""
        return max(self.energy_schedule.slots, self.demand_schedule.slots)

    @cached_property
    def has_demand(self) -> bool:
        """Any charge here needs the highest kilowatt of a bill."""
        charges = any(tier.price for ladder in self.flat_demand + self.demand for tier in ladder)
        return charges or any(tier.unit.per_kw for ladder in self.energy for tier in ladder)

    def season(self, month: int) -> frozenset[int]:
        """Two months are of one season when they use the same periods for energy."""
        return self.energy_schedule.periods(month)


def read(record: Mapping[str, Any], sidecar: Sidecar = NO_SIDECAR) -> Tariff:
    """The tariff of a URDB record in either spelling. Raises UnusableTariff; the record is not changed."""
    found = findings.check(record)
    errors = [finding for finding in found if finding.is_error]
    if errors:
        raise UnusableTariff(str(record.get("name") or record.get("label") or "unnamed"), errors)
    return _tariff(normalised(record), sidecar)


def _tariff(plain: Mapping[str, Any], sidecar: Sidecar) -> Tariff:
    energy = _ladders(plain.get("energyratestructure", ()))
    energy_schedule = sidecar.with_edges(_schedule(plain, "energy"), len(energy))
    return Tariff(
        label=str(plain.get("label", "")),
        name=str(plain.get("name", "")),
        utility=str(plain.get("utility", "")),
        energy=energy,
        energy_schedule=energy_schedule,
        flat_demand=_ladders(plain.get("flatdemandstructure", ())),
        flat_demand_months=tuple(
            int(decimal(period)) for period in plain.get("flatdemandmonths") or (0,) * 12
        ),
        demand=_ladders(plain.get("demandratestructure", ())),
        demand_schedule=_schedule(plain, "demand"),
        fixed=charge(plain.get("fixedchargefirstmeter"), plain.get("fixedchargeunits")),
        minimum=charge(plain.get("mincharge"), plain.get("minchargeunits")),
        ratchet=_ratchet(plain),
        metering=DGRULES.get(str(plain.get("dgrules", "")).strip().lower()),
        sector=str(plain.get("sector", "")),
        service=str(plain.get("servicetype", "")),
        eia_id=_whole(plain.get("eiaid")),
        start=_whole(plain.get("startdate")),
        end=_whole(plain.get("enddate")),
        supersedes=str(plain.get("supersedes", "")),
        observes_holidays=bool(sidecar.holidays),
        sidecar=sidecar,
    )


def _ladders(structure: Any) -> tuple[Ladder, ...]:
    return tuple(tuple(_tier(tier) for tier in period) for period in structure)


def _tier(tier: Mapping[str, Any]) -> Tier:
    limit, unit, sell = tier.get("max"), str(tier.get("unit", "kWh")), tier.get("sell")
    return Tier(
        rate=decimal(tier.get("rate", 0)),
        adjustment=decimal(tier.get("adj", 0)),
        limit=None if limit is None or decimal(limit) >= NO_LIMIT else decimal(limit),
        unit=Unit.KWH if unit.lower() == "kw" else Unit.named(unit),
        sell=None if sell is None else decimal(sell),
    )


def _schedule(plain: Mapping[str, Any], what: str) -> Schedule:
    weekday, weekend = (plain.get(f"{what}{days}schedule") for days in ("weekday", "weekend"))
    if weekday is None or weekend is None:
        return Schedule.always()
    return Schedule(
        *(tuple(tuple(int(decimal(period)) for period in row) for row in rows) for rows in (weekday, weekend))
    )


def _ratchet(plain: Mapping[str, Any]) -> Ratchet | None:
    share = decimal(plain.get("lookbackpercent") or 0)
    if not share:
        return None
    flags = plain.get("lookbackmonths") or ()
    months = frozenset(month for month, counts in enumerate(flags, 1) if counts)
    return Ratchet(share / 100 if share > 1 else share, months, int(decimal(plain.get("lookbackrange") or 0)))


def _whole(value: Any) -> int | None:
    return None if value is None or value == "" else int(decimal(value))
