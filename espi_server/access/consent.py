"""Where the machines' side of consent meets the people's: a request waits, a customer answers, a code goes back.

The authorization endpoint keeps a request and sends the browser to where the installation asks its customers
(`Consent`). Whoever asks there finds the request by its secret (`waiting`), and answers it once: `agree` with whose
data, which usage points, which scope and until when, or `decline`. Both return the address the browser goes to, or
None where the company asked by message: it polls, and hears the answer then.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from espi_server import clock
from espi_server.access import grants, standing
from espi_server.access.models import Application, AuthorizationRequest
from espi_server.access.oauth import requests
from espi_server.access.oauth.clients import Wanted
from espi_server.access.oauth.server import Server
from espi_server.errors import BadRequest, NotFound
from espi_server.espi.scope import Scope


class Consent(Protocol):
    """How an installation asks its customers."""

    def page(self, secret: str) -> str:
        """Where, below a utility's public address, customers are asked about the request behind this secret."""
        ...


class NobodyAsks:
    """An installation without sign-in: a page that says so, and nothing is granted."""

    def page(self, secret: str) -> str:
        """The page that says so."""
        return "/oauth/not-yet"


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
    by_message: bool = False
    customer_id: uuid.UUID | None = None  # who alone may answer what was asked by message
    binding_message: str = ""  # what the company shows her too


@dataclass(frozen=True)
class Identified:
    """How the customer was identified: when (epoch seconds), by which method, with which factors (RFC 8176)."""

    at: int
    method: str
    amr: Sequence[str] = ()
    acr: str | None = None
    lse: str | None = None  # the load-serving entity that was found

    @property
    def row(self) -> dict[str, Any]:
        """As an authorization keeps it."""
        found = {
            "when": self.at, "method": self.method, "amr": list(self.amr), "acr": self.acr, "lse": self.lse,
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


def waiting(server: Server, secret: str) -> Waiting:
    """What is asked; `NotWaiting` where nothing is."""
    return _told(server, _find(server, secret))


def agree(server: Server, secret: str, agreed: Agreed) -> str | None:
    """The customer's yes, once: where her browser goes. `CannotAgree` where it is no answer to the question."""
    row = _find(server, secret)
    _check(server, _told(server, row), agreed)
    return _answer(server, row, agreed)


def decline(server: Server, secret: str) -> str | None:
    """The customer's no: where her browser goes."""
    return _answer(server, _find(server, secret), None)


def _find(server: Server, secret: str) -> AuthorizationRequest:
    row = requests.find(server.session, requests.PENDING, server.utility.id, secret)
    if row is None:
        raise NotWaiting()
    return row


def _answer(server: Server, row: AuthorizationRequest, agreed: Agreed | None) -> str | None:
    if not requests.take(server.session, row):
        raise NotWaiting()
    if row.poll_digest is not None:
        server.answer_poll(row, agreed)
        return None
    return server.answer(row.parameters, agreed)


def _told(server: Server, row: AuthorizationRequest) -> Waiting:
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
        by_message=row.poll_digest is not None,
        customer_id=row.customer_id,
        binding_message=given.get("binding_message", ""),
    )


def _check(server: Server, asked: Waiting, agreed: Agreed) -> None:
    now = clock.seconds()
    beyond = agreed.scope.beyond(asked.scope)
    if beyond or not agreed.scope.classes:
        raise CannotAgree(f"The answer goes beyond the question, or grants nothing: {', '.join(beyond)}.")
    if agreed.until <= now:
        raise CannotAgree("The end of an authorization lies in the future.")
    if asked.max_age is not None and agreed.identified.at < now - asked.max_age:
        raise CannotAgree(f"The customer signed in more than {asked.max_age} seconds ago; ask her again.")
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
