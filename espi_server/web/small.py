"""Feeds small enough to be made whole: authorizations, applications, shared resources, one customer's data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flask import Response

from espi_server.energy import identity
from espi_server.energy.paging import pages
from espi_server.espi import atom
from espi_server.espi.query import Query
from espi_server.web import sending
from espi_server.web.asked import Asked


class Item(Protocol):
    """An entry and its times."""

    @property
    def body(self) -> bytes:
        """The entry, written."""

    @property
    def published(self) -> int:
        """Epoch seconds."""

    @property
    def updated(self) -> int:
        """Epoch seconds."""


def feed(asked: Asked, items: Sequence[Item]) -> Response:
    """A feed of those items the query selects."""
    query = asked.query
    chosen = [each for each in items if _within(query, each)]
    stop = None if query.limit is None else query.offset + query.limit
    shown = chosen[query.offset : stop]
    updated = max((each.updated for each in shown), default=0)
    links = pages(f"{asked.base}/{asked.path}", query, len(chosen), asked.link_type)
    head = atom.feed_head(
        id=f"urn:uuid:{identity.made(asked.grant.namespace, 'Feed', asked.path)}",
        title=asked.pattern.kind,
        updated=updated,
        href=asked.href,
        type=asked.link_type,
        links=links,
    )
    body = b"".join((head, *(each.body for each in shown), atom.FEED_TAIL))
    return sending.document(asked, body, updated, entries=len(shown), links=links)


def _within(query: Query, item: Item) -> bool:
    ranges = (
        (query.published_min, item.published, query.published_max),
        (query.updated_min, item.updated, query.updated_max),
    )
    return all((low is None or low <= time) and (high is None or time <= high) for low, time, high in ranges)
