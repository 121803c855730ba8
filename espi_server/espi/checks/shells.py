"""Rules on the Atom shell: what a feed and an entry must say of themselves."""

from __future__ import annotations

import re

from espi_server.espi.atom import ATOM, epoch, moment
from espi_server.espi.raw import split

from .rule import Faults, Severity, rule
from .subjects import Head, Shell, text_of

ERROR, WARNING, ADVICE = Severity
# RFC 3339 5.6, which RFC 4287 3.3 asks for: with a zone, a T, and seconds.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ONCE = ("id", "title", "updated", "published", "content")
_CLOCKS_DIFFER = 86_400
_KNOWN = "author category content contributor id link published rights source summary title updated"


@rule(
    "ATOM-01",
    ERROR,
    "A feed has id, title and updated",
    why="RFC 4287 4.1.1 and the Atom schema ask all three; a client keeps its place by id and updated.",
    breaks="a feed without <updated>",
)
def feed_says_what_it_is(head: Head) -> Faults:
    for name in ("id", "title", "updated") if head.is_feed else ():
        if not head.named(name):
            yield head.fault(f"The feed has no {name}.")


@rule(
    "ATOM-02",
    ERROR,
    "An entry has id, title and updated",
    why="RFC 4287 4.1.2 and the Atom schema ask all three; the title may be empty.",
    breaks="an entry without <title/>",
    lenient=WARNING,
)
def entry_says_what_it_is(entry: Shell) -> Faults:
    for name in ("id", "title", "updated"):
        if not entry.parts(name):
            yield entry.fault(f"The entry has no {name}.")


@rule(
    "ATOM-03",
    ERROR,
    "An entry has published",
    why="The Atom schema of the standard asks it, and published-min and published-max select by it.",
    breaks="an entry without <published>",
    lenient=ADVICE,
)
def entry_was_published(entry: Shell) -> Faults:
    if not entry.parts("published"):
        yield entry.fault("The entry has no published.")


@rule(
    "ATOM-04",
    ERROR,
    "An entry has a content with a resource",
    why="An entry is the wrapping of one resource; without it there is nothing to read.",
    breaks="<content/>",
)
def entry_holds_something(entry: Shell) -> Faults:
    contents = entry.parts("content")
    if not contents:
        yield entry.fault("The entry has no content.")
    elif not entry.contents:
        text = text_of(contents[0])
        words = (
            "text, perhaps escaped XML; it must hold the resource's element itself" if text else "no element"
        )
        yield entry.fault(f"The content holds {words}.", contents[0])


@rule(
    "ATOM-05",
    WARNING,
    "An entry holds one resource",
    why="An id, a self link and an updated speak of one thing. Blocks packed into one entry cannot be fetched alone.",
    breaks="45 IntervalBlocks in one <content>",
    lenient=ADVICE,
)
def entry_holds_one_thing(entry: Shell) -> Faults:
    if len(entry.contents) > 1:
        yield entry.fault(f"The entry holds {len(entry.contents)} resources.", entry.contents[1])


@rule(
    "ATOM-06",
    ERROR,
    "id, title, updated, published and content stand once",
    why="Of two, nobody knows which is meant (RFC 4287 4.1.2).",
    breaks="an entry with two <id>",
)
def parts_stand_once(entry: Shell) -> Faults:
    for name in _ONCE:
        for again in entry.parts(name)[1:]:
            yield entry.fault(f"{name} stands a second time in the entry.", again)


@rule(
    "ATOM-07",
    ERROR,
    "Atom's times are RFC 3339 with a time zone",
    why="Without Z or an offset each client takes the time for its own local one.",
    breaks="<updated>2016-07-07T02:32:02</updated>",
    lenient=WARNING,
)
def times_are_times(entry: Shell) -> Faults:
    for name in ("published", "updated"):
        for element in entry.parts(name):
            if not is_moment(text_of(element)):
                yield entry.fault(
                    f"{name} is {text_of(element)!r}; it must look like 2026-11-01T08:00:00Z.", element
                )


@rule(
    "ATOM-08",
    ERROR,
    "The feed's updated is RFC 3339 with a time zone",
    why="Without Z or an offset each client takes the time for its own local one.",
    breaks="<updated>yesterday</updated>",
    lenient=WARNING,
)
def feed_time_is_a_time(head: Head) -> Faults:
    for part in head.named("updated"):
        if not is_moment(part.text):
            yield head.fault(f"updated is {part.text!r}; it must look like 2026-11-01T08:00:00Z.", part)


@rule(
    "ATOM-09",
    WARNING,
    "An entry was published before it was updated",
    why="updated is the last change of something published; the other way round one of the two is wrong.",
    breaks="published in March, updated in February",
    lenient=ADVICE,
)
def published_comes_first(entry: Shell) -> Faults:
    published, updated = (epoch(entry.text(name)) for name in ("published", "updated"))
    if published is not None and updated is not None and published > updated:
        yield entry.fault(
            f"published, {moment(published)}, is after updated, {moment(updated)}.", entry.parts("published")[0]
        )  # fmt: skip


@rule(
    "ATOM-10",
    WARNING,
    "Nothing was published or updated in the future",
    why="A client that asks for what is new since its last visit would never see it, or see it for ever.",
    breaks="<updated>2150-01-01T00:00:00Z</updated>",
    lenient=ADVICE,
)
def times_have_come(entry: Shell) -> Faults:
    for name in ("published", "updated"):
        found = epoch(entry.text(name))
        if found is not None and found > entry.context.now + _CLOCKS_DIFFER:
            yield entry.fault(f"{name} is in the future: {entry.text(name)}.", entry.parts(name)[0])


@rule(
    "ATOM-11",
    ERROR,
    "An entry has no Atom element that Atom does not know",
    why="The Atom schema refuses it; what is not Atom's belongs in a namespace of its own.",
    breaks="<entry>…<meter>17</meter></entry>",
    lenient=ADVICE,
)
def names_are_atoms(entry: Shell) -> Faults:
    for child in entry.element:
        namespace, local = split(str(child.tag))
        if namespace in ("", ATOM) and local not in _KNOWN.split():
            yield entry.fault(f"{local} is no element of an Atom entry.", child)


def is_moment(text: str) -> bool:
    """Whether this is an RFC 3339 date and time that exists."""
    return bool(_MOMENT.fullmatch(text)) and epoch(text) is not None
