"""The retail customer side of ESPI: who the customer is, their accounts, agreements, places and meters.

Everything here is personal, travels in feeds of its own, and has its own namespace; what both
schemas have (measurements, batch items, local time) is of that namespace here.
"""

from typing import Annotated

from .codes import CRUDOperation, Currency, StatusCode, UnitMultiplierKind, UnitSymbolKind
from .content import CUSTOMER, Content
from .customer_codes import (
    CustomerKind,
    EnrollmentStatus,
    MediaType,
    MeterMultiplierKind,
    NotificationMethodKind,
    ProgramDateKind,
    SupplierKind,
)
from .fields import element
from .types import (
    Address,
    AnyType,
    Boolean,
    DstRuleType,
    Float,
    HexBinary16,
    Int48,
    Integer,
    Name,
    PerCent,
    SimpleContent,
    String32,
    String64,
    String256,
    String512,
    Text,
    TimeType,
    UInt32,
)

# What everything is made of


class Object(Content, namespace=CUSTOMER, personal=True):
    """Anything that may be extended. An extension holds what its sender likes, and always comes first."""

    extension: list[AnyType]


class BatchItemInfo(Object):
    """What is asked of one item of a batch, and what became of it."""

    name_: HexBinary16 | None = element("name")
    operation: CRUDOperation | None
    status_code: StatusCode | None
    status_reason: String256 | None


class IdentifiedObject(Object):
    """Anything that is a resource of its own, perhaps with a name."""

    batch_item_info: BatchItemInfo | None
    name_: Name | None = element("name")


class BatchList(Content, namespace=CUSTOMER, type_name="BatchListType"):
    """Addresses of resources that are new or changed."""

    resources: list[Address]


class DateTimeInterval(Object):
    """A stretch of time: seconds it lasts, and the second it starts; either may be open."""

    duration: UInt32 | None
    start: TimeType | None


class SummaryMeasurement(Object):
    """One value with its unit: value × 10^powerOfTenMultiplier uom."""

    power_of_ten_multiplier: UnitMultiplierKind | None
    time_stamp: TimeType | None
    uom: UnitSymbolKind | None
    value: Int48 | None
    reading_type_ref: Address | None


class LocalTimeParameters(
    IdentifiedObject,
    type_name="TimeConfiguration",
    roots=("LocalTimeParameters", "TimeConfiguration"),
    resource=True,
):
    """How to get local time: seconds from UTC, seconds added in summer, and when summer starts and ends."""

    dst_end_rule: DstRuleType
    dst_offset: TimeType
    dst_start_rule: DstRuleType
    tz_offset: TimeType


class Status(Object):
    """What state something is in, since when, and why."""

    value: String256 | None
    date_time: TimeType | None
    remark: String256 | None
    reason: String256 | None


class Priority(Object):
    """How urgent something is: the rank, on whose scale, and why."""

    rank: Integer
    type: String256 | None
    justification: String256 | None


# People and places


class StreetDetail(Object):
    """The street's part of an address."""

    number: String256 | None
    name_: String256 | None = element("name")
    suffix: String256 | None
    prefix: String256 | None
    type: String256 | None
    code: String256 | None
    building_name: String256 | None
    suite_number: String256 | None
    address_general: String256 | None
    address_general2: String256 | None
    address_general3: String256 | None
    within_town_limits: Boolean | None


class TownDetail(Object):
    """The town's part of an address."""

    code: String256 | None
    section: String256 | None
    name_: String256 | None = element("name")
    county: String256 | None
    state_or_province: String256 | None
    country: String256 | None


class StreetAddress(Object):
    """A postal address."""

    street_detail: StreetDetail | None
    town_detail: TownDetail | None
    status: Status | None
    postal_code: String256 | None
    po_box: String256 | None


class TelephoneNumber(Object):
    """A telephone number in its parts, or whole in ituPhone."""

    country_code: String256 | None
    area_code: String256 | None
    city_code: String256 | None
    local_number: String256 | None
    ext: String256 | None
    dial_out: String256 | None
    international_prefix: String256 | None
    itu_phone: String256 | None


class ElectronicAddress(Object):
    """How to reach somebody or something over a network."""

    lan: String256 | None
    mac: String256 | None
    email1: String256 | None
    email2: String256 | None
    web: String256 | None
    radio: String256 | None
    user_id: String256 | None = element("userID")
    password: String256 | None


class PositionPoint(Object):
    """A point on the map, in the coordinates of whoever states it."""

    x_position: String256 | None
    y_position: String256 | None
    z_position: String256 | None


class Organisation(IdentifiedObject):
    """A company or a person: name and ways to reach them."""

    street_address: StreetAddress | None
    postal_address: StreetAddress | None
    phone1: TelephoneNumber | None
    phone2: TelephoneNumber | None
    electronic_address: ElectronicAddress | None
    organisation_name: String256 | None


class OrganisationRole(IdentifiedObject):
    """A part an organisation plays."""

    organisation: Organisation | None = element("Organisation")


class Location(IdentifiedObject):
    """A place, by address or by coordinates."""

    type: String256 | None
    main_address: StreetAddress | None
    secondary_address: StreetAddress | None
    phone1: TelephoneNumber | None
    phone2: TelephoneNumber | None
    electronic_address: ElectronicAddress | None
    geo_info_reference: String256 | None
    direction: String256 | None
    status: Status | None
    position_points: list[PositionPoint]


class WorkLocation(Location):
    """A place where work is done."""


# A type of the schema that holds nothing but the address of a usage point.
UsagePoint = Annotated[str, SimpleContent("UsagePoint")]


class UsagePoints(Object):
    """The usage points of a place, by the address each has as a resource."""

    usage_point: list[UsagePoint] = element("UsagePoint")


class ServiceLocation(WorkLocation, resource=True):
    """Where service is delivered: address, access to the meter, and the usage points there."""

    access_method: String256 | None
    site_access_problem: String256 | None
    needs_inspection: Boolean | None
    usage_points: list[UsagePoints] = element("UsagePoints")
    outage_block: String32 | None


class Customer(OrganisationRole, resource=True):
    """Who buys the service."""

    kind: CustomerKind | None
    special_need: String256 | None
    vip: Boolean | None
    puc_number: String256 | None
    status: Status | None
    priority: Priority | None
    locale: String256 | None
    customer_name: String256 | None


class ServiceSupplier(OrganisationRole, resource=True):
    """Who sells or delivers the service, since when."""

    kind: SupplierKind | None
    issuer_identification_number: String256 | None
    effective_date: TimeType | None


# Accounts, agreements, statements


class Document(IdentifiedObject):
    """Something on paper, so to speak: who wrote it, when, about what, and its state."""

    type: String256 | None
    author_name: String256 | None
    created_date_time: TimeType | None
    last_modified_date_time: TimeType | None
    revision_number: String256 | None
    electronic_address: ElectronicAddress | None
    subject: String256 | None
    title: String256 | None
    doc_status: Status | None
    status: Status | None
    comment: String256 | None


class AccountNotification(Object):
    """A message the customer is to get: how, when, and what about."""

    method_kind: NotificationMethodKind
    time: TimeType
    note: String256
    customer_notification_kind: String256


class CustomerAccount(Document, resource=True):
    """What a customer pays for, and how it is billed; lastBillAmount is in 10⁻⁵ of the currency."""

    billing_cycle: String256 | None
    budget_bill: String256 | None
    last_bill_amount: Int48 | None
    notifications: list[AccountNotification]
    contact_info: Organisation | None
    account_id: String256 | None


class Agreement(Document):
    """A contract: when it was signed, and for which stretch of time it holds."""

    sign_date: TimeType | None
    validity_interval: DateTimeInterval | None


class ProgramDate(Content, namespace=CUSTOMER):
    """A date of a demand response programme, and what happens then."""

    program_date: TimeType | None
    program_date_description: Text | None


class DemandResponseProgram(Content, namespace=CUSTOMER):
    """A programme the customer takes part in: its dates, and the load that is reserved or nominated."""

    program_name: String256 | None
    enrollment_status: EnrollmentStatus | None
    program_description: Address | None
    program_date: list[ProgramDate]
    capacity_reservation_level: SummaryMeasurement | None
    dr_program_nomination: SummaryMeasurement | None = element("DRProgramNomination")


# A type of the schema that holds nothing but the address of a tariff.
PricingStructure = Annotated[str, SimpleContent("PricingStructure")]


class CustomerAgreement(Agreement, resource=True):
    """The contract for one service: its tariffs, programmes and currency."""

    load_mgmt: String256 | None
    is_pre_pay: Boolean | None
    shut_off_date_time: TimeType | None
    demand_response_program: list[DemandResponseProgram] = element("DemandResponseProgram")
    pricing_structures: list[PricingStructure] = element("PricingStructures")
    currency: Currency | None
    future_status: list[Status]
    agreement_id: String256 | None


class ProgramDateIdMapping(Object):
    """The name behind one kind of programme date."""

    program_date_type: ProgramDateKind
    code: String64
    name_: String256 = element("name")
    note: String256 | None


class ProgramDateIdMappings(IdentifiedObject, resource=True):
    """The names of programme dates; the schema has room for one."""

    program_date_id_mapping: ProgramDateIdMapping | None


class StatementRef(Object):
    """Where a statement's file can be had, its name and form."""

    file_name: String512 | None
    media_type: MediaType | None
    statement_url: Address = element("statementURL")


class Statement(IdentifiedObject, resource=True):
    """A bill or other statement as a document to download."""

    issue_date_time: TimeType | None
    statement_ref: list[StatementRef]


# Meters and devices


class AcceptanceTest(Object):
    """Whether a device passed its test, which, and when."""

    type: String256 | None
    success: Boolean | None
    date_time: TimeType | None


class LifecycleDate(Object):
    """The dates of a device's life, from maker to scrap."""

    manufactured_date: TimeType | None
    purchase_date: TimeType | None
    received_date: TimeType | None
    installation_date: TimeType | None
    removal_date: TimeType | None
    retired_date: TimeType | None


class Asset(IdentifiedObject):
    """A thing the utility owns; purchasePrice is in 10⁻⁵ of the currency, initialLossOfLife in percent."""

    type: String256 | None
    utc_number: String256 | None
    serial_number: String256 | None
    lot_number: String256 | None
    purchase_price: Int48 | None
    critical: Boolean | None
    electronic_address: ElectronicAddress | None
    lifecycle: LifecycleDate | None
    acceptance_test: AcceptanceTest | None
    initial_condition: String256 | None
    initial_loss_of_life: PerCent | None
    status: Status | None


class AssetContainer(Asset):
    """An asset that may hold others."""


class EndDevice(AssetContainer, resource=True):
    """A device at the customer's place; isPan where it is part of the customer's own network."""

    is_virtual: Boolean | None
    is_pan: Boolean | None
    install_code: String256 | None
    amr_system: String256 | None


class MeterMultiplier(Object):
    """What a meter's reading is multiplied by, and why."""

    kind: MeterMultiplierKind | None
    value: Float | None


class Meter(EndDevice, resource=True):
    """A meter; intervalLength is the seconds between its readings."""

    form_number: String256 | None
    meter_multipliers: list[MeterMultiplier] = element("MeterMultipliers")
    interval_length: UInt32 | None
