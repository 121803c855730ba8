"""Alarms: a token or a code came a second time, so somebody else may have had it. People look into that.

The company hears of it by an event where it takes events and by mail to its people, the utility by mail to
`ESPI_ALARM_MAIL`. A customer hears of it where her authorization ended.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access.models import Application
from espi_server.accounts.models import Utility
from espi_server.jobs.worker import GivesUp
from espi_server.notify import outbox
from espi_server.notify.letters import Compose, Note
from espi_server.notify.sending import Message

REPLAYED: Final = "token.replayed"
COMPANY: Final = "company"
UTILITY: Final = "utility"


def replayed(session: Session, application_id: uuid.UUID, authorization_id: uuid.UUID) -> None:
    """Tell the company and the utility; what it was used for has ended already."""
    application, now = session.get_one(Application, application_id), clock.seconds()
    told = {"application": str(application_id), "authorization": str(authorization_id)}
    if application.information.get("event_uri"):
        event = {"at": now, "data": told}
        _put(session, application, f"{outbox.EVENTS}:{application_id}", event)
    for recipient in (f"{COMPANY}:{application_id}", UTILITY):
        _put(session, application, recipient, {**told, "at": now})


def _put(session: Session, application: Application, recipient: str, payload: Mapping[str, object]) -> None:
    outbox.put(session, application.utility_id, REPLAYED, recipient=recipient, payload=dict(payload))


def composers(alarm_mail: str) -> Mapping[str, Compose]:
    """Who knows what an alarm says. `alarm_mail` is where the utility's go."""
    return {REPLAYED: partial(_used_twice, alarm_mail=alarm_mail)}


def _used_twice(session: Session, message: Message, *, alarm_mail: str) -> Note:
    application = session.get_one(Application, uuid.UUID(message.payload["application"]))
    utility = session.get_one(Utility, message.utility_id)
    moment = datetime.fromtimestamp(message.payload["at"], UTC)
    return Note(
        sender=utility.name,
        email=_address(message.recipient, application, alarm_mail),
        phone=None,
        language="en",
        values={
            "company": application.name,
            "utility": utility.name,
            "ended": moment.astimezone(ZoneInfo(utility.timezone)),
            "authorization": message.payload["authorization"],
        },
    )


def _address(recipient: str, application: Application, alarm_mail: str) -> str:
    """Where it goes; GivesUp says which address is missing."""
    if recipient == UTILITY:
        if not alarm_mail:
            raise GivesUp("Nobody here is told of alarms: set ESPI_ALARM_MAIL, then send this message again.")
        return alarm_mail
    named: Sequence[str] = application.information.get("contacts", [])
    found = next((each for each in named if "@" in each), None)
    if found is None:
        raise GivesUp(f"{application.name} has named no mail address. Tell its people yourself.")
    return found
