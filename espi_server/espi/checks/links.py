"""Rules on the links of an entry: what each must say, before anybody looks where it leads."""

from __future__ import annotations

from urllib.parse import urlsplit

from espi_server.espi import paths
from espi_server.espi.content import KINDS

from .rule import Faults, Profile, Severity, rule
from .subjects import Head, LinkAt, Shell, parent, parsed

ERROR, WARNING, ADVICE = Severity
_CERTIFICATION = frozenset({Profile.CERTIFICATION})
_RELATIONS = frozenset(
    ("self", "up", "related", "alternate", "next", "previous", "first", "last", "edit", "via", "enclosure")
)
_WHOLE_TREES = frozenset({"Subscription", "Bulk", "RetailCustomer", "BulkRetailCustomerInfo", "ThirdParty"})
_OLD = {"ElectricPowerUsageSummary": "UsageSummary"}


@rule(
    "LINK-01",
    ERROR,
    "An entry has exactly one self link",
    why="It is where the resource can be fetched, and what others call it by.",
    breaks='an entry without <link rel="self">',
    lenient=WARNING,
)
def one_self(entry: Shell) -> Faults:
    found = entry.linked("self")
    if not found:
        yield entry.fault("The entry has no self link.")
    for link in found[1:]:
        yield entry.fault("A second self link stands in the entry.", link)


@rule(
    "LINK-02",
    ERROR,
    "An entry has exactly one up link",
    why="Clients join the tree by it: a child's up is what its parent calls related.",
    breaks='an entry without <link rel="up">',
    lenient=WARNING,
)
def one_up(entry: Shell) -> Faults:
    found = entry.linked("up")
    if not found:
        yield entry.fault("The entry has no up link.")
    for link in found[1:]:
        yield entry.fault("A second up link stands in the entry.", link)


@rule(
    "LINK-03",
    ERROR,
    "A link says its type",
    why="The Atom schema of ESPI 3.3 and 4.0 (2021) requires it; the older one of the derived edition does not.",
    breaks='<link rel="up" href="…/MeterReading"/>',
    lenient=ADVICE,
)
def links_say_their_type(entry: Shell) -> Faults:
    for link in entry.links if entry.context.edition.link_types else ():
        if not link.type:
            yield entry.fault(f"The {link.rel} link has no type.", link)


@rule(
    "LINK-04",
    ERROR,
    "A link's type is that of what it leads to",
    why="espi-entry/UsagePoint is one usage point, espi-feed/UsagePoint a collection; cust- is the customer side.",
    breaks='<link rel="up" type="espi-entry/MeterReading" href="…/MeterReading"/>',
    lenient=ADVICE,
)
def types_are_right(entry: Shell) -> Faults:
    for link in entry.links:
        wanted = _wanted_type(entry, link)
        if wanted and link.type and link.type not in wanted:
            yield entry.fault(f"The {link.rel} link's type is {link.type}; it must be {wanted[0]}.", link)


@rule(
    "LINK-05",
    ERROR,
    "The up link is the self link without its last part",
    why="A resource hangs in the collection of its kind; a client that goes up must find it there.",
    breaks="self …/MeterReading/m1, up …/UsagePoint/u1",
    lenient=WARNING,
)
def up_is_the_collection(entry: Shell) -> Faults:
    own, up = entry.self, entry.up
    if not own or not up or not own.href or not up.href:
        return
    if parent(own.href) != up.href.partition("?")[0].rstrip("/"):
        yield entry.fault(f"up is {up.href}; self says {parent(own.href)}.", up)


@rule(
    "LINK-06",
    ERROR,
    "No address ends in a slash",
    why="Clients compare addresses as text: with a slash more, a parent does not find its children.",
    breaks='<link rel="up" href="…/MeterReading/"/>',
    lenient=WARNING,
)
def no_slash_at_the_end(entry: Shell) -> Faults:
    for link in entry.links:
        if link.href.endswith("/") and link.rel in ("self", "up", "related"):
            yield entry.fault(f"The {link.rel} link ends in a slash.", link)


@rule(
    "LINK-07",
    ERROR,
    "The self link names the kind of the resource",
    why="…/UsagePoint/u1 is a UsagePoint and nothing else; a wrong word sends clients to the wrong place.",
    breaks="a MeterReading whose self is …/UsagePoint/u1",
    lenient=WARNING,
)
def self_names_the_kind(entry: Shell) -> Faults:
    path = parsed(entry.self.href) if entry.self else None
    kind = _OLD.get(entry.kind, entry.kind)
    if path and entry.kind in KINDS and path.kind != kind:
        yield entry.fault(f"The self link of a {entry.kind} leads to a {path.kind}.", entry.self)


@rule(
    "LINK-08",
    ERROR,
    "The self link leads to one resource",
    why="It ends in the resource's own id; an address of a collection is where it can be found among others.",
    breaks='<link rel="self" href="…/MeterReading"/>',
    lenient=WARNING,
)
def self_is_an_entry(entry: Shell) -> Faults:
    path = parsed(entry.self.href) if entry.self else None
    if path and path.collection and path.kind == _OLD.get(entry.kind, entry.kind):
        yield entry.fault("The self link is the address of a collection.", entry.self)


@rule(
    "LINK-09",
    WARNING,
    "Addresses are absolute and https",
    why="A client that has only the file must know the host, and the standard allows TLS alone.",
    breaks='<link rel="self" href="/espi/1_1/resource/UsagePoint/u1"/>',
    lenient=ADVICE,
)
def addresses_are_https(entry: Shell) -> Faults:
    for link in entry.links:
        if link.rel in ("self", "up", "related") and link.href and not _is_https(link.href):
            yield entry.fault(f"The {link.rel} link {link.href} is not an absolute https address.", link)
            return  # they are alike in one entry


@rule(
    "LINK-10",
    ERROR,
    "A link has an address without blanks",
    why="An empty address, or one with blanks and other characters no URI has, leads nowhere (RFC 3986).",
    breaks='<link rel="self" href="…/UsagePoint/my house"/>',
)
def addresses_are_addresses(entry: Shell) -> Faults:
    for link in entry.links:
        if not link.href:
            yield entry.fault(f"The {link.rel} link has no href.", link)
        elif any(each in link.href for each in ' <>"{}|\\^`\t\n'):
            yield entry.fault(f"The {link.rel} link {link.href!r} has characters no address has.", link)


@rule(
    "LINK-11",
    ADVICE,
    "A link's relation is one that Atom or the standard knows",
    why="Clients follow self, up and related; a word of one's own is followed by nobody.",
    breaks='<link rel="child" href="…"/>',
)
def relations_are_known(entry: Shell) -> Faults:
    for link in entry.links:
        if link.rel not in _RELATIONS and ":" not in link.rel:
            yield entry.fault(f"{link.rel!r} is no known relation.", link)


@rule(
    "LINK-12",
    ERROR,
    "A UsagePoint relates to exactly one LocalTimeParameters",
    why="Local days and time-of-use hours follow from it; of two, nobody knows which holds.",
    breaks="a UsagePoint without a related LocalTimeParameters",
    kinds="UsagePoint",
    lenient=WARNING,
)
def point_has_local_time(entry: Shell) -> Faults:
    found = [link for link in entry.related("LocalTimeParameters") if not _is_collection(link)]
    if not found:
        yield entry.fault("The UsagePoint has no related link to its LocalTimeParameters.")
    for link in found[1:]:
        yield entry.fault("The UsagePoint relates to a second LocalTimeParameters.", link)


@rule(
    "LINK-13",
    ERROR,
    "A MeterReading relates to exactly one ReadingType",
    why="FB_04: without its type nobody knows the unit of a number, nor which way energy flowed.",
    breaks="a MeterReading without a related ReadingType",
    kinds="MeterReading",
)
def reading_has_a_type(entry: Shell) -> Faults:
    found = entry.related("ReadingType")
    if not found:
        yield entry.fault("The MeterReading has no related link to its ReadingType.")
    for link in found[1:]:
        yield entry.fault("The MeterReading relates to a second ReadingType.", link)


@rule(
    "LINK-14",
    ERROR,
    "A MeterReading relates to its IntervalBlocks",
    why="FB_04: by this link a client finds the numbers.",
    breaks="a MeterReading without a related IntervalBlock collection",
    kinds="MeterReading",
    lenient=WARNING,
)
def reading_has_blocks(entry: Shell) -> Faults:
    if not entry.related("IntervalBlock"):
        yield entry.fault("The MeterReading has no related link to its IntervalBlocks.")


@rule(
    "LINK-15",
    ERROR,
    "A UsageSummary relates to its one UsagePoint",
    why="FB_15: a bill belongs to one service; certification looks for this very link.",
    breaks="a UsageSummary without a related UsagePoint",
    kinds="UsageSummary ElectricPowerUsageSummary",
    lenient=ADVICE,
)
def summary_has_a_point(entry: Shell) -> Faults:
    found = entry.related("UsagePoint")
    if not found:
        yield entry.fault(f"The {entry.kind} has no related link to its UsagePoint.")
    for link in found[1:]:
        yield entry.fault(f"The {entry.kind} relates to a second UsagePoint.", link)


@rule(
    "LINK-16",
    WARNING,
    "A feed has exactly one self link",
    why="It is where the same data can be asked for again, and what paging starts from.",
    breaks='a feed without <link rel="self">',
    lenient=ADVICE,
)
def feed_has_a_self(head: Head) -> Faults:
    found = head.named("link", "self")
    if head.is_feed and not found:
        yield head.fault("The feed has no self link.")
    for part in found[1:]:
        yield head.fault("A second self link stands in the feed.", part)


@rule(
    "LINK-17",
    WARNING,
    "A feed's self link leads to what the feed holds",
    why="A feed of UsageSummary entries is fetched from a collection of them, or from a batch.",
    breaks="a feed of UsageSummary whose self is …/LocalTimeParameters",
    lenient=ADVICE,
)
def feed_is_what_it_says(head: Head) -> Faults:
    kinds = {_OLD.get(kind, kind) for kind in head.kinds}
    for part in head.named("link", "self"):
        path = parsed(part.href)
        whole = path is None or path.batch or not kinds or not _WHOLE_TREES.isdisjoint({path.kind})
        if path and not whole and path.kind not in kinds:
            yield head.fault(f"The feed's self link leads to {path.kind}, and it holds none.", part)


@rule(
    "LINK-18",
    ERROR,
    "A feed's links say their type",
    why="The Atom schema of ESPI 3.3 and 4.0 (2021) requires it; the older one of the derived edition does not.",
    breaks='<feed><link rel="self" href="…"/>',
    lenient=ADVICE,
)
def feed_links_say_their_type(head: Head) -> Faults:
    for part in head.named("link") if head.context.edition.link_types else ():
        if not part.type:
            yield head.fault(f"The feed's {part.rel} link has no type.", part)


@rule(
    "LINK-19",
    ADVICE,
    "A subscription's feed links to the certificate",
    why='Certified custodians add rel="related" type="text/xml" with the address of their certificate (CERT001).',
    breaks="a Batch/Subscription feed without it",
    profiles=_CERTIFICATION,
)
def feed_shows_its_certificate(head: Head) -> Faults:
    own = [parsed(part.href) for part in head.named("link", "self")]
    is_subscription = any(path and path.batch and path.kind == "Subscription" for path in own)
    if is_subscription and not any(part.type == "text/xml" for part in head.named("link", "related")):
        yield head.fault("The feed has no link to a certificate.")


def _wanted_type(entry: Shell, link: LinkAt) -> tuple[str, ...]:
    """The types a link may have, the usual one first; empty where nobody can say."""
    path = parsed(link.href)
    if path is None or path.batch or link.rel not in ("self", "up", "related") or path.kind not in KINDS:
        return ()
    write = paths.feed_type if path.collection else paths.entry_type
    own = write(path.kind)
    if path.kind == "LocalTimeParameters":  # declared on both sides
        return own, own.replace("espi-", "cust-")
    old = next((each for each, new in _OLD.items() if new == path.kind), None)
    return (own, write(old)) if old else (own,)


def _is_collection(link: LinkAt) -> bool:
    path = parsed(link.href)
    return path is not None and path.collection


def _is_https(href: str) -> bool:
    parts = urlsplit(href)
    return parts.scheme == "https" and bool(parts.netloc)
