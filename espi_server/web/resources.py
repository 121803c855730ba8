"""The ESPI resources: every GET of the standard, one view per kind of question.

A request passes the guard (is the token live, does it belong to this utility), then the pattern's own letters
(may this kind of token ask), then the grant (does it open this path). What lies outside a grant answers the same
403 whether it exists or not.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, request
from lxml import etree
from werkzeug.exceptions import MethodNotAllowed

from espi_server.access import opening
from espi_server.access import resources as own
from espi_server.access.guard import Grant, closed
from espi_server.access.models import Application, Authorization
from espi_server.accounts.models import Utility
from espi_server.energy import single
from espi_server.energy.feed import Feed
from espi_server.energy.models import Kind
from espi_server.errors import NotFound
from espi_server.espi import atom, paths
from espi_server.espi.paths import PATTERNS, SST_KINDS, Pattern
from espi_server.espi.query import Query
from espi_server.espi.raw import parser
from espi_server.espi.rights import FULL, Rights
from espi_server.espi.scope import is_bulk_id
from espi_server.web import certificates, customers, preparing, sending, small
from espi_server.web.asked import Asked, scope_rights
from espi_server.web.house import house
from espi_server.web.negotiation import Representation

View = Callable[[Asked], Response]
Row = TypeVar("Row", Authorization, Application)
SHARED = frozenset({"LocalTimeParameters", "ReadingType", "ProgramIdMappings"})
_BELOW = re.compile("/(?P<code>[^/]+)/espi/1_1/[Rr]esource/")
MANAGED = frozenset({"ApplicationInformation", "Authorization"})


def blueprint() -> Blueprint:
    """All routes of the standard, below each utility; `Resource` is understood, `resource` is what we write."""
    made = Blueprint("espi", __name__)
    for pattern in PATTERNS:
        if pattern.kind in SST_KINDS:
            continue
        view = _view(pattern)
        for rule in pattern.rules:
            for name in ("resource", "Resource"):
                made.add_url_rule(f"/<code>/espi/1_1/{name}{rule}", pattern.name, view, methods=["GET"])
    made.before_app_request(_ask_for_the_token_first)
    return made


def _ask_for_the_token_first() -> None:
    """Who has no live token hears of that before hearing that a method is not offered (espi tests of FB 3)."""
    below = _BELOW.match(request.path)
    if below and isinstance(request.routing_exception, MethodNotAllowed):
        admitted(below["code"])


def admitted(code: str) -> Grant:
    """Who asks, at this utility; `Unauthorized` without a live token."""
    with house().database.driver() as driver:
        header = request.headers.get("Authorization")
        return house().guard.admit(driver, header, code, certificates.presented())


def _view(pattern: Pattern) -> Callable[..., Response]:
    answer = _answer(pattern)

    def view(code: str, **arguments: str) -> Response:
        grant = admitted(code)
        if grant.letter not in pattern.tokens:
            raise closed()
        asked = Asked(pattern, grant, pattern.ids(arguments))
        asked.representation  # noqa: B018 - what cannot be read is told before anything is looked at
        return answer(asked)

    return view


def _answer(pattern: Pattern) -> View:
    if pattern.kind == "ReadServiceStatus":
        return service_status
    if pattern.kind in MANAGED:
        return managed_collection if pattern.is_collection else managed_entry
    if pattern.is_customer:
        return customers.bulk if pattern.kind == "BulkRetailCustomerInfo" else customers.answer
    if pattern.is_batch:
        return bulk if pattern.kind == "Bulk" else batch
    return collection if pattern.is_collection else entry


# --- usage --------------------------------------------------------------------------------------------


def batch(asked: Asked) -> Response:
    """A subscription's, a usage point's or a customer's whole tree."""
    point = asked.id("UsagePoint") if "UsagePoint" in asked.ids else None
    _check_sees(asked, "UsagePoint")

    def measured() -> Feed:
        made = Feed(house().database, asked.asking(usage_point=point))
        if not made.measured.points:
            _check_there(asked)
        return made

    return preparing.answer(asked, measured)


def _check_there(asked: Asked) -> None:
    """Nothing is open: an empty feed is right for a customer or an own subscription without usage points."""
    if "UsagePoint" not in asked.ids and not asked.is_custodian and asked.grant.kind == "access":
        return
    if "RetailCustomer" in asked.ids:
        with house().database.reading() as session:
            if own.is_there(session, asked.grant.utility_id, asked.id("RetailCustomer")):
                return
    if asked.ids:
        raise NotFound()


def bulk(asked: Asked) -> Response:
    """All subscriptions of an application that name this bulk id."""
    utility, bulk_id = asked.grant.utility_id, asked.ids["Bulk"]
    if not is_bulk_id(bulk_id):
        raise asked.nowhere()
    opened = opening.bulk(utility, asked.application, bulk_id)

    def measured() -> Feed:
        made = Feed(house().database, asked.asking(opened=opened))
        if not made.measured.points:
            # Nothing is open now; was it ever?
            with house().database.reading() as session:
                if not own.names_bulk(session, utility, asked.application, bulk_id):
                    raise asked.nowhere()
        return made

    return preparing.answer(asked, measured)


def collection(asked: Asked) -> Response:
    """All entries of one kind, below a usage point or meter reading where the path names one."""
    kind = Kind[asked.pattern.kind]
    _check_sees(asked, kind.name)
    if kind.name in SHARED:
        return _shared(asked, kind)
    point = asked.id("UsagePoint") if "UsagePoint" in asked.ids else None
    reading = asked.id("MeterReading") if "MeterReading" in asked.ids else None
    with house().database.driver() as driver:
        finder = single.Finder(house().database.engine, asked.asking())
        if point is not None and not finder.opens(driver, point):
            raise NotFound()
        if (
            reading is not None
            and point is not None
            and not finder.has(driver, point, Kind.MeterReading, reading)
        ):
            raise NotFound()
    # A table of readings is made of what explains them, too.
    kinds = None if _is_of_readings(asked) else frozenset({int(kind)})
    made = Feed(house().database, asked.asking(kinds=kinds, usage_point=point, meter_reading=reading))
    if not made.measured.points:
        _check_there(asked)
    return sending.feed(asked)(made)


def entry(asked: Asked) -> Response:
    """One resource."""
    kind = Kind[asked.pattern.kind]
    _check_sees(asked, kind.name)
    point = asked.id("UsagePoint") if "UsagePoint" in asked.ids else None
    reading = asked.id("MeterReading") if "MeterReading" in asked.ids else None
    finder = single.Finder(house().database.engine, asked.asking())
    with house().database.driver() as driver:
        found = finder.entry(driver, kind, asked.id(kind.name), point, reading)
    if found is None:
        raise NotFound()
    if asked.representation is Representation.CSV:
        return _table(asked, kind, found.body)
    return sending.document(asked, found.body, found.updated)


def _table(asked: Asked, kind: Kind, body: bytes) -> Response:
    """The readings of a resource and below it, or one bill."""
    (href,) = atom.read_entry(etree.fromstring(body, parser())).hrefs("self")
    path = paths.parse(href)
    ids = {name: uuid.UUID(id) for name, id in (path.ids if path else {}).items()}
    is_one = kind in (Kind.IntervalBlock, Kind.UsageSummary)
    asking = asked.asking(
        kinds=None if _is_of_readings(asked) else frozenset({int(kind)}),
        usage_point=ids["UsagePoint"],
        meter_reading=ids.get("MeterReading"),
        # What a query selects does not make a single entry come and go.
        query=Query(format=asked.query.format) if is_one else None,
    )
    return sending.feed(asked, only=href if is_one else None)(Feed(house().database, asking))


def _is_of_readings(asked: Asked) -> bool:
    return asked.representation is Representation.CSV and asked.pattern.kind != "UsageSummary"


def _shared(asked: Asked, kind: Kind) -> Response:
    finder = single.Finder(house().database.engine, asked.asking())
    with house().database.driver() as driver:
        entries = finder.shared(driver, kind)
    return small.feed(asked, entries)


def _check_sees(asked: Asked, kind: str) -> None:
    """A kind no class of this grant opens is closed, whatever is stored; so is a table of readings."""
    rights = _token_rights(asked)
    if not rights.sees(kind) or (_is_of_readings(asked) and not rights.sees("IntervalBlock")):
        raise closed()


def _token_rights(asked: Asked) -> Rights:
    if asked.grant.kind != "access":
        return FULL
    return scope_rights(asked.grant.scope, None)


# --- management ---------------------------------------------------------------------------------------


def service_status(asked: Asked) -> Response:
    """Up."""
    body, media_type = sending.said(asked, own.service_status(), sending.XML)
    headers = {"Cache-Control": "no-store", "Vary": sending.VARY}
    return Response(body, content_type=media_type, headers=headers)


def managed_collection(asked: Asked) -> Response:
    """The authorizations of an application (a custodian: of all), or all applications of a utility."""
    with house().database.reading() as session:
        if asked.pattern.kind == "Authorization":
            rows = own.authorizations(session, asked.grant.utility_id, asked.application)
            items = [own.authorization_entry(row, asked.addresses) for row in rows]
        else:
            utility = session.get_one(Utility, asked.grant.utility_id)
            items = [
                own.application_entry(row, utility, asked.addresses)
                for row in own.applications(session, utility.id)
            ]
    return small.feed(asked, items)


def managed_entry(asked: Asked) -> Response:
    """One authorization, or one application; to anybody but its owner and the custodian it is closed."""
    kind = asked.pattern.kind
    with house().database.reading() as session:
        if kind == "Authorization":
            consent = session.get(Authorization, asked.id(kind))
            consent = owned(asked, consent, consent.application_id if consent else None)
            entry = own.authorization_entry(consent, asked.addresses, alone=True)
        else:
            client = session.get(Application, asked.id(kind))
            client = owned(asked, client, client.id if client else None)
            utility = session.get_one(Utility, asked.grant.utility_id)
            entry = own.application_entry(client, utility, asked.addresses, alone=True)
    return sending.document(asked, entry.body, entry.updated)


def owned(asked: Asked, row: Row | None, owner: uuid.UUID | None) -> Row:
    """The row, if it is this utility's and this application's (a custodian: anybody's there)."""
    if row is None or row.utility_id != asked.grant.utility_id:
        raise asked.nowhere()
    if asked.application not in (None, owner):
        raise asked.nowhere()
    return row
