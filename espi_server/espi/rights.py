"""Who holds a scope may see what: kinds, their elements, how fine and how far back."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from .scope import Scope
from .tables import (
    COMPARISON_RINS,
    CUSTOMER_FRAME,
    CUSTOMER_SIDE,
    ELEMENTS,
    OPENS,
    READING_COST,
    USAGE_FRAME,
    DataClass,
    Opened,
)

Elements = frozenset[str] | None
"""Names of visible child elements, dotted where a part of one; None is the whole resource."""

_COST_BLOCK = 12


@dataclass(frozen=True)
class Rights:
    """What may be seen, ready to be asked for every entry.

    Made by `Rights.of`; `FULL` is the custodian's. Kinds outside the data classes (Authorization,
    ApplicationInformation, ServiceStatus) follow the kind of token, not these rights.
    """

    views: frozenset[tuple[str, Elements]]
    classes: frozenset[DataClass] = frozenset()
    cut: str = "day"
    interval: int | None = None
    history: int | None = None
    history_from: int | None = None
    is_full: bool = False
    digest: str = ""
    _by_kind: Mapping[str, Elements] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of(scope: Scope, history_from: int | None = None) -> "Rights":
        """The rights a granted scope gives; `history_from` (epoch seconds) is the first moment consented to.

        `history` is the scope's HistoryLength in seconds as it stands; counting it back from the day of the
        grant is for whoever keeps that day.
        """
        return _of(scope, history_from)

    def sees(self, kind: str) -> bool:
        """May entries of this kind be seen at all, be it without an element?"""
        return self.is_full or kind in self._by_kind

    def elements(self, kind: str) -> Elements:
        """The visible elements of a kind: None for all, an empty set for a bare entry or an unseen kind."""
        return None if self.is_full else self._by_kind.get(kind, frozenset())

    @property
    def reading_cost(self) -> bool:
        """Do readings show their cost?"""
        elements = self.elements("IntervalBlock")
        return elements is None or READING_COST in elements

    @property
    def rin(self) -> bool:
        """May Rate Identification Numbers be seen, wherever they stand (a bill comparison names some)?"""
        return self.is_full or DataClass.RIN in self.classes

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that may be seen; of no use for `FULL`, which sees all."""
        return frozenset(self._by_kind)

    @property
    def sees_usage(self) -> bool:
        """Is there anything for a usage feed?"""
        return self.sees("UsagePoint")

    @property
    def sees_customer(self) -> bool:
        """Is there anything for a retail customer feed?"""
        return self.sees("Customer")


@lru_cache(maxsize=4_096)
def _of(scope: Scope, history_from: int | None) -> Rights:
    opened = [OPENS[pair] for pair in scope.openings]
    views = _union(opened + [frame for view in opened for frame in _frames(view)])
    for kind, names in _together(scope):
        if kind in views:
            views = _union([views, {kind: names}])
    views = {kind: None if names == ELEMENTS.get(kind, 0) else names for kind, names in views.items()}
    return _signed(
        Rights(
            views=frozenset(views.items()),
            classes=scope.classes,
            cut=scope.cut,
            interval=scope.interval,
            history=scope.history_length,
            history_from=history_from,
            _by_kind=views,
        )
    )


def _frames(view: Opened) -> Iterable[Opened]:
    """What comes with an opening: the frame of the side its kinds stand on."""
    sides = {kind in CUSTOMER_SIDE for kind in view}
    return [CUSTOMER_FRAME if side else USAGE_FRAME for side in sides]


def _union(views: Iterable[Opened]) -> dict[str, Elements]:
    union: dict[str, Elements] = {}
    for view in views:
        for kind, names in view.items():
            known = union.get(kind, frozenset())
            union[kind] = None if names is None or known is None else known | names
    return union


def _together(scope: Scope) -> Iterator[tuple[str, frozenset[str]]]:
    """What two classes open only together, of kinds that one of them opens."""
    # A reading's cost is billing data, so the block alone does not show it.
    if DataClass.BILLING in scope.classes and (DataClass.USAGE, _COST_BLOCK) in scope.openings:
        yield "IntervalBlock", frozenset({READING_COST})
    if DataClass.RIN in scope.classes:
        yield "BillComparison", COMPARISON_RINS


def _signed(rights: Rights) -> Rights:
    """The same with its digest: a short text that differs where any answer could."""
    seen = sorted((kind, "*" if names is None else " ".join(sorted(names))) for kind, names in rights.views)
    parts = (seen, rights.rin, rights.cut, rights.interval, rights.history, rights.history_from)
    return replace(rights, digest=hashlib.sha256(repr(parts).encode()).hexdigest()[:16])


FULL = Rights(views=frozenset(), classes=frozenset(DataClass), is_full=True, digest="full")
"""The custodian's own: every kind, every element, as stored."""
