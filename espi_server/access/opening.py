"""What a token opens, as SQL: pairs of subscription and usage point that the energy room joins to its rows.

`energy` may not know about authorizations, so it is handed a selectable. Each names only what is live at `:now`;
a row that ends in mid-download is missing from the next page, and the feed notices.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import bindparam, case, func, literal, null, or_, select
from sqlalchemy.types import BigInteger, Text, Uuid

from espi_server.access.models import Application, Authorization, AuthorizationUsagePoint, Token, TokenFamily
from espi_server.accounts.models import NEVER_SHAREABLE, ServiceAgreement
from espi_server.db import NIL
from espi_server.energy.find import Opening
from espi_server.energy.models import UsagePoint

PRODUCTION = 2  # DataCustodianApplicationStatus: the only one that may read


def live_token() -> Any:
    """True while the token `:digest` may be used at `:now`."""
    now = bindparam("now", type_=BigInteger)
    alive = (
        select(Token.digest)
        .outerjoin(Application, Application.id == Token.application_id)
        .outerjoin(TokenFamily, TokenFamily.id == Token.family_id)
        .where(Token.digest == bindparam("digest"), Token.revoked_at.is_(None), Token.expires_at > now)
        .where((Application.id.is_(None)) | (Application.status == PRODUCTION))
        .where(TokenFamily.revoked_at.is_(None))
    )
    return alive.exists()


def subscription(utility_id: uuid.UUID, authorization_id: uuid.UUID) -> Opening:
    """The usage points of one authorization, for whoever holds the token `:digest`."""
    return Opening(_subscription, {"authorization": authorization_id, "utility": utility_id})


def exported(utility_id: uuid.UUID, authorization_id: uuid.UUID) -> Opening:
    """The same for the operator at the command line, who needs no token."""
    return Opening(_exported, {"authorization": authorization_id, "utility": utility_id})


def bulk(utility_id: uuid.UUID, application_id: uuid.UUID | None, bulk_id: str) -> Opening:
    """The usage points of all authorizations whose scope names this `BR=`: an application's, or (None) everybody's."""
    given = {"bulk": bulk_id, "utility": utility_id}
    if application_id is None:
        return Opening(_bulk_of_all, given, many=True)
    return Opening(_bulk, {**given, "application": application_id}, many=True)


def exported_bulk(utility_id: uuid.UUID, application_id: uuid.UUID, bulk_id: str) -> Opening:
    """What `bulk` opens to an application, for a worker that holds no token."""
    given = {"bulk": bulk_id, "utility": utility_id, "application": application_id}
    return Opening(_exported_bulk, given, many=True)


def utility(utility_id: uuid.UUID) -> Opening:
    """Every usage point of a utility, without limits: for custodian tokens."""
    return Opening(_utility, {"utility": utility_id}, many=True)


def customer(utility_id: uuid.UUID, customer_id: uuid.UUID) -> Opening:
    """Every usage point of one customer, without limits: for custodian and upload tokens."""
    return Opening(_customer, {"customer": customer_id, "utility": utility_id})


def authorized() -> Any:
    """The usage points of live authorizations of `:utility`.

    A usage point that passed to another customer is out; what an earlier customer used is nobody's to consent to.
    So is one whose agreement became wholesale, which is never shared.
    """
    now = bindparam("now", type_=BigInteger)
    return (
        select(
            Authorization.id.label("subscription"),
            Authorization.scope.label("scope"),
            _later(Authorization.history_from, UsagePoint.customer_since).label("history_from"),
            AuthorizationUsagePoint.usage_point_id.label("usage_point_id"),
        )
        .join(AuthorizationUsagePoint, AuthorizationUsagePoint.authorization_id == Authorization.id)
        .join(UsagePoint, UsagePoint.id == AuthorizationUsagePoint.usage_point_id)
        .where(or_(Authorization.customer_id.is_(None), Authorization.customer_id == UsagePoint.customer_id))
        .outerjoin(ServiceAgreement, ServiceAgreement.id == UsagePoint.agreement_id)
        .where(or_(ServiceAgreement.id.is_(None), ServiceAgreement.customer_class != NEVER_SHAREABLE))
        .where(Authorization.ended_at.is_(None), Authorization.starts_at <= now, Authorization.ends_at > now)
        .where(Authorization.waits_until.is_(None))
        .where(_of_utility())
    )


def _of_utility() -> Any:
    """True for authorizations of `:utility`; said so that SQLite does not look them all up by it."""
    return func.coalesce(Authorization.utility_id, NIL) == bindparam("utility", type_=Uuid)


def _later(one: Any, other: Any) -> Any:
    """The later of two moments, either of which may be missing."""
    return case((one.is_(None), other), (other.is_(None), one), (one > other, one), else_=other)


def _exported() -> Any:
    return authorized().where(Authorization.id == bindparam("authorization", type_=Uuid))


def _subscription() -> Any:
    return _exported().where(live_token())


def _named() -> Any:
    return authorized().where(Authorization.bulk_id == bindparam("bulk", type_=Text))


def _exported_bulk() -> Any:
    return _named().where(Authorization.application_id == bindparam("application", type_=Uuid))


def _bulk_of_all() -> Any:
    return _named().where(live_token())


def _bulk() -> Any:
    return _exported_bulk().where(live_token())


def _owned() -> Any:
    """The usage points of `:utility`, as one subscription without limits."""
    return select(
        literal(NIL, Uuid).label("subscription"),
        null().cast(Text).label("scope"),
        null().cast(BigInteger).label("history_from"),
        UsagePoint.id.label("usage_point_id"),
    ).where(UsagePoint.utility_id == bindparam("utility", type_=Uuid), live_token())


def _utility() -> Any:
    return _owned()


def _customer() -> Any:
    return _owned().where(UsagePoint.customer_id == bindparam("customer", type_=Uuid))
