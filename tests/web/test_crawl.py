"""Following every link, as a client would: nothing dangles, and one resource reads the same wherever it is found."""

from __future__ import annotations

import pytest

from espi_server.espi import xsd
from tests import make
from tests.make import Access, Entry, Feed
from tests.towns import UTILITIES
from tests.web.world import World

pytestmark = pytest.mark.requirement("FB_01", "FB_03", "FB_32", "FB_33", "FB_50", "FB_53")

_STARTS = {
    "sun": ("resource", "customer_resource"),
    "cabin": ("resource", "customer_resource"),
    "meters": ("resource",),
}


def crawl(world: World, start: str, token: Access | str) -> dict[str, Feed]:
    """Everything reached by following self, up and related links from a feed; each must answer 200."""
    found: dict[str, Feed] = {}
    waiting = [start]
    while waiting:
        href = waiting.pop()
        if href in found:
            continue
        found[href] = world.client.feed(href, token)
        for entry in found[href].entries:
            waiting += [*entry.hrefs("self"), *entry.hrefs("up"), *entry.hrefs("related")]
    return found


def check(found: dict[str, Feed]) -> None:
    """Every address is spelled once, every document valid, and every entry the same wherever it stands."""
    schema = xsd.validator()
    entries: dict[str, Entry] = {}
    for href, document in found.items():
        schema.assertValid(document.root)
        assert document.link("self") == href
        assert not href.endswith("/")
        for entry in document.entries:
            assert entries.setdefault(entry.self, entry) == entry
            [up] = entry.hrefs("up")
            assert up == entry.self.rpartition("/")[0]
            assert entry.self in {each.self for each in found[up].entries}
            assert entry == found[entry.self].entries[0]
            assert entry.element.findtext(f"{make.ATOM}title") == entry.kind


@pytest.mark.parametrize("code", UTILITIES)
@pytest.mark.parametrize("who", list(_STARTS))
def test_every_link_an_access_token_meets_leads_somewhere(world: World, code: str, who: str) -> None:
    consent: Access = getattr(world, who)[code]

    for start in _STARTS[who]:
        check(crawl(world, getattr(consent, start), consent))


@pytest.mark.parametrize(
    "start",
    [
        "UsagePoint", "MeterReading", "IntervalBlock", "Customer", "Meter", "Statement", "Authorization",
        "ApplicationInformation", "RetailCustomer/{customer}", "Batch/RetailCustomer/{customer}",
        "RetailCustomer/{customer}/UsagePoint", "Batch/RetailCustomer/{customer}/UsagePoint",
        "Batch/Subscription/{subscription}", "Batch/Bulk/7", "ProgramIdMappings",
    ],
)  # fmt: skip
def test_every_link_a_custodian_meets_leads_somewhere(world: World, start: str) -> None:
    sun = world.sun["north"]
    path = start.format(customer=sun.customer, subscription=sun.id)

    found = crawl(world, f"{make.base()}/{path}", world.machines["north", "custodian"])

    check(found)
    assert any(document.entries for document in found.values())


def test_a_bulks_links_lead_somewhere_for_the_tokens_of_its_subscriptions(world: World) -> None:
    client, sun = world.machines["north", "client of Sun"], world.sun["north"]

    feed = world.feed("Batch/Bulk/7", client)

    own = world.client.feed(sun.resource, sun)
    assert feed.entries == own.entries
    assert world.feed("Batch/BulkRetailCustomerInfo/7", client).entries == (
        world.client.feed(sun.customer_resource, sun).entries
    )
