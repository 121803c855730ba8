"""Rows to Atom entries: links and the base address are added per feed, the content is what was stored.

Every href of a feed stands on `at` (the subscription's address, a customer's, or the resource base itself) or on
the resource base. All ids have the same length, so the length of an entry follows from its kind and the shape of
its links alone; that is how a feed knows its length without rendering.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from espi_server.db import loaded, text_id
from espi_server.energy.models import Kind
from espi_server.espi import atom, paths
from espi_server.espi.atom import Link
from espi_server.espi.content import KINDS
from espi_server.espi.rights import Rights

Shape = tuple[tuple[int, bool], ...]
"""The related links of an entry: each a kind, and whether it is the collection below it."""

PUT_ASIDE = frozenset({"extension", "batchItemInfo"})
"""What stands in no data class: it goes only with a resource that may be seen whole."""

_ID = "00000000-0000-0000-0000-000000000000"
_STAMP = len(atom.entry_tail(published=0, updated=0))


def shape_of(text: str) -> Shape:
    """From a stored shape, such as `110* 130* 10`."""
    return tuple((int(each.rstrip("*")), each.endswith("*")) for each in text.split())


class Writer:
    """Writes the entries of one feed or document: its address, its base, and what the reader may see."""

    def __init__(self, base: str, *, alone: bool = False) -> None:
        self.base = base
        self.alone = alone

    def entry(
        self,
        at: str,
        kind: int,
        id: str,
        usage_point: str,
        related: Sequence[Any],
        xml: bytes,
        times: tuple[int, int],
        rights: Rights,
    ) -> bytes:
        """One whole entry; `related` as stored, `times` published and updated."""
        seen = [(each, target) for each, target in related if rights.sees(Kind(each).name)]
        head = _template(self.base, kind, tuple((each, target is None) for each, target in seen), self.alone)
        values = {"at": at, "u": usage_point, "id": id} | {
            f"r{place}": target for place, (_, target) in enumerate(seen) if target is not None
        }
        published, updated = times
        return (head % values).encode() + xml + atom.entry_tail(published=published, updated=updated)

    def overhead(self, at: str, kind: int, shape: Shape, rights: Rights) -> int:
        """The bytes of an entry besides its content."""
        seen = tuple((each, below) for each, below in shape if rights.sees(Kind(each).name))
        return _overhead(self.base, len(at), kind, seen, self.alone)

    def block_heads(self, at: str, usage_point: str, meter_reading: str) -> list[bytes]:
        """The head of an IntervalBlock entry as parts with the block's id between them: `id.join(parts)`."""
        template = _template(self.base, Kind.IntervalBlock, (), self.alone)
        whole = template % {"at": at, "u": usage_point, "m": meter_reading, "id": "\0"}
        return whole.encode().split(b"\0")

    def block_overhead(self, at: str) -> tuple[int, int]:
        """The bytes of an IntervalBlock entry before and after its readings, without the digits of its interval."""
        head = _ID.encode().join(self.block_heads(at, _ID, _ID))
        return len(head) + len(BLOCK_OPENING % (b"", b"")), len(block_tail(0, 0))


BLOCK_OPENING = b'<IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>%b</duration><start>%b</start></interval>'


def block_opening(start: int, duration: int) -> bytes:
    """The content's opening tag and its interval."""
    return BLOCK_OPENING % (b"%d" % duration, b"%d" % start)


@lru_cache(maxsize=4096)
def block_tail(published: int, updated: int) -> bytes:
    """Everything after the readings of a block."""
    return b"</IntervalBlock>" + atom.entry_tail(published=published, updated=updated)


def visible(kind: int, content: str, xml: bytes, rights: Rights) -> bytes:
    """A resource's content as these rights allow it: the stored bytes where nothing is withheld."""
    elements = rights.elements(Kind(kind).name)
    return xml if elements is None else _filtered(kind, content, xml, elements)


# A feed filters an entry twice, to measure it and to send it; a third party asks for the same entries every day.
@lru_cache(maxsize=1024)
def _filtered(kind: int, content: str, xml: bytes, elements: frozenset[str]) -> bytes:
    plain = loaded(content)
    if shown_whole(elements, names(plain)):
        return xml
    return KINDS[Kind(kind).name].from_json(plain).only(elements).write()


def names(content: Mapping[str, Any]) -> list[str]:
    """The child elements of a content. What a source put aside counts however deep it stands: see `tables`."""
    return [*content, *sorted({each for each in _below(content.values()) if each in PUT_ASIDE})]


def _below(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _below(value)
        elif isinstance(value, Mapping):
            yield from value
            yield from _below(value.values())


def shown_whole(elements: frozenset[str] | None, names: Sequence[str]) -> bool:
    """May a resource with these child elements be shown as it is stored?"""
    return elements is None or all(name in elements for name in names)


@lru_cache(maxsize=1024)
def _template(base: str, kind: int, shape: Shape, alone: bool) -> str:
    """The head of an entry with places for `at`, `u` (usage point), `m`, `id` and related ids `r0`, `r1` …"""
    name = Kind(kind).name
    own = paths.links(_place(base, kind), name, "%(id)s")
    here = own[0][1]
    others = [_related(base, here, each, below, place) for place, (each, below) in enumerate(shape)]
    links = [Link(*each) for each in (*own, *others)]
    return atom.entry_head(id="urn:uuid:%(id)s", title=name, links=links, alone=alone).decode()


def _place(base: str, kind: int) -> str:
    """What the collection of a kind stands on."""
    if kind < Kind.UsagePoint:
        return base.replace("%", "%%")
    if kind == Kind.UsagePoint:
        return "%(at)s"
    if kind == Kind.IntervalBlock:
        return paths.meter_reading("%(at)s", "%(u)s", "%(m)s")
    return paths.usage_point("%(at)s", "%(u)s")


def _related(base: str, here: str, kind: int, below: bool, place: int) -> tuple[str, str, str]:
    name = Kind(kind).name
    if below:
        return paths.related_collection(paths.collection(here, name), name)
    return paths.related(paths.entry(_place(base, kind), name, f"%(r{place})s"), name)


@lru_cache(maxsize=1024)
def _overhead(base: str, at: int, kind: int, shape: Shape, alone: bool) -> int:
    names = {f"r{place}": _ID for place in range(len(shape))}
    head = _template(base, kind, shape, alone) % {"at": "x" * at, "u": _ID, "m": _ID, "id": _ID, **names}
    return len(head) + _STAMP


def identified(value: Any) -> str:
    """An id from the driver as text, `''` for none."""
    return "" if value is None else text_id(value)
