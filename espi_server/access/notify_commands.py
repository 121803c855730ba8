"""`espi-server asp notify`: where an application is told things, and the secret it checks them with."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import applications
from espi_server.access.models import Application
from espi_server.accounts import utilities
from espi_server.energy import changes
from espi_server.errors import Usage
from espi_server.notify import outbox, signing
from espi_server.notify.webhooks import reach
from espi_server.settings import Settings
from espi_server.shell import opened, operator
from espi_server.terminal import tell

HOURS = 3600


@click.command()
@click.argument("name")
@click.option("--utility", "code", required=True)
@click.option("--uri", help="Where ESPI notifications (BatchLists) go; an empty text for nowhere.")
@click.option("--events", help="Where signed JSON events go; an empty text for nowhere.")
@click.option("--secret", is_flag=True, help="Make a new secret to check signatures with; it is shown once.")
@click.option(
    "--overlap", default=168, show_default=True, type=click.IntRange(0, 2160), help="Hours the old one signs."
)
@click.option("--test", is_flag=True, help="Send a test to both addresses.")
def notify(
    name: str, code: str, uri: str | None, events: str | None, secret: bool, overlap: int, test: bool
) -> None:
    """Set where an application is notified, renew its secret, or send it a test.

    \b
    Example:  espi-server asp notify "SunWise Home" --utility north --uri https://sunwise.example/espi --secret
    """
    if (uri, events, secret, test) == (None, None, False, False):
        raise Usage("Say what to do: --uri, --events, --secret or --test.")
    settings = Settings.load()
    for address in filter(None, (uri, events)):
        reach(settings).check(address)
    with opened(settings) as database, database.writing() as session:
        found = applications.find(session, utilities.find(session, code), name)
        _set(session, found, uri, events)
        if secret:
            click.echo(signing.renew(session, found.id, settings.secret_key, overlap=overlap * HOURS))
            applications.record(
                session, found, "application.secret", operator(), purpose="webhook", overlap=overlap * HOURS
            )
        if test:
            _test(session, found)
    if secret:
        tell("The secret is shown once. It changes if ESPI_SECRET_KEY does.")


def _set(session: Session, found: Application, uri: str | None, events: str | None) -> None:
    if uri is not None and uri != found.notify_uri:
        found.notify_uri, found.updated_at = uri or None, clock.seconds()
        changes.note(session, found.utility_id, "ApplicationInformation", found.id, "changed")
        applications.record(session, found, "application.changed", operator(), fields=["notify_uri"])
    if events is not None:
        found.information = {**found.information, "event_uri": events or None}
        applications.record(session, found, "application.changed", operator(), fields=["event_uri"])


def _test(session: Session, found: Application) -> None:
    """An empty BatchList, and the event test.ping."""
    if found.notify_uri:
        outbox.put(
            session, found.utility_id, "batch_list", recipient=f"{outbox.APPLICATION}:{found.id}",
            payload={"resources": []},
        )  # fmt: skip
    if found.information.get("event_uri"):
        outbox.put(
            session, found.utility_id, "test.ping", recipient=f"{outbox.EVENTS}:{found.id}",
            payload={"at": clock.seconds(), "data": {}},
        )  # fmt: skip
