"""`espi-server schema`: printing, comparing, explaining."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from lxml import etree

from espi_server.cli import main
from espi_server.espi import editions
from espi_server.espi.content import CUSTOMER, ESPI, declared
from espi_server.espi.customer_meanings import CUSTOMER as CUSTOMER_MEANINGS
from espi_server.espi.explain import meaning
from espi_server.espi.meanings import USAGE
from tests.facts.make import structure

PUBLISHED = {
    ("4.0", "espi"): "espi-4.0/espi.xsd",
    ("4.0", "customer"): "espi-4.0/customer.xsd",
    ("3.3", "espi"): "espi-3.3/usage.xsd",
    ("3.3", "customer"): "espi-3.3/retailcustomer.xsd",
    ("0.7", "espi"): "espiDerived-0.7/espiDerived.xsd",
    ("0.7", "customer"): "espiDerived-0.7/retailcustomer.xsd",
}


def run(*arguments):
    return CliRunner().invoke(main, ["schema", *arguments])


def prefixless(found):
    """A structure in which a type of the schema's own namespace has no prefix, as in ours."""
    return json.loads(json.dumps(found).replace("espi:", "").replace("cust:", "").replace("xsd:", "xs:"))


@pytest.mark.parametrize(("edition", "name"), PUBLISHED)
def test_an_edition_made_from_our_declarations_is_the_published_one(edition, name, espi_reference):
    published = etree.parse(espi_reference / "official" / PUBLISHED[edition, name]).getroot()
    ours = etree.fromstring(editions.named(edition).schema(editions.NAMES[name]).encode())

    assert prefixless(structure(ours)) == prefixless(structure(published))


def test_3_3_and_4_0_differ_by_the_statement():
    result = run("compare", "3.3", "4.0")

    assert result.stdout.splitlines() == [
        "customer: StatementRef is only in 4.0",
        "customer: Statement is only in 4.0",
    ]


def test_an_edition_does_not_differ_from_itself():
    assert run("compare", "4.0", "4.0").stdout == "They describe the same structure.\n"


def test_the_derived_edition_differs_in_what_the_page_says():
    told = json.loads(run("compare", "0.7", "4.0", "--json").stdout)["differences"]

    assert "atom: link/@type is optional in 0.7, required in 4.0" in told
    assert "customer: Customer/customerName is only in 4.0" in told
    assert sum("ScopeSelectionScreenURI is required in 0.7" in line for line in told) == 2


def test_a_schema_is_printed_and_compiles():
    result = run("print", "customer", "--edition", "3.3")

    assert b'name="Customer"' in result.stdout_bytes
    assert b'name="Statement"' not in result.stdout_bytes
    assert etree.fromstring(result.stdout_bytes) is not None


def test_the_tools_own_schema_is_of_the_tools_edition():
    assert run("print", "sst").exit_code == 2
    assert run("print", "sst", "--edition", "sst").exit_code == 0
    assert "bundledRin" in run("print", "espi", "--edition", "sst").stdout
    assert "bundledRin" not in run("print", "espi").stdout


def test_an_element_is_explained():
    lines = run("explain", "UsageSummary/tariffProfile").stdout.splitlines()

    assert lines[0] == "UsageSummary/tariffProfile"
    assert "rate" in lines[1]
    assert lines[2].split(None, 1)[1] == "String256 (at most 256 characters)"
    assert lines[3].split(None, 1)[1] == "23 of 26, after commodity, before readCycle"
    assert lines[4].split() == ["cardinality", "0..1"]


def test_a_path_reaches_deeper_and_codes_are_listed():
    result = run("explain", "UsageSummary/costAdditionalDetailLastPeriod/itemKind")

    assert "LineItem/itemKind" in result.stdout
    assert "5  tax" in result.stdout


def test_a_type_is_explained_with_all_its_elements():
    lines = run("explain", "ReadingType").stdout.splitlines()

    assert sum(": " in line for line in lines) >= 20


def test_the_customers_side_is_meant_where_it_is_said():
    assert "0..1" in run("explain", "cust:DateTimeInterval/start").stdout
    assert "cardinality  1" in run("explain", "DateTimeInterval/start").stdout


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("UsageSumary", "Perhaps UsageSummary"),
        ("UsageSummary/tarifProfile", "Perhaps tariffProfile"),
        ("UsageSummary/commodity/kind", "commodity holds no elements"),
    ],
)
def test_a_slip_of_the_keyboard_gets_a_hint(path, words):
    result = run("explain", path)

    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize("namespace", [ESPI, CUSTOMER])
def test_every_element_has_a_meaning(namespace):
    silent = [
        f"{kind.name}/{field.name}"
        for kind in declared(namespace)
        for field in kind.own
        if not meaning(kind, field)
    ]

    assert silent == []


@pytest.mark.parametrize(("meanings", "namespace"), [(USAGE, ESPI), (CUSTOMER_MEANINGS, CUSTOMER)])
def test_no_meaning_is_of_an_element_that_does_not_exist(meanings, namespace):
    known = {(kind.name, field.name) for kind in declared(namespace) for field in kind.own}

    assert {(kind, name) for kind, names in meanings.items() for name in names} <= known
