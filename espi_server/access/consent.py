"""Where the machines' side of consent meets the people's: a request waits, a customer answers, a code goes back.

The authorization endpoint keeps a request and sends the browser to where the installation asks its customers
(`Consent`). Whoever asks there finds the request by its secret (`waiting`), and answers it once: `agree` with whose
data, which usage points, which scope and until when, or `decline`. Both return the address the browser goes to, or
None where the company asked by message: it polls, and hears the answer then. A request that a browser brought is
answered in that browser; what it can show is compared by whoever asks (`Waiting.browser`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, grants, standing
from espi_server.access.models import Application, Authorization, AuthorizationRequest
from espi_server.access.oauth import requests
from espi_server.access.oauth.clients import Wanted
from espi_server.access.oauth.errors import Denied
from espi_server.access.oauth.server import Server
from espi_server.errors import BadRequest, NotFound
from espi_server.espi.scope import Scope


class Consent(Protocol):
    """How an installation asks its customers."""

    def page(self, secret: str) -> str:
        """Where, below a utility's public address, customers are asked about the request behind this secret."""
        ...


class NotWaiting(NotFound):
    """This request was answered before, or is older than ten minutes. Begin again where you came from."""


class CannotAgree(BadRequest):
    """This is not an answer to what was asked."""


@dataclass(frozen=True)
class Waiting:
    """A request that waits for a customer's answer."""

    application: Application
    scope: Scope
    is_openid: bool
    redirect_uri: str
    max_age: int | None  # seconds since she signed in, at most
    prompt: str
    login_hint: str
    until: int  # when the request is over
    asked_at: int = 0
    by_message: bool = False
    customer_id: uuid.UUID | None = None  # who alone may answer what was asked by message
    browser: bytes | None = None  # the digest of what the browser that brought it can show
    binding_message: str = ""  # what the company shows her too


@dataclass(frozen=True)
class Identified:
    """How the customer was identified: when (epoch seconds), by which method, with which factors (RFC 8176)."""

    at: int
    method: str
    amr: Sequence[str] = ()
    acr: str | None = None
    lse: str | None = None  # the load-serving entity that was found
    found: str | None = None  # by what the company's customer was found before she signed in: her profile

    @property
    def row(self) -> dict[str, Any]:
        """As an authorization keeps it."""
        found = {
            "when": self.at, "method": self.method, "amr": list(self.amr), "acr": self.acr, "lse": self.lse,
            "found": self.found,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}

    @property
    def claims(self) -> dict[str, Any]:
        """As an id_token tells it."""
        found = {"auth_time": self.at, "amr": list(self.amr), "acr": self.acr}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True)
class Agreed:
    """A customer's yes: whose data, which usage points, which scope, until when (epoch seconds)."""

    customer_id: uuid.UUID
    usage_points: Sequence[uuid.UUID]
    scope: Scope
    until: int
    identified: Identified
    consent_record_id: uuid.UUID | None = None
    lasting: str | None = None
    adopts: uuid.UUID | None = None  # a consent that waits for its company, and begins with the code
    text: str = ""  # the scope as it was written then, where nothing is added to it


def waiting(server: Server, secret: str | bytes) -> Waiting:
    """What is asked; `NotWaiting` where nothing is. A digest stands for the secret of who found the request before."""
    return told(server, find(server, secret))


def agree(server: Server, secret: str | bytes, agreed: Agreed) -> str | None:
    """The customer's yes, once: where her browser goes. `CannotAgree` where it is no answer to the question."""
    row = find(server, secret)
    _check(server, told(server, row), agreed)
    if not standing.may_begin(server.session, row.application_id):
        raise CannotAgree("This company cannot ask for data any more.")
    return _answer(server, row, agreed)


def decline(
    server: Server,
    secret: str | bytes,
    *,
    denied: Denied | None = None,
    customer_id: uuid.UUID | None = None,
    reason: str = "declined",
) -> str | None:
    """The customer's no, or whatever else `denied` says of it: where her browser goes."""
    row = find(server, secret)
    record_no(server.session, row.utility_id, row.application_id, customer_id, reason)
    return _answer(server, row, denied or Denied())


def record_no(
    session: Session,
    utility_id: uuid.UUID,
    application_id: uuid.UUID,
    customer_id: uuid.UUID | None,
    reason: str,
) -> None:
    """Write down that a company was not given what it asked for, or what she looked at by herself."""
    audit.record(
        session,
        utility_id,
        "consent.declined",
        actor=f"customer:{customer_id}" if customer_id else "customer:unknown",
        subject=f"application:{application_id}",
        application=application_id,
        customer=customer_id,
        reason=reason,
    )


def find(server: Server, secret: str | bytes) -> AuthorizationRequest:
    """The request that waits; `NotWaiting` where none does."""
    row = requests.find(server.session, requests.PENDING, server.utility.id, secret)
    if row is None:
        raise NotWaiting()
    return row


def _answer(server: Server, row: AuthorizationRequest, agreed: Agreed | Denied) -> str | None:
    if not requests.take(server.session, row):
        raise NotWaiting()
    if row.poll_digest is not None:
        server.answer_poll(row, agreed)
        return None
    return server.answer(row.parameters, agreed)


def told(server: Server, row: AuthorizationRequest) -> Waiting:
    """What a request asks."""
    given = row.parameters
    application = server.session.get_one(Application, row.application_id)
    wanted = Wanted.read(given["scope"])
    return Waiting(
        application=application,
        scope=wanted.scope,
        is_openid=wanted.openid,
        redirect_uri=given.get("redirect_uri") or next(iter(application.redirect_uris), ""),
        max_age=int(given["max_age"]) if "max_age" in given else None,
        prompt=given.get("prompt", ""),
        login_hint=given.get("login_hint", ""),
        until=row.expires_at,
        asked_at=row.created_at,
        by_message=row.poll_digest is not None,
        customer_id=row.customer_id,
        binding_message=given.get("binding_message", ""),
        browser=row.browser,
    )


def _check(server: Server, asked: Waiting, agreed: Agreed) -> None:
    now = clock.seconds()
    beyond = () if _is_as_it_was(server, asked, agreed) else agreed.scope.beyond(asked.scope)
    if beyond or not agreed.scope.classes:
        raise CannotAgree(f"The answer goes beyond the question, or grants nothing: {', '.join(beyond)}.")
    if agreed.until <= now:
        raise CannotAgree("The end of an authorization lies in the future.")
    # As of the request (OpenID Core 3.1.2.1): she may take her time to answer.
    if asked.max_age is not None and agreed.identified.at < asked.asked_at - asked.max_age:
        raise CannotAgree(f"The customer signed in more than {asked.max_age} seconds before; ask her again.")
    if asked.by_message and agreed.customer_id != asked.customer_id:
        raise CannotAgree("This was sent to another customer; only she can answer it.")
    if standing.is_locked(server.session, agreed.customer_id):
        raise CannotAgree("This customer's access is closed.")
    chosen = set(agreed.usage_points)
    points = grants.shareable_of(
        server.session, server.utility.id, agreed.customer_id, list(agreed.usage_points)
    )
    if not chosen or chosen != {each.id for each in points}:
        raise CannotAgree(
            "Only the customer's own usage points can be shared, and none of wholesale agreements."
        )


def _is_as_it_was(server: Server, asked: Waiting, agreed: Agreed) -> bool:
    """Is this a consent she gave to this company before it asked, with nothing added to it?

    What she agreed to then stands, even where the company now asks for less: nothing is narrowed unseen either, and the
    token answer tells its scope.
    """
    if agreed.adopts is None:
        return False
    row = server.session.get(Authorization, agreed.adopts)
    mine = (server.utility.id, asked.application.id, agreed.customer_id)
    if (
        row is None
        or (row.utility_id, row.application_id, row.customer_id) != mine
        or not grants.is_waiting(row)
    ):
        raise CannotAgree("What she agreed to before has lapsed.")
    return agreed.text == row.scope and agreed.consent_record_id == row.consent_record_id
