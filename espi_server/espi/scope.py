"""The scope string: what an application asks for and a customer grants, in one OAuth scope token.

``FB=4_5_15;IntervalDuration=900_3600;BlockDuration=daily;HistoryLength=34128000;…;AdditionalScope=RIN``

Reading is tolerant of what the field writes (order, case, a trailing ``;``, terms we do not know) and
strict about everything that could be meant in two ways. Whether a server offers what was read is another
question: see `Scope.check`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from .errors import EspiError
from .tables import CLASS_BLOCKS, DATA_BLOCKS, FUNCTION_BLOCKS, OPENS, REPLACED, DataClass

Span = int | str
"""Seconds, or a name of the standard: billingPeriod, daily, monthly, seasonal, weekly."""

SPANS: Mapping[str, int] = {
    "daily": 86_400,
    "weekly": 604_800,
    "monthly": 2_592_000,
    "billingPeriod": 2_592_000,
    "seasonal": 7_776_000,
}
"""The named spans and their nominal seconds, with months of thirty days."""

LONGEST = 256
"""The schema's limit for a scope in ApplicationInformation and Authorization."""

_LONGEST_INPUT = 2_048
_MONTH = 28 * 86_400


class ScopeError(EspiError):
    """The scope cannot be read or is not on offer; the message fits an OAuth error_description."""


@dataclass(frozen=True)
class Scope:
    """What a scope says, in sets; two that mean the same are equal and print the same."""

    blocks: frozenset[int] = frozenset()
    interval_duration: frozenset[Span] = frozenset()
    block_duration: frozenset[Span] = frozenset()
    history_length: int | None = None
    subscription_frequency: Span | None = None
    account_collection: int | None = None
    bulk: str | None = None
    terms: frozenset[DataClass] = frozenset()
    words: frozenset[str] = frozenset()
    others: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def parse(text: str) -> "Scope":
        """Read one scope token; raises ScopeError naming the term, what is accepted, what to do.

        Words of AdditionalScope and whole terms that ESPI does not know (UtilityAPI's ``meters-all``,
        ``PreferredAuthEndDate``) are kept and open nothing.
        """
        return _parse(text)

    def __str__(self) -> str:
        """The canonical print: the standard's order of terms, numbers ascending, no trailing ``;``."""
        return ";".join(f"{name}={value}" for name, value in self._terms() if value)

    def _terms(self) -> Iterator[tuple[str, str]]:
        yield "FB", "_".join(map(str, sorted(self.blocks)))
        yield "IntervalDuration", _join(self.interval_duration)
        yield "BlockDuration", _join(self.block_duration)
        yield "HistoryLength", _text(self.history_length)
        yield "SubscriptionFrequency", _text(self.subscription_frequency)
        yield "AccountCollection", _text(self.account_collection)
        yield "BR", _text(self.bulk)
        known = [member.term for member in DataClass if member in self.terms]
        yield "AdditionalScope", "_".join([*known, *sorted(self.words)])
        yield from self.others

    @cached_property
    def classes(self) -> frozenset[DataClass]:
        """The data classes: the terms named, and if none of the standard's five is, those the blocks imply."""
        if any(term.is_standard for term in self.terms):
            return self.terms
        return self.terms | _implied(_expand(self.blocks))

    @cached_property
    def openings(self) -> frozenset[tuple[DataClass, int]]:
        """Each class with each block that opens it: what rights are made of, and compared by.

        Blocks refine a class: it opens by those of its blocks that are in the scope, or by all its blocks
        if the scope names none of them.
        """
        expanded = _expand(self.blocks)
        standard = {cls: CLASS_BLOCKS[cls] for cls in self.classes if cls.is_standard}
        pairs = {(cls, block) for cls, own in standard.items() for block in (own & expanded) or own}
        return frozenset(pairs | {(cls, 0) for cls in self.classes if not cls.is_standard})

    @property
    def interval(self) -> int | None:
        """The promise of IntervalDuration, the finest of several, in seconds; None: as stored."""
        return min(map(nominal, self.interval_duration), default=None)

    @property
    def cut(self) -> str:
        """Interval blocks by local ``day`` or ``month``; of several durations the finest counts."""
        shortest = min(map(nominal, self.block_duration), default=0)
        return "month" if shortest >= _MONTH else "day"

    @property
    def unknown(self) -> tuple[str, ...]:
        """What we do not know, as written: it is kept and opens nothing."""
        numbers = sorted(self.blocks - FUNCTION_BLOCKS.keys())
        return (
            *(f"FB={number}" for number in numbers),
            *sorted(self.words),
            *(name for name, _ in self.others),
        )

    # --- comparing ----------------------------------------------------------------------------------

    def within(self, other: "Scope") -> bool:
        """Does it ask for nothing beyond the other?"""
        return not self.beyond(other)

    def check(self, offered: "Scope") -> None:
        """Raise ScopeError if anything lies beyond what is offered, naming each part.

        A scope that is partly on offer is refused as a whole: nobody is given less than they asked for
        without being told.
        """
        beyond = self.beyond(offered)
        if beyond:
            raise ScopeError(f"Not on offer: {', '.join(beyond)}. Ask without it.")

    def beyond(self, other: "Scope") -> tuple[str, ...]:
        """The parts that go beyond the other, each named as it would be written."""
        return tuple(self._beyond(other))

    def _beyond(self, other: "Scope") -> Iterator[str]:
        yield from (f"FB={number}" for number in sorted(self._process_blocks() - other._process_blocks()))
        for cls, block in sorted(self.openings - other.openings, key=lambda pair: (pair[1], pair[0].term)):
            named = cls in self.terms and (block == 0 or block not in _expand(self.blocks))
            yield (
                f"AdditionalScope={cls.term}" + (f" (FB={block})" if block else "")
                if named
                else f"FB={block}"
            )
        if other.interval is not None and (self.interval is None or self.interval < other.interval):
            yield f"IntervalDuration finer than {other.interval}"
        if other.block_duration and not self.block_duration <= other.block_duration:
            yield f"BlockDuration={_join(self.block_duration - other.block_duration)}"
        if _more(self.history_length, other.history_length, absent_is_all=True):
            yield f"HistoryLength above {other.history_length}"
        if _oftener(self.subscription_frequency, other.subscription_frequency):
            yield f"SubscriptionFrequency={self.subscription_frequency}"
        if _more(self.account_collection, other.account_collection):
            yield f"AccountCollection above {other.account_collection}"
        if other.bulk is not None and self.bulk not in (None, other.bulk):
            yield f"BR={self.bulk}"

    def _process_blocks(self) -> frozenset[int]:
        return _expand(self.blocks) - DATA_BLOCKS - frozenset(REPLACED)

    # --- narrowing ----------------------------------------------------------------------------------

    def narrow(
        self,
        *,
        blocks: Collection[int] = (),
        classes: Collection[DataClass] = (),
        interval: int | None = None,
        history: int | None = None,
    ) -> "Scope":
        """The same without these function blocks and classes, no finer than `interval`, no longer `history`.

        The result is always within the scope it came from: where a wish would widen it, the wish is void.
        RateChange goes with either of the two classes it needs. Naming what is left can need more letters
        than the whole did: a scope that outgrows its limit so is a ScopeError.
        """
        gone = set(classes)
        if gone & _NEEDED:
            gone.add(DataClass.RATE_CHANGE)
        narrowed = self._without(_expand(frozenset(blocks)), frozenset(gone))
        if interval is not None and (self.interval is None or interval > self.interval):
            narrowed = replace(narrowed, interval_duration=frozenset({interval}))
        if history is not None and _more(self.history_length, history, absent_is_all=True):
            narrowed = replace(narrowed, history_length=history)
        # What a server offers may be longer than any one scope, and is never printed.
        return _checked(narrowed) if len(str(self)) <= LONGEST else narrowed

    def _without(self, blocks: frozenset[int], classes: frozenset[DataClass]) -> "Scope":
        target = frozenset(pair for pair in self.openings if pair[0] not in classes and pair[1] not in blocks)
        left = frozenset(block for block in self.blocks if not _expand(frozenset({block})) & blocks)
        simple = replace(self, blocks=left, terms=self.terms - classes)
        return simple if simple.openings == target else self._written_out(target, blocks)

    def _written_out(self, target: frozenset[tuple[DataClass, int]], gone: frozenset[int]) -> "Scope":
        """The target with every block named, where leaving words or numbers out would open others instead."""
        kept = {cls for cls, _ in target if cls.is_standard}
        # A block shared by two classes is named only if both keep it.
        shared = {
            block: {(cls, block) for cls in kept if block in CLASS_BLOCKS[cls]}
            for _, block in target
            if block
        }
        named = frozenset(block for block, pairs in shared.items() if pairs <= target)
        standard = frozenset(cls for cls in kept if CLASS_BLOCKS[cls] & named)
        ours = frozenset(cls for cls, block in target if block == 0)
        terms = ours if _implied(named) == standard else ours | standard
        return replace(self, blocks=(self._process_blocks() - gone) | named, terms=terms)

    # --- telling ------------------------------------------------------------------------------------

    def explain(self) -> tuple[str, ...]:
        """The scope in plain words, a sentence for each thing it says."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        expanded = _expand(self.blocks)
        for cls in DataClass:
            if cls in self.classes:
                own = sorted(CLASS_BLOCKS.get(cls, frozenset()) & expanded)
                what = ", ".join(FUNCTION_BLOCKS[block].lower() for block in own)
                yield f"{cls.page}{f': {what}' if what else ''}."
        if not self.classes:
            yield "No data."
        if self.interval is not None:
            yield f"Readings no finer than {spell(self.interval)}."
        if DataClass.USAGE in self.classes:
            yield f"Readings in blocks of one {self.cut}."
        past = "All history" if self.history_length is None else f"History of {spell(self.history_length)}"
        yield f"{past}."
        if self.subscription_frequency is not None:
            yield f"New data every {spell(nominal(self.subscription_frequency))}."
        if self.bulk is not None:
            yield f"Delivered together with others as bulk {self.bulk}."
        if self.unknown:
            yield f"Without meaning here: {', '.join(self.unknown)}."


_NEEDED = frozenset({DataClass.RIN, DataClass.BILL_COMPARISON})

EVERYTHING = Scope(
    blocks=frozenset(FUNCTION_BLOCKS), terms=frozenset(cls for cls in DataClass if (cls, 0) in OPENS)
)
"""All this server can offer, to check a request against (narrow it to what a utility has switched on)."""


def nominal(span: Span) -> int:
    """A span in seconds."""
    return SPANS[span] if isinstance(span, str) else span


def spell(seconds: int) -> str:
    """Seconds in the largest unit that divides them: ``15 minutes``, ``1 day``, ``395 days``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:,} second{'' if seconds == 1 else 's'}"


def _expand(blocks: frozenset[int]) -> frozenset[int]:
    """The blocks, and those that old numbers among them read as."""
    return blocks.union(*(REPLACED[block] for block in blocks & REPLACED.keys()))


def _implied(blocks: frozenset[int]) -> frozenset[DataClass]:
    return frozenset(cls for cls, own in CLASS_BLOCKS.items() if own & blocks)


def _more(mine: int | None, limit: int | None, absent_is_all: bool = False) -> bool:
    if limit is None:
        return False
    return absent_is_all if mine is None else mine > limit


def _oftener(mine: Span | None, limit: Span | None) -> bool:
    return mine is not None and limit is not None and nominal(mine) < nominal(limit)


def _join(spans: frozenset[Span]) -> str:
    return "_".join(
        map(str, sorted(spans, key=lambda span: (isinstance(span, str), nominal(span), str(span))))
    )


def _text(value: Span | None) -> str:
    return "" if value is None else str(value)


# --- reading ------------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9.-]{1,64}")
# What an OAuth scope token may hold (RFC 6749 3.3), less what reads as our own signs or as markup.
_VALUE = re.compile(r"[A-Za-z0-9._~:/+@%=-]+")
_BULK = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_SPAN_NAMES = {name.lower(): name for name in SPANS}
_TERMS = {cls.term.lower(): cls for cls in DataClass}
_FIELDS = {
    "fb": "FB",
    "intervalduration": "IntervalDuration",
    "blockduration": "BlockDuration",
    "historylength": "HistoryLength",
    "subscriptionfrequency": "SubscriptionFrequency",
    "accountcollection": "AccountCollection",
    "br": "BR",
    "additionalscope": "AdditionalScope",
}
_SPAN_FORM = "seconds or billingPeriod, daily, monthly, seasonal, weekly"


@lru_cache(maxsize=4_096)
def _parse(text: str) -> Scope:
    found = _split(text)
    known = {name: found.pop(name) for name in list(found) if name in _FIELDS.values()}
    terms, words = _additional(known)
    scope = Scope(
        blocks=frozenset(_number("FB", part, 999, 1) for part in _parts(known, "FB")),
        interval_duration=_spans(known, "IntervalDuration"),
        block_duration=_spans(known, "BlockDuration"),
        history_length=_single_number(known, "HistoryLength", 0),
        subscription_frequency=next(iter(_spans(known, "SubscriptionFrequency", several=False)), None),
        account_collection=_single_number(known, "AccountCollection", 0),
        bulk=_bulk(known),
        terms=terms,
        words=words,
        others=tuple(sorted(found.items(), key=lambda item: (item[0].lower(), item[1]))),
    )
    return _checked(scope)


def _checked(scope: Scope) -> Scope:
    length = len(str(scope))
    if length > LONGEST:
        raise ScopeError(
            f"The scope is {length} characters long in its canonical form; ESPI allows {LONGEST}."
            " Ask for fewer function blocks or leave terms out."
        )
    return scope


def _split(text: str) -> dict[str, str]:
    """The terms by name (the standard's spelling where it is the standard's), values as written."""
    if len(text) > _LONGEST_INPUT:
        raise ScopeError(f"The scope is {len(text)} characters long; ESPI allows {LONGEST}.")
    found: dict[str, str] = {}
    seen: set[str] = set()
    for term in filter(None, text.split(";")):
        name, equals, value = term.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise ScopeError(
                f"The scope holds {_shown(term)}; accepted are terms Name=value joined by a semicolon."
            )
        if name.lower() in seen:
            raise ScopeError(f"The scope names {name} twice; say it once, with values joined by _.")
        if not _VALUE.fullmatch(value):
            raise ScopeError(
                f"The scope term {name} is {_shown(value)}; accepted are letters, digits"
                " and signs of a web address, without blanks and commas, at least one."
            )
        seen.add(name.lower())
        found[_FIELDS.get(name.lower(), name)] = value
    if not found:
        raise ScopeError("The scope is empty; name at least one term, such as FB=4_5_15.")
    return found


def _parts(known: dict[str, str], name: str) -> list[str]:
    parts = known[name].split("_") if name in known else []
    if "" in parts:
        raise ScopeError(f"The scope term {name} is {_shown(known[name])}; between two _ stands one value.")
    return parts


def _number(name: str, text: str, most: int, least: int) -> int:
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise ScopeError(
            f"The scope term {name} holds {_shown(text)}; accepted are numbers {least} to {most}."
        )
    return int(text)


def _single_number(known: dict[str, str], name: str, least: int) -> int | None:
    return _number(name, known[name], 9_999_999_999, least) if name in known else None


def _spans(known: dict[str, str], name: str, several: bool = True) -> frozenset[Span]:
    parts = _parts(known, name)
    if len(parts) > 1 and not several:
        raise ScopeError(f"The scope term {name} is {_shown(known[name])}; accepted is one value.")
    return frozenset(_span(name, part) for part in parts)


def _span(name: str, text: str) -> Span:
    if text.lower() in _SPAN_NAMES:
        return _SPAN_NAMES[text.lower()]
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise ScopeError(f"The scope term {name} holds {_shown(text)}; accepted are {_SPAN_FORM}.")
    return int(text)


def is_bulk_id(text: str) -> bool:
    """May a scope name this as its bulk?"""
    return _BULK.fullmatch(text) is not None


def _bulk(known: dict[str, str]) -> str | None:
    bulk = known.get("BR")
    if bulk is not None and not is_bulk_id(bulk):
        raise ScopeError(
            f"The scope term BR is {_shown(bulk)}; accepted is one bulk id of up to 64 characters."
        )
    return bulk


def _additional(known: dict[str, str]) -> tuple[frozenset[DataClass], frozenset[str]]:
    parts = _parts(known, "AdditionalScope")
    bad = [part for part in parts if not _WORD.fullmatch(part)]
    if bad:
        raise ScopeError(f"AdditionalScope holds {_shown(bad[0])}; accepted are words joined by _.")
    terms = frozenset(_TERMS[part.lower()] for part in parts if part.lower() in _TERMS)
    if DataClass.RATE_CHANGE in terms and not terms >= _NEEDED:
        raise ScopeError(
            "AdditionalScope=RateChange needs RIN and BillComparison beside it; ask for all three."
        )
    return terms, frozenset(part for part in parts if part.lower() not in _TERMS)


def _shown(text: str) -> str:
    """The text, short and in the characters of an OAuth error_description (RFC 6749 4.1.2.1)."""
    plain = "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in text[:40])
    return f"'{plain}{'...' if len(text) > 40 else ''}'"
