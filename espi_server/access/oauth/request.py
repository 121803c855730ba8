"""A request to the authorization server as Authlib reads it, from plain values of any framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request

from espi_server.access.oauth.errors import Wrong

Values = Mapping[str, Sequence[str]]

LONGEST = 8192  # characters of one parameter


@dataclass(frozen=True)
class Sent:
    """What came over the wire: the query and the form, each name with all its values.

    `certificate` is the SHA-256 of the TLS certificate that the proxy verified, if it did; `place` where it came from.
    """

    query: Values = field(default_factory=dict)
    form: Values = field(default_factory=dict)
    authorization: str | None = None
    certificate: bytes | None = None
    place: str = ""

    def check_machine(self) -> None:
        """A machine's request has no query and says nothing twice (RFC 6749 3.2)."""
        if self.query:
            raise Wrong("Parameters stand in the body, none in the address.")
        check_once(self.form)


def check_once(values: Values) -> None:
    """Every parameter once, of a sensible length, and without control characters."""
    for name, given in values.items():
        if len(given) > 1:
            raise Wrong(f"The parameter {name[:40]} is there twice; send it once.")
        if len(given[0]) > LONGEST:
            raise Wrong(f"The parameter {name[:40]} is longer than {LONGEST} characters.")
        if not is_plain(given[0]):
            raise Wrong(f"The parameter {name[:40]} holds control characters.")


def is_plain(text: str) -> bool:
    """Is the text without control characters? No column keeps NUL, and no parameter needs the others."""
    return not any(each < " " or each == "\x7f" for each in text)


class Payload(OAuth2Payload):
    """The parameters, wherever they stood."""

    def __init__(self, values: Values) -> None:
        self._data = {name: given[0] for name, given in values.items() if given}
        self._datalist = {name: list(given) for name, given in values.items()}

    @property
    def data(self) -> dict[str, str]:
        """Each name with its first value."""
        return self._data

    @property
    def datalist(self) -> dict[str, list[str]]:
        """Each name with all its values."""
        return self._datalist


class Request(OAuth2Request):
    """One request, at this issuer."""

    def __init__(self, issuer: str, method: str, values: Values, sent: Sent | None = None) -> None:
        # Authlib refuses plain http by this address; what the settings allow is decided there, for the issuer.
        super().__init__(method=method, uri=issuer, headers={})
        self.sent = sent or Sent()
        self.payload = Payload(values)
        self.way = ""

    @property
    def args(self) -> dict[str, str]:
        """Each name of the query with its first value."""
        return {name: given[0] for name, given in self.sent.query.items()}

    @property
    def form(self) -> dict[str, Any]:
        """Each name of the body with its first value."""
        return {name: given[0] for name, given in self.sent.form.items()}
