"""What a customer is asked when she shares, and what her answer comes to: plain rules, no pages.

A `Question` is what a company asks at most. Her ticks only ever take away from it: the scope that is granted is
`Scope.narrow` of the question's, by classes and by history. Nothing is chosen for her; what she leaves out is told
back to her as a `Problem` of a field, all but the rate question, where leaving it out means no.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from espi_server import clock
from espi_server.access.features import Offered
from espi_server.access.grants import ONCE, ONE_TIME, OPEN_END, STOPPED, UNTIL
from espi_server.access.models import Application, Authorization
from espi_server.access.oauth import policies
from espi_server.access.sharing_places import Place, ids
from espi_server.accounts.models import Utility
from espi_server.espi.scope import EVERYTHING, Scope, ScopeError
from espi_server.espi.tables import DataClass

ORDER: Final = (
    DataClass.BASIC, DataClass.BILLING, DataClass.ACCOUNT, DataClass.USAGE, DataClass.PROGRAM_ENROLLMENT,
    DataClass.RIN, DataClass.BILL_COMPARISON,
)  # fmt: skip
"""The classes of the page in its order; Enable Rate Change is a question of its own."""

STATEWIDE: Final = frozenset({DataClass.RIN, DataClass.BILL_COMPARISON, DataClass.RATE_CHANGE})
"""The classes of the Single Statewide Tool: whoever shares them shows two factors when she signs in."""

NEW, ALL, KEPT = "0", "all", "kept"  # of history: none, all that is asked for, as it is now
DAY: Final = 86_400
MONTHS: Final = {365: 12, 730: 24}
TEXTS: Final = ("rate", "history", "lasting", "month", "day", "year", "filter", "detail")
LAST_DAY: Final = date(2199, 12, 31)


@dataclass(frozen=True)
class Question:
    """What a customer is asked by a company, at most `scope`.

    `present` is what she changes, or what she agreed to before the company asked for more. `widest` is what a change
    may go up to where `scope`, which she has now, does not hold what she wants.
    """

    utility: Utility
    application: Application
    scope: Scope
    widest: Scope | None = None
    present: Authorization | None = None
    is_change: bool = False
    offered: Offered | None = None  # None: all there is

    @property
    def most(self) -> Scope:
        """The widest there is to choose from."""
        return self.widest or self.scope

    @property
    def classes(self) -> tuple[DataClass, ...]:
        """The classes she is asked for, but the rate question."""
        return tuple(cls for cls in ORDER if cls in self.most.classes)

    @property
    def asks_rate_change(self) -> bool:
        """Is there a rate question?"""
        return DataClass.RATE_CHANGE in self.most.classes

    @property
    def needs_second_factor(self) -> bool:
        """Are classes asked for that need one, or does she share such already?"""
        return bool(self.most.classes & STATEWIDE) or (
            self.present is not None and is_statewide(self.present)
        )

    @property
    def zone(self) -> ZoneInfo:
        """Where her days begin."""
        return ZoneInfo(self.utility.timezone)

    @property
    def histories(self) -> tuple[str, ...]:
        """How much history she can give: days as text, and all that is asked for at the end."""
        most = self.most.history_length
        some = tuple(str(days) for days in MONTHS if most is None or days * DAY < most)
        whole = () if most == 0 else (ALL,)
        kept = (KEPT,) if self.is_change and self.present and not self._has_no_history else ()
        return (*kept, NEW, *some, *whole)

    @property
    def _has_no_history(self) -> bool:
        return self.present is not None and Scope.parse(self.present.scope).history_length == 0


def is_statewide(row: Authorization) -> bool:
    """Does it hold classes of the Single Statewide Tool?"""
    return bool(Scope.parse(row.scope).classes & STATEWIDE)


def registered(application: Application) -> Scope:
    """What a company may ask for, as it is registered; where nothing is said, every class its policy allows."""
    if application.scope:
        found = Scope.parse(application.scope)
    else:
        found = Scope(terms=frozenset(cls for cls in DataClass if cls in EVERYTHING.classes))
    if not policies.named(application.policy).may_change_rates:
        found = found.narrow(classes=[DataClass.RATE_CHANGE])
    return found


def essential(application: Application) -> frozenset[DataClass]:
    """The classes a company says it cannot do without."""
    named = application.information.get("essential", ())
    return frozenset(cls for cls in DataClass if cls.term in named)


@dataclass(frozen=True)
class Choices:
    """What she ticked, as the form says it: nothing here is believed yet."""

    places: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    rate: str = ""
    history: str = ""
    lasting: str = ""
    month: str = ""
    day: str = ""
    year: str = ""
    filter: str = ""
    detail: str = ""
    tried: bool = False

    @staticmethod
    def of(row: Mapping[str, Any]) -> Choices:
        """As a draft keeps them."""
        texts: dict[str, str] = {name: str(row.get(name, "")) for name in TEXTS}
        lists: dict[str, tuple[str, ...]] = {name: tuple(row.get(name, ())) for name in ("places", "classes")}
        return Choices(lists["places"], lists["classes"], tried=bool(row.get("tried")), **texts)

    @property
    def row(self) -> dict[str, Any]:
        """As JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()
        }

    @property
    def wanted(self) -> frozenset[DataClass]:
        """The classes that were ticked; the rate question's is one of them after a yes."""
        ticked = frozenset(cls for cls in ORDER if cls.term in self.classes)
        return ticked | ({DataClass.RATE_CHANGE} if self.rate == "yes" else set())


@dataclass(frozen=True)
class Problem:
    """What is wrong with an answer: the field it stands at, and which sentence says it."""

    field: str
    code: str


@dataclass(frozen=True)
class Decision:
    """What her answer comes to."""

    places: tuple[Place, ...]
    usage_points: tuple[uuid.UUID, ...]
    scope: Scope
    until: int
    lasting: str
    history_from: int | None
    keeps_history: bool = False
    left_out: tuple[DataClass, ...] = field(default=())

    @property
    def may_change_rates(self) -> bool:
        """Was the rate question answered with yes?"""
        return DataClass.RATE_CHANGE in self.scope.classes

    @property
    def classes(self) -> tuple[DataClass, ...]:
        """What they will see, in the order of the page."""
        return tuple(cls for cls in ORDER if cls in self.scope.classes)


def problems(question: Question, choices: Choices, places: Sequence[Place]) -> list[Problem]:
    """Everything that is missing or cannot be, in the order of the page."""
    return list(_problems(question, choices, places))


def _problems(question: Question, choices: Choices, places: Sequence[Place]) -> Iterator[Problem]:
    open = {each.key for each in places if not each.refusal}
    if not set(choices.places) & open:
        yield Problem("places", "no_place")
    elif set(choices.places) - open:
        yield Problem("places", "gone_place")
    offered = {cls.term for cls in question.classes}
    if not set(choices.classes) & offered:
        yield Problem("classes", "no_class")
    elif set(choices.classes) - offered:
        yield Problem("classes", "gone_class")
    if question.offered is not None and _are_apart(question.offered, choices, places):
        yield Problem("classes", "not_there")
    if choices.rate == "yes":
        needed = {DataClass.RIN, DataClass.BILL_COMPARISON}
        if not question.asks_rate_change:
            yield Problem("rate", "no_rate")
        elif not needed <= choices.wanted:
            yield Problem("rate", "rate_needs")
    if choices.history not in question.histories:
        yield Problem("history", "no_history")
    yield from _end_problems(question, choices)


def _are_apart(offered: Offered, choices: Choices, places: Sequence[Place]) -> bool:
    """Did she tick a class and a place that do not go together, since it is not on for that class of customers?"""
    chosen = {each.customer_class for each in places if each.key in choices.places}
    return bool(choices.wanted & offered.withheld(chosen, from_some=True))


def _end_problems(question: Question, choices: Choices) -> Iterator[Problem]:
    if choices.lasting not in (ONCE, UNTIL, STOPPED):
        yield Problem("lasting", "no_end")
    elif choices.lasting == ONCE and choices.history == NEW:
        yield Problem("history", "once_needs_history")
    elif choices.lasting == UNTIL:
        last = _last_day(choices)
        if last is None:
            yield Problem("month", "no_date")
        elif last < datetime.fromtimestamp(clock.seconds(), question.zone).date():
            yield Problem("month", "past_date")
        elif last > LAST_DAY:
            yield Problem("month", "far_date")


def _last_day(choices: Choices) -> date | None:
    parts = [each.strip() for each in (choices.year, choices.month, choices.day)]
    if not all(each.isascii() and each.isdigit() and len(each) <= 4 for each in parts):
        return None
    try:
        return date(*map(int, parts))
    except ValueError:
        return None


def decide(question: Question, choices: Choices, places: Sequence[Place]) -> Decision:
    """What an answer without problems comes to. `ScopeError` where that mix cannot be written down as a scope."""
    scope = _narrowed(question, choices)
    keeps = choices.history == KEPT
    history_from = (
        question.present.history_from if keeps and question.present else _from(scope.history_length)
    )
    chosen = tuple(each for each in places if each.key in choices.places and not each.refusal)
    return Decision(
        places=chosen,
        usage_points=tuple(ids(places, choices.places)),
        scope=scope,
        until=_until(question, choices),
        lasting=choices.lasting,
        history_from=history_from,
        keeps_history=keeps,
        left_out=tuple(cls for cls in question.classes if cls not in scope.classes),
    )


def _narrowed(question: Question, choices: Choices) -> Scope:
    """Out of what she has now, where that holds what she wants; else out of the widest."""
    base = question.scope
    wanted, length = choices.wanted, _length(question, choices)
    if question.widest is not None and (wanted - base.classes or _is_longer(length, base.history_length)):
        base = question.widest
    narrowed = base.narrow(classes=base.classes - wanted, history=length)
    if not narrowed.classes:
        raise ScopeError("Nothing of what is asked for is left.")
    return narrowed


def _is_longer(length: int | None, than: int | None) -> bool:
    return than is not None and (length is None or length > than)


def _length(question: Question, choices: Choices) -> int | None:
    if choices.history == KEPT and question.present is not None:
        return Scope.parse(question.present.scope).history_length
    if choices.history == ALL:
        return question.most.history_length
    return int(choices.history) * DAY


def _from(length: int | None) -> int | None:
    return None if length is None else clock.seconds() - length


def _until(question: Question, choices: Choices) -> int:
    if choices.lasting == ONCE:
        return clock.seconds() + ONE_TIME
    last = _last_day(choices)
    if choices.lasting == STOPPED or last is None:
        return OPEN_END
    after = last + timedelta(days=1)
    return int(datetime(after.year, after.month, after.day, tzinfo=question.zone).timestamp())


# --- more than she agreed to before ---------------------------------------------------------------------


@dataclass(frozen=True)
class More:
    """What a company asks for beyond a consent that waits for it."""

    classes: tuple[DataClass, ...]
    rate: bool
    history: bool  # longer than she gave
    detail: tuple[DataClass, ...]  # finer, or more kinds, of what she shares

    def __bool__(self) -> bool:
        return bool(self.classes or self.rate or self.history or self.detail)


def beyond(asked: Scope, given: Scope) -> More:
    """The difference, in what a customer can be asked."""
    fresh = asked.classes - given.classes
    finer = {cls for cls, _ in asked.openings - given.openings if cls in given.classes and cls.is_standard}
    if given.interval is not None and (asked.interval is None or asked.interval < given.interval):
        finer.add(DataClass.USAGE)
    return More(
        classes=tuple(cls for cls in ORDER if cls in fresh),
        rate=DataClass.RATE_CHANGE in fresh,
        history=_is_longer(asked.history_length, given.history_length),
        detail=tuple(cls for cls in ORDER if cls in finer & given.classes & asked.classes),
    )


def with_more(asked: Scope, given: Scope, choices: Choices) -> Scope:
    """What she gave and what she adds to it now, all of it within what is asked."""
    kept = (given.classes | choices.wanted) & asked.classes
    blocks: set[int] = set()
    interval = None
    if choices.detail != "yes":
        both = {block for _, block in given.openings}
        blocks = {
            block for cls, block in asked.openings if cls in given.classes and block and block not in both
        }
        interval = given.interval
    history = asked.history_length if choices.history == ALL else given.history_length
    return asked.narrow(classes=asked.classes - kept, blocks=blocks, interval=interval, history=history)
