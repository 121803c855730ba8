"""An application as an OAuth client: what its row and its policy allow it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidScopeError
from sqlalchemy.orm import Session

from espi_server.access import features
from espi_server.access.models import Application
from espi_server.access.oauth import policies
from espi_server.access.oauth.errors import sayable
from espi_server.access.oauth.policies import Policy
from espi_server.espi.scope import EVERYTHING, Scope, ScopeError
from espi_server.espi.tables import DataClass

OPENID = "openid"
CODE = "code"
HYBRID = "code id_token"
GRANTS = ("authorization_code", "client_credentials", "refresh_token")


@dataclass(frozen=True)
class Wanted:
    """A scope as it stands in a request: the one scope string of ESPI, beside `openid` or not."""

    scope: Scope
    text: str  # the ESPI scope as it was written, where its print would not be shorter
    openid: bool

    @staticmethod
    def read(text: str) -> Wanted:
        """Read it; `ScopeError` tells what cannot be read, and that blanks part scopes."""
        words = text.split()
        ours = [word for word in words if word != OPENID]
        if len(ours) != 1 or len(words) - len(ours) > 1:
            raise ScopeError(
                "The scope is one ESPI scope such as FB=4_5_15;HistoryLength=34128000, with or without openid beside"
                " it. It holds no blanks."
            )
        scope = Scope.parse(ours[0])
        return Wanted(scope, ours[0] if len(ours[0]) <= 256 else str(scope), len(words) > 1)

    def granted(self, scope: Scope) -> str:
        """How the granted scope is written: as it was asked for, if it is the same."""
        return self.text if scope == self.scope else str(scope)


class Client(ClientMixin):
    """An application and its policy, as Authlib asks about them."""

    def __init__(self, session: Session, application: Application) -> None:
        self.application, self._session = application, session

    @cached_property
    def policy(self) -> Policy:
        """The policy it is held to."""
        return policies.named(self.application.policy)

    def get_client_id(self) -> str:
        """Its public name."""
        return self.application.client_id

    def get_default_redirect_uri(self) -> str | None:
        """The one address it has registered; with several there is no default (trap: the first of many)."""
        uris = self.application.redirect_uris
        return str(uris[0]) if len(uris) == 1 else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """RFC 9700 2.1: compared character by character."""
        return redirect_uri in self.application.redirect_uris

    def get_allowed_scope(self, scope: str | None) -> str:
        """The scope itself, or `InvalidScopeError`: nobody gets less than asked without being told."""
        try:
            self.check_scope(Wanted.read(scope or ""))
        except ScopeError as error:
            raise InvalidScopeError(description=sayable(str(error))) from error
        return scope or ""

    def check_scope(self, wanted: Wanted) -> None:
        """`ScopeError` where the scope goes beyond what this application may ask for, or opens nothing."""
        offered = Scope.parse(self.application.scope) if self.application.scope else EVERYTHING
        wanted.scope.check(offered)
        if not wanted.scope.classes:
            raise ScopeError("The scope opens no data; name function blocks such as FB=4_5_15.")
        if DataClass.RATE_CHANGE in wanted.scope.terms and not self.policy.may_change_rates:
            raise ScopeError("Not on offer: AdditionalScope=RateChange. It needs the strict policy.")
        features.check_request(self._session, self.application.utility_id, wanted.scope.classes)

    def check_response_type(self, response_type: str) -> bool:
        """`token` is nobody's; the other two are everybody's."""
        return response_type in (CODE, HYBRID)

    def check_grant_type(self, grant_type: str) -> bool:
        """These grants are everybody's; asking by message is the policy's to allow."""
        return grant_type in GRANTS

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """May it show who it is in this way?"""
        return method in self.policy.ways
