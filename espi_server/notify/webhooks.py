"""Telling machines: a BatchList to where an application is notified, and a signed event where it wants events.

Neither holds any data: addresses that open with the right token, and ids.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.adapters.http import Answer, BadAddress, Client, NoAnswer
from espi_server.adapters.reach import NotPublic, Reach
from espi_server.db import Database
from espi_server.espi.authorization import BatchList
from espi_server.jobs.worker import GivesUp
from espi_server.notify import outbox, signing
from espi_server.notify.sending import LONGEST, Failed, Message, Moot
from espi_server.settings import Settings

GONE = 410
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True)
class Destination:
    """Where an application is told things: the standard's notifications, and events."""

    notify_uri: str | None
    event_uri: str | None


Destinations = Callable[[Session, uuid.UUID], Destination | None]
"""The destination of an application; applications are known to another room."""

Stands = Callable[[Session, Mapping[str, Any]], bool]
"""Is what a message's payload tells of still so?"""


def reach(settings: Settings) -> Reach:
    """What may be spoken to in this installation: public addresses alone, but on a developer's machine."""
    return Reach(settings.mode == "development", frozenset(map(int, settings.egress_ports.split())))


@dataclass(frozen=True)
class Webhooks:
    """POSTs messages to applications. `key` is the installation's, of which the shared secrets are made."""

    database: Database
    client: Client
    destinations: Destinations
    key: str
    stands: Stands = lambda session, payload: True

    def send(self, message: Message) -> None:
        """Deliver it, or raise Failed, GivesUp or Moot; 2xx alone is success, whatever follows the status."""
        way, _, id = message.recipient.partition(":")
        address, secrets = self._where(way, uuid.UUID(id), message.payload)
        type, body = _event(message) if way == outbox.EVENTS else _batch_list(message)
        signed = signing.headers(message.id, clock.seconds(), body, secrets)
        try:
            answer = self.client.post(address, body, {"Content-Type": type, **signed})
        except NotPublic as error:
            raise Failed(str(error)) from error  # what a name means may be set right
        except BadAddress as error:
            raise GivesUp(str(error)) from error
        except NoAnswer as error:
            raise Failed(str(error)) from error
        _judge(answer)

    def _where(
        self, way: str, application_id: uuid.UUID, payload: Mapping[str, Any]
    ) -> tuple[str, list[bytes]]:
        with self.database.reading() as session:
            if not self.stands(session, payload):
                raise Moot("What it would tell is over.")
            found = self.destinations(session, application_id) or Destination(None, None)
            address = found.event_uri if way == outbox.EVENTS else found.notify_uri
            if not address:
                raise GivesUp("The application names no address for this any more.")
            return address, signing.live(session, application_id, self.key)


def _judge(answer: Answer) -> None:
    if answer.is_success:
        return
    if answer.status == GONE:
        raise GivesUp("It answered 410: it does not want to be told any more.")
    words = {3: "; redirects are not followed"}.get(answer.status // 100, "")
    raise Failed(f"It answered {answer.status}{words}.", _asked(answer.headers.get("retry-after", "")))


def _asked(text: str) -> int:
    """How long a Retry-After asks to wait, within bounds; 0 where it cannot be read."""
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, min(int(aware.timestamp()) - clock.seconds(), LONGEST))


def _batch_list(message: Message) -> tuple[str, bytes]:
    return "application/xml", _DECLARATION + BatchList(resources=message.payload["resources"]).write()


def _event(message: Message) -> tuple[str, bytes]:
    moment = datetime.fromtimestamp(message.payload["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"type": message.kind, "timestamp": moment, "data": message.payload["data"]}
    return "application/json", json.dumps(event, separators=(",", ":")).encode()
