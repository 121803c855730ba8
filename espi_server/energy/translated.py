"""A feed in another form: JSON, or a table.

Both are made from the very entries of the Atom feed, one after the other, so that whoever may not see something in
XML sees it in no other form. Their length cannot be told before they are written, so they go to a temporary file
first, and from there to the reader for as long as the authorization holds.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Protocol

from lxml import etree

from espi_server.energy.feed import Feed
from espi_server.energy.paging import pages
from espi_server.espi import atom, mapping, rows
from espi_server.espi.atom import Link
from espi_server.espi.mapping.alike import quickly
from espi_server.espi.raw import Element, parser
from espi_server.espi.rows import Table

_FEED = f'<feed xmlns="{atom.ATOM}">'.encode()
_EFFORT = 6  # of 9: more makes a tenth less of it and takes twice as long


class Form(Protocol):
    """Another way to write a feed."""

    name: str
    """It tells the form's ETags from all others."""
    media_type: str

    def parts(self, feed: Feed) -> Iterator[bytes]:
        """The feed, piece by piece."""

    @property
    def entries(self) -> int:
        """How many entries went into it."""

    def links(self, feed: Feed) -> list[Link]:
        """To the pages around this one."""


class Translated:
    """A feed in another form, for the same reader; the counterpart of `Feed` for whoever sends it."""

    def __init__(self, feed: Feed, form: Form) -> None:
        self._feed = feed
        self._form = form

    @property
    def updated(self) -> int:
        """When anything in the feed last changed, epoch seconds."""
        return self._feed.updated

    @property
    def state(self) -> str:
        """A digest that differs wherever a byte could, and from those of all other forms."""
        return hashlib.sha256(f"{self._form.name} {self._feed.state}".encode()).hexdigest()

    @property
    def entries(self) -> int:
        """How many entries went out, once `body` was asked for."""
        return self._form.entries

    @property
    def links(self) -> list[Link]:
        """To the pages around this one, once `body` or `length` was asked for."""
        return self._form.links(self._feed)

    def body(self, encoding: str) -> tuple[int, Generator[bytes, None, None]]:
        """The exact length in bytes, and the bytes, as `gzip` or `identity`."""
        return self._feed.kept(self.parts(encoding))

    def length(self, encoding: str) -> int:
        """The exact length alone."""
        return sum(map(len, self.parts(encoding)))

    def parts(self, encoding: str) -> Iterator[bytes]:
        """The bytes as they are written, whatever their length comes to."""
        parts = self._form.parts(self._feed)
        return _compressed(parts) if encoding == "gzip" else parts


def _compressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    by = zlib.compressobj(_EFFORT, wbits=31)
    for part in parts:
        yield by.compress(part)
    yield by.flush()


class Json:
    """The mapping of `espi.mapping`, an entry at a time."""

    name = f"json {mapping.VERSION}"
    media_type = mapping.MEDIA_TYPE

    def __init__(self) -> None:
        self._written = 0

    @property
    def entries(self) -> int:
        """How many entries went into it."""
        return self._written

    def links(self, feed: Feed) -> list[Link]:
        """To the pages around this one."""
        return feed.links

    def parts(self, feed: Feed) -> Iterator[bytes]:
        """The feed, an entry at a time."""
        head = mapping.to_json(etree.fromstring(feed.head + atom.FEED_TAIL, parser()))
        yield f'{dumped(head).removesuffix("}}")},"entry":['.encode()
        for number, document in enumerate(feed.documents(feed.asking.query.part)):
            self._written = number + 1
            yield f"{',' if number else ''}{quickly(document, _entry)}".encode()
        yield b"]}}"


class Csv:
    """A table of all readings, or of all bills, of a feed. A page of it counts blocks, or bills: what rows come from.

    `only` is the address of the one that is wanted.
    """

    name = f"csv {rows.VERSION}"
    media_type = rows.MEDIA_TYPE

    def __init__(self, table: Table, only: str | None = None) -> None:
        self._table = table
        self._only = only
        self._written = 0
        self._all = 0

    @property
    def entries(self) -> int:
        """How many blocks, or bills, went into it."""
        return self._written

    def links(self, feed: Feed) -> list[Link]:
        """To the pages around this one, once it is written."""
        asking = feed.asking
        return pages(asking.href.partition("?")[0], asking.query, self._all, asking.link_type)

    def parts(self, feed: Feed) -> Iterator[bytes]:
        """The header, then the rows of an entry at a time."""
        part = feed.asking.query.part
        self._written = self._all = 0
        yield rows.line(self._table.columns).encode()
        for document in feed.documents(slice(0, None)):
            made = self._made(document)
            if made is None:
                continue
            if part.start <= self._all and (part.stop is None or self._all < part.stop):
                self._written += 1
                yield rows.lines(made).encode()
            self._all += 1

    def _made(self, document: bytes) -> Iterator[tuple[str, ...]] | None:
        entry = atom.read_entry(_read(document))
        made = self._table.rows(entry)
        return made if self._only in (None, *entry.hrefs("self")) else None


def _entry(document: bytes) -> str:
    """An entry of a feed in JSON."""
    return dumped(mapping.to_json(_read(document))["entry"])


def dumped(data: Any) -> str:
    """JSON as we send it: compact, letters as themselves."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def document(body: bytes) -> bytes:
    """A whole small document, a feed or an entry or a resource alone, in JSON."""
    return dumped(mapping.to_json(etree.fromstring(body, parser()))).encode()


def _read(entry: bytes) -> Element:
    """An entry of a feed; its namespace is declared on the feed."""
    return etree.fromstring(_FEED + entry + atom.FEED_TAIL, parser())[0]
