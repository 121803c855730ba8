"""`espi-server login …`: customers' ways in, and the provider a utility has of its own."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from sqlalchemy.orm import Session

from espi_server.access import audit, securing
from espi_server.access.addresses import public_base
from espi_server.accounts import provider, sessions, signin, utilities
from espi_server.accounts.models import Customer, Login, Utility
from espi_server.settings import Settings
from espi_server.shell import opened, operator

UTILITY = click.option("--utility", "code", required=True, help="The utility's code.")
EMAIL = click.option("--email", required=True, help="What she signs in with.")
MAIL = click.option("--mail", is_flag=True, help="Send the link to her address instead of printing it.")


@click.group()
def login() -> None:
    """Customers' ways in: opened by the utility, closed and opened again, and its own OpenID provider."""


@login.command()
@UTILITY
@click.option("--customer", "reference", required=True, help="The utility's own number of the customer.")
@EMAIL
@click.option(
    "--language", type=click.Choice(["en", "es"]), help="What she reads; else what her record says."
)
@MAIL
def add(code: str, reference: str, email: str, language: str | None, mail: bool) -> None:
    """Open a way in for a customer, and print (or mail) the link by which she chooses her password.

    \b
    Example:  espi-server login add --utility north --customer C-1 --email ada@example.org --mail
    """
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        row = signin.add(session, utility, reference, email, language=language)
        securing.record(session, row, "login.opened", actor=operator(), customer=row.customer_id)
        path = securing.invite(session, row, signin.FIRST, by=operator(), mail=mail)
    _say(settings, utility, path, mail)


@login.command()
@UTILITY
@EMAIL
@MAIL
def link(code: str, email: str, mail: bool) -> None:
    """Make a new link by which a password is chosen; earlier ones are over. It works for seven days, once."""
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        row = signin.find(session, utility.id, email)
        path = securing.invite(session, row, signin.FIRST, by=operator(), mail=mail)
    _say(settings, utility, path, mail)


@login.command("list")
@UTILITY
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(code: str, as_json: bool) -> None:
    """List a utility's logins, the oldest first."""
    with opened() as database, database.reading() as session:
        utility = utilities.find(session, code)
        rows = [_described(session, each) for each in signin.every(session, utility.id)]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "logins": rows}, indent=2))
    for each in () if as_json else rows:
        chosen = "has a password" if each["has_password"] else "no password yet"
        click.echo(f"{each['customer']:<16} {each['email'] or '-'}  ({each['status']}, {chosen})")


@login.command()
@UTILITY
@EMAIL
def close(code: str, email: str) -> None:
    """Close a way in: whoever is signed in by it is not any more, and its links are over."""
    with opened() as database, database.writing() as session:
        row = signin.find(session, utilities.find(session, code).id, email)
        row.status = signin.CLOSED
        sessions.end_all(session, row.id)
        signin.drop_links(session, row.id)
        signin.forget_devices(session, row.id)
        securing.record(session, row, "login.closed", actor=operator(), reason="operator")
    click.echo(f"Closed {email}.")


@login.command("open")
@UTILITY
@EMAIL
def open_command(code: str, email: str) -> None:
    """Open a way in that was closed; the password and the second factor are the ones there were."""
    with opened() as database, database.writing() as session:
        row = signin.find(session, utilities.find(session, code).id, email)
        row.status = sessions.ACTIVE
        securing.record(session, row, "login.reopened", actor=operator())
    click.echo(f"Opened {email}.")


@login.command("provider")
@UTILITY
@click.option("--issuer", help="What the provider calls itself, such as https://login.utility.example.")
@click.option("--client-id", help="What it calls us.")
@click.option("--secret", "reads_secret", is_flag=True, help="Read the client secret from standard input.")
@click.option("--scopes", default="openid email", show_default=True, help="What is asked for there.")
@click.option("--claim", default="sub", show_default=True, help="Which claim is the customer's number here.")
@click.option("--second", default="", help="The acr value that means two factors there.")
@click.option("--only", is_flag=True, help="No passwords here: everybody signs in there.")
@click.option("--remove", is_flag=True, help="Nobody signs in there any more.")
def provider_command(code: str, remove: bool, reads_secret: bool, **chosen: Any) -> None:
    """Let customers sign in at the utility's own OpenID provider; without options: show it.

    \b
    Example:  espi-server login provider --utility north --issuer https://login.north.example \\
                --client-id green-button --secret --claim customer_number < secret.txt
    """
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        if remove:
            provider.remove(session, utility)
            _note_provider(session, utility, "")
        elif chosen["issuer"]:
            secret = sys.stdin.readline().strip() if reads_secret else ""
            is_laptop = settings.mode == "development"
            chosen["client_id"] = chosen["client_id"] or ""
            provider.configure(session, utility, secret=secret, anywhere=is_laptop, **chosen)
            _note_provider(session, utility, chosen["issuer"])
        found = provider.of(session, utility.id)
    if found is None:
        click.echo("Customers sign in here, with passwords.")
        return
    for name in ("issuer", "client_id", "scopes", "claim", "second", "only"):
        click.echo(f"{name:<10} {getattr(found, name)}")
    click.echo(f"redirect   {public_base(utility.base_url, code, settings.base_url)}/account/sign-in/back")


def _note_provider(session: Session, utility: Utility, issuer: str) -> None:
    subject = f"utility:{utility.id}"
    audit.record(session, utility.id, "login.provider", actor=operator(), subject=subject, issuer=issuer)


def _described(session: Session, row: Login) -> dict[str, Any]:
    customer = session.get(Customer, row.customer_id) if row.customer_id else None
    return {
        "email": row.email, "customer": customer.reference if customer else "", "status": row.status,
        "language": row.language, "has_password": row.password_digest is not None,
    }  # fmt: skip


def _say(settings: Settings, utility: Utility, path: str, mail: bool) -> None:
    if mail:
        click.echo("The link is on its way to her.")
    else:
        click.echo(public_base(utility.base_url, utility.code, settings.base_url) + path)
