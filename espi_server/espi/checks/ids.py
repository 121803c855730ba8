"""Rules on the ids of entries, by which a client knows a thing again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from espi_server.espi.raw import Element

from .rule import Faults, Place, Severity, rule
from .subjects import Head, Shell
from .whole import Document

ERROR, WARNING, ADVICE = Severity
_PREFIX = "urn:uuid:"
_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@rule(
    "ID-01",
    ERROR,
    "An id is urn:uuid: and a UUID",
    why="Atom asks for a URI (RFC 4287 4.2.6) and the standard for this one; a bare UUID is neither.",
    breaks="<id>502eea03-b71a-4338-b44b-e3fce9e00caf</id>",
    lenient=WARNING,
)
def id_is_a_uuid(entry: Shell) -> Faults:
    for element, text in _ids(entry):
        if not _UUID.fullmatch(text.removeprefix(_PREFIX)):
            yield entry.fault(f"The id is {text!r}; it must be {_PREFIX} and a UUID.", element)
        elif not text.startswith(_PREFIX):
            yield entry.fault(f"The id {text} lacks {_PREFIX} in front.", element)


@rule(
    "ID-02",
    ERROR,
    "An id is a UUID of version 3 or 5",
    why="Certification asks ids that are made from names, so that the same thing keeps its id; version 4 is chance, "
    "and versions 1 and 2 are the clock.",
    breaks="<id>urn:uuid:ae1f66f3-c635-4748-8fb7-aff918b9d9a8</id>",
    lenient=ADVICE,
)
def id_is_made_from_a_name(entry: Shell) -> Faults:
    for element, text in _ids(entry):
        bare = text.removeprefix(_PREFIX)
        if not _UUID.fullmatch(bare):
            continue
        found = uuid.UUID(bare)
        if found.variant != uuid.RFC_4122:
            yield entry.fault(f"{bare} is no UUID of RFC 4122: its variant is {found.variant}.", element)
        elif found.version not in (3, 5):
            yield entry.fault(f"{bare} is a UUID of version {found.version}; it must be 3 or 5.", element)


@rule(
    "ID-03",
    ERROR,
    "No two entries have the same id",
    why="A client that keeps entries by id keeps only one of them.",
    breaks="two entries with one <id>",
)
def ids_are_unique(document: Document) -> Faults:
    question = """
        SELECT e.place, e.id, e.kind, f.kind FROM entry e
        JOIN (SELECT id, min(n) AS n FROM entry WHERE id != '' GROUP BY id HAVING count(*) > 1) d ON d.id = e.id
        JOIN entry f ON f.n = d.n WHERE e.n > f.n ORDER BY e.n"""
    for place, id, kind, first in document.pairs(question):
        yield document.fault(f"The id {id} was that of a {first} before.", Place.parse(place), kind)


@rule(
    "ID-04",
    ADVICE,
    "A UUID is written in lower case",
    why="RFC 4122 3 writes it so, and the schema's own UUID type takes nothing else; some clients compare as text.",
    breaks="<id>urn:uuid:6D8BE83A-4B44-514C-B828-20809ACF30D1</id>",
)
def ids_are_lower_case(entry: Shell) -> Faults:
    for element, text in _ids(entry):
        bare = text.removeprefix(_PREFIX)
        if _UUID.fullmatch(bare) and bare != bare.lower():
            yield entry.fault(f"{bare} has capital letters.", element)


@rule(
    "ID-05",
    WARNING,
    "A feed's id is urn:uuid: and a UUID",
    why="Atom asks for a URI (RFC 4287 4.2.6), and clients that know one feed from another read it like any other id.",
    breaks="<feed><id>12</id>",
    lenient=ADVICE,
)
def feed_id_is_a_uuid(head: Head) -> Faults:
    for part in head.named("id"):
        if not (part.text.startswith(_PREFIX) and _UUID.fullmatch(part.text.removeprefix(_PREFIX))):
            yield head.fault(f"The feed's id is {part.text!r}; it must be {_PREFIX} and a UUID.", part)


def _ids(entry: Shell) -> Iterator[tuple[Element, str]]:
    yield from ((element, (element.text or "").strip()) for element in entry.parts("id")[:1])
