"""Giving access and ending it.

An operator records here what a customer agreed to on paper or by telephone (FB_40). One function ends grants,
whoever asks.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, prepared, tokens
from espi_server.access.addresses import resource_base
from espi_server.access.applications import find_or_create
from espi_server.access.models import (
    Application,
    Authorization,
    AuthorizationAgreement,
    AuthorizationUsagePoint,
    Token,
    TokenFamily,
)
from espi_server.accounts.models import NEVER_SHAREABLE, Customer, ServiceAgreement, Utility
from espi_server.energy import changes
from espi_server.energy.models import UsagePoint
from espi_server.errors import BadRequest, Conflict, NotFound
from espi_server.espi import paths
from espi_server.espi.rights import Rights
from espi_server.espi.scope import Scope, ScopeError
from espi_server.espi.tables import DataClass
from espi_server.notify import outbox

OPERATOR = "operator"  # how a customer was identified whose yes an operator wrote down
YEAR = 365 * tokens.DAY
OPEN_END = 7_258_118_400  # 2200: the end of what lasts until its customer stops it
ONCE, UNTIL, STOPPED = "once", "until", "stopped"  # how she chose the end
REPLACED = "replaced"  # why one ended in whose place a newer one stands
ONE_TIME = tokens.DAY  # how long a company can fetch what it gets one time


class CannotAuthorize(BadRequest):
    """This authorization cannot be recorded."""


@dataclass(frozen=True)
class Chosen:
    """Whose data an authorization opens: the usage points, and the customer they belong to, if one."""

    customer: Customer | None
    usage_points: Sequence[UsagePoint]


def of_customer(session: Session, utility: Utility, reference: str) -> Chosen:
    """All usage points of the customer the utility calls `reference`."""
    customer = session.scalar(
        select(Customer).where(Customer.utility_id == utility.id, Customer.reference == reference)
    )
    if customer is None:
        raise NotFound(
            f"{utility.name} has no customer {reference!r}. Import their data with --customer first."
        )
    return Chosen(customer, _usage_points(session, UsagePoint.customer_id == customer.id))


def of_usage_points(session: Session, utility: Utility, ids: Sequence[uuid.UUID]) -> Chosen:
    """These usage points; they must belong to one customer, or all to none."""
    found = _usage_points(session, UsagePoint.utility_id == utility.id, UsagePoint.id.in_(ids))
    missing = set(ids) - {each.id for each in found}
    if missing:
        raise NotFound(f"{utility.name} has no usage point {', '.join(sorted(map(str, missing)))}.")
    owners = {each.customer_id for each in found}
    if len(owners) > 1:
        raise CannotAuthorize("These usage points belong to different customers; authorize each by itself.")
    owner = owners.pop() if owners else None
    return Chosen(session.get(Customer, owner) if owner else None, found)


def of_utility(session: Session, utility: Utility) -> Chosen:
    """Every usage point the utility has now, with or without a customer."""
    return Chosen(None, _usage_points(session, UsagePoint.utility_id == utility.id))


def authorize(
    session: Session,
    utility: Utility,
    chosen: Chosen,
    *,
    application: str,
    scope: str,
    until: int | None = None,
    by: str,
) -> Authorization:
    """An operator's authorization; it replaces a live one of the same company for the same customer.

    Without HistoryLength in the scope all history is open; without `until` (epoch seconds) it lasts a year.
    Enable Rate Change is never granted this way: the customer herself must ask for it.
    """
    granted = _readable(scope)
    shareable = _shareable(session, chosen)
    now = clock.seconds()
    if until is not None and until <= now:
        raise CannotAuthorize("The end of an authorization lies in the future.")
    client = find_or_create(session, utility, application, by=by)
    return begin(
        session,
        client,
        chosen.customer.id if chosen.customer else None,
        shareable,
        scope=str(granted),
        until=now + YEAR if until is None else until,
        identified={"when": now, "method": OPERATOR, "by": by},
        by=by,
    )


def begin(
    session: Session,
    client: Application,
    customer_id: uuid.UUID | None,
    usage_points: Sequence[UsagePoint],
    *,
    scope: str,
    until: int,
    identified: dict[str, Any],
    by: str,
    consent_record_id: uuid.UUID | None = None,
    lasting: str | None = None,
    waits_until: int | None = None,
) -> Authorization:
    """A new authorization over these usage points; a live one of this company for this customer is replaced.

    With `waits_until` it opens nothing and replaces nothing before its company comes for it (`adopt`).
    """
    granted, now = Scope.parse(scope), clock.seconds()
    _hold(session, customer_id)
    if waits_until is None:
        _replace_live(session, client, customer_id, by)
    authorization = Authorization(
        id=uuid.uuid4(),
        utility_id=client.utility_id,
        application_id=client.id,
        customer_id=customer_id,
        scope=scope,
        bulk_id=granted.bulk,
        history_from=_history_from(granted),
        starts_at=now,
        ends_at=until,
        lasting=lasting,
        waits_until=waits_until,
        identified=identified,
        consent_record_id=consent_record_id,
        created_by=by,
        created_at=now,
        updated_at=now,
    )
    session.add(authorization)
    session.flush()
    _open(session, authorization, usage_points)
    audit.record(
        session,
        client.utility_id,
        "authorization.granted",
        actor=by,
        subject=f"authorization:{authorization.id}",
        application=client.id,
        customer=customer_id,
        scope=scope,
        history_from=authorization.history_from,
        until=until,
        method=identified.get("method"),
        consent=consent_record_id,
        waits_until=waits_until,
    )
    _tell(session, authorization, "granted" if waits_until is None else "waiting")
    return authorization


@dataclass(frozen=True)
class Terms:
    """What a customer agreed to: these usage points, this scope, until when, and the record of what she was shown."""

    usage_points: Sequence[UsagePoint]
    scope: str
    until: int
    lasting: str | None
    identified: dict[str, Any]
    consent_record_id: uuid.UUID | None
    keeps_history: bool = False  # the history begins where it began


def adopt(session: Session, authorization: Authorization, terms: Terms, *, by: str) -> bool:
    """Let one that waits begin, for its company has come; a live one is replaced. False if it waits no more."""
    _hold(session, authorization.customer_id)
    session.refresh(authorization, with_for_update={"key_share": True})
    if not is_waiting(authorization):
        return False
    client = session.get_one(Application, authorization.application_id)
    _replace_live(session, client, authorization.customer_id, by)
    authorization.waits_until, authorization.starts_at = None, clock.seconds()
    _take_over(session, authorization, terms)
    _record_terms(session, authorization, "authorization.begun", by)
    _tell(session, authorization, "granted")
    return True


def is_waiting(authorization: Authorization) -> bool:
    """Was it given before its company asked, and can the company still come for it?"""
    waits, now = authorization.waits_until, clock.seconds()
    return authorization.ended_at is None and waits is not None and now < min(waits, authorization.ends_at)


def change(session: Session, authorization: Authorization, terms: Terms, *, by: str) -> None:
    """What its customer wants of it from now on; its tokens stay and open that. `Conflict` where it has ended."""
    _hold(session, authorization.customer_id)
    session.refresh(authorization, with_for_update={"key_share": True})
    if authorization.ended_at is not None or authorization.ends_at <= clock.seconds():
        raise Conflict("This has ended. Nothing was changed.")
    prepared.forget(session, authorization)
    _take_over(session, authorization, terms)
    mine = (Token.authorization_id == authorization.id, Token.revoked_at.is_(None))
    session.execute(update(Token).where(*mine).values(scope=authorization.scope))
    _let_refresh_longer(session, authorization)
    _record_terms(session, authorization, "authorization.changed", by)
    _tell(session, authorization, "changed")


def _take_over(session: Session, authorization: Authorization, terms: Terms) -> None:
    granted = Scope.parse(terms.scope)
    authorization.scope, authorization.bulk_id = terms.scope, granted.bulk
    if not terms.keeps_history:
        authorization.history_from = _history_from(granted)
    authorization.ends_at, authorization.lasting = terms.until, terms.lasting
    authorization.identified = terms.identified
    authorization.consent_record_id = terms.consent_record_id
    authorization.reminded_at, authorization.updated_at = None, clock.seconds()
    authorization.version += 1
    _open(session, authorization, terms.usage_points)
    session.flush()


def _history_from(granted: Scope) -> int | None:
    return None if granted.history_length is None else clock.seconds() - granted.history_length


def _let_refresh_longer(session: Session, authorization: Authorization) -> None:
    """A refresh token that was to die with the consent lives on with it, as one issued now would."""
    now = clock.seconds()
    until = min(now + tokens.LIFETIMES["refresh"], authorization.ends_at)
    unused = (Token.used_at.is_(None), Token.revoked_at.is_(None), Token.expires_at > now)
    mine = (Token.authorization_id == authorization.id, Token.kind == "refresh", Token.expires_at < until)
    session.execute(update(Token).where(*mine, *unused).values(expires_at=until))


def _record_terms(session: Session, authorization: Authorization, act: str, by: str) -> None:
    whose = {"customer": authorization.customer_id} if act == "authorization.begun" else {}
    audit.record(
        session,
        authorization.utility_id,
        act,
        actor=by,
        subject=f"authorization:{authorization.id}",
        application=authorization.application_id,
        scope=authorization.scope,
        history_from=authorization.history_from,
        until=authorization.ends_at,
        method=authorization.identified.get("method"),
        consent=authorization.consent_record_id,
        **whose,
    )


def shareable_of(
    session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID, ids: Sequence[uuid.UUID]
) -> list[UsagePoint]:
    """Those of these usage points that are the customer's now and may be shared; perhaps none.

    A wholesale agreement is never shared, and one that is closed not anew.
    """
    chosen = _usage_points(
        session,
        UsagePoint.utility_id == utility_id,
        UsagePoint.customer_id == customer_id,
        UsagePoint.id.in_(ids),
    )
    never = _wholesale(session, chosen) | _closed(session, chosen)
    return [each for each in chosen if each.agreement_id not in never]


def end(session: Session, authorization: Authorization, reason: str, *, by: str = audit.SERVER) -> bool:
    """End an authorization: its tokens are dead at once, the customer and the company are told.

    `by` is who wanted it. False where it had ended already.
    """
    # Many may want this at once; one of them does it and tells.
    session.refresh(authorization, with_for_update={"key_share": True})
    if authorization.ended_at is not None:
        return False
    now = clock.seconds()
    authorization.ended_at, authorization.ended_reason, authorization.updated_at = now, reason, now
    authorization.version += 1
    for row in (TokenFamily, Token):  # in the order in which a refresh holds them
        live = (row.authorization_id == authorization.id, row.revoked_at.is_(None))
        session.execute(update(row).where(*live).values(revoked_at=now, revoked_reason=reason))
    prepared.forget(session, authorization)
    audit.record(
        session,
        authorization.utility_id,
        "authorization.ended",
        actor=by,
        subject=f"authorization:{authorization.id}",
        application=authorization.application_id,
        reason=reason,
    )
    _tell(session, authorization, "ended")
    return True


def token_answer(
    session: Session,
    utility: Utility,
    authorization: Authorization,
    *,
    installation: str,
    lifetime: int | None = None,
    openid: bool = False,
    confirmation: bytes | None = None,
    by: str,
) -> dict[str, Any]:
    """What the token endpoint says for an authorization (ESPI, RFC 6749 5.1), with the first tokens of a family."""
    family = TokenFamily(
        id=uuid.uuid4(), authorization_id=authorization.id, openid=openid, created_at=clock.seconds()
    )
    session.add(family)
    session.flush()
    return next_answer(
        session,
        utility,
        authorization,
        family,
        installation=installation,
        lifetime=lifetime,
        confirmation=confirmation,
        by=by,
    )


def next_answer(
    session: Session,
    utility: Utility,
    authorization: Authorization,
    family: TokenFamily,
    *,
    installation: str,
    lifetime: int | None = None,
    confirmation: bytes | None = None,
    predecessor: bytes | None = None,
    by: str,
) -> dict[str, Any]:
    """The same with the next tokens of a family; `predecessor` is the digest of the refresh token they follow."""
    common: dict[str, Any] = {
        "application": session.get_one(Application, authorization.application_id),
        "authorization": authorization,
        "scope": authorization.scope,
        "family_id": family.id,
        "confirmation": confirmation,
        "issued_by": by,
    }
    until_end = authorization.ends_at - clock.seconds()
    lifetime = min(lifetime or tokens.LIFETIMES["access"], until_end)
    idle = min(tokens.LIFETIMES["refresh"], until_end)
    base = resource_base(utility.base_url, utility.code, installation)
    return {
        "access_token": tokens.issue(session, "access", utility.id, lifetime=lifetime, **common),
        "token_type": "Bearer",
        "expires_in": lifetime,
        "refresh_token": tokens.issue(
            session, "refresh", utility.id, lifetime=idle, predecessor=predecessor, **common
        ),
        "scope": f"openid {authorization.scope}" if family.openid else authorization.scope,
        "resourceURI": paths.batch_subscription(base, str(authorization.id)),
        "authorizationURI": paths.authorization(base, str(authorization.id)),
        "customerResourceURI": _customer_resource(base, authorization),
    }


def _customer_resource(base: str, authorization: Authorization) -> str:
    rights = Rights.of(Scope.parse(authorization.scope))
    if authorization.customer_id is None or not rights.sees_customer:
        return ""
    return paths.batch_retail_customer(base, str(authorization.customer_id))


def _readable(scope: str) -> Scope:
    try:
        granted = Scope.parse(scope)
        str(granted)
    except ScopeError as error:
        raise CannotAuthorize(f"The scope cannot be used: {error}") from error
    if DataClass.RATE_CHANGE in granted.terms:
        raise CannotAuthorize(
            "Enable Rate Change cannot be granted by an operator; the customer must ask herself."
        )
    if not granted.classes:
        raise CannotAuthorize("The scope opens no data: name function blocks such as FB=4_5_15.")
    return granted


def _usage_points(session: Session, *conditions: Any) -> list[UsagePoint]:
    return list(session.scalars(select(UsagePoint).where(*conditions).order_by(UsagePoint.id)))


def _shareable(session: Session, chosen: Chosen) -> list[UsagePoint]:
    """The chosen usage points without those of wholesale agreements, which are never shared."""
    wholesale = _wholesale(session, chosen.usage_points)
    shareable = [each for each in chosen.usage_points if each.agreement_id not in wholesale]
    if not chosen.usage_points:
        raise CannotAuthorize(
            "There is no usage point to share yet. Import data first: `espi-server import`."
        )
    if not shareable:
        raise CannotAuthorize("These usage points belong to wholesale agreements, which are never shared.")
    return shareable


def _wholesale(session: Session, usage_points: Sequence[UsagePoint]) -> set[uuid.UUID | None]:
    """Which of the agreements of these usage points are never shared."""
    agreements = {each.agreement_id for each in usage_points if each.agreement_id}
    return set(
        session.scalars(
            select(ServiceAgreement.id).where(
                ServiceAgreement.customer_class == NEVER_SHAREABLE, ServiceAgreement.id.in_(agreements)
            )
        )
    )


def _closed(session: Session, usage_points: Sequence[UsagePoint]) -> set[uuid.UUID | None]:
    """Which of the agreements of these usage points are over."""
    agreements = {each.agreement_id for each in usage_points if each.agreement_id}
    over = or_(ServiceAgreement.closed_at.is_not(None), ServiceAgreement.ends_at <= clock.seconds())
    return set(session.scalars(select(ServiceAgreement.id).where(ServiceAgreement.id.in_(agreements), over)))


def _hold(session: Session, customer_id: uuid.UUID | None) -> None:
    """One thing after the other for a customer: two yeses at once, or a yes and the end of one of her agreements.

    Before any of her authorizations is held, as an import holds her, so that nobody waits in a ring.
    """
    if customer_id is not None:
        session.execute(select(Customer.id).where(Customer.id == customer_id).with_for_update(key_share=True))


def _replace_live(session: Session, client: Application, customer_id: uuid.UUID | None, by: str) -> None:
    live = select(Authorization).where(
        Authorization.utility_id == client.utility_id,
        Authorization.application_id == client.id,
        Authorization.customer_id == customer_id if customer_id else Authorization.customer_id.is_(None),
        Authorization.ended_at.is_(None),
        Authorization.waits_until.is_(None),
    )
    for earlier in session.scalars(live):
        end(session, earlier, REPLACED, by=by)
    session.flush()


def _open(session: Session, authorization: Authorization, usage_points: Sequence[UsagePoint]) -> None:
    """Let it open these usage points; what closed since its customer chose is left out, unless an operator means it."""
    if authorization.identified.get("method") != OPERATOR:
        closed = _closed(session, usage_points)
        usage_points = [each for each in usage_points if each.agreement_id not in closed]
    session.execute(
        delete(AuthorizationUsagePoint).where(AuthorizationUsagePoint.authorization_id == authorization.id)
    )
    session.execute(
        delete(AuthorizationAgreement).where(AuthorizationAgreement.authorization_id == authorization.id)
    )
    session.add_all(
        AuthorizationUsagePoint(authorization_id=authorization.id, usage_point_id=each.id)
        for each in usage_points
    )
    agreements = {each.agreement_id for each in usage_points if each.agreement_id}
    session.add_all(
        AuthorizationAgreement(authorization_id=authorization.id, agreement_id=each) for each in agreements
    )


def _tell(session: Session, authorization: Authorization, verb: str) -> None:
    changes.note(session, authorization.utility_id, "Authorization", authorization.id, verb)
    if authorization.customer_id is not None:
        outbox.put(
            session,
            authorization.utility_id,
            f"authorization.{verb}",
            recipient=f"customer:{authorization.customer_id}",
            payload={"authorization": str(authorization.id)},
        )
