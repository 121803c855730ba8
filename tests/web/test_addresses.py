"""One public base per utility fixes every href, also where a gateway stands in front under a prefix."""

from __future__ import annotations

from pathlib import Path

from espi_server.db import Database
from tests import make
from tests.energy.feeds import Household

GATEWAY = "https://gateway.example.org/statewide/valley"


def test_behind_a_gateway_every_href_is_the_gateways_and_leads_back_to_its_entry(
    database: Database, tmp_path: Path
) -> None:
    make.utility(database, base_url=GATEWAY)
    make.take(database, tmp_path, Household().entries())
    sun = make.access(database)
    client = make.client(database)

    def fetch(href: str) -> make.Feed:
        assert href.startswith(f"{GATEWAY}/espi/1_1/resource/")
        return client.feed(href.replace(GATEWAY, "https://data.example.org/north"), sun)

    feed = fetch(sun.resource)

    assert len(feed)
    for entry in feed.entries:
        assert fetch(entry.self).entries[0].id == entry.id
    assert all(str(href).startswith(GATEWAY) for href in feed.root.xpath("//@href"))
