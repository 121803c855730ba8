"""XML to JSON to XML is the same tree, for any type, any document and any disorder; and the schema fits."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from lxml import etree

from espi_server.espi import xsd
from espi_server.espi.atom import ATOM, FEED_TAIL, Link, entry_head, entry_tail, feed_head
from espi_server.espi.content import CUSTOMER, ESPI, SST, declared, kind
from espi_server.espi.errors import EspiError
from espi_server.espi.mapping import ATTRIBUTES, CHILDREN, from_json, json_schema, named, to_json
from tests.espi.test_roundtrip import disordered, instances
from tests.espi.trees import tree
from tests.examples import examples

ROOT = Path(__file__).resolve().parents[2]
ROOTS = sorted(
    {(space, root) for space in (ESPI, CUSTOMER, SST) for each in declared(space) for root in each.roots}
)
VALIDATOR = Draft202012Validator(json_schema.schema())

every_type = pytest.mark.parametrize(("space", "local"), ROOTS, ids=lambda each: each.rpartition("/")[2])
thorough = settings(max_examples=examples(6), deadline=None, suppress_health_check=list(HealthCheck))


def there_and_back(root):
    """The document after it was JSON text."""
    return etree.fromstring(from_json(json.loads(json.dumps(to_json(root)))))


def wrapped(contents, chance):
    """A feed of these resources, as we write them."""
    links = [
        Link("self", "https://x.example/A/1", "espi-entry/A"),
        Link("up", "https://x.example/A", "espi-feed/A"),
    ]
    entries = b"".join(
        entry_head(id=f"urn:uuid:{number}", title=chance.choice(["", "A & <b>"]), links=links)
        + content
        + entry_tail(published=1_700_000_000, updated=1_700_000_001)
        for number, content in enumerate(contents)
    )
    head = feed_head(id="urn:uuid:f", title="T", updated=1_700_000_000, href="https://x.example/", type="x")
    return etree.fromstring(head + entries + FEED_TAIL)


def our_samples():
    return sorted((ROOT / "samples").rglob("*.xml"))


def published_samples(folder):
    return sorted((folder / "samples").iterdir())


# Nothing is lost


@every_type
@thorough
@given(data=st.data())
def test_any_instance_comes_back_from_json(space, local, data):
    instance = data.draw(instances(kind(space, local)))
    element = etree.fromstring(instance.write(local))

    mapped = to_json(element)

    assert [*mapped] == [named(space, local)]
    assert tree(there_and_back(element)) == tree(element)
    assert not any(mark in json.dumps(mapped) for mark in (CHILDREN, ATTRIBUTES))


@every_type
@thorough
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_any_disorder_comes_back_from_json(space, local, data, seed):
    element = etree.fromstring(data.draw(instances(kind(space, local))).write(local))
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        disordered(element, chance)
    element = etree.fromstring(etree.tostring(element))

    assert tree(there_and_back(element)) == tree(element)


@thorough
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_any_feed_comes_back_from_json(data, seed):
    chance = random.Random(seed)
    kinds = [kind(*chance.choice(ROOTS)) for _ in range(chance.randint(0, 3))]
    feed = wrapped([data.draw(instances(each)).write() for each in kinds], chance)

    assert tree(there_and_back(feed)) == tree(feed)
    assert CHILDREN not in to_json(feed)["feed"]


@thorough
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_any_disordered_feed_comes_back_from_json(data, seed):
    chance = random.Random(seed)
    kinds = [kind(*chance.choice(ROOTS)) for _ in range(chance.randint(1, 3))]
    feed = wrapped([data.draw(instances(each)).write() for each in kinds], chance)
    for _ in range(chance.randint(1, 8)):
        disordered(feed, chance)
    feed = etree.fromstring(etree.tostring(feed))

    assert tree(there_and_back(feed)) == tree(feed)


def test_our_samples_come_back_from_json():
    assert our_samples()
    for path in our_samples():
        root = etree.parse(path).getroot()

        assert tree(there_and_back(root)) == tree(root), path.name


@pytest.mark.requirement("F-DATA")
def test_published_samples_come_back_from_json(espi_reference):
    for path in published_samples(espi_reference):
        root = etree.parse(path).getroot()

        assert tree(there_and_back(root)) == tree(root), path.name


# What it looks like


def entry(inside):
    return etree.fromstring(f'<entry xmlns="{ATOM}"><id>i</id><link rel="self" href="h"/>{inside}</entry>')


def test_an_entry_has_the_names_of_atom_and_of_the_schema():
    block = (
        f'<IntervalBlock xmlns="{ESPI}"><IntervalReading><value>7</value></IntervalReading></IntervalBlock>'
    )

    mapped = to_json(entry(f"<title/><content>{block}</content><published>p</published>"))

    assert mapped == {
        "entry": {
            "id": "i",
            "link": [{"rel": "self", "href": "h"}],
            "title": "",
            "content": {"IntervalBlock": {"IntervalReading": [{"value": 7}]}},
            "published": "p",
        }
    }


def test_several_resources_of_a_kind_in_one_content_are_a_list():
    block = f'<IntervalBlock xmlns="{ESPI}"/>'

    mapped = to_json(entry(f"<content>{block}{block}</content>"))

    assert mapped["entry"]["content"] == {"IntervalBlock": [{}, {}]}


def test_what_both_schemas_have_is_told_apart():
    assert named(CUSTOMER, "Customer") == "Customer"
    assert named(ESPI, "LocalTimeParameters") == "LocalTimeParameters"
    assert named(CUSTOMER, "LocalTimeParameters") == f"{{{CUSTOMER}}}LocalTimeParameters"


def test_strange_children_stand_where_they_stood():
    point = etree.fromstring(
        f'<UsagePoint xmlns="{ESPI}"><status>+1</status><odd xmlns="urn:x">7</odd>'
        "<ServiceCategory><kind>0</kind></ServiceCategory></UsagePoint>"
    )

    assert to_json(point)["UsagePoint"] == {
        "status": 1,
        "ServiceCategory": {"kind": 0},
        CHILDREN: [
            {"name": "status", "xml": "<status>+1</status>"},
            {"xml": '<odd xmlns="urn:x">7</odd>'},
            "ServiceCategory",
        ],
    }


def test_a_value_that_was_changed_is_written_instead_of_its_old_spelling():
    spelled = {"status": 2, CHILDREN: [{"name": "status", "xml": "<status>+1</status>"}]}

    assert b"<status>2</status>" in from_json({"UsagePoint": spelled})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "one member"),
        ({"feed": {}, "entry": {}}, "one member"),
        ({"House": {}}, "no resource 'House'"),
        ({"UsagePoint": 7}, "UsagePoint must be an object"),
        ({"UsagePoint": {"status": "on"}}, "UsagePoint/status must be a whole number"),
        ({"UsagePoint": {"colour": 1}}, "no element 'colour'"),
        ({"IntervalBlock": {"IntervalReading": {}}}, "IntervalBlock/IntervalReading must be a list"),
        ({"UsagePoint": {CHILDREN: ["status"]}}, "more often than there are values"),
        ({"UsagePoint": {"status": 1, CHILDREN: []}}, "does not say where status stands"),
        ({"UsagePoint": {CHILDREN: [7]}}, "must list names"),
        ({"UsagePoint": {CHILDREN: [{"xml": "<a>"}]}}, "not well-formed"),
        ({"UsagePoint": {CHILDREN: [{"xml": "<!DOCTYPE a>"}]}}, "not well-formed"),
        ({"UsagePoint": {ATTRIBUTES: "a=1"}}, "not well-formed"),
        ({"UsagePoint": {ATTRIBUTES: 1}}, "as text"),
        ({"entry": {"id": 7}}, "entry/id must be text"),
        ({"entry": {"link": [{"rel": 1}]}}, "entry/link must be an object of texts"),
        ({"entry": {"content": {"UsagePoint": {"status": "x"}}}}, "entry/content/UsagePoint/status must be"),
        ({"feed": {"entry": [7]}}, "feed/entry must be an object"),
        ({"feed": {"title": "\x00"}}, "U\\+0000"),
    ],
)
def test_what_does_not_fit_is_named(data, words):
    with pytest.raises(EspiError, match=words):
        from_json(data)


@pytest.mark.parametrize("root", [f'<author xmlns="{ATOM}"/>', "<UsagePoint/>", "<html/>"])
def test_other_documents_are_refused(root):
    with pytest.raises(EspiError, match="is expected"):
        to_json(etree.fromstring(root))


# The schema


def test_the_committed_schema_is_that_of_the_declarations():
    assert (ROOT / "schemas" / json_schema.FILE).read_text("utf-8") == json_schema.text()


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json_schema.schema())


@every_type
@thorough
@given(data=st.data())
def test_what_is_valid_xml_is_valid_json(space, local, data):
    element = etree.fromstring(data.draw(instances(kind(space, local))).write(local))

    VALIDATOR.validate(to_json(element))


def test_samples_that_are_valid_xml_are_valid_json(espi_reference):
    judged = 0
    for path in [*our_samples(), *published_samples(espi_reference)]:
        root = etree.parse(path).getroot()
        if xsd.validator().validate(root):
            VALIDATOR.validate(to_json(root))
            judged += 1

    assert judged > 10


@pytest.mark.parametrize(
    "data",
    [
        {"UsagePoint": {"status": "1"}},
        {"UsagePoint": {"status": 256}},
        {"UsagePoint": {"colour": 1}},
        {"UsageSummary": {}},
        {"ReadingType": {"powerOfTenMultiplier": 1.5}},
        {"feed": {"entry": [{"content": {"House": {}}}]}},
        {"feed": {"entry": {}}},
        {"Nothing": {}},
        {},
    ],
)
def test_the_schema_refuses_what_is_wrong(data):
    assert not VALIDATOR.is_valid(data)
