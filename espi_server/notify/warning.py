"""Telling a company's people that their own server does not take what we send: once, not for every message."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import or_, update

from espi_server import clock
from espi_server.db import Database
from espi_server.jobs.leases import Lease
from espi_server.notify import outbox
from espi_server.notify.models import Endpoint

DAY = 86_400  # seconds of failing after which they are told
WEEK = 7 * DAY  # seconds between two letters about messages that are refused while others are taken
FAILING = "endpoint.failing"
PARKED = "endpoint.parked"


def failing(database: Database, endpoint: Lease, since: int) -> None:
    """It has failed since then: told once, until it takes something again."""
    _tell(database, endpoint, FAILING, Endpoint.warned_at, since)


def parked(database: Database, endpoint: Lease, since: int | None) -> None:
    """A message was given up: told once in a time of failing, else once a week."""
    _tell(database, endpoint, PARKED, Endpoint.parked_told_at, since or clock.seconds() - WEEK)


def _tell(database: Database, endpoint: Lease, kind: str, told: Any, since: int) -> None:
    """A letter of this `kind`, unless one was put since then; the row remembers it in the same transaction."""
    way, _, application = endpoint.values["name"].partition(":")
    if way not in (outbox.APPLICATION, outbox.EVENTS):
        return  # people: who does not get mail can be told nothing by mail
    utility_id: uuid.UUID = endpoint.values["utility_id"]
    untold = (Endpoint.id == endpoint.id, or_(told.is_(None), told < since))
    with database.writing() as session:
        done: Any = session.execute(update(Endpoint).where(*untold).values({told: clock.seconds()}))
        if done.rowcount == 1:
            payload = {"application": application, "way": way, "since": since}
            recipient = f"{outbox.COMPANY}:{application}"
            outbox.put(session, utility_id, kind, recipient=recipient, payload=payload)
