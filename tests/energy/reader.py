"""A third party reading feeds in process: asks, checks what HTTP says about the answer, and takes it apart."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from lxml import etree
from werkzeug.test import TestResponse

from tests.energy.oracle import Block
from tests.energy.worlds import Reading

A = "{http://www.w3.org/2005/Atom}"
E = "{http://naesb.org/espi}"


@dataclass(frozen=True)
class Served:
    """One entry as it came."""

    element: etree._Element

    @property
    def id(self) -> str:
        """Its Atom id."""
        return str(self.element.findtext(f"{A}id"))

    @property
    def content(self) -> etree._Element:
        """The resource."""
        (content,) = self.element.find(f"{A}content")
        return content

    @property
    def kind(self) -> str:
        """The resource's name."""
        return str(etree.QName(self.content).localname)

    def hrefs(self, rel: str) -> list[str]:
        """The links of a relation."""
        return [str(each.get("href")) for each in self.element.iterfind(f"{A}link[@rel='{rel}']")]

    @property
    def href(self) -> str:
        """Its own address."""
        (href,) = self.hrefs("self")
        return href


@dataclass(frozen=True)
class Answer:
    """A feed or an entry, whole."""

    data: bytes
    headers: Any

    @property
    def entries(self) -> list[Served]:
        """All entries; the one, where the document is an entry."""
        root = etree.fromstring(self.data)
        return [Served(each) for each in ([root] if root.tag == f"{A}entry" else root.iterfind(f"{A}entry"))]

    def links(self, rel: str) -> list[str]:
        """The feed's own links of a relation."""
        root = etree.fromstring(self.data)
        return [str(each.get("href")) for each in root.iterfind(f"{A}link[@rel='{rel}']")]


class Reader:
    """Reads with one token."""

    def __init__(self, app: Flask, token: str) -> None:
        self._client = app.test_client()
        self._authorization = {"Authorization": f"Bearer {token}"}

    def any(self, href: str, **headers: str) -> TestResponse:
        """The answer to a GET, whatever it is."""
        return self._client.get(_path(href), headers={**self._authorization, **headers}, buffered=True)

    def get(self, href: str, check: int = 200, **headers: str) -> Answer:
        """The answer to a GET, with this status."""
        response = self.any(href, **headers)
        assert response.status_code == check, (href, response.status_code, response.data[:500])
        return Answer(response.data, response.headers)

    def feed(self, href: str) -> Answer:
        """A feed read plain, compressed and as headers alone; the three must agree to the byte."""
        plain = self.get(href)
        packed = self.get(href, **{"Accept-Encoding": "gzip"})
        head = self._client.head(_path(href), headers=self._authorization, buffered=True)
        assert plain.headers["Content-Length"] == str(len(plain.data)) == head.headers["Content-Length"]
        assert packed.headers["Content-Length"] == str(len(packed.data))
        assert gzip.decompress(packed.data) == plain.data if "Content-Encoding" in packed.headers else True
        assert plain.headers["ETag"] == head.headers["ETag"]
        return plain


def _path(href: str) -> str:
    return urlsplit(href)._replace(scheme="", netloc="").geturl()


def canonical(element: etree._Element) -> bytes:
    """One spelling for a tree."""
    return bytes(etree.tostring(element, method="c14n", exclusive=True, with_tail=False))


def shelved(entries: list[Served]) -> Counter[tuple[str, bytes]]:
    """The small resources among entries, by kind and canonical content."""
    return Counter((each.kind, canonical(each.content)) for each in entries if each.kind != "IntervalBlock")


def cut(entries: list[Served], numbers: dict[str, int]) -> Counter[Block]:
    """The blocks among entries; `numbers` tells the series of a meter reading's id."""
    return Counter(
        Block(numbers[each.hrefs("up")[0].split("/")[-2]], tuple(_readings(each.content)))
        for each in entries
        if each.kind == "IntervalBlock"
    )


def _readings(block: etree._Element) -> Iterator[Reading]:
    found = list(block.iterfind(f"{E}IntervalReading"))
    readings = [_reading(each) for each in found]
    interval = [int(str(block.findtext(f"{E}interval/{E}{name}"))) for name in ("start", "duration")]
    end = max(each.start + each.duration for each in readings)
    assert interval == [readings[0].start, end - readings[0].start]
    yield from readings


def _reading(element: etree._Element) -> Reading:
    def number(path: str) -> int | None:
        text = element.findtext("/".join(E + part for part in path.split("/")))
        return None if text is None else int(text)

    return Reading(
        number("timePeriod/start") or 0,
        number("timePeriod/duration") or 0,
        number("value") or 0,
        cost=number("cost"),
        qualities=tuple(int(str(each.text)) for each in element.iterfind(f"{E}ReadingQuality/{E}quality")),
        tou=number("tou"),
        extension=element.findtext(f"{E}extension"),
    )


_SOWN = re.compile(
    rb"S\d{6}Z|planted\.example/\d{6}|\b31000\d{5}\b|\b71\d{12}\b|\b30000\d{5}\b|X\d{3}-\d{6}X"
)


def sown(data: bytes) -> set[bytes]:
    """Every planted text and number that stands anywhere in these bytes."""
    return set(_SOWN.findall(data))
