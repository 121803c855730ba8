"""Rules on the document as such: what it starts with, what it holds, and what never shares a file."""

from __future__ import annotations

from espi_server.espi.atom import ATOM
from espi_server.espi.content import CUSTOMER, ESPI, SST
from espi_server.espi.raw import split

from .rule import RULES, Fault, Faults, Severity, rule
from .subjects import NAMESPACES, Head, Shell

ERROR, WARNING, ADVICE = Severity
_BARE = ("ServiceStatus", "BatchList")


@rule(
    "DOC-01",
    ERROR,
    "The document can be read to its end",
    why="A file that is cut off, not well-formed, or holds what harms a reader (a DOCTYPE, a bomb) is taken by nobody.",
    breaks="a download that ends in the middle of a tag",
)
def readable(head: Head) -> Faults:
    """Told by the reader itself, as nothing is left to look at then: see `unreadable`."""
    yield from ()


def unreadable(head: Head, message: str) -> Fault:
    """The breach of DOC-01."""
    return head.fault(message)


@rule(
    "DOC-02",
    ERROR,
    "The root element is an Atom feed or entry",
    why="Clients look for feed and entry in Atom's namespace. Only ServiceStatus and BatchList travel without Atom.",
    breaks='<feed xmlns="http://naesb.org/espi">',
)
def root_is_atom(head: Head) -> Faults:
    namespace, local = split(head.root)
    if namespace == ATOM and local in ("feed", "entry"):
        return
    if namespace == ESPI and local in _BARE:
        return
    if local in ("feed", "entry"):
        yield head.fault(f"{local} is in {_named(namespace)}; it must be {ATOM}.", path=local)
    else:
        yield head.fault(f"The document starts with {local}; it must be an Atom feed or entry.", path=local)


@rule(
    "DOC-03",
    ERROR,
    "Resources stand in one of the standard's namespaces",
    why="XML is matched by namespace: one letter more, such as a trailing slash, and every element is unknown.",
    breaks='<UsagePoint xmlns="http://naesb.org/espi/">',
)
def namespaces_are_known(entry: Shell) -> Faults:
    allowed = entry.context.edition.namespaces
    for content in entry.contents:
        namespace, local = split(str(content.tag))
        if namespace not in NAMESPACES:
            meant = CUSTOMER if "customer" in namespace else ESPI
            yield entry.fault(f"{local} is in {_named(namespace)}; it must be {meant}.", content, local)
        elif namespace not in allowed and namespace != SST:
            yield entry.fault(f"{local} is in {namespace}, which this edition has not.", content, local)


@rule(
    "DOC-04",
    ERROR,
    "Usage and personal data are never in the same document",
    why="Names and addresses travel in feeds of their own, so that who may see usage does not see people.",
    breaks="a Customer entry in a Batch/Subscription feed",
    lenient=WARNING,
)
def people_and_usage_are_apart(head: Head) -> Faults:
    if head.usage and head.customer:
        place = max(head.usage, head.customer)
        yield head.fault("Usage and retail customer resources stand in one document.")._replace(place=place)


@rule(
    "DOC-05",
    ADVICE,
    "The document is written in UTF-8",
    why="RFC 7303 lets a sender use other encodings; UTF-8 is the one that every client of the field reads.",
    breaks='<?xml version="1.0" encoding="ISO-8859-1"?>',
)
def encoding_is_utf8(head: Head) -> Faults:
    if head.encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        yield head.fault(f"The document is written in {head.encoding}; send UTF-8.")


@rule(
    "DOC-06",
    ADVICE,
    "The feed holds something",
    why="An empty feed is a correct answer where nothing matches; in a file it is rarely what was meant.",
    breaks="<feed><id/><title/><updated/></feed>",
)
def something_is_in_it(head: Head) -> Faults:
    if head.is_feed and not head.entries:
        yield head.fault("The feed has no resource in it.")


@rule(
    "DOC-07",
    ERROR,
    "Resources stand in an entry's content",
    why="Without an entry a resource has no id, no links and no times, so nobody can join it to anything.",
    breaks="<feed>…<espi:UsagePoint/></feed>",
)
def resources_stand_in_entries(head: Head) -> Faults:
    for part in head.named("resource"):
        words = f"{part.text} stands outside any entry"
        why = f"; the entry around it is in {_named(part.href)}, not in {ATOM}" if part.rel == "entry" else ""
        yield head.fault(f"{words}{why}.", part, part.text)


def _named(namespace: str) -> str:
    return f"the namespace {namespace!r}" if namespace else "no namespace"


DOCUMENT = RULES["DOC-01"]
