"""Judge a Green Button document, anybody's: `check(document)` answers with a Verdict.

Entries pass by one at a time, so memory holds one entry (at most 64 MiB of XML) and the first hundred findings of
each rule, whatever the size of the document; what is judged between entries waits in a temporary file of SQLite's.
`Limits` can be narrower, and end the work after some seconds of processor time.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from . import safe
from .atom import ATOM
from .checks import consents, function_blocks
from .checks.budget import Budget
from .checks.columns import read
from .checks.document import root_is_atom, unreadable
from .checks.gathering import gathered
from .checks.lines import Lines, places_of, quoted
from .checks.rule import RULES, Fault, Place, Profile, rules_for
from .checks.spool import REMEMBERED, Spool
from .checks.subjects import Context, Head, Part, Resource, Shell, link_at, text_of
from .checks.whole import Claim
from .content import CUSTOMER, ESPI, KINDS, kind
from .editions import V4_0, Edition, detected, named
from .raw import Element, split
from .scope import Scope, ScopeError
from .verdict import Finding, Summary, Verdict

_ENTRY = f"{{{ATOM}}}entry"
_OF_THE_FEED = ("id", "title", "updated", "link")
_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_RESOURCES = (*KINDS, "ServiceStatus", "BatchList")
_OUTERMOST = (
    _ENTRY,
    *(f"{{{ATOM}}}{name}" for name in _OF_THE_FEED),
    *(f"{{{namespace}}}{name}" for namespace in (ESPI, CUSTOMER) for name in _RESOURCES),
)
_START = 256
_LONGEST = 500  # characters of a message: some repeat what the document says
_ENCODING = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']*)""")

Document = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class Limits(safe.Limits):
    """How much of a document is read, and what judging it may cost.

    A resource has at most this many `elements`, besides twenty for each reading of a block: other resources are read
    in Python, at a thousand bytes of memory an element. `findings` of one rule are kept, the others only counted.
    `work` is seconds of this thread's processor time, None without end. The lines of findings are quoted up to
    `quoted` characters, 0 for not at all.
    """

    elements: int = 2_000_000
    findings: int = 100
    work: float | None = None
    quoted: int = 0


DEFAULT = Limits()


def check(
    document: Document,
    profile: Profile | str = Profile.CERTIFICATION,
    edition: Edition | str | None = None,
    *,
    claims: Iterable[int] = (),
    name: str = "",
    now: int | None = None,
    limits: Limits = DEFAULT,
) -> Verdict:
    """What is right and wrong with a document: findings with their lines, and a summary of what was read.

    `edition` None is the one the document names, else 4.0. `claims` are the function blocks it is said to show, `now`
    epoch seconds. Never raises for what is in the document; OSError where the file itself cannot be opened.
    """
    profile = Profile(profile)
    given = named(edition) if isinstance(edition, str) else edition
    context = Context(given or V4_0, profile, int(time.time()) if now is None else now)
    verdict = Verdict(name or str(document), profile, context.edition, given is None, now=context.now)
    with closing(Spool()) as spool, ExitStack() as opened:
        if isinstance(document, (str, os.PathLike)) and not Path(document).is_file():
            document = opened.enter_context(Path(document).open("rb"))  # a pipe can be opened once only
        return _Judge(context, spool, frozenset(claims), verdict, limits).verdict_on(document)


def unopened(
    name: str, error: OSError, profile: Profile | str = Profile.CERTIFICATION, edition: str | None = None
) -> Verdict:
    """The verdict on a file that is not there, or may not be read."""
    words = f"The file cannot be opened: {error.strerror or error}."
    verdict = Verdict(name, Profile(profile), named(edition or V4_0.name), edition is None, refused=words)
    verdict.counts["DOC-01"] = 1
    verdict.findings = [Finding("DOC-01", RULES["DOC-01"].severity, 1, "", words)]
    return verdict


class _Judge:
    """Goes through one document once."""

    def __init__(
        self, context: Context, spool: Spool, claims: frozenset[int], verdict: Verdict, limits: Limits
    ) -> None:
        self._context, self._spool, self._claims, self._verdict = context, spool, claims, verdict
        self._limits, self._budget = limits, Budget(limits.work)
        self._head = Head(context)
        self._is_foreign = False
        self._faults: dict[str, list[Fault]] = {}
        spool.stop_when(lambda: self._budget.is_spent)

    def verdict_on(self, document: Document) -> Verdict:
        """Read it to its end, or to where it breaks."""
        try:
            self._head.encoding = _encoding(document)
            with safe.open_document(document, self._limits) as opened:
                self._read(opened)
                self._tell(Lines(opened, self._budget))
                if self._limits.quoted:
                    self._verdict.quotes = quoted(
                        opened, (each.line for each in self._verdict.findings), self._limits.quoted
                    )
        except safe.DocumentError as error:
            self._refuse(error)
            self._tell(None)
        return self._verdict

    def _read(self, document: BinaryIO) -> None:
        entries = safe.iterate(document, _OUTERMOST, self._limits)
        try:
            for element in entries:
                if not self._head.root:
                    self._begin(_root_of(element))
                self._pass(element, entries.line, entries.offset)
            if not self._head.root:
                self._begin(_root_in(document))
            self._between()
        except safe.DocumentError as error:  # what was found before stands
            self._refuse(error)

    def _begin(self, root: Element) -> None:
        self._head.root = str(root.tag)
        self._is_foreign = (
            any(True for _ in root_is_atom(self._head)) and root.tag != f"{{{ESPI}}}{split(str(root.tag))[1]}"
        )
        line: Any = root.sourceline
        self._head.place = Place(line or 1)
        self._head.namespaces = dict(root.nsmap)
        if self._verdict.is_detected:
            self._context.edition = detected(str(root.get(_LOCATION, "")))
            self._verdict.edition = self._context.edition

    def _pass(self, element: Element, line: int, offset: int) -> None:
        if self._is_foreign:  # DOC-02 says what there is to say
            return
        self._budget.check()
        local = split(str(element.tag))[1]
        shell = Shell(element, line, offset, self._context)
        if element.tag == _ENTRY:
            self._judge(shell)
            self._keep(shell)
        elif local in _OF_THE_FEED:
            link = link_at(element)
            self._head.parts.append(
                Part(local, text_of(element), link.rel, link.href, link.type, Place(line))
            )
        else:
            shell.is_bare = True
            if element.getparent() is not None:
                self._head.parts.append(Part("resource", local, *_entry_around(element), "", Place(line)))
            self._keep(shell)

    def _keep(self, shell: Shell) -> None:
        """Judge each resource of an entry, and remember what is judged between entries."""
        n = self._spool.add(shell)
        places = places_of(shell.contents, shell.element, shell.line, shell.offset)
        for content, place in zip(shell.contents, places, strict=True):
            namespace, local = split(str(content.tag))
            self._head.kinds[local] = self._head.kinds.get(local, 0) + 1
            cls = kind(namespace, local)
            if cls is None:
                continue
            side = "customer" if namespace == CUSTOMER else "usage"
            if local != "LocalTimeParameters" and getattr(self._head, side) is None:
                setattr(self._head, side, shell.at(content))
            if _too_many(content, limit=self._limits.elements):
                raise safe.HostileXml(
                    f"One {local} has more than {self._limits.elements:,} elements.", shell.line
                )
            resource = Resource(content, cls, shell, self._context)
            self._judge(resource)
            if local == "IntervalBlock":
                self._spool.add_block(n, place, *read(content))
            elif local in REMEMBERED and namespace == ESPI:
                self._spool.add_content(n, local, place, resource.instance)
            self._claim(resource)

    def _claim(self, resource: Resource) -> None:
        """Scopes inside a document claim function blocks for the data in it."""
        if resource.kind in ("Authorization", "ApplicationInformation"):
            for _, text in consents.scopes(resource):
                with suppress(ScopeError):
                    self._claims |= Scope.parse(text).blocks

    def _between(self) -> None:
        try:
            self._judge_between()
        except sqlite3.OperationalError:
            self._budget.check()  # stopped in the middle of a question
            raise

    def _judge_between(self) -> None:
        self._judge(self._head)
        document = gathered(self._head, self._spool, self._context, self._judge, self._verdict.summary)
        self._judge(document)
        # A consent on its own claims nothing of a document that holds no data.
        for number in sorted(self._claims) if document.evidence.has_data else ():
            self._judge(Claim(str(number), document))
        self._verdict.claims = tuple(sorted(self._claims))
        self._verdict.blocks = tuple(
            number for number, lacks in sorted(function_blocks.BLOCKS.items()) if not lacks(document.evidence)
        )

    def _judge(self, subject: object) -> None:
        kind_of = getattr(subject, "kind", "")
        for rule in rules_for(subject, self._context.profile):
            if not rule.kinds or kind_of in rule.kinds:
                self._budget.check()
                self._verdict.judged.add(rule.id)
                self._context.wants_places = self._verdict.counts[rule.id] < self._limits.findings
                for fault in rule.look(subject):
                    self._note(rule.id, fault)

    def _note(self, rule: str, fault: Fault) -> None:
        self._budget.check()
        kept = self._faults.setdefault(rule, [])
        self._verdict.counts[rule] += 1
        if len(kept) < self._limits.findings:
            kept.append(fault._replace(message=_clipped(fault.message), path=_clipped(fault.path)))
        self._context.wants_places = len(kept) < self._limits.findings

    def _refuse(self, error: safe.DocumentError) -> None:
        self._verdict.refused = str(error)
        fault = unreadable(self._head, str(error).removeprefix(f"Line {error.line}: "))
        self._verdict.counts["DOC-01"] = 1
        self._faults["DOC-01"] = [fault._replace(place=Place(error.line or 1))]

    def _tell(self, lines: Lines | None) -> None:
        """Turn places into lines, and faults into findings."""
        found = []
        for id, faults in self._faults.items():
            rule = RULES[id]
            for fault in faults:
                line = lines.of(fault.place) if lines else fault.place.line
                severity = rule.severity_in(self._context.profile)
                found.append(Finding(id, severity, line, fault.path, fault.message))
        order = list(RULES)
        self._verdict.findings = sorted(found, key=lambda each: (each.line, order.index(each.rule)))
        self._verdict.judged.add("DOC-01")


_too_many = etree.XPath(
    "count(descendant::*) > 20 * count(e:IntervalReading) + $limit", namespaces={"e": ESPI}
)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _entry_around(element: Element) -> tuple[str, str]:
    """`entry` and its namespace, where something around a resource is an entry but not Atom's."""
    names = (split(str(above.tag)) for above in element.iterancestors())
    return next((("entry", namespace) for namespace, local in names if local == "entry"), ("", ""))


def _root_of(element: Element) -> Element:
    return next(reversed(list(element.iterancestors())), element)


def _root_in(document: BinaryIO) -> Element:
    """The root of a document in which nothing of ours was found; it has been read to its end and is sound."""
    document.seek(0)
    _, root = next(iter(etree.iterparse(document, events=("start",))))
    found: Element = root
    return found


def _encoding(document: Document) -> str:
    """The encoding the document says it has, in lower case; utf-8 where it says nothing, or is a stream or gzip."""
    if isinstance(document, (str, os.PathLike)):
        with Path(document).open("rb") as file:
            head = file.read(_START)
    elif document.seekable():
        head = document.read(_START)
        document.seek(0)
    else:
        head = b""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    match = _ENCODING.search(head)
    return match[1].decode("latin-1").lower() if match else "utf-8"


__all__ = ["Limits", "Profile", "Summary", "Verdict", "check", "unopened"]
