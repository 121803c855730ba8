"""What one entry of a file becomes: content in its stored form, and the words that place it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from lxml import etree

from espi_server import clock
from espi_server.energy import repair
from espi_server.energy.models import Kind
from espi_server.espi import customer, paths, usage
from espi_server.espi.atom import Entry
from espi_server.espi.content import CUSTOMER, ESPI, Content, kind
from espi_server.espi.errors import EspiError
from espi_server.espi.pieces import MISPLACED, REPEATED, STRAY, UNDECLARED
from espi_server.espi.raw import Element, Raw, split

Say = Callable[[str], None]

_LEFT_OUT = (REPEATED, STRAY)
_OLD_NAMES: dict[type[Content], type[Content]] = {
    usage.ElectricPowerUsageSummary: usage.UsageSummary,
    customer.LocalTimeParameters: usage.LocalTimeParameters,
}
LONGEST_KEY = 256
"""Characters of a source's own id; what is longer is no id."""

_FIRST_SANE = 946_684_800  # 1 January 2000: nothing was published as Green Button data before
_CLOCKS_DIFFER = 86_400
_STATUS = tuple(f"{{{CUSTOMER}}}{name}" for name in ("status", "docStatus", "futureStatus"))


class BadContent(EspiError):
    """The content of this entry is not what the standard declares."""


class Told:
    """Where the words about one entry go."""

    def __init__(self, repaired: Say, supplied: Say, unknown: Say) -> None:
        self.repaired = repaired
        self.supplied = supplied
        self.unknown = unknown


@dataclass(slots=True)
class Record:
    """One content with the links of its entry. `self`, `up` and `related` are in one canonical spelling."""

    file: int
    line: int | None
    kind: Kind
    source_self: str = ""
    self: str = ""
    up: str = ""
    related: list[str] = field(default_factory=list)
    atom_id: str = ""
    published: int | None = None
    content: dict[str, Any] = field(default_factory=dict)
    aside: Any = None

    @property
    def last(self) -> str:
        """The last path part of the self link, else the atom id: what tells siblings apart."""
        path = parsed(self.self)
        return path.last if path and not path.collection else self.self.rsplit("/", 1)[-1] or self.atom_id

    def named(self, kind: str) -> str:
        """The id the entry's own path gives for a kind; empty where it names none."""
        for href in (self.self, self.up):
            path = parsed(href)
            if path and kind in path.ids:
                return path.ids[kind]
        return ""


@lru_cache(maxsize=16_384)
def parsed(href: str) -> paths.Path | None:
    """`paths.parse`, remembered: the entries of a feed share most of their links. An endless id is none."""
    path = paths.parse(href) if href else None
    return path if path and all(len(id) <= LONGEST_KEY for id in path.ids.values()) else None


def canonical(href: str) -> str:
    """One spelling for what a link points at, whoever wrote it; a link that is no ESPI path stays as it is."""
    path = parsed(href)
    return str(path) if path else href.strip()


def last_of(href: str | None) -> str:
    """The last path part of a link, as the source wrote it."""
    path = parsed(href or "")
    return path.last if path else (href or "").rstrip("/").rpartition("/")[2]


def of_entry(entry: Entry, file: int) -> Record:
    """What the entry's shell says; kind and content are still to be filled in."""
    selves, ups = entry.hrefs("self"), entry.hrefs("up")
    source_self = selves[0] if selves else ""
    own = canonical(source_self)
    return Record(
        file=file,
        line=entry.line,
        kind=Kind.UsagePoint,
        source_self=source_self,
        self=own,
        up=canonical(ups[0]) if ups else own.rpartition("/")[0],
        related=sorted({canonical(href) for href in entry.hrefs("related")}),
        atom_id=entry.id.strip().lower().removeprefix("urn:uuid:"),
        published=sane(entry.published),
    )


def sane(published: int | None) -> int | None:
    """The source's own time of publishing, unless it cannot be true."""
    if published is None or not _FIRST_SANE <= published <= clock.seconds() + _CLOCKS_DIFFER:
        return None
    return published


def declared(element: Element) -> type[Content] | None:
    """The declaration of a content element, by its namespace and name."""
    return kind(*split(str(element.tag)))


def understood(element: Element, told: Told) -> tuple[type[Content], dict[str, Any], Any]:
    """The declaration, the content in stored form, and what is kept aside of it.

    What is served must be valid, so unknown elements and second copies go aside, misplaced ones to their place;
    old names and milliseconds are put right; all of it is told. BadContent for a value outside its declared type.
    """
    cls = declared(element)
    if cls is None:
        raise BadContent(f"{split(str(element.tag))[1]} is not an element of ESPI 4.0.")
    _strip_attributes(element)
    if cls.namespace == CUSTOMER:
        _give_status_its_value(element, told)
    instance = cls.read(element)
    plain = instance.to_json()
    aside = _look(instance, plain, told) if instance._kept is not None or instance.unknown() else None
    for words in repair.milliseconds(cls, plain):
        told.repaired(words)
    if cls in _OLD_NAMES:
        told.repaired(f"{cls.name} became {_OLD_NAMES[cls].name}")
        cls = _OLD_NAMES[cls]
        plain = {name: value for name, value in plain.items() if name in cls.by_name}
    return cls, plain, aside


def checked(cls: type[Content], content: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The content in the schema's order, and its XML; BadContent names every value outside its type."""
    instance = cls.from_json(content)
    wrong = [finding for finding in instance.problems() if not finding.is_advice]
    if wrong:
        raise BadContent("; ".join(f"{cls.name}/{finding.path} {finding.message}" for finding in wrong) + ".")
    return instance.to_json(), instance.write()


def _look(instance: Content, plain: dict[str, Any], told: Told) -> dict[str, Any] | None:
    """Tell what did not fit and keep the original; raise for values that are not of their type at all."""
    name = instance.name
    expected = set(type(instance).from_json(plain).problems())
    wrong = []
    unusual = False
    for finding in instance.problems():
        if finding.message == UNDECLARED:
            told.unknown(f"{name}/{_short(finding.path)}")
        elif finding.message in _LEFT_OUT:
            told.repaired(f"{name}/{finding.path} {finding.message}; it was left out")
        elif finding.message == MISPLACED:
            told.repaired(f"{name}/{finding.path} {finding.message}; it was moved there")
            continue
        elif finding not in expected:
            wrong.append(f"{name}/{finding.path} {finding.message}")
            continue
        else:
            continue
        unusual = True
    if wrong:
        raise BadContent("; ".join(wrong) + ".")
    return {"xml": instance.write().decode()} if unusual else None


def _short(path: str) -> str:
    """`serviceDeliveryPoint/{http://naesb.org/espi}name` without namespaces."""
    return "/".join(part.rpartition("}")[2] for part in _parts(path))


def _parts(path: str) -> list[str]:
    # A namespace has slashes of its own.
    parts, depth = [""], 0
    for character in path:
        depth += (character == "{") - (character == "}")
        if character == "/" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _strip_attributes(element: Element) -> None:
    """ESPI elements have none; PG&E decorates them with xsi:type, which says what the schema says anyway."""
    for each in element.iter(f"{{{ESPI}}}*", f"{{{CUSTOMER}}}*"):
        if each.attrib:
            each.attrib.clear()


def _give_status_its_value(element: Element, told: Told) -> None:
    """`<status>active</status>` where the schema wants a Status: the text is its value (seen in GBA's own sample)."""
    for status in element.iter(*_STATUS):
        text = (status.text or "").strip()
        if text and not len(status):
            etree.SubElement(status, f"{{{CUSTOMER}}}value").text = text
            status.text = None
            told.repaired(f"{split(str(status.tag))[1]} was plain text and became its value")


def kept(element: Element) -> dict[str, Any]:
    """An element the standard does not foresee, as it goes aside."""
    return {"xml": str(Raw.of(element))}
