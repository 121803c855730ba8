"""The data tests of the retail customer blocks, asked of our own feeds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from lxml import etree

from espi_server.demo.households import Household
from tests.conformance.town import PLACES, Town, named
from tests.conformance.tree import Tree
from tests.energy.reader import Served

CHAIN = ("Customer", "CustomerAccount", "CustomerAgreement", "ServiceLocation")
every_place = pytest.mark.parametrize("place", PLACES, ids=named)


def people(town: Town, place: tuple[Household, str], scope: str) -> Tree:
    """The customer feed of a household."""
    household, code = place
    opened = town.open(code, household.reference(code), scope)
    return Tree(opened.reader.feed(opened.people))


def elements(entry: Served) -> set[str]:
    """The names of a resource's child elements."""
    return {str(etree.QName(child).localname) for child in entry.content}


def text(entry: Served, path: str) -> str:
    """The text at a path of names, whatever their namespace."""
    return str(entry.content.findtext("/".join(f"{{*}}{name}" for name in path.split("/"))))


@every_place
@pytest.mark.parametrize("block", [54, 55, 56, 57, 58, 59, 60, 61, 62])
@pytest.mark.requirement("FB_51", "FB_57", "FB_58", "FB_59", "FB_60", "FB_61", "FB_62")
def test_fb_51_every_block_comes_with_the_chain_from_customer_to_location(
    town: Town, place: tuple[Household, str], block: int
) -> None:
    tree = people(town, place, f"FB={block}")

    (customer,) = tree.of("Customer")
    accounts = tree.below(customer, "CustomerAccount")
    agreements = [each for account in accounts for each in tree.below(account, "CustomerAgreement")]
    locations = [each for agreement in agreements for each in tree.below(agreement, "ServiceLocation")]
    assert [len(accounts), len(agreements), len(locations)] == [len(tree.of(kind)) for kind in CHAIN[1:]]
    assert all((accounts, agreements, locations))


@every_place
@pytest.mark.requirement("FB_51")
def test_fb_51_children_relate_back_to_their_parents(town: Town, place: tuple[Household, str]) -> None:
    tree = people(town, place, "FB=54_57_58")

    for parent, child in pairwise(CHAIN):
        above = {each.href for each in tree.of(parent)}
        for entry in tree.of(child):
            assert len(above & set(entry.hrefs("related"))) == 1


@every_place
@pytest.mark.requirement("FB_54", "FB_55")
def test_fb_54_and_55_tell_name_and_address_apart(town: Town, place: tuple[Household, str]) -> None:
    household, _ = place

    (basic,) = people(town, place, "FB=54").of("Customer")
    (demographic,) = people(town, place, "FB=55").of("Customer")

    assert text(basic, "customerName") == household.person
    assert basic.content.find(".//{*}postalAddress") is None
    assert text(demographic, "Organisation/postalAddress/townDetail/stateOrProvince") == "CA"
    assert household.person not in etree.tostring(demographic.element).decode()


@every_place
@pytest.mark.requirement("FB_56")
def test_fb_56_an_account_shows_how_it_is_billed(town: Town, place: tuple[Household, str]) -> None:
    for account in people(town, place, "FB=56").of("CustomerAccount"):
        assert {"billingCycle", "budgetBill", "lastBillAmount", "accountId"} <= elements(account)
        assert "contactInfo" not in elements(account)


@every_place
@pytest.mark.requirement("FB_57")
def test_fb_57_agreements_have_their_number_and_dates(town: Town, place: tuple[Household, str]) -> None:
    household, code = place

    agreements = people(town, place, "FB=57").of("CustomerAgreement")

    numbers = {text(each, "agreementId") for each in agreements}
    assert numbers == {service.agreement for service in household.at(code)}
    assert all({"signDate", "validityInterval"} <= elements(each) for each in agreements)
    assert not any("PricingStructures" in elements(each) for each in agreements)


@every_place
@pytest.mark.requirement("FB_58")
def test_fb_58_usage_points_are_absolute_and_those_of_the_usage_feed(
    town: Town, place: tuple[Household, str]
) -> None:
    household, code = place
    opened = town.open(code, household.reference(code), "FB=4_58")

    tree = Tree(opened.reader.get(opened.people))
    usage = Tree(opened.reader.get(opened.usage))

    hrefs = [
        each.text for entry in tree.of("ServiceLocation") for each in entry.content.iter("{*}UsagePoint")
    ]
    assert sorted(hrefs) == sorted(each.href for each in usage.of("UsagePoint"))


@every_place
@pytest.mark.requirement("FB_59")
def test_fb_59_the_suppliers_of_an_agreement_are_named(town: Town, place: tuple[Household, str]) -> None:
    tree = people(town, place, "FB=59")

    for agreement in tree.of("CustomerAgreement"):
        suppliers = tree.below(agreement, "ServiceSupplier")
        assert {"utility"} <= {text(each, "kind") for each in suppliers}
        assert all(text(each, "Organisation/organisationName") for each in suppliers)


@every_place
@pytest.mark.requirement("FB_60")
def test_fb_60_every_location_has_its_meter(town: Town, place: tuple[Household, str]) -> None:
    household, code = place
    tree = people(town, place, "FB=60")

    found = [each for location in tree.of("ServiceLocation") for each in tree.below(location, "Meter")]

    assert {text(each, "serialNumber") for each in found} == {service.meter for service in household.at(code)}


@every_place
@pytest.mark.requirement("FB_51", "FB_53")
def test_fb_51_usage_and_people_never_share_a_feed(town: Town, place: tuple[Household, str]) -> None:
    household, code = place
    opened = town.open(code, household.reference(code), "FB=4_15_54_57_58_60")

    usage = {each.kind for each in opened.reader.get(opened.usage).entries}
    persons = {each.kind for each in opened.reader.get(opened.people).entries}

    assert usage.isdisjoint(persons)
    assert persons >= {*CHAIN, "Meter"}
