"""A household's usage as a Green Button feed: usage points, readings, bills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from espi_server.demo.bills import Line
from espi_server.demo.calendar import DAY, HOUR, QUARTER, Whole
from espi_server.demo.entries import base, entry, feed
from espi_server.demo.households import Company, Service, company
from espi_server.demo.metering import Metered, Period, Series
from espi_server.demo.tariffs import PERIODS, RATES
from espi_server.espi import codes, paths, usage
from espi_server.espi.codes import TouCppOrConsumptionTier as Sort
from espi_server.espi.content import ESPI
from espi_server.espi.readings import Renderer

# Pacific time: clocks change at two on the second Sunday of March and the first of November.
PACIFIC = usage.LocalTimeParameters(
    dst_end_rule="B40E2000", dst_offset=3600, dst_start_rule="360E2000", tz_offset=-28_800
)
_MEASURING = {QUARTER: 2, HOUR: 7, DAY: 4}  # TimeAttributeKind: 15 and 60 minutes, 24 hours
_MORNING = 6 * HOUR  # a day's readings come at six the next morning


def write(maker: Company, metered: Sequence[Metered], *, readings: bool = True) -> bytes:
    """The feed of one customer's services; without `readings` for a company that sends those in another form."""
    at = subscription(maker, metered[0].service)
    href = paths.batch_subscription(base(maker), metered[0].service.customer)
    updated = max(int(each.midnights[-1]) for each in metered) + _MORNING
    return feed(
        href, "espi-entry/Subscription", "Green Button usage", updated, _entries(maker, at, metered, readings)
    )


def subscription(maker: Company, service: Service) -> str:
    """The address a customer's usage points stand on at the company."""
    return paths.subscription(base(maker), service.customer)


def _entries(maker: Company, at: str, metered: Sequence[Metered], readings: bool) -> Iterator[bytes]:
    published = min(int(each.midnights[0]) for each in metered)
    yield entry(
        paths.links(base(maker), "LocalTimeParameters", "pacific"), "Pacific time", PACIFIC.write(), published
    )
    if readings:
        yield from _shared(maker, metered, published)
    for each in metered:
        yield from _usage_point(maker, at, each)
        for series in each.series if readings else ():
            yield from _series(maker, at, each, series)
        yield from _summaries(at, each)


def _shared(maker: Company, metered: Sequence[Metered], published: int) -> Iterator[bytes]:
    """Reading types and the names of time-of-use codes, each once."""
    types = {_type_name(series): series for each in metered for series in each.series}
    for name, series in types.items():
        yield entry(
            paths.links(base(maker), "ReadingType", name),
            "Type of readings",
            _reading_type(series).write(),
            published,
        )
    for code in sorted({each.service.rate for each in metered if RATES[each.service.rate].periods}):
        yield entry(
            paths.links(base(maker), "ProgramIdMappings", code), RATES[code].name, _names().write(), published
        )


def _type_name(series: Series) -> str:
    return f"electricity-{series.step}-{int(series.flow)}"


def _reading_type(series: Series) -> usage.ReadingType:
    return usage.ReadingType(
        accumulation_behaviour=codes.AccumulationKind.DELTA_DATA,
        commodity=codes.CommodityKind.ELECTRICITY_SECONDARY_METERED,
        currency=codes.Currency.USD,
        data_qualifier=codes.DataQualifierKind.NORMAL,
        default_quality=codes.QualityOfReading.VALIDATED,
        flow_direction=series.flow,
        interval_length=series.step,
        kind=codes.MeasurementKind.ENERGY,
        phase=codes.PhaseCodeKind.S12N,
        power_of_ten_multiplier=0,
        time_attribute=0,
        uom=codes.UnitSymbolKind.WATT_HOUR,
        measuring_period=_MEASURING[series.step],
    )


def _names() -> usage.ProgramIdMappings:
    return usage.ProgramIdMappings(
        program_id_mapping=[
            usage.ProgramIdMapping(tou_cpp_or_consumption_tier=Sort.TOU, code=str(code), name_=name)
            for code, name in PERIODS.items()
        ]
    )


def _usage_point(maker: Company, at: str, each: Metered) -> Iterator[bytes]:
    service = each.service
    kinds = (
        "MeterReading",
        "UsageSummary",
        *(("ElectricPowerQualitySummary",) if service.net_metered else ()),
    )
    links = paths.usage_point_links(
        at, service.usage_point, paths.entry(base(maker), "LocalTimeParameters", "pacific"), kinds
    )
    yield entry(
        links, "Usage point", _point(service, alive=each.ended is None).write(), int(each.midnights[0])
    )


def _point(service: Service, *, alive: bool) -> usage.UsagePoint:
    electric = (
        None
        if service.is_gas
        else usage.SummaryMeasurement(power_of_ten_multiplier=0, uom=codes.UnitSymbolKind.VOLT, value=240)
    )
    return usage.UsagePoint(
        role_flags="0018" if service.net_metered else "0010",
        service_category=usage.ServiceCategory(
            kind=codes.ServiceKind.GAS if service.is_gas else codes.ServiceKind.ELECTRICITY
        ),
        status=int(alive),
        service_delivery_point=usage.ServiceDeliveryPoint(
            name_=f"Premise {service.place.premise}",
            tariff_profile=service.rate,
            customer_agreement=service.agreement,
        ),
        ami_billing_ready=codes.AmiBillingReadyKind.BILLING_APPROVED,
        connection_state=_connection(alive),
        is_sdp=True,
        nominal_service_voltage=electric,
        phase_code=None if service.is_gas else codes.PhaseCodeKind.S12N,
        read_cycle=f"{service.read_day:02}",
    )


def _connection(alive: bool) -> codes.UsagePointConnectedKind:
    states = codes.UsagePointConnectedKind
    return states.CONNECTED if alive else states.LOGICALLY_DISCONNECTED


# Readings


def _series(maker: Company, at: str, each: Metered, series: Series) -> Iterator[bytes]:
    point, name = each.service.usage_point, f"{each.service.usage_point}-{_type_name(series)}"
    reading_type = paths.entry(base(maker), "ReadingType", _type_name(series))
    links = paths.meter_reading_links(at, point, name, reading_type)
    yield entry(links, "Readings", usage.MeterReading().write(), int(each.midnights[0]))
    yield from _blocks(at, each, series, name)


def _blocks(at: str, each: Metered, series: Series, name: str) -> Iterator[bytes]:
    """A block a day for readings by the quarter hour, a block a month for longer ones."""
    renderer, starts = Renderer(series.readings), series.readings.start
    edges = each.midnights if series.step == QUARTER else _month_starts(each.midnights)
    rows = np.searchsorted(starts, edges)
    for first, end, edge in zip(rows[:-1].tolist(), rows[1:].tolist(), edges[1:].tolist(), strict=True):
        if first == end:
            continue
        begins, ends = int(starts[first]), int(series.readings.end[end - 1])
        content = b"".join(
            (
                b'<IntervalBlock xmlns="%s"><interval><duration>%d</duration><start>%d</start></interval>'
                % (ESPI.encode(), ends - begins, begins),
                renderer.xml(slice(first, end)),
                b"</IntervalBlock>",
            )
        )
        links = paths.interval_block_links(at, each.service.usage_point, name, str(begins))
        yield entry(links, "", content, edge + _MORNING)


def _month_starts(midnights: Whole) -> Whole:
    """The first and the last of these midnights, and the first of each month (in Pacific standard time)."""
    days = [datetime.fromtimestamp(each - 7 * HOUR, UTC).day for each in midnights.tolist()]
    inner = [each for each, day in zip(midnights.tolist()[1:-1], days[1:-1], strict=True) if day == 1]
    return np.array([midnights[0], *inner, midnights[-1]])


# Bills


def _summaries(at: str, each: Metered) -> Iterator[bytes]:
    for period in each.periods:
        latest = period is each.periods[-1]
        summary = _summary(
            each, period, each.running if latest else None, day=each.last_day if latest else None
        )
        published = min(period.measured.end + DAY, int(each.midnights[-1]))  # nothing comes before its time
        links = paths.usage_summary_links(at, each.service.usage_point, f"{period.first:%Y%m%d}")
        yield entry(links, "Bill", summary.write(), published)
        if each.service.net_metered:
            links = paths.quality_summary_links(at, each.service.usage_point, f"{period.first:%Y%m%d}")
            yield entry(links, "Power quality", _quality(period).write(), published)


def _summary(each: Metered, period: Period, running: Period | None, *, day: int | None) -> usage.UsageSummary:
    service, bill = each.service, period.bill
    rins = RATES[service.rate].rins.get(service.modifiers, {})
    alive = each.ended is None
    return usage.UsageSummary(
        billing_period=_interval(period),
        bill_last_period=bill.total,
        bill_to_date=running.bill.total if running else None,
        cost_additional_last_period=bill.beside_energy,
        cost_additional_detail_last_period=[_item(service, period, line) for line in bill.lines],
        currency=codes.Currency.USD,
        overall_consumption_last_period=_energy(service, period.measured.amount),
        current_billing_period_over_all_consumption=_energy(service, running.measured.amount)
        if running
        else None,
        peak_demand=None if service.is_gas else _watts(period.measured.peak),
        previous_day_overall_consumption=_energy(service, day) if day is not None and alive else None,
        quality_of_reading=codes.QualityOfReading.VALIDATED,
        status_time_stamp=period.measured.end,
        commodity=_commodity(service),
        tariff_profile=service.rate,
        read_cycle=f"{service.read_day:02}",
        billing_charge_source=usage.BillingChargeSource(agency_name=company(service.company).name),
        bundled_rin=rins.get("bundled"),
        delivery_rin=rins.get("delivery"),
        generation_rin=rins.get("generation"),
    )


def _item(service: Service, period: Period, line: Line) -> usage.LineItem:
    demand = line.kind is codes.ItemKind.DELIVERY_FEE
    measure = _watts if demand else lambda value: _energy(service, value)
    return usage.LineItem(
        amount=line.amount,
        note=line.note,
        measurement=None if line.quantity is None else measure(line.quantity),
        item_kind=line.kind,
        unit_cost=line.price,
        item_period=_interval(period),
    )


def _quality(period: Period) -> usage.ElectricPowerQualitySummary:
    """A quiet month on the line: one dip, no interruption."""
    return usage.ElectricPowerQualitySummary(
        long_interruptions=0, mains_voltage=240, measurement_protocol=1, power_frequency=60, rapid_voltage_changes=2,
        short_interruptions=0, summary_interval=_interval(period), supply_voltage_dips=1,
    )  # fmt: skip


def _interval(period: Period) -> usage.DateTimeInterval:
    return usage.DateTimeInterval(
        duration=period.measured.end - period.measured.start, start=period.measured.start
    )


def _energy(service: Service, value: int) -> usage.SummaryMeasurement:
    unit, power = (codes.UnitSymbolKind.THERM, -3) if service.is_gas else (codes.UnitSymbolKind.WATT_HOUR, 0)
    return usage.SummaryMeasurement(power_of_ten_multiplier=power, uom=unit, value=value)


def _watts(value: int) -> usage.SummaryMeasurement:
    return usage.SummaryMeasurement(power_of_ten_multiplier=0, uom=codes.UnitSymbolKind.WATT, value=value)


def _commodity(service: Service) -> codes.CommodityKind:
    kinds = codes.CommodityKind
    return kinds.NATURAL_GAS if service.is_gas else kinds.ELECTRICITY_SECONDARY_METERED
