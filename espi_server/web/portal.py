"""The customer's pages: their frame, who is looking at them, and what a form must bring along.

`visit` tells who is there, `customer` asks for somebody signed in, `page` shows a template in the utility's colours and
the customer's language, `posted` is the form of a POST that came from a page of ours. Pages work without JavaScript;
their answers are never kept by a browser, and no error here is a document for machines.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, after_this_request, current_app, g, request, url_for
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from wtforms.validators import ValidationError

from espi_server import clock
from espi_server.access.addresses import public_base
from espi_server.accounts import kept_forms, sessions, utilities
from espi_server.accounts.kept_forms import Form
from espi_server.accounts.models import Utility
from espi_server.accounts.portal import Portal, contrast
from espi_server.accounts.sessions import SignedIn
from espi_server.errors import BadRequest, Forbidden, Internal, NotFound, Problem, Unavailable
from espi_server.web import answers, filling, looks, words
from espi_server.web.house import EXTENSION, house
from espi_server.web.requests import request_id

PREFIX: Final = "/<code>/account"
_ORIGIN = re.compile(r"https?://[^\s/;,'\"]+")
A_DAY = 86_400
A_WEEK = 7 * A_DAY  # longer than any session, so that who left a page open signs in and goes on
_log = logging.getLogger("espi_server.portal")


class SignInFirst(Problem):
    """This page is for customers who are signed in."""

    status = 401

    def __init__(self, code: str, *, again: bool = False, second: bool = False, strong: bool = False) -> None:
        self.code_of_utility = code
        self.asked = {"again": 1 if again else None, "second": "strong" if strong else 1 if second else None}
        super().__init__()


class StalePage(Forbidden):
    """This page was open for too long, or was not opened here. Open it again and try once more."""


class NoSuchPage(NotFound):
    """There is no page at this address."""


@dataclass(frozen=True)
class Visit:
    """Somebody on a page of a utility; `signed_in` where we know who."""

    utility: Utility
    portal: Portal
    signed_in: SignedIn | None

    @property
    def customer(self) -> SignedIn:
        """Who is signed in; only where the page asked for it (`customer`)."""
        if self.signed_in is None:
            raise SignInFirst(self.utility.code)
        return self.signed_in


def prepare(app: Flask) -> None:
    """Let `app` show pages with forms."""
    is_safe = app.extensions[EXTENSION].settings.base_url.startswith("https:")
    app.config.update(
        SESSION_COOKIE_NAME=_cookie("form", is_safe),
        SESSION_COOKIE_SECURE=is_safe,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=A_WEEK,
    )
    environment: Any = app.jinja_env
    environment.globals.update(csrf=_csrf, rooms=_rooms, feet=_feet)


def blueprint(name: str) -> Blueprint:
    """A room of pages below a utility's `/account`, whose problems are pages too."""
    made = Blueprint(name, __name__, url_prefix=PREFIX)
    made.register_error_handler(SignInFirst, _sign_in_first)
    made.register_error_handler(Problem, _problem)
    made.register_error_handler(HTTPException, _http)
    for away in answers.AWAY:
        made.register_error_handler(away, _away)
    return made


# --- who is there ---------------------------------------------------------------------------------------


def visit(session: Session, code: str) -> Visit:
    """Who is on a page of this utility."""
    utility = utilities.find(session, code)
    settings = house().settings
    secret = request.cookies.get(session_cookie(code), "")
    found = sessions.find(session, utility.id, secret, idle=settings.session_idle) if secret else None
    words.speak(found.language if found else None)
    if found is not None and sessions.is_due(found):
        _note_seen(found)
    return Visit(utility, Portal.of(utility), found)


def customer(
    session: Session,
    code: str,
    *,
    fresh: int | None = None,
    second_factor: bool = False,
    statewide: bool = False,
) -> Visit:
    """The same with a customer who is signed in: within the last `fresh` seconds, or with a second factor.

    `statewide`: with a factor that is good for what the statewide tool shares, which a code by mail may be (`Portal`).
    """
    found = visit(session, code)
    here = found.signed_in
    strong = statewide and not found.portal.mail_for_statewide
    second = second_factor or statewide
    if here is None or here.customer_id is None:
        raise SignInFirst(code, second=second, strong=strong)
    is_old = fresh is not None and here.at < clock.seconds() - fresh
    is_weak = (second and not here.has_second_factor) or (strong and not here.has_strong_factor)
    if is_old or is_weak:
        raise SignInFirst(code, again=is_old, second=second, strong=strong)
    if request.method == "GET":
        _give_back(found)
    return found


def cookie(name: str) -> str:
    """How a cookie of ours is called: bound to this very host where the address is https (RFC 6265bis `__Host-`)."""
    return _cookie(name, house().settings.base_url.startswith("https:"))


def session_cookie(code: str) -> str:
    """The name of the cookie of a signed-in browser at a utility; a browser may be signed in at several."""
    return cookie(f"sid-{code}")


def sign_in(response: Response, code: str, secret: str) -> Response:
    """Hand the browser its cookie."""
    keep(response, session_cookie(code), secret, None)
    return response


def sign_out(response: Response, code: str) -> Response:
    """Take it away."""
    keep(response, session_cookie(code), "", 0)
    return response


def _note_seen(found: SignedIn) -> None:
    """Once the view is done: it may hold the database's one pen."""

    @after_this_request
    def note(response: Response) -> Response:
        with house().database.writing() as session:
            sessions.seen(session, found)
        return response


def keep(response: Response, name: str, value: str, max_age: int | None) -> None:
    """Give the browser a cookie that only we read; without `max_age` it goes with the browser."""
    is_safe = house().settings.base_url.startswith("https:")
    response.set_cookie(name, value, max_age=max_age, path="/", secure=is_safe, httponly=True, samesite="Lax")


def _cookie(name: str, is_safe: bool) -> str:
    return f"__Host-{name}" if is_safe else name


# --- pages ----------------------------------------------------------------------------------------------


def page(template: str, visit: Visit, *, status: int = 200, form_to: str = "", **values: Any) -> Response:
    """A template in the utility's frame. `form_to` is the origin a form here may send the browser on to.

    Chromium holds a redirect after a POST to the page's `form-action`, so the page whose button leads back to a company
    names that company's validated origin, and no other page does.
    """
    utility = visit.utility
    here = Here(utility)
    sheets = [here.href("portal.static", filename=name, v=looks.fingerprint(name)) for name in _SHEETS]
    state = hashlib.sha256(colours(visit.portal).encode()).hexdigest()[:12]
    response = looks.page(
        template,
        status=status,
        sheets=(*sheets, here.href("portal.theme", v=state)),
        visit=visit,
        utility=utility,
        portal=visit.portal,
        href=here.href,
        here=here.page,
        until=until(visit),
        **values,
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = words.language()
    response.headers.add("Vary", "Cookie, Accept-Language")
    if form_to and _ORIGIN.fullmatch(form_to):
        policy = response.headers["Content-Security-Policy"]
        response.headers["Content-Security-Policy"] = policy.replace(
            "form-action 'self'", f"form-action 'self' {form_to}"
        )
    return response


_SHEETS = ("portal.css", "account.css")


def is_last(visit: Visit) -> bool:
    """Is there no more time to be had without signing in again?"""
    return visit.customer.ends_at <= clock.seconds() + house().settings.session_idle


def until(visit: Visit) -> datetime | None:
    """When somebody signed in is signed out if she does nothing more, as the utility's clocks have it."""
    here = visit.signed_in
    if here is None:
        return None
    seen = clock.seconds() if sessions.is_due(here) else here.seen_at
    ends = min(seen + house().settings.session_idle, here.ends_at)
    return datetime.fromtimestamp(ends, ZoneInfo(visit.utility.timezone))


class Here:
    """Addresses of one utility's pages, as its customers' browsers reach them."""

    def __init__(self, utility: Utility) -> None:
        self._code = utility.code
        settings = house().settings
        self._base = public_base(utility.base_url, utility.code, settings.base_url)
        self._path = urlsplit(self._base).path

    def href(self, endpoint: str, **values: Any) -> str:
        """The path of one of our pages."""
        return self._path + url_for(endpoint, code=self._code, **values).removeprefix(f"/{self._code}")

    def below(self, path: str) -> str:
        """The path of a page of which only its place below `/account` is known."""
        return f"{self._path}/account{path}"

    @property
    def now(self) -> str:
        """The path and query of this very page, for a form that comes back to it."""
        return self._at(request.path)

    @property
    def page(self) -> str:
        """The page somebody is on: this one, or the one that shows the form she sent here, at or above its address."""
        path = request.path
        while not _is_page(path) and path.count("/") > 2:
            path = path.rpartition("/")[0]
        return self._at(path) if _is_page(path) else self.href("portal.home")

    def _at(self, path: str) -> str:
        query = request.query_string.decode("ascii", "replace") if path == request.path else ""
        return self._path + quote(path).removeprefix(f"/{self._code}") + (f"?{query}" if query else "")

    def local(self, path: str) -> str | None:
        """A path somebody gave, if it is one of this utility's own pages; nothing else is gone to."""
        start = f"{self._path}/account/"
        is_plain = all(" " < each <= "~" and each not in "\\" for each in path)
        return path if is_plain and path.startswith(start) and ".." not in unquote(path) else None


def _is_page(path: str) -> bool:
    """Is there a page at this address, and not the one that says there is none?"""
    try:
        endpoint, _ = current_app.url_map.bind("").match(path, "GET")
    except HTTPException:
        return False
    return bool(endpoint != "portal.nowhere")


def href(utility: Utility, endpoint: str, **values: Any) -> str:
    """The path of one of this utility's pages, as a browser asks for it."""
    return Here(utility).href(endpoint, **values)


def address(utility: Utility, endpoint: str, **values: Any) -> str:
    """The same as a whole address, for letters."""
    parts = urlsplit(public_base(utility.base_url, utility.code, house().settings.base_url))
    return f"{parts.scheme}://{parts.netloc}{href(utility, endpoint, **values)}"


def go(where: str) -> Response:
    """On to another page, after a POST as after a GET."""
    response = Response(status=303)
    response.headers["Location"] = where
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _rooms() -> list[tuple[str, str]]:
    """What stands at the top of every page of somebody signed in."""
    return [
        ("access.index", words._("Who has access")),
        ("sharing.companies", words._("Share with a company")),
        ("signin.security", words._("Signing in")),
    ]


def _feet() -> list[tuple[str, str]]:
    """What stands at the foot of every page, always in this order."""
    return [("cases.index", words._("Report a problem"))]


# --- forms ----------------------------------------------------------------------------------------------


def posted() -> MultiDict[str, str]:
    """What a form of ours brought; `StalePage` where it is not one of ours, or was open for a week."""
    _check_site()
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise StalePage() from error
    g.is_ours = True
    return request.form


def _check_site() -> None:
    """A browser says where a form stood; one that says elsewhere is not believed for any token."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = (None, "null", _origin(house().settings.base_url), f"{request.scheme}://{request.host}")
    if site not in (None, "same-origin", "none") or (site is None and origin not in ours):
        raise StalePage()


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def keeps_form(visit: Visit) -> bool:
    """Has this browser a form of somebody who has to sign in again?"""
    return bool(request.cookies.get(cookie(f"form-{visit.utility.code}")))


def _keep_form(response: Response, utility: Utility, page: str) -> None:
    """Keep what she filled in until she has signed in again: for the login that was signed in here, in this browser."""
    if not g.get("is_ours"):
        return
    with house().database.writing() as session:
        login = sessions.owner(session, utility.id, request.cookies.get(session_cookie(utility.code), ""))
        if login is None:
            return
        fields = list(request.form.items(multi=True))
        secret = kept_forms.keep(session, utility.id, login, page, Here(utility).now, fields)
    if secret is not None:
        keep(response, cookie(f"form-{utility.code}"), secret, kept_forms.LIFETIME)


def _give_back(found: Visit) -> None:
    """Once her page is made: with what she had filled in, which is sent only when she presses the button herself."""
    name = cookie(f"form-{found.utility.code}")
    secret, where = request.cookies.get(name, ""), Here(found.utility).now
    if not secret or "gives_back" in g:
        return
    g.gives_back = True

    @after_this_request
    def give(response: Response) -> Response:
        if response.status_code != 200 or response.mimetype != "text/html":
            return response
        utility_id = found.utility.id
        with house().database.reading() as session:
            form = kept_forms.find(session, utility_id, found.customer.login_id, secret)
        if form is not None and form.page != where:
            return response
        page = _filled(response.get_data(as_text=True), form) if form else None
        with house().database.writing() as session:
            is_hers = kept_forms.drop(session, utility_id, secret) and page is not None
        keep(response, name, "", 0)
        if is_hers and page is not None:
            response.set_data(page)
        return response


def _filled(page: str, form: Form) -> str:
    """Her page with what she had filled in; where its form is not there any more, her words stand on it."""
    again = words._("You signed in again, so nothing is done yet. Look at this page, then press the button.")
    gone = words._("The form you filled in is not here any more. Nothing was sent. These were your words:")
    return filling.filled(page, form.action, form.fields, again) or filling.beside(page, form.fields, gone)


def _csrf() -> Any:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


# --- problems -------------------------------------------------------------------------------------------


def _sign_in_first(error: SignInFirst) -> Response:
    with house().database.reading() as session:
        utility = utilities.find(session, error.code_of_utility)
    here = Here(utility)
    asked: dict[str, Any] = {"next": here.page}
    asked |= {name: value for name, value in error.asked.items() if value}
    response = go(f"{here.below('/sign-in')}?{urlencode(asked)}")
    if request.method == "POST":
        _keep_form(response, utility, here.page)
    return response


def _problem(problem: Problem) -> Response:
    code = (request.view_args or {}).get("code", "")
    try:
        with house().database.reading() as session:
            found = visit(session, code)
    except Problem:
        return _plain(problem)
    response = page("portal/problem.html", found, status=problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def _plain(problem: Problem) -> Response:
    """The same where we cannot even tell which utility it is about."""
    response = looks.page("portal/plain.html", status=problem.status, problem=problem, number=request_id())
    response.headers.update({**problem.headers, "Cache-Control": "no-store"})
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        original = getattr(error, "original_exception", None)
        _log.error("request %s failed", request_id(), exc_info=original or error)
        return _plain(Internal())
    return _problem(NoSuchPage() if status in (404, 405) else BadRequest())


def _away(error: Exception) -> Response:
    _log.error("request %s: the database did not answer", request_id(), exc_info=error)
    return _plain(Unavailable(headers={"Retry-After": str(answers.PAUSE)}))


def colours(portal: Portal) -> str:
    """The utility's colours as a stylesheet."""
    return (
        f":root{{--accent:{portal.accent};--on-accent:{_on(portal.accent)}}}\n"
        "@media (prefers-color-scheme:dark)"
        f"{{:root{{--accent:{portal.accent_dark};--on-accent:{_on(portal.accent_dark)}}}}}\n"
        "@media print{:root{--accent:#000}}\n"
    )


def _on(colour: str) -> str:
    """What is read best on a button of this colour: white, or the dark of the pages."""
    return max(("#ffffff", "#121714"), key=lambda each: contrast(colour, each))
