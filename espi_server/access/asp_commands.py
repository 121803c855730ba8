"""`espi-server asp …` and `espi-server keys …`: third parties' applications, and the keys we sign with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from espi_server.access import admission, applications, audit, describing, grants, keys, reencrypting
from espi_server.access.applications import Registration
from espi_server.access.models import Application
from espi_server.access.notify_commands import notify
from espi_server.access.oauth import certificates
from espi_server.access.oauth.policies import LONGEST_WINDOW, POLICIES
from espi_server.access.opening import PRODUCTION
from espi_server.access.resources import authorizations
from espi_server.accounts import utilities
from espi_server.errors import Unreadable
from espi_server.espi.scope import Scope, ScopeError
from espi_server.notify.webhooks import reach
from espi_server.settings import Settings
from espi_server.shell import opened, operator
from espi_server.terminal import tell

STATES = {1: "review", 2: "production", 3: "on hold", 4: "revoked"}
HOUR = 3600


@click.group()
def asp() -> None:
    """Third parties and their applications."""


asp.add_command(notify)


_TOLD = {
    "--use": ("use_statement", "Why it asks, for customers, in English: one or two sentences."),
    "--use-es": ("use_statement#es", "The same in Spanish."),
    "--site": ("client_uri", "Its site."),
    "--privacy-policy": ("policy_uri", "The address of its privacy policy."),
    "--terms": ("tos_uri", "The address of its terms."),
    "--terms-version": ("tos_version", "Which version of them."),
    "--privacy-email": ("privacy_email", "Where customers write to have their data deleted."),
}
_LISTED = {
    "--essential": (describing.ESSENTIAL, "Data it cannot do without, such as Usage"),
    "--service": (describing.SERVICES, f"What it does for customers: {', '.join(describing.KINDS)}"),
    "--language": (describing.LANGUAGES, "A language its people speak, such as es"),
    "--area": (describing.AREAS, "A place it serves, such as Fresno County; none: wherever the utility does"),
}


def told_options(command: Any) -> Any:
    """What customers are told about a company, one option each."""
    for option, (name, help) in reversed(_LISTED.items()):
        command = click.option(option, name, multiple=True, help=f"{help}; repeatable.")(command)
    for option, (_, help) in reversed(_TOLD.items()):
        command = click.option(option, option[2:].replace("-", "_"), help=help)(command)
    return command


def _told(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names they are kept under."""
    found = {
        name: given[option[2:].replace("-", "_")]
        for option, (name, _) in _TOLD.items()
        if given[option[2:].replace("-", "_")] is not None
    }
    return found | {name: list(given[name]) for name, _ in _LISTED.values() if given[name]}


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True, help="At which utility.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where answers go; repeatable.")
@click.option("--notify-uri", help="Where notifications go.")
@click.option("--policy", default="standard", show_default=True, type=click.Choice([*POLICIES]))
@click.option("--scope", default="", help="The most it may ask for; everything if not given.")
@click.option("--jwks", type=click.Path(dir_okay=False), help="A file with its public keys (RFC 7517).")
@click.option(
    "--certificate", "certificate_files", multiple=True, type=click.Path(dir_okay=False), help="PEM; repeatable."
)  # fmt: skip
@click.option(
    "--retry-window",
    default=0,
    type=click.IntRange(0, LONGEST_WINDOW),
    help="Seconds a legacy client may repeat a refresh whose answer it lost.",
)
@click.option(
    "--kind",
    default="data-only",
    show_default=True,
    help="How the authority qualifies it: data-only or rate-change.",
)
@told_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def add(
    name: str,
    code: str,
    redirect_uris: tuple[str, ...],
    notify_uri: str | None,
    policy: str,
    scope: str,
    jwks: str | None,
    certificate_files: tuple[str, ...],
    retry_window: int,
    kind: str,
    as_json: bool,
    **told: Any,
) -> None:
    """Register an application. Its secret is shown once; it works after `espi-server asp qualify`.

    \b
    Example:  espi-server asp add "SunWise Home" --utility north --redirect-uri https://sunwise.example/back
    """
    stated = Registration(
        name=name,
        policy=policy,
        redirect_uris=redirect_uris,
        notify_uri=notify_uri,
        scope=_scope(scope),
        jwks=_json(jwks) if jwks else {},
        certificates=[certificates.thumbprint(_text(each)).hex() for each in certificate_files],
        retry_window=retry_window,
        kind=kind,
    )
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        added = applications.register(
            session, utility, stated, by=operator(), reachable=reach(settings).check
        )
        if _told(told):
            describing.describe(session, added, _told(told), by=operator())
        has_secret = not (stated.jwks or stated.certificates)
        secret = applications.new_secret(session, added, by=operator()) if has_secret else None
        said = _described(added) | ({"client_secret": secret} if secret else {})
    _print(said, as_json)
    if secret:
        tell("The secret is shown once; only its digest is kept.")


@asp.command("list")
@click.option("--utility", "code", required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(code: str, as_json: bool) -> None:
    """List a utility's applications."""
    with opened() as database, database.reading() as session:
        found = [_described(each) for each in applications.every(session, utilities.find(session, code))]
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "applications": found}, indent=2))
    for each in () if as_json else found:
        click.echo(f"{each['name']:<32} {each['client_id']:<24} {each['status']:<11} {each['policy']}")


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True)
@told_options
def describe(name: str, code: str, **told: Any) -> None:
    """Say what customers are told about a company where they choose what to share; "" takes a field away.

    \b
    Example:  espi-server asp describe "SunWise Home" --utility north --use "We run your battery at low prices."
    """
    if not _told(told):
        raise click.UsageError("Say what customers are told, such as --use or --privacy-policy.")
    with opened() as database, database.writing() as session:
        found = applications.find(session, utilities.find(session, code), name)
        describing.describe(session, found, _told(told), by=operator())
    click.echo(f"{name} is described so.")


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True)
def qualify(name: str, code: str) -> None:
    """Put an application into production: from now on it may ask.

    \b
    Example:  espi-server asp qualify "SunWise Home" --utility north
    """
    with opened() as database, database.writing() as session:
        found = applications.find(session, utilities.find(session, code), name)
        applications.set_status(session, found, PRODUCTION, by=operator())
        missing = [each for each in ("tos_uri", "policy_uri") if not found.information.get(each)]
    click.echo(f"{name} is in production.")
    if missing:
        words = {"tos_uri": "terms", "policy_uri": "privacy policy"}
        told = " and no ".join(words[each] for each in missing)
        tell(f"Customers are shown no {told} of this company: see `espi-server asp describe`.")


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True)
@click.option("--for-good", is_flag=True, help="End its authorizations too, and tell the customers.")
def block(name: str, code: str, for_good: bool) -> None:
    """Put an application on hold: no token of it works until `qualify`, or never again.

    \b
    Example:  espi-server asp block "SunWise Home" --utility north
    """
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        found = applications.find(session, utility, name)
        status = applications.REVOKED if for_good else applications.ON_HOLD
        with audit.together(session):
            applications.set_status(session, found, status, by=operator())
            ended = authorizations(session, utility.id, found.id) if for_good else []
            for each in ended:
                grants.end(session, each, "offboarded", by=operator())
    click.echo(f"{name} is {'revoked' if for_good else 'on hold'}.")


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True)
@click.option(
    "--overlap", default=24, show_default=True, type=click.IntRange(0, 720), help="Hours the old one still works."
)  # fmt: skip
def secret(name: str, code: str, overlap: int) -> None:
    """Give an application a new secret. It is shown once; the old one works for a while beside it.

    \b
    Example:  espi-server asp secret "SunWise Home" --utility north --overlap 48
    """
    with opened() as database, database.writing() as session:
        found = applications.find(session, utilities.find(session, code), name)
        made = applications.new_secret(session, found, overlap=overlap * HOUR, by=operator())
    click.echo(made)


@asp.command()
@click.argument("name")
@click.option("--utility", "code", required=True, help="At which utility.")
@click.option(
    "--uses", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many applications."
)
@click.option("--days", default=14, show_default=True, type=click.IntRange(1, 365), help="How long it works.")
@click.option("--policy", default="standard", show_default=True, type=click.Choice([*POLICIES]))
@click.option("--scope", default="", help="The most they may ask for; everything if not given.")
@click.option("--withdraw", is_flag=True, help="Instead: no invitation of this company works any more.")
def invite(name: str, code: str, uses: int, days: int, policy: str, scope: str, withdraw: bool) -> None:
    """Let the company NAME register its applications itself, at /oauth/register. The token is shown once.

    \b
    Example:  espi-server asp invite "SunWise Home" --utility north
    """
    with opened() as database, database.writing() as session:
        utility = utilities.find(session, code)
        if withdraw:
            gone = admission.withdraw(session, utility, name, by=operator())
            click.echo(f"{gone} invitation{'' if gone == 1 else 's'} of {name} withdrawn.")
            return
        made = admission.invite(
            session, utility, name, policy=policy, scope=_scope(scope), uses=uses, lifetime=days * 24 * HOUR,
            by=operator(),
        )  # fmt: skip
    click.echo(made)


@click.group("keys")
def keys_command() -> None:
    """The keys a utility signs with, and those under which personal fields are closed."""


@keys_command.command("list")
@click.option("--utility", "code", required=True)
def list_keys(code: str) -> None:
    """List them, the oldest first."""
    with opened() as database, database.reading() as session:
        for each in keys.every(session, utilities.find(session, code).id):
            click.echo(f"{each.kid}  {each.purpose}  {each.algorithm}  {each.state}")


@keys_command.command()
@click.option("--utility", "code", required=True)
@click.option("--purpose", default=keys.ID_TOKEN, show_default=True, type=click.Choice(keys.PURPOSES))
def rotate(code: str, purpose: str) -> None:
    """Let the key that was published ahead sign from now on, and publish the next.

    \b
    Example:  espi-server keys rotate --utility north
    """
    settings = Settings.load()
    with opened(settings) as database, database.writing() as session:
        utility = utilities.find(session, code)
        active = keys.rotate(session, utility.id, settings.secret_key, purpose, by=operator())
    click.echo(f"{active.kid} signs from now on.")


@keys_command.command("reencrypt")
def reencrypt_command() -> None:
    """Close everything anew that an older secret closed; then ESPI_SECRET_KEY_FALLBACKS can be emptied.

    It works in small steps while the server runs, and may be interrupted and run again.

    \b
    Example:  espi-server keys reencrypt
    """
    with opened() as database:
        report = reencrypting.reencrypt(database, lambda table, rows: tell(f"{table}: {rows} rows"))
    click.echo(f"{report.closed} fields and keys were closed under the present ESPI_SECRET_KEY.")
    if report.failed:
        raise Unreadable(
            f"{report.failed} rows hold what no secret known here opens; they are as they were. The log names them. "
            "Is an older secret missing in ESPI_SECRET_KEY_FALLBACKS?"
        )


def _scope(text: str) -> str:
    try:
        return str(Scope.parse(text)) if text else ""
    except ScopeError as error:
        raise click.BadParameter(str(error), param_hint="--scope") from error


def _text(file: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise Unreadable(f"{file} cannot be read: {error}") from error


def _json(file: str) -> Any:
    try:
        return json.loads(_text(file))
    except ValueError as error:
        raise Unreadable(f"{file} is no JSON: {error}") from error


def _described(each: Application) -> dict[str, Any]:
    return {
        "name": each.name,
        "client_id": each.client_id,
        "status": STATES[each.status],
        "policy": each.policy,
        "scope": each.scope,
        "redirect_uris": each.redirect_uris,
    }


def _print(said: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(said, indent=2))
        return
    for name, value in said.items():
        click.echo(f"{name}: {' '.join(value) if isinstance(value, list) else value}")
