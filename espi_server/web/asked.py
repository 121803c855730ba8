"""What a resource request is about, once the guard has admitted it: who asks, where, and for what."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from flask import request

from espi_server import clock
from espi_server.access import opening
from espi_server.access.addresses import public_base, resource_base
from espi_server.access.guard import Grant, closed
from espi_server.access.resources import Addresses
from espi_server.db import NIL
from espi_server.energy import identity
from espi_server.energy.asking import Asking
from espi_server.energy.find import Opening
from espi_server.errors import NotFound, Problem
from espi_server.espi import paths
from espi_server.espi.paths import Pattern
from espi_server.espi.query import Query, read_format
from espi_server.espi.rights import FULL, Rights
from espi_server.espi.scope import Scope
from espi_server.web import negotiation
from espi_server.web.house import house
from espi_server.web.negotiation import Representation

# All other resources take the seven parameters.
_UNQUERIED = frozenset({"read_service_status_entry", "application_information_entry"})
# One spelling of every address: clients compare hrefs as text, and `uuid.UUID` would read many others.
_OURS = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_NOBODY = str(NIL)  # the subscription of what a custodian reads


@dataclass(frozen=True)
class Asked:
    """One admitted request: its pattern, its path arguments by kind, and the grant behind its token."""

    pattern: Pattern
    grant: Grant
    ids: Mapping[str, str]

    @cached_property
    def addresses(self) -> Addresses:
        """Where this utility is reached from outside."""
        grant, installation = self.grant, house().settings.base_url
        return Addresses(
            public_base(grant.base_url, grant.utility, installation),
            resource_base(grant.base_url, grant.utility, installation),
        )

    @property
    def base(self) -> str:
        """The resource base."""
        return self.addresses.base

    @cached_property
    def query(self) -> Query:
        """The query parameters; `BadParameter` names what cannot be read."""
        if self.pattern.name in _UNQUERIED:
            return Query(format=read_format(request.args))
        return Query.parse(request.args)

    @cached_property
    def representation(self) -> Representation:
        """How the answer is to be written; `BadParameter` for a format this path does not come in."""
        return negotiation.chosen(self.pattern, self.query.format, request.headers.get("Accept", ""))

    @cached_property
    def path(self) -> str:
        """The path below the resource base, in the one spelling that is ours."""
        return self.pattern.path.format(
            **{letter: self.ids[paths.LETTERS[letter]] for letter in self.pattern.parameters}
        )

    @property
    def href(self) -> str:
        """The address of this very answer."""
        query = str(self.query)
        return f"{self.base}/{self.path}" + (f"?{query}" if query else "")

    def id(self, kind: str) -> uuid.UUID:
        """A path argument as an id; one that is not spelled as we spell ours names nothing we have."""
        text = self.ids[kind]
        return uuid.UUID(text) if _OURS.fullmatch(text) else NIL

    @property
    def is_custodian(self) -> bool:
        """Is it the custodian's own token, that reaches everything of its utility?"""
        return self.grant.kind == "custodian"

    @property
    def application(self) -> uuid.UUID | None:
        """Whose authorizations this request reaches: its application's, or None for a custodian, everybody's."""
        if self.is_custodian:
            return None
        if self.grant.application_id is None:
            raise closed()
        return self.grant.application_id

    def nowhere(self) -> Problem:
        """The answer to a path that leads nowhere for this token: closed, but to a custodian, who may know."""
        return NotFound() if self.is_custodian else closed()

    @cached_property
    def opening(self) -> Opening:
        """The usage points this request may read; `Forbidden` for a path outside the grant."""
        grant = self.grant
        if "Subscription" in self.ids:
            subscription = self.id("Subscription")
            if not self.is_custodian and subscription != grant.authorization_id:
                raise closed()
            return opening.subscription(grant.utility_id, subscription)
        if "RetailCustomer" in self.ids:
            return opening.customer(grant.utility_id, self.id("RetailCustomer"))
        if self.is_custodian:
            return opening.utility(grant.utility_id)
        if grant.authorization_id is None:
            raise closed()
        return opening.subscription(grant.utility_id, grant.authorization_id)

    def rights(self, scope: str | None, history_from: int | None) -> Rights:
        """What a subscription's scope allows this token; a custodian sees everything."""
        return FULL if self.is_custodian or scope is None else scope_rights(scope, history_from)

    def at(self, subscription: str) -> str:
        """The address usage points stand on: the subscription's, a customer's, or the resource base."""
        if "RetailCustomer" in self.ids:
            return paths.retail_customer(self.base, self.ids["RetailCustomer"])
        return self.base if subscription == _NOBODY else paths.subscription(self.base, subscription)

    @property
    def link_type(self) -> str:
        """The type of a link to this answer."""
        kind = self.pattern.kind
        return paths.feed_type(kind) if self.pattern.is_collection else paths.entry_type(kind)

    def asking(
        self,
        *,
        opened: Opening | None = None,
        kinds: frozenset[int] | None = None,
        usage_point: uuid.UUID | None = None,
        meter_reading: uuid.UUID | None = None,
        query: Query | None = None,
    ) -> Asking:
        """This request as the energy room understands it."""
        return Asking(
            opening=opened or self.opening,
            base=self.base,
            href=self.href,
            link_type=self.link_type,
            title=self.pattern.kind,
            id=identity.made(self.grant.namespace, "Feed", self.path),
            at=self.at,
            rights=self.rights,
            zone=ZoneInfo(self.grant.timezone),
            digest=self.grant.digest,
            now=clock.seconds(),
            query=self.query if query is None else query,
            kinds=kinds,
            usage_point=usage_point,
            meter_reading=meter_reading,
        )


@lru_cache(maxsize=4096)
def scope_rights(scope: str, history_from: int | None) -> Rights:
    """The rights a granted scope gives, with its consented history."""
    return Rights.of(Scope.parse(scope), history_from)
