"""URL patterns said once, links built from them, and anybody's links understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from werkzeug.routing import Map, Rule

from espi_server.espi import paths
from espi_server.espi.paths import BY_NAME, PATTERNS, RESOURCE, parse

BASE = f"https://dc.example.org/acme{RESOURCE}"
AT = paths.subscription(BASE, "s7")
RC = paths.retail_customer(BASE, "c1")

# what is built, the path it must be, and the kind a client reads back
BUILT = [
    (paths.subscription(BASE, "s"), "Subscription/s", "Subscription"),
    (paths.batch_subscription(BASE, "s"), "Batch/Subscription/s", "Subscription"),
    (paths.batch_usage_point(BASE, "s", "u"), "Batch/Subscription/s/UsagePoint/u", "UsagePoint"),
    (paths.batch_bulk(BASE, "1"), "Batch/Bulk/1", "Bulk"),
    (paths.batch_retail_customer(BASE, "c"), "Batch/RetailCustomer/c", "RetailCustomer"),
    (paths.batch_retail_usage_points(BASE, "c"), "Batch/RetailCustomer/c/UsagePoint", "UsagePoint"),
    (
        paths.batch_bulk_retail_customers(BASE, "1"),
        "Batch/BulkRetailCustomerInfo/1",
        "BulkRetailCustomerInfo",
    ),
    (paths.authorizations(BASE), "Authorization", "Authorization"),
    (paths.authorization(BASE, "a"), "Authorization/a", "Authorization"),
    (paths.application_information(BASE, "a"), "ApplicationInformation/a", "ApplicationInformation"),
    (paths.service_status(BASE), "ReadServiceStatus", "ReadServiceStatus"),
    (paths.collection(BASE, "ReadingType"), "ReadingType", "ReadingType"),
    (paths.entry(BASE, "LocalTimeParameters", "l"), "LocalTimeParameters/l", "LocalTimeParameters"),
    (paths.entry(BASE, "IntervalBlock", "b"), "IntervalBlock/b", "IntervalBlock"),
    (paths.usage_points(AT), "Subscription/s7/UsagePoint", "UsagePoint"),
    (paths.usage_point(AT, "u"), "Subscription/s7/UsagePoint/u", "UsagePoint"),
    (paths.usage_point(RC, "u"), "RetailCustomer/c1/UsagePoint/u", "UsagePoint"),
    (paths.usage_point(BASE, "u"), "UsagePoint/u", "UsagePoint"),
    (paths.meter_readings(AT, "u"), "Subscription/s7/UsagePoint/u/MeterReading", "MeterReading"),
    (paths.meter_reading(AT, "u", "m"), "Subscription/s7/UsagePoint/u/MeterReading/m", "MeterReading"),
    (
        paths.interval_blocks(AT, "u", "m"),
        "Subscription/s7/UsagePoint/u/MeterReading/m/IntervalBlock",
        "IntervalBlock",
    ),
    (
        paths.interval_block(AT, "u", "m", "b"),
        "Subscription/s7/UsagePoint/u/MeterReading/m/IntervalBlock/b",
        "IntervalBlock",
    ),
    (paths.usage_summaries(AT, "u"), "Subscription/s7/UsagePoint/u/UsageSummary", "UsageSummary"),
    (paths.usage_summary(AT, "u", "z"), "Subscription/s7/UsagePoint/u/UsageSummary/z", "UsageSummary"),
    (
        paths.quality_summaries(AT, "u"),
        "Subscription/s7/UsagePoint/u/ElectricPowerQualitySummary",
        "ElectricPowerQualitySummary",
    ),
    (
        paths.quality_summary(AT, "u", "q"),
        "Subscription/s7/UsagePoint/u/ElectricPowerQualitySummary/q",
        "ElectricPowerQualitySummary",
    ),
    (paths.customer(RC, "c"), "RetailCustomer/c1/Customer/c", "Customer"),
    (
        paths.customer_account(RC, "c", "a"),
        "RetailCustomer/c1/Customer/c/CustomerAccount/a",
        "CustomerAccount",
    ),
    (
        paths.customer_agreement(RC, "c", "a", "g"),
        "RetailCustomer/c1/Customer/c/CustomerAccount/a/CustomerAgreement/g",
        "CustomerAgreement",
    ),
    (
        paths.service_location(RC, "c", "a", "g", "l"),
        "RetailCustomer/c1/Customer/c/CustomerAccount/a/CustomerAgreement/g/ServiceLocation/l",
        "ServiceLocation",
    ),
    (
        paths.entry(paths.service_location(RC, "c", "a", "g", "l"), "Meter", "mt"),
        "RetailCustomer/c1/Customer/c/CustomerAccount/a/CustomerAgreement/g/ServiceLocation/l/Meter/mt",
        "Meter",
    ),
    (
        paths.entry(paths.customer(RC, "c"), "Statement", "st"),
        "RetailCustomer/c1/Customer/c/Statement/st",
        "Statement",
    ),
]


@pytest.fixture(scope="module")
def routes():
    """The patterns as a web framework routes them."""
    return Map(
        [Rule(RESOURCE + rule, endpoint=pattern.name) for pattern in PATTERNS for rule in pattern.rules]
    ).bind("dc.example.org")


def test_names_and_rules_of_patterns_are_unique():
    rules = [rule for pattern in PATTERNS for rule in pattern.rules]

    assert len(BY_NAME) == len(PATTERNS)
    assert len(set(rules)) == len(rules)


@pytest.mark.parametrize(("href", "path", "kind"), BUILT, ids=[path for _, path, _ in BUILT])
@pytest.mark.requirement("FB_03")
def test_what_is_built_is_lower_case_and_understood(href, path, kind):
    found = parse(href)

    assert href == f"{BASE}/{path}"
    assert (found.kind, str(found)) == (kind, path)


@pytest.mark.parametrize(("href", "path", "kind"), BUILT, ids=[path for _, path, _ in BUILT])
def test_what_is_built_is_routed_to_its_pattern(href, path, kind, routes):
    if path in ("Subscription/s", "RetailCustomer/c1/UsagePoint/u"):
        return  # addresses to stand on, and the form of old downloads: read, not served

    name, arguments = routes.match(f"{RESOURCE}/{path}")

    pattern = BY_NAME[name]
    assert pattern.kind == kind
    assert pattern.ids(arguments) == dict(parse(href).ids)
    assert pattern.is_batch is parse(href).batch
    assert pattern.is_collection is parse(href).collection


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_every_pattern_is_read_as_what_it_says(pattern):
    ids = {letter: f"{letter}-1" for letter in pattern.parameters}

    found = parse(BASE + pattern.rule.replace("<", "").replace(">", "-1"))

    assert found.kind == pattern.kind
    assert found.ids == pattern.ids(ids)
    assert (found.batch, found.collection) == (
        pattern.is_batch,
        pattern.is_collection,
    )


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ("Authorization", "DC"),
        ("ApplicationInformation/{app}", "DR"),
        ("ReadServiceStatus", "DCU"),
        ("Batch/Subscription/{s}", "DA"),
        ("Batch/Bulk/{bulk}", "DC"),
        ("Batch/RetailCustomer/{rc}/UsagePoint", "DU"),
        ("Batch/RetailCustomer/{rc}", "DA"),
        ("Subscription/{s}/UsagePoint/{u}/UsageSummary/{z}", "DA"),
        ("MeterReading/{m}", "D"),
    ],
)
@pytest.mark.requirement("FB_03", "FB_32", "FB_35", "FB_46")
def test_each_pattern_knows_the_tokens_that_may_read_it(path, tokens):
    [pattern] = [pattern for pattern in PATTERNS if pattern.path == path]

    assert pattern.tokens == tokens


def test_personal_data_and_usage_are_told_apart():
    customer = {pattern.path for pattern in PATTERNS if pattern.is_customer}

    assert "RetailCustomer/{rc}/Customer/{c}" in customer
    assert "Batch/RetailCustomer/{rc}" in customer
    assert "Batch/RetailCustomer/{rc}/UsagePoint" not in customer
    assert "Subscription/{s}/UsagePoint/{u}" not in customer


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (
            "/Subscription/s/UsagePoint/u/ElectricPowerUsageSummary/z",
            "subscription_usage_point_usage_summary",
        ),
        ("/Subscription/s/UsagePoint/u/ElectricPowerUsageSumary/z", "subscription_usage_point_usage_summary"),
        ("/ProgramIdMapping/1", "program_id_mappings"),
    ],
)
def test_old_names_are_routed_to_the_resource_they_mean(path, name, routes):
    assert routes.match(RESOURCE + path)[0] == f"{name}_entry"


def test_link_types_name_side_shape_and_kind():
    assert paths.entry_type("UsagePoint") == "espi-entry/UsagePoint"
    assert paths.feed_type("MeterReading") == "espi-feed/MeterReading"
    assert paths.entry_type("Meter") == "cust-entry/Meter"
    assert paths.feed_type("EligibleRate") == "sst-feed/EligibleRate"


@pytest.mark.requirement("FB_01")
def test_links_of_entries_join_to_a_tree_by_their_text():
    time, kind = paths.entry(BASE, "LocalTimeParameters", "l"), paths.entry(BASE, "ReadingType", "r")
    point = paths.usage_point_links(AT, "u", time, ("MeterReading", "UsageSummary"))
    reading = paths.meter_reading_links(AT, "u", "m", kind)
    block = paths.interval_block_links(AT, "u", "m", "b")
    summary = paths.usage_summary_links(AT, "u", "z")

    def hrefs(links, rel):
        return [href for r, href, _ in links if r == rel]

    for links in (point, reading, block, summary):
        assert [rel for rel, _, _ in links[:2]] == ["self", "up"]
        assert hrefs(links, "self")[0].rpartition("/")[0] == hrefs(links, "up")[0]
    assert hrefs(reading, "up")[0] in hrefs(point, "related")
    assert hrefs(summary, "up")[0] in hrefs(point, "related")
    assert hrefs(block, "up")[0] in hrefs(reading, "related")
    assert hrefs(summary, "related") == hrefs(point, "self")
    assert hrefs(point, "related").count(time) == 1
    assert hrefs(reading, "related").count(kind) == 1


@pytest.mark.parametrize(
    "links",
    [
        paths.usage_point_links(AT, "u", f"{BASE}/LocalTimeParameters/l", ("MeterReading",)),
        paths.meter_reading_links(AT, "u", "m", f"{BASE}/ReadingType/r"),
        paths.interval_block_links(AT, "u", "m", "b"),
        paths.usage_summary_links(AT, "u", "z"),
        paths.quality_summary_links(AT, "u", "q"),
        paths.links(RC, "Customer", "c"),
        (paths.related(f"{RC}/Customer/c", "Customer"),),
        (paths.related_collection(f"{RC}/Customer", "Customer"),),
    ],
)
def test_the_type_of_a_link_says_what_its_href_is(links):
    for _, href, link_type in links:
        found = parse(href)
        shape = "feed" if found.collection else "entry"
        assert link_type == f"{paths.link_prefix(found.kind)}-{shape}/{found.kind}"


@pytest.mark.parametrize(
    ("href", "kind", "ids"),
    [
        ("RetailCustomer/9b6c7063/UsagePoint/01", "UsagePoint", {"RetailCustomer": "9b6c7063"}),
        ("/espi/1_1/resource/Subscription/1/UsagePoint/01/MeterReading/01", "MeterReading", {"UsagePoint": "01"}),
        ("https://x.org/DataCustodian/espi/1_1/Resource/ReadingType/3/", "ReadingType", {"ReadingType": "3"}),
        ("https://x.org/Customer/75/UsagePoint/89/MeterReading", "MeterReading", {"Customer": "75"}),
        ("https://x.org/customer/espi/1_1/resource/RetailCustomer/7", "RetailCustomer", {"RetailCustomer": "7"}),
        ("https://x.org/Customer/espi/1_1/resource/Batch/Bulk/7?a=UsagePoint/1#x", "Bulk", {"Bulk": "7"}),
        ("//x.org/espi/1_1/resource//subscription/1/usagepoint/2", "UsagePoint", {"Subscription": "1"}),
        ("Subscription/1/UsagePoint/2/ElectricPowerUsageSummary/3", "UsageSummary", {"UsageSummary": "3"}),
        ("Subscription/1/UsagePoint/2/UsageSummary/1,436,684,400,000", "UsageSummary",
         {"UsageSummary": "1436684400000"}),
        ("Subscription/1/UsagePoint/2/UsageSummary/1%2C436", "UsageSummary", {"UsageSummary": "1436"}),
        ("UsagePoint/a%2Fb%20c", "UsagePoint", {"UsagePoint": "a/b c"}),
        ("ReadingType/NzI6bnVsbDozNjAwOjE=", "ReadingType", {"ReadingType": "NzI6bnVsbDozNjAwOjE="}),
        ("/ThirdParty/83e269c1/Batch", "ThirdParty", {"ThirdParty": "83e269c1"}),
        ("/resource/UsagePoint/espi/1_1/resource/Meter/1", "Meter", {"Meter": "1"}),
        ("  UsagePoint/1\n", "UsagePoint", {"UsagePoint": "1"}),
    ],
)  # fmt: skip
def test_a_link_is_understood_whoever_wrote_it(href, kind, ids):
    found = parse(href)

    assert found.kind == kind
    assert ids.items() <= found.ids.items()


def test_last_id_and_owner_of_a_link():
    block = parse("RetailCustomer/9/UsagePoint/01/MeterReading/02/IntervalBlock/0173")
    blocks = parse("RetailCustomer/9/UsagePoint/01/MeterReading/02/IntervalBlock")

    assert (block.last, block.id, block.owner) == ("0173", "0173", ("MeterReading", "02"))
    assert (blocks.last, blocks.id, blocks.owner) == ("IntervalBlock", None, ("MeterReading", "02"))
    assert parse("ReadingType/3").owner is None
    assert (parse("ReadServiceStatus").collection, parse("ReadServiceStatus").id) == (False, None)


@pytest.mark.parametrize(
    "href",
    [
        "",
        "/",
        "https://dc.example.org/espi/1_1/resource",
        "https://dc.example.org/espi/1_1/resource/",
        "https://dc.example.org/espi/1_1/resource/DownloadSampleData",
        "https://dc.example.org/espi/1_1/Notification",
        "https://cert.greenbuttonalliance.org/certificate/test-certificate-id",
        "GreenButtonDataStyleSheet.xslt",
        "urn:uuid:0b0e7b33-02d3-5f0e-8c0a-2a1d4fb0a001",
        "https://[dc.example.org/UsagePoint/1",
        "mailto:a@example.org",
        "https://x.org/usagepoint/1",  # a word of any web site, unless it stands below the base
        "UsagePoint//MeterReading",
        "UsagePoint/1/Nonsense/2",
        "UsagePoint/1/UsagePoint/2",
        "UsagePoint/..",
        "UsagePoint/%2e%2e/MeterReading/1",
        "UsagePoint/a%00b",
        "UsagePoint/%0a",
        "Batch",
        "Batch/Batch",
        "UsagePoint/" + "1" * 3000,
    ],
)
def test_what_is_no_espi_path_is_none(href):
    assert parse(href) is None


@given(st.text(max_size=80) | st.lists(st.sampled_from([*paths.LETTERS.values(), "Batch", "1", "", "%", "resource"]))
       .map("/".join))  # fmt: skip
def test_no_text_breaks_the_reading(href):
    found = parse(href)

    assert found is None or parse(str(found)) is not None


def test_every_link_of_the_published_samples_is_understood(espi_reference):
    files = sorted((espi_reference / "samples").glob("*.xml"))
    links = {link.get("href") for file in files for link in etree.parse(file).iter("{*}link")}
    misread = {href for href in links if parse(href) is None}

    assert len(files) >= 15
    assert len(links) > 100
    assert all("greenbuttonalliance.org/certificate/" in href for href in misread)
