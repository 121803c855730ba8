"""What goes in comes out: published documents as they were, and any resource one could make."""

import copy
import json
import random
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from espi_server.espi import xsd
from espi_server.espi.atom import read_feed
from espi_server.espi.content import KINDS, kind
from espi_server.espi.raw import Raw
from espi_server.espi.types import Anything, Choice, Decimal, Hex, SimpleContent, Truth, Uri, Whole
from tests.espi.test_schema import resources, samples
from tests.espi.trees import tree
from tests.examples import examples


def test_every_published_resource_is_written_as_it_was_read(espi_reference):
    unequal = []
    for path in samples(espi_reference):
        for resource in resources(path):
            name = etree.QName(resource)
            content = kind(name.namespace, name.localname).read(resource)
            if tree(content.element()) != tree(resource):
                unequal.append((path.name, resource.tag, resource.sourceline))

    assert unequal == []


def test_every_published_document_is_written_as_it_was_read(espi_reference):
    for path in samples(espi_reference):
        root = etree.parse(path).getroot()

        again = etree.fromstring(read_feed(root).write())

        assert tree(again) == tree(root), path.name


def test_what_published_resources_hold_goes_through_json_unless_it_is_not_declared(espi_reference):
    for path in samples(espi_reference):
        for resource in resources(path):
            name = etree.QName(resource)
            content = kind(name.namespace, name.localname).read(resource)

            again = type(content).from_json(json.loads(json.dumps(content.to_json())))

            assert again == content or content.problems() or content._kept, path.name


# Any instance one could make

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    max_size=8,
) | st.sampled_from(["", " ", "a & b", "<tag/>", "]]>", "\r\n", '"', "\t x"])
addresses = st.text(string.ascii_letters + "-._/?&=", max_size=12).map("https://example.org/{}".format)
inside = st.sampled_from(
    ['<x xmlns="urn:x" a="1">t</x>', '<p:y xmlns:p="urn:y">&lt;</p:y> tail', "<!-- -->a<z/>"]
)


def raws(namespace):
    return inside.map(lambda text: Raw.parse(f'<extension xmlns="{namespace}">{text}</extension>'))


def leaves(field, namespace):
    leaf = field.leaf
    if isinstance(leaf, Anything):
        return texts | raws(namespace) if field.name == "extension" else texts
    if isinstance(leaf, Choice):
        known = st.sampled_from(sorted(leaf.listed.values()))
        return known | st.integers(200, 999) if leaf.open and leaf.python is int else known
    if isinstance(leaf, Whole):
        low, high = leaf.limits.get("minInclusive", -(10**20)), leaf.limits.get("maxInclusive", 10**20)
        return st.integers(low, high)
    if isinstance(leaf, Truth):
        return st.booleans()
    if isinstance(leaf, Decimal):
        return st.floats(allow_nan=False, allow_infinity=False, width=32)
    if isinstance(leaf, Uri | SimpleContent):
        return addresses
    if isinstance(leaf, Hex):
        return st.binary(max_size=leaf.limits["maxLength"]).map(lambda value: value.hex().upper())
    return texts


def values(field, namespace):
    one = leaves(field, namespace) if field.content is None else instances(field.content)
    if field.many:
        return st.lists(one, min_size=field.at_least, max_size=field.at_least + 1)
    return one if field.at_least else st.none() | one


@st.composite
def instances(draw, content):
    # Few optional elements at a time: all of them at once would make trees of thousands.
    wanted = draw(st.sets(st.sampled_from([field.attribute for field in content.fields] or [""]), max_size=4))
    shown = [field for field in content.fields if field.at_least or field.attribute in wanted]
    return content(**{field.attribute: draw(values(field, content.namespace)) for field in shown})


any_kind = pytest.mark.parametrize("content", sorted(KINDS.values(), key=lambda item: item.name))
thorough = settings(max_examples=examples(10), deadline=None, suppress_health_check=list(HealthCheck))


@any_kind
@thorough
@given(data=st.data())
def test_any_instance_is_written_valid_and_read_back_equal(content, data):
    instance = data.draw(instances(content))

    element = etree.fromstring(instance.write())

    assert content.read(element) == instance
    assert not [finding for finding in instance.problems() if not finding.is_advice]
    # The schema checks what an extension holds strictly only where it knows the namespace.
    assert xsd.validator().validate(element), xsd.validator().error_log


@any_kind
@thorough
@given(data=st.data())
def test_json_loses_nothing(content, data):
    instance = data.draw(instances(content))

    stored = json.loads(json.dumps(instance.to_json()))
    again = content.from_json(stored)

    assert again == instance
    assert again.to_json() == stored


@any_kind
@thorough
@given(data=st.data())
def test_only_keeps_the_named_elements_and_nothing_else(content, data):
    instance = data.draw(instances(content))
    names = data.draw(st.frozensets(st.sampled_from([field.name for field in content.fields])))

    shown = instance.only(names)

    assert {etree.QName(child).localname for child in shown.element()} <= names
    assert set(shown.to_json()) == set(instance.to_json()) & names
    assert ("extension" in names) or b"<extension" not in shown.write()


# Any disorder one could make of it


def disordered(element, chance):
    """One thing changed at random somewhere in the tree, as senders do."""
    nodes = list(element.iter("*"))
    node, other = chance.choice(nodes), chance.choice(nodes)
    strange = etree.Element(chance.choice(["{urn:else}odd", "odd", other.tag]))
    strange.text, strange.tail = chance.choice([None, "x", " y "]), chance.choice([None, "tail"])
    changes = [
        lambda: node.insert(chance.randint(0, len(node)), strange),
        lambda: node.append(copy.deepcopy(other)),
        lambda: node.insert(0, node[-1]) if len(node) else None,
        lambda: node.set(chance.choice(["a", "{urn:else}a"]), chance.choice(["1", 'a"<&\n'])),
        lambda: setattr(node, "text", chance.choice(["text", " 7 ", "+01", "", "ü & <"])),
        lambda: node.append(etree.Comment("so it is")),
    ]
    chance.choice(changes)()


@any_kind
@thorough
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_any_disorder_is_written_as_it_was_read(content, data, seed):
    element = data.draw(instances(content)).element()
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        disordered(element, chance)
    element = etree.fromstring(etree.tostring(element))

    read = content.read(element)

    assert tree(read.element()) == tree(element)
    assert copy.deepcopy(read) == read


def test_settings_of_lxml_elsewhere_change_nothing():
    point = KINDS["UsagePoint"](read_route=" a ", extension=["  "])
    try:
        etree.set_default_parser(etree.XMLParser(remove_blank_text=True, remove_comments=True))

        again = KINDS["UsagePoint"].read(point.element())
    finally:
        etree.set_default_parser()

    assert again == point
