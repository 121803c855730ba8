"""Atom entries as the demo's utilities would write them: their own addresses, their own ids."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from espi_server.demo.households import Company
from espi_server.espi import atom, paths
from espi_server.espi.atom import Link


def base(company: Company) -> str:
    """The resource base of the company's own system, from which the files come."""
    return f"https://data.{company.code}.example{paths.RESOURCE}"


def entry(links: Iterable[tuple[str, str, str]], title: str, content: bytes, published: int) -> bytes:
    """One entry; its id follows from its self link, which comes first."""
    rows = [Link(*link) for link in links]
    head = atom.entry_head(id=_urn(rows[0].href), title=title, links=rows)
    return head + content + atom.entry_tail(published=published, updated=published)


def feed(href: str, type: str, title: str, updated: int, entries: Iterable[bytes]) -> bytes:
    """A whole feed, a line an entry."""
    head = atom.feed_head(id=_urn(href), title=title, updated=updated, href=href, type=type)
    return b"\n".join([head, *entries, atom.FEED_TAIL]) + b"\n"


def _urn(href: str) -> str:
    # Certification wants ids of version 3 or 5, the same whenever the resource is sent.
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, href)}"
