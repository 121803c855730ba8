"""The Atom shell around resources: patient when reading, plain and fast when writing.

Writing works on bytes and builds no tree, as thousands of entries a second pass through it. An entry's
parts always come in one order: id, links, title, content, published, updated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .content import Content, kind
from .errors import EspiError
from .raw import Element, attributes, escaped, outer, quoted, split
from .types import BLANKS

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"


@dataclass(frozen=True, slots=True)
class Link:
    """A link as `rel` says: self, up, related. `type` is espi-entry/UsagePoint and the like."""

    rel: str
    href: str
    type: str = ""


@dataclass(slots=True)
class Entry:
    """One entry as it was found. Times are epoch seconds, None where absent or not a time."""

    id: str = ""
    title: str = ""
    links: list[Link] = field(default_factory=list)
    published: int | None = None
    updated: int | None = None
    contents: list[Element] = field(default_factory=list)
    line: int | None = None
    element: Element | None = None

    def hrefs(self, rel: str) -> list[str]:
        """Where the links of this relation lead, in the order they stand."""
        return [link.href for link in self.links if link.rel == rel]

    def write(self) -> bytes:
        """The entry again, its contents read and written through their declarations."""
        return _rewritten(self.element)


@dataclass(slots=True)
class Feed:
    """A feed as it was found, or the feed a single entry stands for."""

    id: str = ""
    title: str = ""
    links: list[Link] = field(default_factory=list)
    updated: int | None = None
    entries: list[Entry] = field(default_factory=list)
    element: Element | None = None

    def write(self) -> bytes:
        """The feed again, its contents read and written through their declarations."""
        return _rewritten(self.element)


# Reading


def read_feed(root: Element) -> Feed:
    """From the root element of a document: a feed, or one entry alone. EspiError for anything else."""
    if root.tag == f"{{{ATOM}}}entry":
        return Feed(entries=[read_entry(root)], element=root)
    if root.tag != f"{{{ATOM}}}feed":
        raise EspiError(f"The document starts with {root.tag!r}; an Atom feed or entry ({ATOM}) is expected.")
    feed = Feed(element=root)
    for child in root:
        match _local(child):
            case "id":
                feed.id = _text(child)
            case "title":
                feed.title = _text(child)
            case "link":
                feed.links.append(_link(child))
            case "updated":
                feed.updated = epoch(_text(child))
            case "entry":
                feed.entries.append(read_entry(child))
    return feed


def read_entry(element: Element) -> Entry:
    """From an entry element: any order, any prefix, missing pieces, several resources in one content."""
    line: Any = element.sourceline
    entry = Entry(line=line, element=element)
    for child in element:
        match _local(child):
            case "id":
                entry.id = _text(child)
            case "title":
                entry.title = _text(child)
            case "link":
                entry.links.append(_link(child))
            case "published":
                entry.published = epoch(_text(child))
            case "updated":
                entry.updated = epoch(_text(child))
            case "content":
                entry.contents += [item for item in child if isinstance(item.tag, str)]
    return entry


def epoch(text: str) -> int | None:
    """Seconds since 1970 of an Atom date, whole; None where it is no date. Without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() // 1)


def _local(element: Element) -> str:
    """The name of an Atom element, empty for anything else."""
    if not isinstance(element.tag, str):
        return ""
    namespace, local = split(element.tag)
    return local if namespace == ATOM else ""


def _text(element: Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip()


def _link(element: Element) -> Link:
    # RFC 4287 4.2.7.2: a link without rel is an alternate.
    rel, href, type_ = (str(element.get(name, "")).strip() for name in ("rel", "href", "type"))
    return Link(rel or "alternate", href, type_)


def _rewritten(element: Element | None) -> bytes:
    if element is None:
        raise EspiError("Only what was read from a document can be written again.")
    return _shell(element, "").encode()


def _shell(element: Element, around: str) -> str:
    local = _local(element)
    if local not in ("feed", "entry", "content"):
        return outer(element, around, {})
    opening = local if around == ATOM else f"{local} xmlns={quoted(ATOM)}"
    inner = _shown(element.text)
    for child in element:
        if isinstance(child.tag, str):
            inner += _resource(child) if local == "content" else _shell(child, ATOM)
        inner += _shown(child.tail)
    return f"<{opening}{attributes(element)}>{inner}</{local}>"


def _shown(text: str | None) -> str:
    return escaped(text) if text and text.strip(BLANKS) else ""


def _resource(element: Element) -> str:
    namespace, local = split(str(element.tag))
    found = kind(namespace, local)
    return found.read(element).write(local).decode() if found else outer(element, ATOM, {})


# Writing

FEED_TAIL = b"</feed>"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def entry_type(resource: type[Content]) -> str:
    """The link type of one resource: espi-entry/UsagePoint, cust-entry/Customer."""
    return f"{resource.link_prefix}-entry/{resource.name}"


def feed_type(resource: type[Content]) -> str:
    """The link type of a collection: espi-feed/UsagePoint, cust-feed/Customer."""
    return f"{resource.link_prefix}-feed/{resource.name}"


def feed_head(
    *, id: str, title: str, updated: int, href: str, type: str, links: Iterable[Link] = ()
) -> bytes:
    """Everything of a feed before its entries; `href` is its own address, `updated` epoch seconds."""
    return (
        f'{_DECLARATION}<feed xmlns="{ATOM}"><id>{escaped(id)}</id><title>{escaped(title)}</title>'
        f"<updated>{moment(updated)}</updated>{_links((Link('self', href, type), *links))}"
    ).encode()


def entry_head(*, id: str, title: str, links: Iterable[Link], alone: bool = False) -> bytes:
    """Everything of an entry before its resource; `alone` for an entry that is the whole document."""
    opening = f'{_DECLARATION}<entry xmlns="{ATOM}">' if alone else "<entry>"
    return f"{opening}<id>{escaped(id)}</id>{_links(links)}<title>{escaped(title)}</title><content>".encode()


def entry_tail(*, published: int, updated: int) -> bytes:
    """Everything of an entry after its resource; times are epoch seconds."""
    return (
        f"</content><published>{moment(published)}</published><updated>{moment(updated)}</updated></entry>"
    ).encode()


@lru_cache(maxsize=4096)
def moment(seconds: int) -> str:
    """Epoch seconds as Atom writes them: 2026-11-01T08:00:00Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")


def _links(links: Iterable[Link]) -> str:
    return "".join(
        f"<link rel={quoted(link.rel)} type={quoted(link.type)} href={quoted(link.href)}/>" for link in links
    )
