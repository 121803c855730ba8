"""`espi-server authorize` and `espi-server token …`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from espi_server.access import applications, exporting, grants, machines, tokens
from espi_server.access.addresses import resource_base
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.energy.feed import Feed
from espi_server.errors import Usage
from espi_server.espi import paths
from espi_server.espi.query import Query
from espi_server.espi.scope import Scope, ScopeError
from espi_server.settings import Settings
from espi_server.shell import opened, operator
from espi_server.terminal import tell

MACHINES = ("client", "registration", "upload", "custodian")
LATEST = date(2199, 12, 31)
LIFETIME = click.IntRange(60, 10 * 365 * tokens.DAY)


def _readable(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    try:
        return str(Scope.parse(text)) if text else ""
    except ScopeError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--utility", "code", required=True, help="Whose customer it is.")
@click.option("--application", required=True, help="The company's application; created if it is new.")
@click.option("--scope", required=True, help='What is shared, such as "FB=4_5_15;HistoryLength=34128000".')
@click.option("--customer", help="The utility's reference of the customer.")
@click.option("--usage-point", "usage_points", multiple=True, type=click.UUID, help="Repeatable.")
@click.option("--all", "whole", is_flag=True, help="Every usage point the utility has now.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day, in the utility's time zone.")
@click.option("--lifetime", type=LIFETIME, help="Seconds the access token lives; default an hour.")
@click.option("--json", "as_json", is_flag=True, help="The token answer as JSON.")
def authorize(
    code: str,
    application: str,
    scope: str,
    customer: str | None,
    usage_points: tuple[uuid.UUID, ...],
    whole: bool,
    until: datetime | None,
    lifetime: int | None,
    as_json: bool,
) -> None:
    """Record an authorization a customer gave outside this server (FB_40), and print its tokens.

    \b
    Example:  espi-server authorize --utility north --application "SunWise Home" \\
                  --scope "FB=4_5_15" --customer C-1001
    """
    if sum((customer is not None, bool(usage_points), whole)) != 1:
        raise Usage("Say whose data: one of --customer REF, --usage-point UUID (repeatable) or --all.")
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        granted = grants.authorize(
            session,
            utility,
            _chosen(session, utility, customer, usage_points),
            application=application,
            scope=scope,
            until=_end_of_day(until, utility),
            by=operator(),
        )
        answer = grants.token_answer(
            session, utility, granted, installation=settings.base_url, lifetime=lifetime, by=operator()
        )
    _print(answer, as_json)


@click.group()
def token() -> None:
    """Tokens for machines."""


@token.command()
@click.option("--utility", "code", required=True)
@click.option("--kind", required=True, type=click.Choice(MACHINES))
@click.option("--application", help="The application it is for; not needed for upload and custodian tokens.")
@click.option("--scope", default="", callback=_readable, help="For client tokens, such as FB=34_35.")
@click.option("--lifetime", type=LIFETIME, help="Seconds it lives.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def add(
    code: str, kind: str, application: str | None, scope: str, lifetime: int | None, as_json: bool
) -> None:
    """Issue a token for a machine. It is shown once.

    \b
    Example:  espi-server token add --utility north --kind custodian
    """
    if application is None and kind in ("client", "registration"):
        raise Usage(f"A {kind} token belongs to an application: give --application NAME.")
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        client = applications.find(session, utility, application) if application else None
        issued = tokens.issue(
            session,
            kind,
            utility.id,
            application=client,
            scope=scope,
            lifetime=lifetime,
            issued_by=operator(),
        )
        answer = machines.answer(
            utility, kind, issued, scope, lifetime=lifetime, installation=settings.base_url
        )
        if kind == "registration" and client:
            base = resource_base(utility.base_url, utility.code, settings.base_url)
            answer["resourceURI"] = paths.application_information(base, str(client.id))
    _print(answer, as_json)


@click.command()
@click.option("--utility", "code", required=True)
@click.option(
    "--subscription", required=True, type=click.UUID, help="The id in the authorization's resourceURI."
)
@click.option("--published-min", help="From when on, such as 2026-11-01T00:00:00Z.")
@click.option("--published-max", help="Until when.")
@click.option("--gzip", "compressed", is_flag=True, help="Compressed, as a client that accepts gzip gets it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(exporting.FORMS),
    default=exporting.FORMS[0],
    show_default=True,
    help="The feed as Atom or JSON, or its readings as a table.",
)
@click.argument("file", type=click.Path(dir_okay=False))
def export(
    code: str,
    subscription: uuid.UUID,
    published_min: str | None,
    published_max: str | None,
    form: str,
    file: str,
    *,
    compressed: bool,
) -> None:
    """Write a subscription's feed to FILE: the same data its company gets.

    \b
    Example:  espi-server export --utility north --subscription 979e696d-… usage.xml
    """
    given = {"published-min": published_min, "published-max": published_max}
    query = Query.parse({name: [value] for name, value in given.items() if value is not None})
    settings = Settings.load()
    with opened(settings) as database:
        with database.reading() as session:
            asked = exporting.asking(
                session, utilities.find(session, code), subscription, query, settings.base_url
            )
        feed = exporting.written_as(form, Feed(database, asked))
        size, parts = feed.body("gzip" if compressed else "identity")
        with database.writing() as session:
            exporting.record(
                session, utilities.find(session, code), subscription, operator(),
                query=str(query), form=form, entries=feed.entries, size=size,
            )  # fmt: skip
        _write(Path(file), parts)
    tell(f"{file}: {feed.entries} entries, {size} bytes.")


def _write(file: Path, parts: Iterable[bytes]) -> None:
    """The whole file or none: it gets its name when it is complete."""
    unfinished = file.with_name(file.name + ".part")
    try:
        with unfinished.open("wb") as target:
            for part in parts:
                target.write(part)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _chosen(
    session: Session, utility: Utility, customer: str | None, usage_points: tuple[uuid.UUID, ...]
) -> grants.Chosen:
    if customer is not None:
        return grants.of_customer(session, utility, customer)
    return (
        grants.of_usage_points(session, utility, usage_points)
        if usage_points
        else grants.of_utility(session, utility)
    )


def _end_of_day(until: datetime | None, utility: Utility) -> int | None:
    """The moment the last day is over at the utility."""
    if until is None:
        return None
    if until.date() > LATEST:
        raise Usage(f"--until {until.date()} is too far away; give a day up to {LATEST}.")
    day = until.date() + timedelta(days=1)
    return int(datetime.combine(day, time(), ZoneInfo(utility.timezone)).timestamp())


def _print(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for name, value in answer.items():
        click.echo(f"{name}: {value}")
    tell("These tokens are shown once; only their digests are kept.")
