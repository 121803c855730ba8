"""What of the statewide tool a utility has switched on, and for which of its customers.

RIN data, Bill Comparison and Rate Change begin in phases, by utility and class of customers: each is not offered,
planned, on, or halted. What was never said is not offered. A plan has a day, but only a person switches something on.
What is not on cannot be asked for and stands on no page; what was shared before it was halted goes on until its
customer stops it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit
from espi_server.access.models import FeatureState
from espi_server.accounts.models import NEVER_SHAREABLE, ServiceAgreement, Utility
from espi_server.energy.models import UsagePoint
from espi_server.errors import Usage
from espi_server.espi.scope import ScopeError
from espi_server.espi.tables import DataClass

FEATURES: Final[Mapping[DataClass, str]] = {
    DataClass.RIN: "rin",
    DataClass.BILL_COMPARISON: "comparison",
    DataClass.RATE_CHANGE: "rate-change",
}
NOT_OFFERED, PLANNED, ON, HALTED = "not-offered", "planned", "on", "halted"
STATES: Final = (NOT_OFFERED, PLANNED, ON, HALTED)
EVERYBODY: Final = "all"  # customers of every class that nothing else is said of
_FEATURE_CLASSES: Final = frozenset(FEATURES)


class BadFeature(Usage):
    """A feature of the statewide tool cannot be set like this."""


class NotOffered(Usage):
    """This utility does not offer that class of data."""


@dataclass(frozen=True)
class State:
    """How a feature stands; `planned_for` is the day it is planned for, epoch seconds."""

    state: str = NOT_OFFERED
    planned_for: int | None = None

    @property
    def words(self) -> str:
        """As companies and operators are told: planned for 2027-01-01."""
        day = "" if self.planned_for is None else f" for {clock.written(self.planned_for)[:10]}"
        return f"{self.state}{day if self.state == PLANNED else ''}"


@dataclass(frozen=True)
class Offered:
    """How each feature stands at one utility, by class of customers."""

    states: Mapping[tuple[str, str], State]

    def state(self, cls: DataClass, customer_class: str = EVERYBODY) -> State:
        """How a class of data stands for a class of customers."""
        feature = FEATURES[cls]
        for each in (customer_class, EVERYBODY):
            if (feature, each) in self.states:
                return self.states[feature, each]
        return State()

    def is_on(self, cls: DataClass, customer_class: str) -> bool:
        """Can customers of this class share it? The standard's own classes they always can."""
        return cls not in FEATURES or self.state(cls, customer_class).state == ON

    def best(self, cls: DataClass) -> State:
        """How it stands where it stands best."""
        order = (ON, PLANNED, HALTED, NOT_OFFERED)
        every = [each for (feature, _), each in self.states.items() if feature == FEATURES[cls]]
        return min(every, key=lambda each: order.index(each.state), default=State())

    def withheld(self, customer_classes: Iterable[str], *, from_some: bool = False) -> frozenset[DataClass]:
        """What customers of these classes cannot share: none of them, or (`from_some`) not all of them."""
        classes = list(customer_classes) or [EVERYBODY]
        enough = all if from_some else any
        return frozenset(cls for cls in FEATURES if not enough(self.is_on(cls, each) for each in classes))


def of(session: Session, utility_id: uuid.UUID) -> Offered:
    """What a utility offers."""
    rows = session.scalars(select(FeatureState).where(FeatureState.utility_id == utility_id))
    return Offered({(row.feature, row.customer_class): State(row.state, row.planned_for) for row in rows})


def withheld_from(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID) -> frozenset[DataClass]:
    """What one customer cannot share with anybody, whatever her places are."""
    hers = (ServiceAgreement.utility_id == utility_id, ServiceAgreement.customer_id == customer_id)
    open = (ServiceAgreement.closed_at.is_(None), ServiceAgreement.customer_class != NEVER_SHAREABLE)
    found = set(session.scalars(select(ServiceAgreement.customer_class).where(*hers, *open).distinct()))
    bare = (UsagePoint.customer_id == customer_id, UsagePoint.agreement_id.is_(None))
    if session.scalar(select(UsagePoint.id).where(UsagePoint.utility_id == utility_id, *bare).limit(1)):
        found.add(EVERYBODY)
    return of(session, utility_id).withheld(found)


def check_request(session: Session, utility_id: uuid.UUID, classes: Collection[DataClass]) -> None:
    """`ScopeError` where a company asks for what is on for none of the utility's customers."""
    wanted = _FEATURE_CLASSES & {*classes}
    if not wanted:
        return
    offered = of(session, utility_id)
    for cls in FEATURES:
        if cls in wanted and offered.best(cls).state != ON:
            raise ScopeError(
                f"Not on offer: AdditionalScope={cls.term}. Its state is {offered.best(cls).words}; leave it out."
            )


def check_registration(session: Session, utility: Utility, classes: Collection[DataClass]) -> None:
    """`NotOffered` where a company wants to register for what the utility neither offers nor plans."""
    wanted = _FEATURE_CLASSES & {*classes}
    offered = of(session, utility.id) if wanted else None
    for cls in FEATURES:
        if offered is not None and cls in wanted and offered.best(cls).state == NOT_OFFERED:
            raise NotOffered(
                f"{utility.name} does not offer AdditionalScope={cls.term}; `espi-server feature set` switches it on."
            )


def change(
    session: Session,
    utility: Utility,
    feature: str,
    state: str,
    *,
    customer_class: str = EVERYBODY,
    planned_for: int | None = None,
    by: str,
) -> bool:
    """Let a feature stand so from now on; False where it does. `BadFeature` says what cannot be."""
    if feature not in FEATURES.values() or state not in STATES:
        raise BadFeature(
            f"A feature is one of {', '.join(FEATURES.values())}, its state of {', '.join(STATES)}."
        )
    if (state == PLANNED) != (planned_for is not None):
        raise BadFeature("A planned feature has a day (--from 2027-01-01), and no other one has.")
    if (
        not 0 < len(customer_class) <= 32
        or not customer_class.isprintable()
        or customer_class == NEVER_SHAREABLE
    ):
        raise BadFeature(
            "The class of customers is one of the utility's, such as residential; all for everybody."
        )
    session.execute(select(Utility.id).where(Utility.id == utility.id).with_for_update(key_share=True))
    before = of(session, utility.id).states.get((feature, customer_class))
    if before == State(state, planned_for):
        return False
    mine = (FeatureState.utility_id == utility.id, FeatureState.feature == feature)
    session.execute(delete(FeatureState).where(*mine, FeatureState.customer_class == customer_class))
    session.add(
        FeatureState(
            utility_id=utility.id,
            customer_class=customer_class,
            feature=feature,
            state=state,
            planned_for=planned_for,
        )
    )
    audit.record(
        session, utility.id, "feature.changed", actor=by, subject=f"feature:{feature}", customer_class=customer_class,
        state=state, planned_for=planned_for,
    )  # fmt: skip
    return True
