"""Rights: exactly what the table says, for every set of classes and blocks, and never less for more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from espi_server.espi import customer, usage
from espi_server.espi.content import KINDS
from espi_server.espi.rights import FULL, Rights
from espi_server.espi.scope import EVERYTHING, Scope, ScopeError
from espi_server.espi.sst import BillComparison
from espi_server.espi.tables import (
    CLASS_BLOCKS,
    COMPARISON_RINS,
    CUSTOMER_FRAME,
    CUSTOMER_SIDE,
    DATA_BLOCKS,
    ELEMENTS,
    FUNCTION_BLOCKS,
    OPENS,
    READING_COST,
    USAGE_FRAME,
    DataClass,
)
from tests.espi.test_scope import scopes

BILL = {
    "billLastPeriod",
    "billToDate",
    "costAdditionalLastPeriod",
    "costAdditionalDetailLastPeriod",
    "currency",
}
RINS = {"bundledRin", "deliveryRin", "generationRin"}


def rights(text):
    return Rights.of(Scope.parse(text))


# --- class by class -----------------------------------------------------------------------------------


@pytest.mark.requirement("F-DATA", "FB_04", "FB_05")
def test_usage_shows_the_usage_point_without_its_tariff_and_its_readings_without_cost():
    seen = rights("FB=4_5")

    assert seen.kinds == {
        "UsagePoint",
        "LocalTimeParameters",
        "MeterReading",
        "ReadingType",
        "IntervalBlock",
        "ProgramIdMappings",
    }
    assert seen.elements("UsagePoint") == ELEMENTS["UsagePoint"] - {"serviceDeliveryPoint"}
    assert seen.elements("IntervalBlock") == ELEMENTS["IntervalBlock"] - {READING_COST}
    assert seen.elements("MeterReading") is None
    assert not seen.sees_customer


@pytest.mark.requirement("FB_15")
def test_a_usage_summary_shows_period_consumption_quality_time_and_commodity():
    assert rights("FB=15").elements("UsageSummary") == {
        "billingPeriod",
        "overallConsumptionLastPeriod",
        "currentBillingPeriodOverAllConsumption",
        "qualityOfReading",
        "statusTimeStamp",
        "commodity",
    }
    assert not rights("FB=15").sees("IntervalBlock")


@pytest.mark.requirement("FB_27")
def test_demands_and_previous_day_come_with_their_own_block():
    assert "peakDemand" in rights("FB=27").elements("UsageSummary")
    assert "billingPeriod" not in rights("FB=27").elements("UsageSummary")
    assert "peakDemand" not in rights("FB=4_15").elements("UsageSummary")


@pytest.mark.requirement("FB_17")
def test_power_quality_comes_with_its_own_block():
    assert rights("FB=17").kinds == {"UsagePoint", "LocalTimeParameters", "ElectricPowerQualitySummary"}


@pytest.mark.parametrize("block", [16, 26, 28])
@pytest.mark.requirement("FB_16", "FB_26", "FB_28")
def test_billing_shows_the_whole_summary_but_the_rins(block):
    seen = rights(f"FB={block}")

    assert seen.elements("UsageSummary") == ELEMENTS["UsageSummary"] - RINS
    assert seen.elements("UsagePoint") == {"ServiceCategory", "status", "serviceDeliveryPoint"}
    assert not seen.sees("IntervalBlock")
    assert not seen.sees_customer


@pytest.mark.requirement("FB_12")
def test_cost_of_readings_needs_billing_and_its_block():
    assert not rights("FB=4_5_12").reading_cost
    assert not rights("FB=4_5_16").reading_cost
    assert rights("FB=4_5_12_16").reading_cost
    assert not rights("FB=4_5_12_16;AdditionalScope=Usage").reading_cost
    assert rights("AdditionalScope=Usage_Billing").reading_cost
    assert not rights("FB=12_16;AdditionalScope=Billing").reading_cost
    assert rights("FB=4_5_12_16").elements("IntervalBlock") is None


@pytest.mark.requirement("FB_54", "FB_55")
def test_basic_shows_name_contact_and_address_of_the_customer():
    name, address = rights("FB=54").elements("Customer"), rights("FB=55").elements("Customer")

    assert {"customerName", "Organisation.organisationName", "Organisation.phone1"} <= name
    assert {"Organisation.streetAddress", "Organisation.postalAddress"} <= address
    assert not name & address
    assert rights("FB=54_55").elements("Customer") is None
    assert rights("FB=54").elements("ServiceLocation") == frozenset()


@pytest.mark.requirement("FB_56")
def test_block_56_is_the_bills_of_an_account_and_its_number():
    bills, number = {"billingCycle", "budgetBill", "lastBillAmount"}, {"accountId"}

    assert bills | number <= rights("FB=56").elements("CustomerAccount")
    assert rights("FB=56;AdditionalScope=Billing").elements("CustomerAccount") == bills
    assert not bills & rights("FB=56;AdditionalScope=Account").elements("CustomerAccount")


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (58, "ServiceLocation"),
        (59, "ServiceSupplier"),
        (60, "Meter"),
        (61, "EndDevice"),
        (62, "ProgramDateIdMappings"),
        (71, "Statement"),
    ],
)
@pytest.mark.requirement("FB_58", "FB_59", "FB_60", "FB_61", "FB_62", "FB_71")
def test_a_customer_block_shows_its_resource_at_the_end_of_a_bare_chain(block, kind):
    seen = rights(f"FB={block}")

    assert seen.elements(kind) is None
    assert {"Customer", "CustomerAccount", "CustomerAgreement", "ServiceLocation", kind} == seen.kinds
    assert seen.elements("Customer") == frozenset()
    assert not seen.sees_usage


@pytest.mark.requirement("FB_57", "FB_62")
def test_agreements_show_number_and_dates_programs_apart_from_them():
    assert {"agreementId", "signDate", "validityInterval"} <= rights("FB=57").elements("CustomerAgreement")
    assert "DemandResponseProgram" not in rights("FB=57").elements("CustomerAgreement")
    assert rights("FB=62").elements("CustomerAgreement") == {"DemandResponseProgram"}
    assert "PricingStructures" in rights("FB=56").elements("CustomerAgreement")


@pytest.mark.requirement("CEC1", "UC3.1")
def test_rin_shows_rins_and_neither_amounts_nor_usage():
    seen = rights("AdditionalScope=RIN")

    assert seen.elements("UsageSummary") == RINS | {
        "statusTimeStamp",
        "commodity",
        "tariffProfile",
        "billingChargeSource",
    }
    assert seen.kinds == {"UsagePoint", "LocalTimeParameters", "UsageSummary", "EligibleRate"}
    assert seen.elements("UsagePoint") == {"ServiceCategory", "status"}
    assert seen.rin


def test_comparison_and_rate_change_open_their_own_resource_only():
    comparison = rights("AdditionalScope=BillComparison")
    all_three = rights("AdditionalScope=RIN_BillComparison_RateChange")

    assert comparison.kinds == {"UsagePoint", "LocalTimeParameters", "BillComparison"}
    assert not comparison.rin
    assert comparison.elements("BillComparison") == ELEMENTS["BillComparison"] - COMPARISON_RINS
    assert all_three.elements("BillComparison") is None
    assert {"RateChange", "BillComparison", "EligibleRate"} <= all_three.kinds


@pytest.mark.parametrize("text", ["FB=1_3_13_31_37_39_51_53", "BR=1", "AdditionalScope=noedit_meters-all"])
def test_a_scope_without_data_shows_nothing(text):
    assert rights(text).kinds == frozenset()
    assert rights(text).elements("UsagePoint") == frozenset()


def test_everything_on_offer_shows_every_kind_whole():
    seen = Rights.of(EVERYTHING)

    assert all(seen.elements(kind) is None for kind in seen.kinds)
    assert seen.kinds == {kind for view in OPENS.values() for kind in view} | {"LocalTimeParameters"}


def test_the_custodian_sees_all():
    assert FULL.sees("Authorization")
    assert FULL.elements("UsageSummary") is None
    assert FULL.reading_cost
    assert FULL.rin
    assert (FULL.interval, FULL.history, FULL.cut) == (None, None, "day")


def test_what_the_scope_promises_about_time_is_carried_along():
    seen = Rights.of(
        Scope.parse("FB=4;IntervalDuration=900_3600;BlockDuration=monthly;HistoryLength=86400"), 1000
    )

    assert (seen.interval, seen.cut, seen.history, seen.history_from) == (900, "month", 86400, 1000)


def test_the_digest_differs_where_an_answer_could():
    texts = [
        "FB=4",
        "FB=4_15",
        "FB=4;HistoryLength=1",
        "FB=4;IntervalDuration=3600",
        "FB=4;BlockDuration=monthly",
        "FB=4;AdditionalScope=BillComparison",
        "FB=4;AdditionalScope=BillComparison_RIN",
    ]
    digests = {rights(text).digest for text in texts} | {
        Rights.of(Scope.parse("FB=4"), 1).digest,
        FULL.digest,
    }

    assert len(digests) == len(texts) + 2
    assert rights("FB=4_39").digest == rights("FB=4_5").digest
    assert hash(rights("FB=4_39")) == hash(rights("FB=4_5"))


# --- for all scopes -----------------------------------------------------------------------------------


def elements_said(scope):
    """The table, read once more and slowly: all (kind, element) pairs, whole kinds spelled out."""
    said = set()

    def add(view):
        for kind, names in view.items():
            names = ELEMENTS.get(kind, {"*"}) if names is None else names
            said.update({(kind, name) for name in names} | {(kind, "")})

    named = {term for term in scope.terms if term in CLASS_BLOCKS}
    blocks = set(scope.blocks)
    if blocks & {46, 50}:
        blocks |= set(range(54, 62))
    for cls, own in CLASS_BLOCKS.items():
        if cls in named or (not named and own & blocks):
            for block in own & blocks or own:
                add(OPENS[cls, block])
    for cls in scope.terms - named:
        add(OPENS[cls, 0])
    billing = DataClass.BILLING in named or (not named and blocks & CLASS_BLOCKS[DataClass.BILLING])
    usage = CLASS_BLOCKS[DataClass.USAGE]
    all_of_usage = DataClass.USAGE in named and not blocks & usage
    if billing and ("IntervalBlock", "") in said and (12 in blocks or all_of_usage):
        said.add(("IntervalBlock", READING_COST))
    if ("BillComparison", "") in said and DataClass.RIN in scope.terms:
        said |= {("BillComparison", name) for name in COMPARISON_RINS}
    if {kind for kind, _ in said} - CUSTOMER_SIDE:
        add(USAGE_FRAME)
    if {kind for kind, _ in said} & CUSTOMER_SIDE:
        add(CUSTOMER_FRAME)
    return said


def elements_seen(seen):
    pairs = {(kind, "") for kind in seen.kinds}
    for kind in seen.kinds:
        names = seen.elements(kind)
        pairs |= {(kind, name) for name in (ELEMENTS.get(kind, {"*"}) if names is None else names)}
    return pairs


@given(scopes)
@pytest.mark.requirement("F-DATA")
def test_what_is_seen_is_exactly_what_the_table_says(scope):
    assert elements_seen(Rights.of(scope)) == elements_said(scope)


@given(scopes, scopes)
def test_more_scope_never_hides(one, other):
    if not one.within(other):
        try:
            one = other.narrow(blocks=one.blocks, classes=one.terms)
        except ScopeError:  # too long to print
            return

    assert elements_seen(Rights.of(one)) <= elements_seen(Rights.of(other))


@given(st.frozensets(st.sampled_from(sorted(FUNCTION_BLOCKS))), st.sampled_from(sorted(DATA_BLOCKS)))
def test_one_more_block_never_hides(blocks, block):
    fewer, more = Scope(blocks=blocks), Scope(blocks=blocks | {block})

    assert elements_seen(Rights.of(fewer)) <= elements_seen(Rights.of(more))


@given(scopes)
def test_withheld_classes_show_none_of_their_own(scope):
    seen = elements_seen(Rights.of(scope))

    if DataClass.BILLING not in scope.classes:
        assert not {("UsageSummary", name) for name in BILL} & seen
        assert ("IntervalBlock", READING_COST) not in seen
        assert ("UsagePoint", "serviceDeliveryPoint") not in seen
    if DataClass.RIN not in scope.classes:
        assert not {("UsageSummary", name) for name in RINS} & seen
        assert not {("BillComparison", name) for name in COMPARISON_RINS} & seen
    if DataClass.BASIC not in scope.classes:
        assert not {name for kind, name in seen if kind == "Customer" and name}


# --- the names are the schemas' own -------------------------------------------------------------------


class Schema:
    """Just enough of an XSD: the elements of a type, inherited ones first."""

    def __init__(self, path):
        self.types = {
            node.get("name"): node for node in etree.parse(path).getroot().iterfind("{*}complexType")
        }

    def elements(self, name):
        """Name → type of each element; extension and batchItemInfo, nobody's class, left out."""
        node = self.types[name]
        extension = node.find(".//{*}extension")
        base = extension.get("base") if extension is not None else None
        found = self.elements(base) if base in self.types else {}
        found |= {part.get("name"): part.get("type") for part in node.iterfind(".//{*}sequence/{*}element")}
        return {part: type for part, type in found.items() if part not in ("extension", "batchItemInfo")}

    def dotted(self, name, parts):
        """Names of a type, those in `parts` spelled out by one level."""
        for part, type_name in self.elements(name).items():
            if part in parts:
                yield from (f"{part}.{inner}" for inner in self.elements(type_name))
            else:
                yield part


@pytest.mark.parametrize(
    ("kind", "file", "parts"),
    [
        ("UsagePoint", "espi.xsd", ()),
        ("IntervalBlock", "espi.xsd", ("IntervalReading",)),
        ("UsageSummary", "espi.xsd", ()),
        ("Customer", "customer.xsd", ("Organisation",)),
        ("CustomerAccount", "customer.xsd", ("contactInfo",)),
        ("CustomerAgreement", "customer.xsd", ()),
    ],
)
def test_the_elements_of_the_table_are_those_of_the_published_schema(kind, file, parts, espi_reference):
    schema = Schema(espi_reference / "official" / "espi-4.0" / file)

    ours = RINS if kind == "UsageSummary" else set()
    assert set(schema.dotted(kind, parts)) == ELEMENTS[kind] - ours


def test_the_elements_of_a_comparison_are_those_declared():
    declared = set()
    for field in BillComparison.fields:
        deep = field.name in ("current", "rate")
        declared |= {f"{field.name}.{inner.name}" for inner in field.content.fields} if deep else {field.name}

    assert {name for name in declared if not name.endswith(("extension", "batchItemInfo"))} == ELEMENTS[
        "BillComparison"
    ]


@given(scopes)
def test_every_filter_fits_the_declarations(scope):
    seen = Rights.of(scope)

    assert KINDS["Customer"] is customer.Customer
    assert KINDS["UsagePoint"] is usage.UsagePoint
    for kind in seen.kinds:
        if seen.elements(kind) is not None:
            KINDS[kind]().only(seen.elements(kind))


def test_every_kind_of_the_table_is_a_resource_of_the_published_schemas(espi_reference):
    roots = {
        node.get("name")
        for file in ("espi.xsd", "customer.xsd")
        for node in etree.parse(espi_reference / "official" / "espi-4.0" / file)
        .getroot()
        .iterfind("{*}element")
    }
    kinds = {kind for view in OPENS.values() for kind in view}

    assert kinds - {"EligibleRate", "BillComparison", "RateChange"} <= roots
