"""The pages: connect a utility, see your home, and what we hear behind the scenes. None of them needs JavaScript."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Row
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for

from . import chart, homes, notices, oauth, scope
from .notices import Worker
from .oauth import Ended
from .settings import Settings
from .store import Store
from .utilities import NotNow, Utility

HERE = "sunwise"
TEN_MINUTES = 600
DAYS = 35  # of a chart
NO_END = 7_258_118_400  # 2200: what lasts until its customer stops it, as ESPI wants an end

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True)
class Here:
    """What the pages know."""

    settings: Settings
    store: Store
    utilities: Mapping[str, Utility]
    worker: Worker


# --- connecting ---------------------------------------------------------------------------------------


@blueprint.get("/")
def start() -> str:
    """Your homes, and the utilities you can connect."""
    query = "SELECT * FROM home WHERE visitor = ? ORDER BY connected_at DESC"
    yours = _here().store.all(query, _visitor())
    return render_template("start.html", utilities=_here().utilities, homes=yours)


@blueprint.get("/welcome/<code>")
def welcome(code: str) -> str:
    """Where the utility sends customers who chose us there (Mode 1): one step is left."""
    return render_template("welcome.html", utility=_utility(code))


@blueprint.post("/connect/<code>")
def connect(code: str) -> Any:
    """To the utility, and remember who went (Mode 2, and the last step of Mode 1)."""
    begun, now = oauth.begin(_utility(code), _here().settings.callback), int(time.time())
    with _here().store.transaction() as db:
        db.execute("DELETE FROM attempt WHERE begun_at < ?", (now - TEN_MINUTES,))
        row = (begun.state, _visitor(), code, begun.verifier, now)
        db.execute("INSERT INTO attempt VALUES (?, ?, ?, ?, ?)", row)
    return redirect(begun.address, 303)


@blueprint.get("/callback")
def callback() -> Any:
    """The utility's answer. Before its code is used: did this very browser ask, and does it come from whom it asked?"""
    attempt = _attempt(request.args.get("state", ""))
    if attempt is None:
        return _refused(
            "We did not ask for this", "It was answered before, took too long, or began elsewhere."
        )
    utility = _utility(attempt["utility"])
    if request.args.get("iss") != utility.issuer:  # RFC 9207: no other server can pass for this one
        return _refused("This is not from your utility", f"The answer does not come from {utility.name}.")
    if request.args.get("error") == "access_denied":
        return render_template("declined.html", utility=utility)
    if "error" in request.args:
        return _refused(f"{utility.name} could not do this", request.args.get("error_description", ""))
    return _redeemed(utility, request.args["code"], attempt["verifier"])


def _attempt(state: str) -> Row | None:
    """What this browser began under this `state`: once, and within ten minutes."""
    query = "DELETE FROM attempt WHERE state = ? AND visitor = ? AND begun_at > ? RETURNING *"
    with _here().store.transaction() as db:
        found: Row | None = db.execute(query, (state, _visitor(), time.time() - TEN_MINUTES)).fetchone()
    return found


def _redeemed(utility: Utility, code: str, verifier: str) -> Any:
    try:
        answer = oauth.redeem(utility, code, verifier, _here().settings.callback)
    except Ended as error:
        return _refused(f"{utility.name} could not do this", str(error))
    id = homes.connect(_here().store, utility, _visitor(), answer)
    _fetch(id, utility)
    return redirect(url_for("pages.show", id=id), 303)  # so that no code stands in the browser's address


# --- a home -------------------------------------------------------------------------------------------


@blueprint.get("/homes/<id>")
def show(id: str) -> str:
    """The picture, the count, what you shared and what you left out."""
    home = _home(id)
    utility = _utility(home["utility"])
    granted, left_out = scope.split(home["scope"])
    return render_template(
        "show.html",
        home=home,
        utility=utility,
        granted=granted,
        left_out=left_out,
        usage=_usage(id, ZoneInfo(utility.timezone)),
        bills=_here().store.all("SELECT * FROM bill WHERE home = ? ORDER BY start DESC", id),
        draw=chart.bars,
        told=chart.told,
    )


@blueprint.post("/homes/<id>/fetch")
def fetch(id: str) -> Any:
    """Ask the utility for what is new."""
    _fetch(id, _utility(_home(id)["utility"]))
    return redirect(url_for("pages.show", id=id), 303)


@blueprint.post("/homes/<id>/disconnect")
def disconnect(id: str) -> Any:
    """Give the access back to the utility; to forget it here alone would leave it open there."""
    home = _home(id)
    if not home["ended_at"]:
        oauth.give_back(_utility(home["utility"]), home["refresh_token"])
        homes.end(_here().store, id, "You disconnected here.")
    return redirect(url_for("pages.show", id=id), 303)


@blueprint.post("/homes/<id>/forget")
def forget(id: str) -> Any:
    """Delete what we have, once access has ended."""
    if not _home(id)["ended_at"]:
        abort(409)
    homes.forget(_here().store, id)
    return redirect(url_for("pages.start"), 303)


def _fetch(id: str, utility: Utility) -> None:
    store = _here().store
    try:
        homes.fetch(store, utility, id)
    except Ended:
        homes.end(store, id, "It no longer lets us in: you stopped sharing there, or the time was over.")
    except NotNow as error:
        store.do("UPDATE home SET told = ? WHERE id = ?", str(error), id)


def _usage(id: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    """For each unit its last days, and how many readings all of them are made of."""
    query = "SELECT unit, start, taken, given, readings FROM block WHERE home = ? ORDER BY unit, start"
    found: dict[str, dict[str, Any]] = {}
    for row in _here().store.all(query, id):
        series = found.setdefault(row["unit"], {"unit": row["unit"], "readings": 0, "days": {}})
        series["readings"] += row["readings"]
        day = _day(row["start"], zone)
        before = series["days"].get(day, chart.Bar(day, 0, 0))
        series["days"][day] = chart.Bar(day, before.taken + row["taken"], before.given + row["given"])
    for series in found.values():
        days = list(series["days"].values())
        series.update(first=days[0].name, days=days[-DAYS:], gives=any(day.given for day in days))
    return list(found.values())


# --- behind the scenes: with real customers, pages for a company's own people alone -----------------------


@blueprint.post("/notices/<code>")
def hear(code: str) -> Any:
    """A notification: check, keep, answer. Fetching comes afterwards, so that the utility need not wait."""
    here, utility, body = _here(), _utility(code), request.get_data()
    try:
        id = notices.check(utility, dict(request.headers), body)
    except notices.Forged:
        return "This is not signed by the utility.", 401
    if notices.keep(here.store, utility, id, body):
        here.worker.wake()
    return "", 204


@blueprint.get("/notices")
def heard() -> str:
    """What utilities told us, and what we did."""
    rows = _here().store.all("SELECT * FROM notice ORDER BY received_at DESC, id LIMIT 50")
    told = [(each, json.loads(each["told"])) for each in rows]
    return render_template("notices.html", notices=told, utilities=_here().utilities)


@blueprint.get("/authorizations/<code>")
def authorizations(code: str) -> str:
    """What the utility says we may read. Compare it with what you have once a day: a notification can get lost."""
    utility = _utility(code)
    return render_template("authorizations.html", utility=utility, found=homes.authorizations(utility))


@blueprint.get("/privacy")
def privacy() -> str:
    """What we promise."""
    return render_template("privacy.html")


@blueprint.get("/terms")
def terms() -> str:
    """What we and our customers agree to."""
    return render_template("terms.html")


# --- what they share ------------------------------------------------------------------------------------


@blueprint.errorhandler(NotNow)
def not_now(error: NotNow) -> tuple[str, int]:
    """A utility did not answer; a person should not see a stack of calls."""
    return render_template("problem.html", title="That did not work just now", words=str(error)), 503


def _here() -> Here:
    found: Here = current_app.extensions[HERE]
    return found


def _visitor() -> str:
    """Who is looking, as far as a sandbox knows: a browser. Real customers have a login here."""
    return str(session.setdefault("visitor", secrets.token_urlsafe(16)))


def _utility(code: str) -> Utility:
    return _here().utilities.get(code) or abort(404)


def _home(id: str) -> Row:
    return _here().store.one("SELECT * FROM home WHERE id = ? AND visitor = ?", id, _visitor()) or abort(404)


def _refused(title: str, words: str) -> tuple[str, int]:
    return render_template("problem.html", title=title, words=words), 400


def _day(seconds: int, zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(seconds, zone)
    return f"{at:%B} {at.day}, {at.year}"


@blueprint.app_template_filter()
def lasts(until: int, stands: bool) -> str:
    """How long we may read. Who shares until she stops it has no day in mind; the standard's is then far off."""
    if until >= NO_END:
        return "Until she stops it." if stands else "She would have stopped it herself."
    return f"{'Until' if stands else 'It would have run until'} {moment(until)}."


@blueprint.app_template_filter()
def moment(seconds: int) -> str:
    """A time of day in words."""
    return f"{_day(seconds, ZoneInfo('UTC'))}, {datetime.fromtimestamp(seconds, ZoneInfo('UTC')):%H:%M} UTC"
