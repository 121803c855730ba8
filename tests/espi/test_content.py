"""Reading, writing, storing and narrowing any resource through its declaration."""

import json

import pytest
from lxml import etree

from espi_server.espi.codes import CommodityKind, ServiceKind
from espi_server.espi.content import CUSTOMER, ESPI, KINDS, kind
from espi_server.espi.customer import Customer, Organisation, StreetAddress
from espi_server.espi.errors import EspiError
from espi_server.espi.raw import Raw
from espi_server.espi.usage import (
    BillingChargeSource,
    DateTimeInterval,
    IntervalBlock,
    IntervalReading,
    LineItem,
    ReadingQuality,
    ServiceCategory,
    UsagePoint,
    UsageSummary,
)


def read(xml, namespace=ESPI):
    element = etree.fromstring(xml.replace("<", f'<e xmlns="{namespace}"><', 1) + "</e>")[0]
    found = kind(namespace, etree.QName(element).localname)
    return found.read(element)


def inner(content):
    text = content.write().decode()
    return text.replace(f' xmlns="{content.namespace}"', "", 1)


def test_a_resource_is_written_in_the_schemas_order_whatever_the_order_it_was_made_in():
    block = IntervalBlock(
        interval_reading=[
            IntervalReading(value=210, cost=4200, reading_quality=[ReadingQuality(quality=17)], tou=1)
        ],
        interval=DateTimeInterval(start=1793516400, duration=900),
    )

    text = block.write()

    assert text == (
        b'<IntervalBlock xmlns="http://naesb.org/espi">'
        b"<interval><duration>900</duration><start>1793516400</start></interval>"
        b"<IntervalReading><cost>4200</cost><ReadingQuality><quality>17</quality></ReadingQuality>"
        b"<value>210</value><tou>1</tou></IntervalReading></IntervalBlock>"
    )


def test_an_empty_resource_is_one_empty_element():
    assert UsagePoint().write() == b'<UsagePoint xmlns="http://naesb.org/espi"/>'


def test_codes_are_read_as_members_of_their_list_and_numbers_where_they_are_not_listed():
    point = read("<UsagePoint><ServiceCategory><kind>1</kind></ServiceCategory></UsagePoint>")
    strange = read("<UsagePoint><ServiceCategory><kind>77</kind></ServiceCategory></UsagePoint>")

    assert point.service_category.kind is ServiceKind.GAS
    assert strange.service_category.kind == 77
    assert [finding.is_advice for finding in strange.problems()] == [True]


@pytest.mark.parametrize(
    "xml",
    [
        "<UsageSummary><statusTimeStamp>1</statusTimeStamp><future>x</future></UsageSummary>",
        "<UsageSummary><commodity>1</commodity><statusTimeStamp>1</statusTimeStamp></UsageSummary>",
        "<UsageSummary><statusTimeStamp>1</statusTimeStamp><statusTimeStamp>2</statusTimeStamp></UsageSummary>",
        "<UsageSummary><statusTimeStamp> +01 </statusTimeStamp></UsageSummary>",
        "<UsageSummary><statusTimeStamp>noon</statusTimeStamp></UsageSummary>",
        "<UsageSummary><statusTimeStamp><seconds>1</seconds></statusTimeStamp></UsageSummary>",
        '<UsageSummary><statusTimeStamp unit="s">1</statusTimeStamp></UsageSummary>',
        "<UsageSummary>loose<statusTimeStamp>1</statusTimeStamp>text</UsageSummary>",
        "<UsageSummary><billingPeriod>January</billingPeriod></UsageSummary>",
    ],
)
def test_what_does_not_fit_stays_where_it_stood(xml):
    summary = read(xml)

    again = read(inner(summary))

    assert inner(summary).replace(f' xmlns="{ESPI}"', "") == xml
    assert again == summary


def test_an_element_of_no_namespace_keeps_having_none():
    element = etree.fromstring(f'<x:UsagePoint xmlns:x="{ESPI}"><pricingNode>A</pricingNode></x:UsagePoint>')

    point = UsagePoint.read(element)

    assert etree.fromstring(point.write())[0].tag == "pricingNode"
    assert point.unknown() == ["pricingNode"]


def test_attributes_keep_the_prefixes_they_rely_on():
    text = (
        f'<p:UsagePoint xmlns:p="{ESPI}" xmlns:q="urn:q" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="q:Special" xml:lang="en"/>'
    )

    written = etree.fromstring(UsagePoint.read(etree.fromstring(text)).write())

    assert dict(written.attrib) == dict(etree.fromstring(text).attrib)
    assert written.nsmap["q"] == "urn:q"


def test_comments_inside_a_value_do_not_hide_it():
    summary = read("<UsageSummary><statusTimeStamp>12<!-- so it is -->34</statusTimeStamp></UsageSummary>")

    assert summary.status_time_stamp == 1234


def test_a_changed_value_is_written_anew_among_what_was_kept():
    summary = read("<UsageSummary><future/><commodity>01</commodity></UsageSummary>")

    summary.commodity = CommodityKind.NATURAL_GAS
    summary.status_time_stamp = 5

    assert inner(summary) == (
        f'<UsageSummary><statusTimeStamp>5</statusTimeStamp><commodity>7</commodity><future xmlns="{ESPI}"/>'
        "</UsageSummary>"
    )


def test_an_extension_keeps_its_xml_through_json():
    xml = '<UsagePoint><extension><s:a xmlns:s="urn:s" b="1">x &amp; y</s:a></extension></UsagePoint>'

    point = read(xml)
    again = UsagePoint.from_json(json.loads(json.dumps(point.to_json())))

    assert isinstance(point.extension[0], Raw)
    assert again == point
    assert etree.fromstring(again.write())[0][0].tag == "{urn:s}a"


def test_json_holds_the_names_and_integers_of_the_xml():
    summary = UsageSummary(
        billing_period=DateTimeInterval(duration=2592000, start=1790838000),
        cost_additional_detail_last_period=[LineItem(amount=500000, note="Base service", item_kind=4)],
        status_time_stamp=1793430000,
        commodity=CommodityKind.NATURAL_GAS,
    )

    data = summary.to_json()

    assert json.loads(json.dumps(data)) == {
        "billingPeriod": {"duration": 2592000, "start": 1790838000},
        "costAdditionalDetailLastPeriod": [{"amount": 500000, "note": "Base service", "itemKind": 4}],
        "statusTimeStamp": 1793430000,
        "commodity": 7,
    }
    assert UsageSummary.from_json(data) == summary


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"colour": "red"}, "UsageSummary has no element 'colour'"),
        ({"statusTimeStamp": "5"}, "UsageSummary/statusTimeStamp must be a whole number, got '5'"),
        ({"statusTimeStamp": True}, "must be a whole number, got True"),
        ({"billingPeriod": {"start": 1.5}}, "DateTimeInterval/start must be a whole number"),
        ({"costAdditionalDetailLastPeriod": {}}, "must be a list"),
        ({"extension": [{"xml": "<a>"}]}, "not one well-formed XML element"),
        ({"extension": [{"xml": "<a/>"}]}, "must hold an element of its own name, got a"),
        ({"extension": [{"xml": "<!DOCTYPE a><a/>"}]}, "DOCTYPE is not accepted"),
        (["statusTimeStamp"], "must be an object"),
    ],
)
def test_json_that_does_not_fit_is_refused_in_words(data, words):
    with pytest.raises(EspiError, match=words):
        UsageSummary.from_json(data)


def test_only_keeps_the_named_elements_and_nothing_below_them_that_is_not_declared():
    summary = read(
        "<UsageSummary><extension>secret</extension><billLastPeriod>7</billLastPeriod><odd>secret</odd>"
        "<statusTimeStamp> 5 </statusTimeStamp><billingChargeSource><extension>secret</extension>"
        "<agencyName>Example</agencyName><odd>secret</odd></billingChargeSource>"
        "<bundledRin>secret</bundledRin></UsageSummary>"
    )

    shown = summary.only(frozenset({"statusTimeStamp", "billingChargeSource"}))

    assert inner(shown) == (
        "<UsageSummary><statusTimeStamp>5</statusTimeStamp>"
        "<billingChargeSource><agencyName>Example</agencyName></billingChargeSource></UsageSummary>"
    )
    assert "billLastPeriod" in inner(summary)


def test_only_reaches_deeper_by_dotted_names():
    customer = Customer(
        customer_name="Ada",
        organisation=Organisation(
            organisation_name="Ada & Co", postal_address=StreetAddress(postal_code="94000", po_box="7")
        ),
    )

    shown = customer.only(frozenset({"Organisation.postalAddress.postalCode"}))

    assert shown.to_json() == {"Organisation": {"postalAddress": {"postalCode": "94000"}}}


def test_only_refuses_a_name_that_is_not_declared():
    with pytest.raises(EspiError, match="no element 'billLastPerod'"):
        UsageSummary().only(frozenset({"billLastPerod"}))


def test_problems_name_the_path_and_what_would_be_right():
    point = read(
        "<UsageSummary><billingPeriod><duration>-1</duration></billingPeriod>"
        "<costAdditionalDetailLastPeriod><itemKind>12</itemKind></costAdditionalDetailLastPeriod>"
        f"<tariffProfile>{'x' * 257}</tariffProfile></UsageSummary>"
    )

    found = {finding.path: finding.message for finding in point.problems()}

    assert found["statusTimeStamp"] == "is required 1 time(s), found 0"
    assert found["tariffProfile"] == "must have at most 256 characters, has 257"
    assert found["billingPeriod/duration"] == "must be a whole number from 0 to 4294967295, got -1"
    assert found["billingPeriod/start"].startswith("is required")
    assert found["costAdditionalDetailLastPeriod[1]/itemKind"].startswith("advice: 12 is not one of 1, 2")


def test_a_character_xml_cannot_carry_is_refused_with_its_number():
    point = UsagePoint(read_route="bell\x07")

    with pytest.raises(EspiError, match=r"U\+0007"):
        point.write()


def test_a_misspelled_element_is_refused_when_a_resource_is_made():
    with pytest.raises(TypeError, match="UsagePoint has no element for statuss"):
        UsagePoint(statuss=1)


def test_kinds_are_found_by_name_and_by_namespace():
    assert KINDS["UsagePoint"] is UsagePoint
    assert kind(CUSTOMER, "Customer") is Customer
    assert kind(CUSTOMER, "IntervalBlock") is None
    assert (Customer.namespace, Customer.name, Customer.link_prefix) == (CUSTOMER, "Customer", "cust")
    assert KINDS["LocalTimeParameters"].namespace == ESPI


def test_equal_means_they_would_be_written_alike():
    one, other = ServiceCategory(kind=0), ServiceCategory(kind=ServiceKind.ELECTRICITY)

    assert one == other
    assert one != ServiceCategory(kind=1)
    assert one != BillingChargeSource()
