"""Reading a Green Button feed: Atom entries that are tied together by links, one resource in each.

An IntervalBlock stands below a MeterReading (its `up` link), which is `related` to a ReadingType, which says what the
numbers are. We keep sums of blocks; whoever needs quarter-hours keeps the readings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element, XMLPullParser

_ATOM, _ESPI, _CUSTOMER = (
    "{http://www.w3.org/2005/Atom}",
    "{http://naesb.org/espi}",
    "{http://naesb.org/espi/customer}",
)
_UNITS = {"72": ("kWh", 0.001), "169": ("therms", 1.0)}  # of ReadingType/uom, and how we show them
_DELTA = "4"  # ReadingType/accumulationBehaviour: what was used in the interval, not what a register stood at
_REVERSE = "19"  # ReadingType/flowDirection: from the customer to the grid
_MONEY = 100_000  # ESPI counts money in 10⁻⁵


class Series(NamedTuple):
    """What the numbers of a ReadingType are."""

    unit: str
    factor: float
    is_given: bool


class Block(NamedTuple):
    """A stretch of readings, usually a local day, summed up; `number` is how many."""

    href: str
    meter_reading: str
    start: int
    duration: int
    total: int
    number: int


class Bill(NamedTuple):
    """What a billing period came to."""

    href: str
    start: int
    duration: int
    dollars: float


@dataclass
class Feed:
    """What we take from a feed."""

    blocks: list[Block] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    customer: str = ""
    authorizations: list[dict[str, str]] = field(default_factory=list)
    _types: dict[str, Series] = field(default_factory=dict)
    _type_of: dict[str, str] = field(default_factory=dict)  # ReadingType by MeterReading

    def series(self, block: Block) -> Series | None:
        """What a block's numbers are; None for kinds we do not show."""
        return self._types.get(self._type_of.get(block.meter_reading, ""))

    def take(self, entry: Element) -> None:
        """Note what an entry says. Kinds and elements we do not know are passed over: there will be more."""
        links = [(each.get("rel"), each.get("href", "")) for each in entry.iterfind(f"{_ATOM}link")]
        href, up = dict(links).get("self", ""), dict(links).get("up", "")
        for content in entry.iterfind(f"{_ATOM}content/*"):
            match _name(content):
                case "ReadingType":
                    self._reading_type(href, content)
                case "MeterReading":
                    types = [each for rel, each in links if rel == "related" and "/ReadingType/" in each]
                    self._type_of[href] = "".join(types)
                case "IntervalBlock":
                    self._block(href, up.removesuffix("/IntervalBlock"), content)
                case "UsageSummary":
                    self._bill(href, content)
                case "Customer":
                    self.customer = content.findtext(f"{_CUSTOMER}customerName") or self.customer
                case "Authorization":
                    self.authorizations.append({_name(each): each.text or "" for each in content})

    def _reading_type(self, href: str, content: Element) -> None:
        unit = _UNITS.get(_text(content, "uom"))
        if unit and _text(content, "accumulationBehaviour") in ("", _DELTA):
            power = int(_text(content, "powerOfTenMultiplier") or 0)
            is_given = _text(content, "flowDirection") == _REVERSE
            self._types[href] = Series(unit[0], unit[1] * 10.0**power, is_given)

    def _block(self, href: str, meter_reading: str, content: Element) -> None:
        values = [int(each.text or 0) for each in content.iterfind(f"{_ESPI}IntervalReading/{_ESPI}value")]
        self.blocks.append(
            Block(href, meter_reading, *_interval(content, "interval"), sum(values), len(values))
        )

    def _bill(self, href: str, content: Element) -> None:
        if amount := _text(content, "billLastPeriod"):
            self.bills.append(Bill(href, *_interval(content, "billingPeriod"), int(amount) / _MONEY))


def read(pieces: Iterable[bytes]) -> Feed:
    """A feed as it comes in, an entry at a time: a year of sixty meters need not fit into memory.

    Raises `xml.etree.ElementTree.ParseError` for one that is not whole.
    """
    feed = Feed()
    parser: XMLPullParser[Element] = XMLPullParser(["end"])
    for piece in pieces:
        parser.feed(piece)
        _take(feed, parser)
    parser.close()
    _take(feed, parser)
    return feed


def _take(feed: Feed, parser: XMLPullParser[Element]) -> None:
    for event in parser.read_events():
        element = event[-1]
        if isinstance(element, Element) and element.tag == f"{_ATOM}entry":
            feed.take(element)
            element.clear()


def _interval(content: Element, name: str) -> tuple[int, int]:
    start, duration = (_text(content, f"{name}/{_ESPI}{part}") for part in ("start", "duration"))
    return int(start or 0), int(duration or 0)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(content: Element, name: str) -> str:
    return content.findtext(f"{_ESPI}{name}") or ""
