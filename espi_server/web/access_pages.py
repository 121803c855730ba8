"""Who has access: what a customer shares with whom, what left and what they see, and how she stops it.

Every page begins with the utility and the customer who is signed in; an id of anybody else's is no page at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from flask import Response, request
from sqlalchemy.orm import Session

from espi_server.access import companies, exporting, overview, pending, seen
from espi_server.access.grants import ONCE, OPEN_END, STOPPED
from espi_server.access.guard import Grant
from espi_server.access.overview import ENDED, LIVE, WAITING, Held, Left
from espi_server.access.seen import View
from espi_server.db import NIL
from espi_server.energy.feed import Feed
from espi_server.energy.models import Kind
from espi_server.energy.translated import Csv, Translated
from espi_server.errors import NotFound
from espi_server.espi import paths, rows
from espi_server.espi.query import Query
from espi_server.espi.rows import BillRows
from espi_server.espi.scope import Scope
from espi_server.espi.tables import CLASS_BLOCKS, DataClass
from espi_server.web import charts, portal, sending, sharing_words, words
from espi_server.web.house import house
from espi_server.web.portal import Visit
from espi_server.web.requests import request_id
from espi_server.web.sharing_room import onward_links
from espi_server.web.words import _

rooms = portal.blueprint("access")

AT_ONCE: Final = 3  # usage points whose readings are added up on one page
_CSV = "text/csv; charset=utf-8"
_LOCALES = {"en": "en_US", "es": "es_US"}


@rooms.get("/access")
def index(code: str) -> Response:
    """Everybody who has, had or waits for access."""
    with house().database.reading() as session:
        visit, hers = _hers(session, code)
        questions = overview.questions(session, visit.utility, _whose(visit))
        may_begin = pending.companies(session, visit.utility.id, _whose(visit))
        onward = [
            (each, *link)
            for each in hers
            if each.state != ENDED
            for link in onward_links(session, visit.utility, each.application, each.places)
        ]
    stopped, still = _stopped(hers)
    groups = {state: [each for each in hers if each.state == state] for state in (LIVE, WAITING, ENDED)}
    return _page(
        "access/index.html",
        visit,
        questions=questions,
        stopped=stopped,
        still=still,
        may_begin=may_begin,
        onward=onward,
        **groups,
    )


@rooms.get("/access/<authorization>")
def one(code: str, authorization: str) -> Response:
    """One sharing: what, where, since when, until when, and what she agreed to."""
    with house().database.reading() as session:
        visit, held = _held(session, code, authorization)
        consent = overview.consent_of(session, held)
        is_open = held.state != ENDED
        onward = onward_links(session, visit.utility, held.application, held.places) if is_open else []
    return _page(
        "access/one.html", visit, held=held, consent=consent, onward=onward, headings=sharing_words.headings
    )


# --- stopping -------------------------------------------------------------------------------------------


@rooms.get("/access/<authorization>/stop")
def ask_stop(code: str, authorization: str) -> Response:
    """What stopping means, and two buttons."""
    with house().database.reading() as session:
        visit, hers = _hers(session, code)
        held = overview.one(session, visit.utility, _whose(visit), authorization)
    if held.state == ENDED:
        return portal.go(portal.href(visit.utility, "access.one", authorization=authorization))
    still = held.state == WAITING and _has(hers, held)
    return _page("access/stop.html", visit, held=held, still=still)


@rooms.post("/access/<authorization>/stop")
def stop(code: str, authorization: str) -> Response:
    """Done, at once and without a reason."""
    portal.posted()
    with house().database.writing() as session:
        visit, held = _held(session, code, authorization)
        overview.stop(session, held, _whose(visit))
    return portal.go(portal.href(visit.utility, "access.index", stopped=held.row.id))


@rooms.get("/access/stop-all")
def ask_stop_all(code: str) -> Response:
    """What stopping everything means."""
    with house().database.reading() as session:
        visit, hers = _hers(session, code)
        may_begin = pending.companies(session, visit.utility.id, _whose(visit))
    names = {each.application.name for each in hers if each.state != ENDED} | {*may_begin}
    if not names:
        return portal.go(portal.href(visit.utility, "access.index"))
    return _page("access/stop_all.html", visit, names=sorted(names, key=str.casefold))


@rooms.post("/access/stop-all")
def stop_all(code: str) -> Response:
    """All of it, at once."""
    portal.posted()
    with house().database.writing() as session:
        visit = portal.customer(session, code)
        ended = overview.stop_all(session, visit.utility, _whose(visit))
    return portal.go(portal.href(visit.utility, "access.index", stopped="all" if ended else "asked"))


# --- each time data left --------------------------------------------------------------------------------


@rooms.get("/access/history")
def history(code: str) -> Response:
    """Each time data left, to whichever company."""
    return _history(code, None)


@rooms.get("/access/history.csv")
def history_table(code: str) -> Response:
    """The same as a table."""
    return _history_table(code, None)


@rooms.get("/access/<authorization>/history")
def history_of(code: str, authorization: str) -> Response:
    """Each time data left, to one company."""
    return _history(code, authorization)


@rooms.get("/access/<authorization>/history.csv")
def history_table_of(code: str, authorization: str) -> Response:
    """The same as a table."""
    return _history_table(code, authorization)


def _history(code: str, authorization: str | None) -> Response:
    with house().database.reading() as session:
        visit, hers, held = _some(session, code, authorization)
        left, more = overview.history(session, hers, before=_place(request.args.get("before", "")))
    following = f"{more[0]}.{more[1].hex}" if more else ""
    return _page("access/history.html", visit, held=held, left=left, following=following, kinds=_kinds())


def _history_table(code: str, authorization: str | None) -> Response:
    with house().database.reading() as session:
        visit, hers, _held = _some(session, code, authorization)
        left, _more = overview.history(session, hers, most=overview.MOST)
    zone = ZoneInfo(visit.utility.timezone)
    head = ("time", "local_time", "company", "kind", "entries", "bytes", "with_others")
    body = rows.lines([head, *(_line(each, zone) for each in left)])
    return _file(body.encode(), _CSV, "history.csv")


def _line(each: Left, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        rows.utc(each.at), rows.local(each.at, zone), rows.text(each.company), rows.text(each.kind),
        str(each.entries), str(each.size), "yes" if each.with_others else "no",
    )  # fmt: skip


def _place(text: str) -> tuple[int, uuid.UUID] | None:
    """Where a page of the history begins; the first page for anything else than we gave."""
    at, _, id = text.partition(".")
    try:
        return (int(at), uuid.UUID(id)) if at.isascii() and at.isdigit() and len(at) < 12 else None
    except ValueError:
        return None


# --- what they see --------------------------------------------------------------------------------------


@rooms.get("/access/<authorization>/seen")
def look(code: str, authorization: str) -> Response:
    """The data a company gets, class by class."""
    with house().database.reading() as session:
        visit, held = _live(session, code, authorization)
        view = _view(visit, held)
        points = _points(held)
        point = _point(points)
        usage = seen.month(session, view, request.args.get("month", ""), point)
        bills = seen.bills(session, view, point)
    album = seen.album(view)
    record = seen.record(album) if album else []
    _note(visit, held, "seen", entries=len(record) + len(bills), size=0)
    return _page(
        "access/seen.html", visit, held=held, usage=usage, bills=bills, record=record, facts=_facts(record),
        points=points, point=str(point or ""), draw=charts.bars, month=_month, number=Decimal,
    )  # fmt: skip


def _points(held: Held) -> dict[str, str]:
    """What each usage point is called: by its place where the company is told all that a place's name is made of."""
    whole = {(each, block) for each in (DataClass.BASIC, DataClass.ACCOUNT) for block in CLASS_BLOCKS[each]}
    is_told = whole <= Scope.parse(held.row.scope).openings
    every = [(str(id), place) for place in held.places for id in place.usage_points]
    return {
        id: sharing_words.place(place) if is_told else _("Meter %(number)s", number=number)
        for number, (id, place) in enumerate(every, 1)
    }


def _point(points: Collection[str]) -> uuid.UUID | None:
    """The one usage point that is looked at, where they are too many for one page; None for all of few."""
    if len(points) <= AT_ONCE:
        return None
    chosen = request.args.get("place", "")
    return uuid.UUID(chosen if chosen in points else next(iter(points)))


@rooms.get("/access/<authorization>/seen.xml")
def usage_file(code: str, authorization: str) -> Response:
    """The usage feed as the company gets it."""
    return _download(code, authorization, lambda feed: (feed, sending.ATOM, "usage.xml"))


@rooms.get("/access/<authorization>/seen.csv")
def usage_table(code: str, authorization: str) -> Response:
    """The same as a table of readings."""
    return _download(
        code, authorization, lambda feed: (exporting.written_as("csv", feed), rows.MEDIA_TYPE, "usage.csv")
    )


@rooms.get("/access/<authorization>/bills.csv")
def bills_table(code: str, authorization: str) -> Response:
    """The bills as a table."""
    kinds = frozenset({int(Kind.UsageSummary)})

    def made(feed: Feed) -> tuple[Translated, str, str]:
        return Translated(feed, Csv(BillRows(feed.asking.zone))), rows.MEDIA_TYPE, "bills.csv"

    return _download(code, authorization, made, kinds)


@rooms.get("/access/<authorization>/record.xml")
def record_file(code: str, authorization: str) -> Response:
    """Her own record as the company gets it."""
    with house().database.reading() as session:
        visit, held = _live(session, code, authorization)
    view = _view(visit, held)
    album = seen.album(view)
    if album is None:
        raise NotFound()
    body, entries = seen.record_feed(view, album)
    _note(visit, held, f"Batch/RetailCustomer/{held.row.customer_id}", entries=entries, size=len(body))
    return _file(body, sending.ATOM, "record.xml")


def _download(
    code: str,
    authorization: str,
    write: Callable[[Feed], tuple[Feed | Translated, str, str]],
    kinds: frozenset[int] | None = None,
) -> Response:
    with house().database.reading() as session:
        visit, held = _live(session, code, authorization)
        view = _view(visit, held)
        if not view.rights.sees_usage:
            raise NotFound()
        asking = view.asking(session, Query(), kinds)
    made, media_type, name = write(Feed(house().database, asking))
    turnstile = house().turnstile
    turnstile.enter(held.row.customer_id)
    try:
        length, parts = made.body("identity")
        path = paths.batch_subscription("", str(held.row.id)).removeprefix("/")
        _note(visit, held, path, entries=made.entries, size=length)
    except BaseException:
        turnstile.leave(held.row.customer_id)
        raise
    answer = _file(parts, media_type, name)
    answer.content_length = length
    answer.call_on_close(lambda: turnstile.leave(held.row.customer_id))
    return answer


def _note(visit: Visit, held: Held, path: str, *, entries: int, size: int) -> None:
    """Her own look: on the record, and no disclosure to the company."""
    utility = visit.utility
    grant = Grant(
        digest=b"", kind=overview.OWN, scope=held.row.scope, utility_id=utility.id, utility=utility.code,
        namespace=utility.namespace, timezone=utility.timezone, base_url=utility.base_url, application_id=None,
        authorization_id=held.row.id, customer_id=held.row.customer_id,
    )  # fmt: skip
    house().disclosures.append(
        grant, path=path, query="", entries=entries, size=size, request_id=request_id()
    )


# --- together -------------------------------------------------------------------------------------------


def _whose(visit: Visit) -> uuid.UUID:
    return visit.customer.customer_id or NIL


def _hers(session: Session, code: str) -> tuple[Visit, list[Held]]:
    visit = portal.customer(session, code)
    return visit, overview.every(session, visit.utility, _whose(visit))


def _held(session: Session, code: str, authorization: str) -> tuple[Visit, Held]:
    visit = portal.customer(session, code)
    return visit, overview.one(session, visit.utility, _whose(visit), authorization)


def _live(session: Session, code: str, authorization: str) -> tuple[Visit, Held]:
    """One that opens something now; who waits or has ended sees nothing, and so there is nothing to show."""
    visit, held = _held(session, code, authorization)
    if held.state != LIVE:
        raise NotFound()
    return visit, held


def _some(session: Session, code: str, authorization: str | None) -> tuple[Visit, list[Held], Held | None]:
    if authorization is None:
        visit, hers = _hers(session, code)
        return visit, hers, None
    visit, held = _held(session, code, authorization)
    return visit, [held], held


def _stopped(hers: list[Held]) -> tuple[str, bool]:
    """Whom she just stopped, to be said once, and whether that company has more from her.

    `all` for everybody; `asked` where nothing lived or waited, so that there was no message to send.
    """
    id = request.args.get("stopped", "")
    if id in ("all", "asked"):
        return id if all(each.state == ENDED for each in hers) else "", False
    held = next((each for each in hers if str(each.row.id) == id and each.state == ENDED), None)
    return (held.application.name, _has(hers, held)) if held else ("", False)


def _has(hers: list[Held], held: Held) -> bool:
    """Has the company of this one something that lives?"""
    return any(each.state == LIVE and each.application.id == held.application.id for each in hers)


def _view(visit: Visit, held: Held) -> View:
    return View(house().database, visit.utility, held.row, house().settings.base_url)


def _file(body: Any, media_type: str, name: str) -> Response:
    answer = Response(body, content_type=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _page(template: str, visit: Visit, **values: Any) -> Response:
    zone = ZoneInfo(visit.utility.timezone)

    def at(moment: int) -> datetime:
        return datetime.fromtimestamp(moment, zone)

    def company(held: Held) -> companies.Company:
        return companies.told(visit.utility, held.application, words.language())

    return portal.page(
        template, visit, at=at, company=company, shown=sharing_words.class_name, place=sharing_words.place,
        ends=_ends, why=_why, rate=_rate, on=date.fromisoformat, **values,
    )  # fmt: skip


# --- words ----------------------------------------------------------------------------------------------


def _ends(held: Held, zone: str) -> str:
    """When it ends, in a few words."""
    if held.row.lasting == ONCE:
        return _("one time")
    if held.row.lasting == STOPPED or held.row.ends_at >= OPEN_END:
        return _("until you stop it")
    return _("until %(day)s", day=words.day(datetime.fromtimestamp(held.row.ends_at - 1, ZoneInfo(zone))))


def _rate(held: Held) -> str:
    return _("Yes, and we check with you each time") if held.may_change_rates else _("No")


def _why(held: Held) -> str:
    """Why it has ended."""
    said: Mapping[str, str] = {
        "cancelled": _("You stopped it."),
        "replaced": _("You gave them a new yes."),
        "expired": _("The time you agreed to was over."),
        "closed": _("The service you shared is closed."),
        "replayed": _("We ended it to keep your data safe."),
        "given back": _("They gave it back."),
        "cancelled by utility": _("We stopped it."),
        "offboarded": _("They do not work with us any more."),
        "lapsed": _("They never came for it."),
    }
    return said.get(held.row.ended_reason or "expired", _("It has ended."))


def _kinds() -> Mapping[str, str]:
    """What left, by the kind of resource that was asked for."""
    use, bill, who = _("Energy use"), _("Bills"), _("Who you are: name, place, account")
    whole: Final = _("Energy use and bills")
    return {
        "Subscription": whole, "UsagePoint": use, "MeterReading": use, "IntervalBlock": use, "ReadingType": use,
        "LocalTimeParameters": use, "ElectricPowerQualitySummary": use, "UsageSummary": bill, "Bulk": whole,
        "RetailCustomer": who, "BulkRetailCustomerInfo": who, "Customer": who, "CustomerAccount": who,
        "CustomerAgreement": who, "ServiceLocation": who, "ServiceSupplier": who, "Meter": who, "EndDevice": who,
        "Statement": bill, "ProgramDateIdMappings": _("Energy programs"), "Authorization": _("This sharing itself"),
    }  # fmt: skip


def _facts(record: list[seen.Told]) -> list[tuple[str, str]]:
    """The few things of a record that everybody looks for, in plain words."""
    wanted = {
        ("Customer", "customerName"): _("Name"),
        ("CustomerAccount", "accountId"): _("Account number"),
        ("CustomerAgreement", "agreementId"): _("Service agreement"),
        ("Meter", "serialNumber"): _("Meter number"),
    }
    found = [
        (wanted[each.kind, name], value)
        for each in record
        for name, value in each.facts
        if (each.kind, name) in wanted
    ]
    return found


def _month(first: datetime) -> str:
    """June 2026; junio de 2026."""
    return str(format_skeleton("yMMMM", first, locale=_LOCALES[words.language()]))
