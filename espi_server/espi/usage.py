"""The usage side of ESPI: what was measured, for whom to read, what it cost.

Times are seconds since 1970 UTC, durations seconds, money 10⁻⁵ of the currency whatever a reading's
own power of ten says.
"""

from .codes import (
    AccumulationKind,
    AmiBillingReadyKind,
    AnodeType,
    ApnodeType,
    CommodityKind,
    CRUDOperation,
    Currency,
    DataQualifierKind,
    EnrollmentStatus,
    FlowDirectionKind,
    ItemKind,
    MeasurementKind,
    PhaseCodeKind,
    QualityOfReading,
    ServiceKind,
    StatusCode,
    TimeAttributeKind,
    TimePeriodOfInterest,
    TouCppOrConsumptionTier,
    UnitMultiplierKind,
    UnitSymbolKind,
    UsagePointConnectedKind,
)
from .content import ESPI, Content
from .fields import element
from .types import (
    Address,
    AnyType,
    Boolean,
    DstRuleType,
    HexBinary16,
    Int16,
    Int48,
    Integer,
    String32,
    String256,
    TimeType,
    UInt8,
    UInt32,
)

# What everything is made of


class Object(Content, namespace=ESPI):
    """Anything that may be extended. An extension holds what its sender likes, and always comes first."""

    extension: list[AnyType]


class BatchItemInfo(Object):
    """What is asked of one item of a batch, and what became of it."""

    name_: HexBinary16 | None = element("name")
    operation: CRUDOperation | None
    status_code: StatusCode | None
    status_reason: String256 | None


class IdentifiedObject(Object):
    """Anything that is a resource of its own."""

    batch_item_info: BatchItemInfo | None


class DateTimeInterval(Object):
    """A stretch of time: seconds it lasts, and the second it starts."""

    duration: UInt32
    start: TimeType


class SummaryMeasurement(Object):
    """One value with its unit: value × 10^powerOfTenMultiplier uom."""

    power_of_ten_multiplier: UnitMultiplierKind | None
    time_stamp: TimeType | None
    uom: UnitSymbolKind | None
    value: Int48 | None
    reading_type_ref: Address | None


class RationalNumber(Object, roots=()):
    """A fraction, such as the two sides of a ratio."""

    numerator: Integer | None
    denominator: AnyType | None


class ReadingInterharmonic(Object, roots=()):
    """A harmonic of the fundamental frequency, as a fraction."""

    numerator: Integer | None
    denominator: AnyType | None


# Usage points


class ServiceCategory(Object, roots=()):
    """Which service is metered: 0 electricity, 1 gas, 2 water …"""

    kind: ServiceKind


class TariffRiderRef(Object, roots=()):
    """A rider on the tariff: its name, whether it applies, since when."""

    rider_type: String256
    enrollment_status: EnrollmentStatus
    effective_date: TimeType


class TariffRiderRefs(Object, roots=()):
    """The riders on a tariff."""

    tariff_rider_ref: list[TariffRiderRef] = element(at_least=1)


class ServiceDeliveryPoint(Object, roots=()):
    """Where and under which tariff and agreement the service is delivered."""

    name_: String256 | None = element("name")
    tariff_profile: String256 | None
    customer_agreement: String256 | None
    tariff_rider_refs: TariffRiderRefs | None


class PnodeRef(Object, roots=()):
    """A pricing node of the wholesale market, and from when to when it applies."""

    apnode_type: ApnodeType
    ref: String256
    start_effective_date: TimeType | None
    end_effective_date: TimeType | None


class PnodeRefs(Object, roots=()):
    """The pricing nodes of a usage point."""

    pnode_ref: list[PnodeRef] = element(at_least=1)


class AggregateNodeRef(Object, roots=()):
    """An aggregate of pricing nodes, and from when to when it applies."""

    anode_type: AnodeType
    ref: String256
    start_effective_date: TimeType | None
    end_effective_date: TimeType | None
    pnode_ref: list[PnodeRef]


class AggregateNodeRefs(Object, roots=()):
    """The aggregate nodes of a usage point."""

    aggregate_node_ref: list[AggregateNodeRef] = element(at_least=1)


class UsagePoint(IdentifiedObject, resource=True):
    """Where a service is metered. Electrical ratings are measurements with their unit; status 1 is on."""

    role_flags: HexBinary16 | None
    service_category: ServiceCategory | None = element("ServiceCategory")
    status: UInt8 | None
    service_delivery_point: ServiceDeliveryPoint | None
    ami_billing_ready: AmiBillingReadyKind | None
    check_billing: Boolean | None
    connection_state: UsagePointConnectedKind | None
    estimated_load: SummaryMeasurement | None
    grounded: Boolean | None
    is_sdp: Boolean | None
    is_virtual: Boolean | None
    minimal_usage_expected: Boolean | None
    nominal_service_voltage: SummaryMeasurement | None
    outage_region: String256 | None
    phase_code: PhaseCodeKind | None
    rated_current: SummaryMeasurement | None
    rated_power: SummaryMeasurement | None
    read_cycle: String256 | None
    read_route: String256 | None
    service_delivery_remark: String256 | None
    service_priority: String32 | None
    pnode_refs: PnodeRefs | None
    aggregate_node_refs: AggregateNodeRefs | None


# Readings


class MeterReading(IdentifiedObject, resource=True):
    """A series of readings of one type. It holds nothing itself: its links say which."""


class ReadingType(IdentifiedObject, resource=True):
    """What the numbers of a series mean: value × 10^powerOfTenMultiplier uom per intervalLength seconds."""

    accumulation_behaviour: AccumulationKind | None
    commodity: CommodityKind | None
    consumption_tier: Int16 | None
    currency: Currency | None
    data_qualifier: DataQualifierKind | None
    default_quality: QualityOfReading | None
    flow_direction: FlowDirectionKind | None
    interval_length: UInt32 | None
    kind: MeasurementKind | None
    phase: PhaseCodeKind | None
    power_of_ten_multiplier: UnitMultiplierKind | None
    time_attribute: TimePeriodOfInterest | None
    tou: Int16 | None
    uom: UnitSymbolKind | None
    cpp: Int16 | None
    interharmonic: ReadingInterharmonic | None
    measuring_period: TimeAttributeKind | None
    argument: RationalNumber | None


class ReadingQuality(Object):
    """How far a reading can be trusted."""

    quality: QualityOfReading


class IntervalReading(Object):
    """One value: in the reading type's unit, with its cost in 10⁻⁵ of the currency.

    Without a timePeriod it follows its predecessor by intervalLength. tou, consumptionTier and cpp are
    numbers that ProgramIdMappings gives names to; 0 is not applicable.
    """

    cost: Int48 | None
    reading_quality: list[ReadingQuality] = element("ReadingQuality")
    time_period: DateTimeInterval | None
    value: Int48 | None
    consumption_tier: Int16 | None
    tou: Int16 | None
    cpp: Int16 | None


class IntervalBlock(IdentifiedObject, resource=True):
    """Readings of one stretch of time, in the order they were taken."""

    interval: DateTimeInterval | None
    interval_reading: list[IntervalReading] = element("IntervalReading")


class LocalTimeParameters(IdentifiedObject, type_name="TimeConfiguration", resource=True):
    """How to get local time: seconds from UTC, seconds added in summer, and when summer starts and ends.

    A rule is 32 bits: month, operator, day of month, weekday, hour, second. FFFFFFFF means none.
    """

    dst_end_rule: DstRuleType
    dst_offset: TimeType
    dst_start_rule: DstRuleType
    tz_offset: TimeType


class ProgramIdMapping(Content, namespace=ESPI, roots=(), anonymous=True):
    """The name behind one number a reading carries as tou, cpp or consumptionTier."""

    tou_cpp_or_consumption_tier: TouCppOrConsumptionTier = element("tOUorCPPorConsumptionTier")
    code: AnyType
    name_: AnyType = element("name")
    note: AnyType | None


class ProgramIdMappings(IdentifiedObject, resource=True):
    """The names of a tariff's periods and tiers."""

    program_id_mapping: list[ProgramIdMapping] = element(at_least=1)


# Bills


class LineItem(Object, roots=()):
    """One line of a bill: amount and rounding in 10⁻⁵ of the currency, unitCost per unit of measurement."""

    amount: Int48 | None
    rounding: Int48 | None
    date_time: TimeType | None
    note: String256
    measurement: SummaryMeasurement | None
    item_kind: ItemKind
    unit_cost: Int48 | None
    item_period: DateTimeInterval | None


class BillingChargeSource(Object, roots=()):
    """Whose charges these are."""

    agency_name: String256 | None


class ElectricPowerUsageSummary(IdentifiedObject, resource=True):
    """The older name and form of UsageSummary, still found in the field."""

    billing_period: DateTimeInterval | None
    bill_last_period: Int48 | None
    bill_to_date: Int48 | None
    cost_additional_last_period: Int48 | None
    cost_additional_detail_last_period: list[LineItem]
    currency: Currency | None
    overall_consumption_last_period: SummaryMeasurement | None
    current_billing_period_over_all_consumption: SummaryMeasurement | None
    current_day_last_year_net_consumption: SummaryMeasurement | None
    current_day_net_consumption: SummaryMeasurement | None
    current_day_overall_consumption: SummaryMeasurement | None
    peak_demand: SummaryMeasurement | None
    previous_day_last_year_overall_consumption: SummaryMeasurement | None
    previous_day_net_consumption: SummaryMeasurement | None
    previous_day_overall_consumption: SummaryMeasurement | None
    quality_of_reading: QualityOfReading | None
    ratchet_demand: SummaryMeasurement | None
    ratchet_demand_period: DateTimeInterval | None
    status_time_stamp: TimeType
    commodity: CommodityKind | None


class UsageSummary(IdentifiedObject, resource=True):
    """What a bill said about one billing period. Money is in 10⁻⁵ of the currency.

    The last three elements are the Statewide Standard Tool's Rate Identification Numbers: of the bundled
    rate, or of delivery and generation where two companies serve. ESPI 4.0 as published has them not.
    """

    billing_period: DateTimeInterval | None
    bill_last_period: Int48 | None
    bill_to_date: Int48 | None
    cost_additional_last_period: Int48 | None
    cost_additional_detail_last_period: list[LineItem]
    currency: Currency | None
    overall_consumption_last_period: SummaryMeasurement | None
    current_billing_period_over_all_consumption: SummaryMeasurement | None
    current_day_last_year_net_consumption: SummaryMeasurement | None
    current_day_net_consumption: SummaryMeasurement | None
    current_day_overall_consumption: SummaryMeasurement | None
    peak_demand: SummaryMeasurement | None
    previous_day_last_year_overall_consumption: SummaryMeasurement | None
    previous_day_net_consumption: SummaryMeasurement | None
    previous_day_overall_consumption: SummaryMeasurement | None
    quality_of_reading: QualityOfReading | None
    ratchet_demand: SummaryMeasurement | None
    ratchet_demand_period: DateTimeInterval | None
    status_time_stamp: TimeType
    commodity: CommodityKind | None
    tariff_profile: String256 | None
    read_cycle: String256 | None
    tariff_rider_refs: TariffRiderRefs | None
    billing_charge_source: BillingChargeSource | None
    bundled_rin: String256 | None = element(ours=True)
    delivery_rin: String256 | None = element(ours=True)
    generation_rin: String256 | None = element(ours=True)


class ElectricPowerQualitySummary(IdentifiedObject, resource=True):
    """How good the supply was during summaryInterval: flicker, voltage and frequency, interruptions."""

    flicker_plt: Int48 | None
    flicker_pst: Int48 | None
    harmonic_voltage: Int48 | None
    long_interruptions: Int48 | None
    mains_voltage: Int48 | None
    measurement_protocol: UInt8 | None
    power_frequency: Int48 | None
    rapid_voltage_changes: Int48 | None
    short_interruptions: Int48 | None
    summary_interval: DateTimeInterval
    supply_voltage_dips: Int48 | None
    supply_voltage_imbalance: Int48 | None
    supply_voltage_variations: Int48 | None
    temp_overvoltage: Int48 | None
