"""What rules are shown while a document passes by: the shell of an entry, and each resource in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, NamedTuple

from lxml import etree

from espi_server.espi import paths, usage
from espi_server.espi.atom import ATOM
from espi_server.espi.content import CUSTOMER, ESPI, SST, Content, Finding, kind
from espi_server.espi.editions import Edition
from espi_server.espi.fields import Field
from espi_server.espi.raw import Element, plain_text, split
from espi_server.espi.types import Choice
from espi_server.espi.xsd import validator

from .lines import place_of
from .rule import Fault, Place, Profile

_START = Place(1)
_READING = f"{{{ESPI}}}IntervalReading"
_MOST_READINGS = 1_000
_AT_ONCE = 500
NAMESPACES = (ESPI, CUSTOMER, SST)


@lru_cache(maxsize=16_384)
def parsed(href: str) -> paths.Path | None:
    """`paths.parse`, remembered: the entries of a feed share most of their links."""
    return paths.parse(href) if href else None


def key(href: str) -> str:
    """One spelling for what a link points at, whoever wrote it."""
    path = parsed(href)
    return str(path) if path else href.strip()


def parent(href: str) -> str:
    """The address without its last part and without what follows a `?`."""
    return href.partition("?")[0].rstrip("/").rpartition("/")[0]


class LinkAt(NamedTuple):
    """A link, and the element that says it."""

    rel: str
    href: str
    type: str
    element: Element


@dataclass(eq=False)
class Context:
    """What rules may know besides what they are shown. `now` is epoch seconds."""

    edition: Edition
    profile: Profile
    now: int
    wants_places: bool = True
    """False while findings are only counted: then nobody needs to know where they stand."""


@dataclass(eq=False)
class Shell:
    """One entry as it stands in the document: its id, links, title, times and contents."""

    element: Element
    line: int
    offset: int
    context: Context
    is_bare: bool = False
    """Whether it is no entry at all but a resource that stands alone."""

    def at(self, element: Element | None = None) -> Place:
        """Where an element of the entry stands; the entry itself without one."""
        if element is None or not self.context.wants_places:
            return Place(self.line)
        return place_of(element, self.element, self.line, self.offset)

    def fault(self, message: str, at: Element | LinkAt | None = None, path: str = "") -> Fault:
        """A breach at an element or link of this entry, or of the whole of it."""
        element = at.element if isinstance(at, LinkAt) else at
        return Fault(message, self.at(element), path or self.kind)

    def parts(self, local: str) -> list[Element]:
        """Its own elements of this Atom name."""
        return self.element.findall(f"{{{ATOM}}}{local}")

    def text(self, local: str) -> str:
        """The text of the first such element; empty where there is none."""
        return next((text_of(each) for each in self.parts(local)), "")

    @cached_property
    def links(self) -> list[LinkAt]:
        """Every link, in order."""
        return [link_at(each) for each in self.parts("link")]

    def linked(self, rel: str) -> list[LinkAt]:
        """The links of one relation."""
        return [link for link in self.links if link.rel == rel]

    @cached_property
    def self(self) -> LinkAt | None:
        """The first self link."""
        return next(iter(self.linked("self")), None)

    @cached_property
    def up(self) -> LinkAt | None:
        """The first up link."""
        return next(iter(self.linked("up")), None)

    @cached_property
    def contents(self) -> list[Element]:
        """The resources in it."""
        if self.is_bare:
            return [self.element]
        return [item for content in self.parts("content") for item in content if isinstance(item.tag, str)]

    @cached_property
    def kind(self) -> str:
        """The name of its first resource; `entry` for one that has none."""
        return split(str(self.contents[0].tag))[1] if self.contents else "entry"

    @cached_property
    def resource(self) -> type[Content] | None:
        """The declaration of its first resource."""
        return kind(*split(str(self.contents[0].tag))) if self.contents else None

    def related(self, *kinds: str) -> list[LinkAt]:
        """The related links that lead to one of these kinds."""
        found = ((link, parsed(link.href)) for link in self.linked("related"))
        return [link for link, path in found if path and path.kind in kinds]


@dataclass(eq=False)
class Resource:
    """One resource, read by its declaration. `shell` is the entry it stands in, if it stands in one."""

    element: Element
    cls: type[Content]
    shell: Shell
    context: Context

    @property
    def kind(self) -> str:
        """Its name: UsagePoint, UsageSummary …"""
        return self.cls.name

    @cached_property
    def instance(self) -> Any:
        """The resource read by its declaration, patiently."""
        return self.cls.read(self.element)

    @cached_property
    def findings(self) -> list[Finding]:
        """What does not fit the schema."""
        found = _in_block(self.element) if self.kind == "IntervalBlock" else self.instance.problems()
        return [finding for finding in found if not finding.is_advice]

    @cached_property
    def unlisted(self) -> list[tuple[str, Field, Any]]:
        """Path, field and value of every code that an open list does not have."""
        return [
            (path, each, value)
            for path, each, value in self.fields
            if isinstance(each.leaf, Choice) and (each.leaf.complaint(value) or "").startswith("advice")
        ]

    def find(self, path: str) -> Element:
        """The element at a path such as `IntervalReading[3]/timePeriod/start`; the nearest there is above it."""
        found = self.element
        for name, number in steps(path):
            wanted = name if name.startswith("{") else f"{{{self.cls.namespace}}}{name}"
            below = found.findall(wanted)
            if len(below) < number:
                break
            found = below[number - 1]
        return found

    def fault(self, message: str, path: str = "", at: Element | None = None) -> Fault:
        """A breach at a path below the resource, or of the whole of it."""
        element = self.find(path) if at is None and self.context.wants_places else at
        return Fault(message, self.shell.at(element), f"{self.kind}/{shown(path)}" if path else self.kind)

    @cached_property
    def fields(self) -> list[tuple[str, Field, Any]]:
        """Path, declared field and value of every element with a value, however deep.

        None of a block: readings come in too great a number, and have rules of their own (see `Block`).
        """
        return [] if self.kind == "IntervalBlock" else list(walk(self.instance))


def walk(instance: Content, above: str = "") -> Iterator[tuple[str, Field, Any]]:
    """Path, field and value of everything in a resource, from the top down."""
    for each in instance.fields:
        values = getattr(instance, each.attribute)
        for number, value in enumerate(values if each.many else (values,), 1):
            if value is not None:
                path = f"{above}{each.name}{f'[{number}]' if each.many else ''}"
                yield path, each, value
                if isinstance(value, Content):
                    yield from walk(value, f"{path}/")


def _in_block(block: Element) -> list[Finding]:
    """What does not fit the schema in a block. Only readings that the compiled schema refuses are looked at in
    Python, of those the first thousand: it is a hundred times slower."""
    schema = validator()
    if len(block) <= _AT_ONCE and schema.validate(block):
        return []
    frame = _frame(block)
    found: list[Finding] = [] if schema.validate(frame) else usage.IntervalBlock.read(frame).problems()
    for number, reading in islice(_refused(block, schema), _MOST_READINGS):
        inside = usage.IntervalReading.read(reading).problems()
        found += [Finding(f"IntervalReading[{number}]/{path}", message) for path, message in inside]
    return found


def _frame(block: Element) -> Element:
    """The block with its readings emptied."""
    frame = etree.Element(block.tag)
    frame.text = block.text
    for child in block:
        last = etree.Element(_READING) if child.tag == _READING else deepcopy(child)
        last.tail = child.tail
        frame.append(last)
    return frame


def _refused(block: Element, schema: etree.XMLSchema) -> Iterator[tuple[int, Element]]:
    """The readings the compiled schema refuses, and their numbers.

    A part at a time: for each fault libxml2 counts all siblings before it.
    """
    readings = list(block.iterchildren(_READING))
    for first in range(0, len(readings), _AT_ONCE):
        part = etree.Element(block.tag)
        part.extend(deepcopy(reading) for reading in readings[first : first + _AT_ONCE])
        if not schema.validate(part):
            for number, reading in enumerate(part, first + 1):
                if not schema.validate(reading):
                    yield number, reading


_STEP = re.compile(r"((?:\{[^}]*\})?[^/\[\]]+)(?:\[(\d+)\])?(?:/|$)")


def steps(path: str) -> Iterator[tuple[str, int]]:
    """The names on a path, and which of its kind each is, from 1."""
    for match in _STEP.finditer(path):
        yield match[1], int(match[2] or 1)


def shown(path: str) -> str:
    """A path without namespaces."""
    return "/".join(
        f"{name.rpartition('}')[2]}{f'[{number}]' if number > 1 else ''}" for name, number in steps(path)
    )


def text_of(element: Element) -> str:
    """The text of an element, without blanks around it; empty where it holds elements."""
    return (plain_text(element) or "").strip()


def link_at(element: Element) -> LinkAt:
    """A link element as rules see it."""
    rel, href, type_ = (str(element.get(name, "")).strip() for name in ("rel", "href", "type"))
    return LinkAt(rel or "alternate", href, type_, element)


class Part(NamedTuple):
    """One element of the feed itself: its name, its text, and as a link what it says."""

    name: str
    text: str
    rel: str
    href: str
    type: str
    place: Place


@dataclass(eq=False)
class Head:
    """The document around its entries: the root element and what belongs to the feed itself."""

    context: Context
    root: str = ""
    namespaces: dict[str | None, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    place: Place = _START
    parts: list[Part] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    usage: Place | None = None
    customer: Place | None = None

    @property
    def is_feed(self) -> bool:
        """Whether the document is an Atom feed."""
        return self.root == f"{{{ATOM}}}feed"

    @property
    def entries(self) -> int:
        """How many resources were met."""
        return sum(self.kinds.values())

    def named(self, name: str, rel: str = "") -> list[Part]:
        """The feed's own elements of this name; links of this relation."""
        return [part for part in self.parts if part.name == name and rel in ("", part.rel)]

    def fault(self, message: str, part: Part | None = None, path: str = "feed") -> Fault:
        """A breach at one element of the feed, or of the feed as such."""
        return Fault(message, part.place if part else self.place, path)
