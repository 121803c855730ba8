"""Links to the pages around one page of a feed (RFC 5005 3). The standard itself knows no paging links."""

from __future__ import annotations

from espi_server.espi.atom import Link
from espi_server.espi.query import Query


def pages(address: str, query: Query, entries: int, type: str) -> list[Link]:
    """`next` and `previous` of a feed at `address` that has so many entries; none where no limit was asked for."""
    if query.limit is None:
        return []
    links = []
    if query.offset + query.limit < entries:
        links.append(Link("next", f"{address}?{query.page(query.start_index + query.limit)}", type))
    if query.offset:
        before = query.page(max(1, query.start_index - query.limit))
        links.append(Link("previous", f"{address}?{before}", type))
    return links
