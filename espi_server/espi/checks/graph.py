"""Rules on where links lead within a document: every child has its parent, every address one spelling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from .rule import Faults, Place, Severity, rule
from .whole import Document

ERROR, WARNING, ADVICE = Severity
_PARENT = {
    "MeterReading": "UsagePoint",
    "UsageSummary": "UsagePoint",
    "ElectricPowerUsageSummary": "UsagePoint",
    "ElectricPowerQualitySummary": "UsagePoint",
    "IntervalBlock": "MeterReading",
    "CustomerAccount": "Customer",
    "CustomerAgreement": "CustomerAccount",
}
_USAGE = ("UsagePoint", "MeterReading", "ReadingType", "IntervalBlock", "UsageSummary")
_TOLD_OF_THE_PARENT = (
    "MeterReading",
    "IntervalBlock",
)  # by LINK-14 and GRAPH-06, if it has no such link at all
_RELATED = """
    SELECT e.place, l.place, l.href, e.kind FROM link l JOIN entry e ON e.n = l.n
    WHERE (l.key LIKE ? OR l.key LIKE ?) AND NOT EXISTS (SELECT 1 FROM entry t WHERE t.self_key = l.key)
    AND e.kind = ? ORDER BY l.rowid"""


@rule(
    "GRAPH-01",
    ERROR,
    "No two entries have the same self link",
    why="An address leads to one resource. A client that keeps entries by address keeps only one of them.",
    breaks="seven UsageSummary entries with one self link",
    lenient=WARNING,
)
def selves_are_unique(document: Document) -> Faults:
    question = """
        SELECT e.place, e.self, e.kind FROM entry e
        JOIN (SELECT self, min(n) AS n FROM entry WHERE self != '' GROUP BY self HAVING count(*) > 1) d
        ON d.self = e.self WHERE e.n > d.n ORDER BY e.n"""
    for place, href, kind in document.pairs(question):
        yield document.fault(f"Another entry has the self link {href} too.", Place.parse(place), kind)


@rule(
    "GRAPH-02",
    ERROR,
    "Every child hangs on a parent of the document",
    why="Clients find children by the parent's related link that equals the child's up. One that hangs on nothing is "
    "never seen.",
    breaks="an IntervalBlock whose up no MeterReading relates to",
    lenient=WARNING,
)
def no_orphans(document: Document) -> Faults:
    question = """
        SELECT e.place, e.up FROM entry e WHERE e.kind = ? AND e.up != ''
        AND NOT EXISTS (SELECT 1 FROM link l WHERE l.key = e.up_key AND l.kind = ?)
        AND NOT EXISTS (SELECT 1 FROM link l WHERE l.key = e.self_key AND l.kind = ?)
        AND NOT EXISTS (SELECT 1 FROM entry p WHERE p.kind = ? AND p.self_key = e.above AND ? AND NOT EXISTS (
                        SELECT 1 FROM link l WHERE l.n = p.n AND l.key LIKE '%/' || e.kind)) ORDER BY e.n"""
    for kind, above in _PARENT.items():
        if document.spool.has(above):
            for place, up in document.pairs(question, kind, *[above] * 3, kind in _TOLD_OF_THE_PARENT):
                words = f"No {above} of the document relates to {up}, where this {kind} hangs."
                yield document.fault(words, Place.parse(place), kind)
        elif above in _USAGE and document.is_whole and any(map(document.spool.has, _others(kind))):
            for child in islice(document.spool.entries("e.kind = ?", kind), 1):
                words = f"The document has {kind} entries, and no {above} that they could hang on."
                yield document.fault(words, child.place, kind)


def _others(kind: str) -> Iterator[str]:
    return (other for other in _USAGE if other != kind)


@rule(
    "GRAPH-03",
    ERROR,
    "What a MeterReading has as its type is in the document",
    why="A batch comes with the types its numbers need; without, the numbers mean nothing.",
    breaks="a related link to ReadingType/r9, and no such entry",
    lenient=WARNING,
)
def types_are_there(document: Document) -> Faults:
    if not document.spool.has("IntervalBlock"):
        return
    values = ("ReadingType/%", "%/ReadingType/%", "MeterReading")
    for _, place, href, kind in document.pairs(_RELATED, *values):
        yield document.fault(f"{href} is not in the document.", Place.parse(place), kind)


@rule(
    "GRAPH-04",
    WARNING,
    "The LocalTimeParameters of a UsagePoint are in the document",
    why="Without them a reader of the file guesses where days begin, and is wrong twice a year.",
    breaks="a related link to LocalTimeParameters/9, and no such entry",
    lenient=ADVICE,
)
def local_time_is_there(document: Document) -> Faults:
    if not document.spool.has("MeterReading"):
        return
    values = ("LocalTimeParameters/%", "%/LocalTimeParameters/%", "UsagePoint")
    for _, place, href, kind in document.pairs(_RELATED, *values):
        yield document.fault(f"{href} is not in the document.", Place.parse(place), kind)


@rule(
    "GRAPH-05",
    ERROR,
    "One resource is written with one address",
    why="Clients compare addresses as text: Resource and resource, or two hosts, are two things to them.",
    breaks="related …/Resource/…/MeterReading, and up …/resource/…/MeterReading",
    lenient=WARNING,
)
def addresses_have_one_spelling(document: Document) -> Faults:
    question = """
        SELECT e.place, e.kind, e.up, (SELECT min(l.href) FROM link l WHERE l.key = e.up_key) AS related FROM entry e
        WHERE e.up != '' AND e.up NOT LIKE '%/' AND related NOT LIKE '%/'
        AND NOT EXISTS (SELECT 1 FROM link l WHERE l.key = e.up_key AND l.href = e.up) ORDER BY e.n"""
    for place, kind, up, related in document.pairs(question):
        yield document.fault(
            f"up is written {up}, the link that leads there {related}.", Place.parse(place), kind
        )


@rule(
    "GRAPH-06",
    WARNING,
    "A UsagePoint with readings relates to them",
    why="FB_04: a client comes to the numbers from the usage point, by its related MeterReading link.",
    breaks="a UsagePoint without a related MeterReading",
    lenient=ADVICE,
)
def point_relates_to_readings(document: Document) -> Faults:
    question = """
        SELECT e.place FROM entry e WHERE e.kind = 'UsagePoint' AND e.self_key != ''
        AND EXISTS (SELECT 1 FROM entry m WHERE m.kind = 'MeterReading' AND m.above = e.self_key)
        AND NOT EXISTS (SELECT 1 FROM link l JOIN entry m ON m.up_key = l.key WHERE l.n = e.n
                        AND m.kind = 'MeterReading')
        AND NOT EXISTS (SELECT 1 FROM link l JOIN entry m ON m.self_key = l.key WHERE l.n = e.n
                        AND m.kind = 'MeterReading') ORDER BY e.n"""
    for (place,) in document.pairs(question):
        yield document.fault(
            "The UsagePoint has no related link to its MeterReadings.", Place.parse(place), "UsagePoint"
        )


@rule(
    "GRAPH-07",
    WARNING,
    "A MeterReading has blocks in a document of readings",
    why="FB_04: accumulation 4 has blocks. A reading without any is a door to an empty room.",
    breaks="a MeterReading none of whose IntervalBlocks is there",
    lenient=ADVICE,
)
def readings_have_blocks(document: Document) -> Faults:
    if not document.spool.has("IntervalBlock"):
        return
    question = """
        SELECT e.place FROM entry e WHERE e.kind = 'MeterReading'
        AND NOT EXISTS (SELECT 1 FROM owner o WHERE o.parent = e.n) ORDER BY e.n"""
    for (place,) in document.pairs(question):
        yield document.fault(
            "No IntervalBlock of the document is this MeterReading's.", Place.parse(place), "MeterReading"
        )


@rule(
    "GRAPH-08",
    ADVICE,
    "Every ReadingType is somebody's type",
    why="A type that no MeterReading relates to was left over, or its link was forgotten.",
    breaks="a ReadingType entry no link leads to",
)
def types_are_used(document: Document) -> Faults:
    if not document.spool.has("MeterReading"):
        return
    question = """
        SELECT e.place FROM entry e WHERE e.kind = 'ReadingType'
        AND NOT EXISTS (SELECT 1 FROM link l WHERE l.key = e.self_key) ORDER BY e.n"""
    for (place,) in document.pairs(question):
        yield document.fault(
            "No MeterReading relates to this ReadingType.", Place.parse(place), "ReadingType"
        )
