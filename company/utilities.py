"""The utilities we are registered with, and what each says of its authorization server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

PATIENCE = 30  # seconds for an answer to begin


class NotNow(Exception):
    """It may work later; the words say what happened."""


class NotOurUtility(NotNow):
    """What answers at this address is not the utility we are registered with."""


@dataclass(frozen=True)
class Utility:
    """One registration: who the utility is, who we are there, and the secret its notifications are signed with."""

    code: str
    name: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    notify_secret: str = field(repr=False)
    timezone: str

    @cached_property
    def server(self) -> dict[str, Any]:
        """Its metadata (RFC 8414): every address comes from here, only the issuer is ours to know."""
        parts = urlsplit(self.issuer)
        address = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}"
        try:
            answer = requests.get(address, timeout=PATIENCE, allow_redirects=False)
            answer.raise_for_status()
            said: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise NotNow(f"{self.name} did not answer: {error}") from error
        if said.get("issuer") != self.issuer:  # RFC 8414 3.3
            raise NotOurUtility(f"{address} speaks for {said.get('issuer')!r}, not for {self.issuer!r}.")
        return said

    @property
    def origin(self) -> str:
        """Scheme, host and port of where its customers sign in."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


def read(file: Path) -> dict[str, Utility]:
    """The registrations by code: `{"alder": {"name": …, "issuer": …, …}}`."""
    return {code: Utility(code=code, **said) for code, said in json.loads(file.read_text("utf-8")).items()}
