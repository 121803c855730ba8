"""What workers do in this installation: wiring, and nothing else."""

from __future__ import annotations

import sys
from functools import partial

from espi_server.access import (
    alarms,
    announcing,
    asking,
    challenge,
    checkpoints,
    closing,
    disclosure_seals,
    expiring,
    forwarding,
    letters,
    login_letters,
    matching,
    prepared,
    preparing,
    sealed_letters,
    securing,
    throttle,
)
from espi_server.access.identification import Identification
from espi_server.access.matching import ByProfile
from espi_server.access.oauth import refusals
from espi_server.accounts import email_changes, passkeys, signin
from espi_server.adapters.gateway import Gateway
from espi_server.adapters.http import Client, Reach
from espi_server.adapters.post import Console, Mail, Text
from espi_server.adapters.sandbox import Telephone
from espi_server.adapters.smtp import Smtp
from espi_server.db import Database
from espi_server.energy import changes, delivery
from espi_server.espi import safe
from espi_server.jobs import later
from espi_server.jobs.worker import Crew, Duty, Work, Worker
from espi_server.notify import outbox
from espi_server.notify.letters import People
from espi_server.notify.sending import Channel, Sender
from espi_server.notify.webhooks import Webhooks, reach
from espi_server.rates.arriving import arrived
from espi_server.settings import CONSOLE, Settings


def works(settings: Settings, identification: Identification) -> list[Work]:
    """Every kind of work but sending."""
    return [
        asking.work(settings, identification),
        securing.work(),
        delivery.work(arrived, closing.agreed, safe.Limits(size=settings.upload_bytes)),
        preparing.work(settings.secret_key, settings.base_url, settings.prepared_bytes),
    ]


def duties(settings: Settings) -> list[Duty]:
    """What has to be done again and again."""
    announce = partial(announcing.announce, installation=settings.base_url, wait=settings.notify_after)
    remind = partial(expiring.remind, installation=settings.base_url, days=settings.notice_days)
    return [
        Duty("end what ran out", 60, announcing.expire),
        Duty("leave closed agreements", 60, closing.sweep),
        Duty("tell what will run out", 900, remind),
        Duty("tell what goes on", 3600, expiring.remind_yearly),
        Duty("number changes", 5, _number_changes),
        Duty("announce changes", 5, announce),
        Duty("forget old jobs", 3600, later.forget_old),
        Duty("forget old batches", 300, partial(prepared.forget_old, kept=settings.prepared_seconds)),
        Duty("forget old messages", 3600, outbox.forget_old),
        Duty("write down refused clients", 3600, refusals.write_down),
        *disclosure_seals.duties(),
        *checkpoints.duties(settings.audit_checkpoints, settings.secret_key),
        Duty("forget old codes", 60, challenge.forget_old),
        Duty("forget old sign-ins", 600, signin.forget_old),
        Duty("forget old changes of addresses", 3600, email_changes.forget_old),
        Duty("forget old ceremonies", 600, passkeys.forget_old),
        Duty("forget old questions", 60, asking.forget_old),
        Duty("forget old misses", 3600, matching.forget_old),
        Duty("forget old attempts", 3600, throttle.forget_old),
    ]


def worker(database: Database, settings: Settings, identification: Identification | None = None) -> Crew:
    """Workers that do all of it: one for duties, one for all but sending, and as many as messages may leave at once."""
    sending, found = sender(database, settings), identification or ByProfile()
    # A quarter of them also serve slow endpoints; the others are always there for those that are prompt.
    patient = max(1, settings.senders // 4)
    senders = [Worker(database, sending.works(slow=place < patient)) for place in range(settings.senders)]
    return Crew([Worker(database, [], duties(settings)), Worker(database, works(settings, found)), *senders])


def sender(database: Database, settings: Settings) -> Sender:
    """Everything that leaves, by the doors that are set up."""
    client = Client(reach(settings), proxy=settings.egress_proxy)
    webhooks = Webhooks(database, client, announcing.destination, settings.secret_key, expiring.stands)
    said = {
        **letters.composers(),
        **alarms.composers(settings.alarm_mail),
        **forwarding.composers(settings.authority_mail),
        **sealed_letters.composers(),
        **login_letters.composers(settings.base_url),
        **asking.composers(settings),
    }
    people = People(database, said, mail(database, settings), text(database, settings))
    machines: dict[str, Channel] = {outbox.APPLICATION: webhooks, outbox.EVENTS: webhooks}
    return Sender(database, {**machines, outbox.PEOPLE: people, outbox.URGENT: people})


def mail(database: Database, settings: Settings) -> Mail | None:
    """How mail leaves, if it can."""
    if settings.mail_url == CONSOLE:
        return Console(sys.stdout)
    if settings.mail_url:
        return Smtp(settings.mail_url, settings.mail_from)
    return Telephone(database, settings) if settings.mode == "development" else None


def text(database: Database, settings: Settings) -> Text | None:
    """How text messages leave, if they can. The gateway is the operator's own, wherever it stands."""
    if settings.text_url == CONSOLE:
        return Console(sys.stdout)
    if settings.text_url:
        return Gateway(settings.text_url, settings.text_token, Client(Reach(anywhere=True)))
    return Telephone(database, settings) if settings.mode == "development" else None


def _number_changes(database: Database) -> None:
    with database.reading() as session:
        waiting = changes.are_waiting(session)
    while waiting:
        with database.writing() as session:
            waiting = changes.number(session) > 0
