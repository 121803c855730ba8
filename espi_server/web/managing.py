"""PUT and DELETE on a consent (FB_44) and on a registration (FB_41), with the tokens the standard names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from espi_server.access import managing
from espi_server.access.guard import closed
from espi_server.access.models import Application, Authorization
from espi_server.access.resources import application_entry, authorization_entry
from espi_server.accounts.models import Utility
from espi_server.energy.single import Found
from espi_server.errors import UnsupportedMediaType
from espi_server.espi import authorization as espi
from espi_server.espi.paths import BY_NAME, Pattern
from espi_server.notify.webhooks import reach
from espi_server.web import sending
from espi_server.web.asked import Asked
from espi_server.web.described import TEXT, Answer, Schema, describes
from espi_server.web.house import house
from espi_server.web.resources import admitted, owned

ACCEPTED = ("application/atom+xml", "application/xml", "text/xml")
PATTERNS = ("authorization_entry", "application_information_entry")
_BODY: Mapping[str, Schema] = dict.fromkeys(ACCEPTED, TEXT)


def blueprint() -> Blueprint:
    """The two paths in all their spellings."""
    made = Blueprint("managing", __name__)
    for name in PATTERNS:
        pattern = BY_NAME[name]
        for verb, view in (("PUT", _put(pattern)), ("DELETE", _delete(pattern))):
            for rule in pattern.rules:
                for word in ("resource", "Resource"):
                    route = f"/<code>/espi/1_1/{word}{rule}"
                    made.add_url_rule(route, f"{name}_{verb.lower()}", view, methods=[verb])
    return made


def _put(pattern: Pattern) -> Callable[..., Response]:
    @describes(
        f"Restate one {pattern.kind}",
        method="PUT",
        tag="authorization",
        tokens=pattern.tokens,
        body=_BODY,
        answers={200: Answer("As it stands now.", {sending.ATOM: TEXT})},
        problems=(400, 409, 413, 415, 503),
        name=f"restate_{pattern.name}",
    )
    def view(code: str, **arguments: str) -> Response:
        asked = _admitted(pattern, code, arguments)
        if request.mimetype not in ACCEPTED:
            raise UnsupportedMediaType(f"Send one of {', '.join(ACCEPTED)} as Content-Type.")
        body = request.get_data()
        with house().database.writing() as session:
            found = _restated(session, asked, body)
        return Response(found.body, content_type=sending.ATOM, headers={"Cache-Control": "no-store"})

    return view


def _delete(pattern: Pattern) -> Callable[..., Response]:
    @describes(
        f"End one {pattern.kind}",
        method="DELETE",
        tag="authorization",
        tokens=pattern.tokens,
        answers={204: Answer("It has ended.")},
        problems=(400, 503),
        name=f"end_{pattern.name}",
    )
    def view(code: str, **arguments: str) -> Response:
        asked = _admitted(pattern, code, arguments)
        with house().database.writing() as session:
            if asked.pattern.kind == "Authorization":
                managing.give_back(session, _consent(session, asked), by=asked.grant.kind)
            else:
                managing.withdraw(session, _application(session, asked), by=asked.grant.kind)
        return Response(status=204, headers={"Cache-Control": "no-store"})

    return view


def _admitted(pattern: Pattern, code: str, arguments: Mapping[str, str]) -> Asked:
    grant = admitted(code)
    if grant.letter not in pattern.tokens:
        raise closed()
    return Asked(pattern, grant, pattern.ids(arguments))


def _restated(session: Session, asked: Asked, body: bytes) -> Found:
    if asked.pattern.kind == "Authorization":
        consent = _consent(session, asked)
        managing.restate(session, consent, managing.read(body, espi.Authorization), by=asked.grant.kind)
        return authorization_entry(consent, asked.addresses, alone=True)
    application = _application(session, asked)
    stated = managing.read(body, espi.ApplicationInformation)
    managing.register_anew(
        session, application, stated, by=asked.grant.kind, reachable=reach(house().settings).check
    )
    utility = session.get_one(Utility, asked.grant.utility_id)
    return application_entry(application, utility, asked.addresses, alone=True)


def _consent(session: Session, asked: Asked) -> Authorization:
    found = session.get(Authorization, asked.id("Authorization"))
    return owned(asked, found, found.application_id if found else None)


def _application(session: Session, asked: Asked) -> Application:
    found = session.get(Application, asked.id("ApplicationInformation"))
    return owned(asked, found, found.id if found else None)
