"""The declarations beside the published schemas: the same structure, the same verdicts."""

import copy
import json
import random
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from espi_server.espi import xsd
from espi_server.espi.atom import ATOM, FEED_TAIL, Link, entry_head, entry_tail, feed_head
from espi_server.espi.content import CUSTOMER, ESPI, KINDS, declared
from espi_server.espi.usage import MeterReading
from tests.facts.make import XS, structure

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"espi": ESPI, "customer": CUSTOMER}
HREF = "https://dc.example.org/espi/1_1/resource/Subscription/s7/UsagePoint"

both = pytest.mark.parametrize("name", NAMES)


def facts(name):
    return json.loads((ROOT / "tests" / "facts" / f"{name}.json").read_text())


def ours(name, *, published=True):
    return etree.fromstring(xsd.schema(NAMES[name], published=published).encode())


class LocalXml(etree.Resolver):
    """Gives our xml.xsd to the published atom.xsd, which asks the network for it."""

    def resolve(self, url, public_id, context):
        if url.endswith("xml.xsd"):
            return self.resolve_filename(str(ROOT / "schemas" / "xml.xsd"), context)
        return None


def compiled(path):
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(LocalXml())
    return etree.XMLSchema(etree.parse(path, parser))


def samples(folder):
    return sorted((folder / "samples").iterdir())


def resources(path):
    for content in etree.parse(path).getroot().iter(f"{{{ATOM}}}content"):
        yield from (child for child in content if isinstance(child.tag, str))


# What is committed


@pytest.mark.parametrize("name", ["espi.xsd", "customer.xsd", "sst.xsd", "atom.xsd", "xml.xsd"])
def test_committed_schemas_are_those_the_declarations_make(name):
    assert (ROOT / "schemas" / name).read_text() == xsd.files()[name]


def test_writing_the_schemas_twice_gives_the_same_bytes(tmp_path):
    once = [path.read_bytes() for path in xsd.write(tmp_path / "a")]
    twice = [path.read_bytes() for path in xsd.write(tmp_path / "b")]

    assert once == twice


@pytest.mark.parametrize("name", ["espi", "customer", "sst"])
def test_schemas_compile_without_network(name):
    path = ROOT / "schemas" / f"{name}.xsd"

    assert etree.XMLSchema(etree.parse(path, etree.XMLParser(no_network=True)))
    assert xmlschema.XMLSchema(path, allow="local").built


def test_every_type_says_what_it_is_for():
    silent = [
        kind for namespace in xsd.NAMESPACES.values() for kind in declared(namespace) if not kind.__doc__
    ]

    assert silent == []


# The same structure


@both
def test_declarations_have_the_structure_of_the_published_schema(name):
    assert structure(ours(name)) == facts(name)


def test_the_three_rins_are_the_only_addition():
    extended, plain = structure(ours("espi", published=False)), structure(ours("espi"))

    added = extended["complex"]["UsageSummary"]["particles"][24:]
    del extended["complex"]["UsageSummary"]["particles"][24:]

    assert [row[0] for row in added] == ["bundledRin", "deliveryRin", "generationRin"]
    assert {tuple(row[1:]) for row in added} == {("String256", 0, 1)}
    assert extended == plain


def test_the_customer_side_has_no_addition():
    assert xsd.schema(CUSTOMER) == xsd.schema(CUSTOMER, published=True)


@both
def test_facts_are_those_of_the_published_schema(espi_reference, name):
    published = etree.parse(espi_reference / "official" / "espi-4.0" / f"{name}.xsd").getroot()

    assert structure(published) == facts(name)


def test_usage_data_has_the_same_structure_in_edition_3_3(espi_reference):
    published = etree.parse(espi_reference / "official" / "espi-3.3" / "usage.xsd").getroot()

    assert structure(published)["complex"] == facts("espi")["complex"]


# The same once more, as another library understands it, inheritance flattened


def flattened(schema):
    types = {name: described(kind) for name, kind in schema.types.items()}
    elements = {name: described(element.type) for name, element in schema.elements.items()}
    return types, elements


def described(kind):
    if kind.name == f"{XS}anyType":
        return "anything"
    if not kind.is_complex():
        return simple(kind)
    if kind.has_simple_content():
        return ("simple content", simple(kind.content))
    return [row for item in kind.content for row in particles(item, kind.content.occurs)]


def particles(item, around):
    """Name, least, most and what is inside, with the repetitions of the groups around multiplied in."""
    least = item.min_occurs * around[0]
    most = None if None in (item.max_occurs, around[1]) else item.max_occurs * around[1]
    if isinstance(item, xmlschema.XsdElement):
        return [(item.local_name, least, most, described(item.type))]
    return [row for inner in item for row in particles(inner, (least, most))]


def simple(kind):
    if kind.is_union():
        return ("union", sorted((simple(member) for member in kind.member_types), key=str))
    bounds = (kind.min_value, kind.max_value, kind.min_length, kind.max_length)
    patterns = [] if kind.patterns is None else [item.attrib["value"] for item in kind.patterns]
    return (kind.primitive_type.local_name, bounds, sorted(map(str, kind.enumeration or ())), patterns)


@both
def test_flattened_by_xmlschema_nothing_differs(espi_reference, tmp_path, name):
    official = espi_reference / "official" / "espi-4.0" / f"{name}.xsd"
    xsd.write(tmp_path)
    (tmp_path / f"{name}.xsd").write_text(xsd.schema(NAMES[name], published=True))

    published = flattened(xmlschema.XMLSchema(official, allow="local"))
    declared_here = flattened(xmlschema.XMLSchema(tmp_path / f"{name}.xsd", allow="local"))

    assert declared_here == published


# The test of the test


def mutants(root, seed, count):
    """Copies of a schema with one thing changed each, that matters."""
    chance = random.Random(seed)
    changes = [renamed, dropped, retyped, relaxed, repeated, swapped, valued, rebased, limited]
    while count:
        mutant = copy.deepcopy(root)
        change = chance.choice(changes)
        if change(mutant, chance):
            count -= 1
            yield change.__name__, mutant


def some(mutant, chance, path, wanted=lambda item: True):
    found = [item for item in mutant.iterfind(path, {"xs": XS[1:-1]}) if wanted(item)]
    return chance.choice(found) if found else None


def renamed(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence/xs:element")
    item.set("name", item.get("name") + "s")
    return True


def dropped(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence/xs:element")
    item.getparent().remove(item)
    return True


def retyped(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence/xs:element[@type]")
    item.set("type", "UInt8" if item.get("type") != "UInt8" else "UInt16")
    return True


def relaxed(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence/xs:element")
    item.set("minOccurs", "1" if item.get("minOccurs") == "0" else "0")
    return True


def repeated(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence/xs:element")
    item.set("maxOccurs", "7")
    return True


def swapped(mutant, chance):
    item = some(mutant, chance, ".//xs:sequence", lambda item: len(item) > 1)
    item.insert(0, item[-1])
    return True


def valued(mutant, chance):
    item = some(mutant, chance, ".//xs:enumeration")
    item.set("value", "9999")
    return True


def rebased(mutant, chance):
    item = some(mutant, chance, ".//xs:extension", lambda item: item.get("base") != "Object")
    item.set("base", "Object")
    return True


def limited(mutant, chance):
    item = some(mutant, chance, ".//xs:maxLength")
    item.set("value", str(int(item.get("value")) + 1))
    return True


@both
def test_forty_mutants_of_a_schema_are_all_noticed(name):
    unnoticed = [
        change for change, mutant in mutants(ours(name), 1623, 40) if structure(mutant) == facts(name)
    ]

    assert unnoticed == []


# The same verdicts


def test_every_published_resource_gets_the_published_verdict(espi_reference):
    published = {
        namespace: compiled(espi_reference / "official" / "espi-4.0" / f"{name}.xsd")
        for name, namespace in NAMES.items()
    }
    verdicts = []

    for path in samples(espi_reference):
        for resource in resources(path):
            alone = etree.fromstring(etree.tostring(resource))
            theirs = published[etree.QName(resource).namespace].validate(alone)
            verdicts.append((path.name, resource.tag, theirs, xsd.validator().validate(alone)))

    assert len(verdicts) > 140
    assert {theirs for *_, theirs, _ in verdicts} == {True, False}
    assert [row for row in verdicts if row[2] != row[3]] == []


def shells(folder):
    """Every sample and each of its entries, without the resources."""
    for path in samples(folder):
        root = etree.parse(path).getroot()
        for content in root.iter(f"{{{ATOM}}}content"):
            content[:] = []
        for entry in root.iterfind(f"{{{ATOM}}}entry"):
            yield f"{path.name}:{entry.sourceline}", etree.fromstring(etree.tostring(entry))
        yield path.name, root


def test_atom_is_valid_here_exactly_where_both_published_editions_take_it(espi_reference):
    official = espi_reference / "official"
    editions = [compiled(official / folder / "atom.xsd") for folder in ("espi-4.0", "espiDerived-0.7")]
    here = compiled(ROOT / "schemas" / "atom.xsd")

    verdicts = [
        (where, all(edition.validate(shell) for edition in editions), here.validate(shell))
        for where, shell in shells(espi_reference)
    ]

    assert {theirs for _, theirs, _ in verdicts} == {True, False}
    assert [row for row in verdicts if row[1] != row[2]] == []


def written_feed():
    links = [
        Link("self", f"{HREF}/ü?a=1&b=2", "espi-entry/UsagePoint"),
        Link("up", HREF, "espi-feed/UsagePoint"),
    ]
    return (
        feed_head(id="urn:uuid:f", title="Usage", updated=0, href=HREF, type="espi-entry/Subscription")
        + entry_head(id="urn:uuid:e", title="MeterReading", links=links)
        + MeterReading().write()
        + entry_tail(published=0, updated=60)
        + FEED_TAIL
    )


def test_a_feed_we_write_is_valid():
    assert xsd.validator().validate(etree.fromstring(written_feed()))


@pytest.mark.parametrize("edition", ["espi-4.0", "espi-3.3", "espiDerived-0.7"])
def test_a_feed_we_write_is_valid_in_every_published_edition(espi_reference, edition):
    folder = espi_reference / "official" / edition
    name = {"espi-4.0": "espi.xsd", "espi-3.3": "usage.xsd", "espiDerived-0.7": "espiDerived.xsd"}[edition]

    schema = compiled(folder / name)

    assert schema.validate(etree.fromstring(written_feed())), schema.error_log


@pytest.mark.requirement("UC3.1", "UC3.2")
def test_the_rins_are_valid_here_and_only_last():
    order = (
        "<UsageSummary xmlns='http://naesb.org/espi'><statusTimeStamp>1</statusTimeStamp>{}</UsageSummary>"
    )
    good = "<readCycle>Q</readCycle><bundledRin>USCA-PGPG-ETOU-0000</bundledRin>"
    bad = "<bundledRin>USCA-PGPG-ETOU-0000</bundledRin><readCycle>Q</readCycle>"

    assert xsd.validator().validate(etree.fromstring(order.format(good)))
    assert not xsd.validator().validate(etree.fromstring(order.format(bad)))


def test_every_resource_kind_of_the_standard_is_declared():
    expected = {
        "ApplicationInformation Authorization BatchList Customer CustomerAccount CustomerAgreement",
        "ElectricPowerQualitySummary ElectricPowerUsageSummary EndDevice IntervalBlock LocalTimeParameters",
        "Meter MeterReading ProgramDateIdMappings ProgramIdMappings ReadingType ServiceLocation",
        "ServiceStatus ServiceSupplier Statement UsagePoint UsageSummary",
        "BillComparison EligibleRate RateChange",
    }

    assert set(" ".join(expected).split()) <= KINDS.keys()
