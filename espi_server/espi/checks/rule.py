"""What a rule is: what it asks of a document, how serious a breach is, and the small function that looks.

    @rule("LINK-05", ERROR, "An up link is its self link without the last part", why="…", breaks="…")
    def up_is_the_collection(entry: Shell) -> Faults:
        if entry.up.href != parent(entry.self.href):
            yield entry.fault("…", entry.up)

The type of the function's one argument says what it is shown: every entry (Shell), every content (Resource), every
block of readings (Block), every usage point (Point), or the document as a whole (Document).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from inspect import get_annotations
from typing import Any, NamedTuple, TypeAlias, TypeVar


class Severity(StrEnum):
    """An error makes a document non-conformant; a warning needs a look; advice makes it better."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Profile(StrEnum):
    """Whose eyes look: a certification laboratory's, a patient reader's, or the Statewide Standard Tool's."""

    CERTIFICATION = "certification"
    LENIENT = "lenient"
    SST = "sst"


class Place(NamedTuple):
    """Where something stands: its line. Or, with an `offset`, what is needed to find it: the line of its entry and
    the byte that begins at, how many elements come before it there, and after that which reading, which name."""

    line: int
    offset: int = -1
    element: int = 0
    reading: int = -1
    name: str = ""

    def __str__(self) -> str:
        return ":".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> Place:
        """The reverse of `str`."""
        line, offset, element, reading, name = text.split(":")
        return cls(int(line), int(offset), int(element), int(reading), name)


class Fault(NamedTuple):
    """One breach of a rule: what is the matter, and where."""

    message: str
    place: Place
    path: str = ""


Faults: TypeAlias = Iterator[Fault]
Look: TypeAlias = Callable[[Any], Faults]
Looking = TypeVar("Looking", bound=Look)


@dataclass(frozen=True)
class Rule:
    """A rule as it stands in the table. `kinds` are the only resources it looks at, none meaning all."""

    id: str
    severity: Severity
    title: str
    why: str
    breaks: str
    look: Look
    subject: str
    kinds: frozenset[str]
    lenient: Severity
    profiles: frozenset[Profile]

    def severity_in(self, profile: Profile) -> Severity:
        """How serious a breach is to this profile."""
        return self.lenient if profile is Profile.LENIENT else self.severity

    @property
    def subject_matter(self) -> str:
        """The first part of the id: LINK, TIME …"""
        return self.id.rpartition("-")[0]


RULES: dict[str, Rule] = {}
"""Every rule by id, in the order of declaration."""

_BY_SUBJECT: dict[tuple[str, Profile], list[Rule]] = defaultdict(list)
_ALL = frozenset(Profile)


def rule(
    id: str,
    severity: Severity,
    title: str,
    *,
    why: str,
    breaks: str,
    kinds: str = "",
    lenient: Severity | None = None,
    profiles: frozenset[Profile] = _ALL,
) -> Callable[[Looking], Looking]:
    """Declare a rule; `kinds` are resource names with blanks between, `lenient` its weight to a patient reader."""

    def declare(look: Looking) -> Looking:
        subject = next(iter(get_annotations(look).values()))
        made = Rule(
            id, severity, title, why, breaks, look, subject, frozenset(kinds.split()), lenient or severity, profiles
        )  # fmt: skip
        if id in RULES:
            raise ValueError(f"There are two rules {id}.")
        RULES[id] = made
        for profile in profiles:
            _BY_SUBJECT[subject, profile].append(made)
        return look

    return declare


def rules_for(subject: object, profile: Profile) -> list[Rule]:
    """The rules that look at things like this one."""
    return _BY_SUBJECT.get((type(subject).__name__, profile), [])
