"""Whoever has to sign in again finds what she had filled in, and nobody else does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from espi_server import clock
from espi_server.access import cases
from espi_server.access.cases import Case
from espi_server.access.models import Authorization
from espi_server.accounts import kept_forms, sessions
from espi_server.accounts.kept_forms import KeptForm
from espi_server.accounts.models import Login
from espi_server.db import Database
from espi_server.web.filling import beside, filled
from tests import make, portal
from tests.copies import Copies
from tests.sharing import walking
from tests.sharing.walking import HOME, Walker, local
from tests.towns import build

pytestmark = pytest.mark.requirement("F-PORTAL", "CEC5")
COOKIE = "__Host-form-north"
CHOSEN = {"classes": ["Usage"], "history": "365", "lasting": "until", "month": "7", "day": "<1>", "year": ""}


@pytest.fixture(scope="module")
def town(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with copies.opened("sqlite", "towns", build, tmp_path_factory.mktemp("kept")) as database:
        yield database


@pytest.fixture(scope="module")
def sun(town):
    return walking.company(town, "Sun")


@pytest.fixture
def ada(town, sun) -> Walker:
    return walking.customer(town, sun.app)


def signs_in(walker: Walker, login: Any, amr: tuple[str, ...] = walking.LONG) -> None:
    """In the same browser, by whomever."""
    with walker.database.writing() as session:
        secret = sessions.begin(session, session.get_one(Login, login), amr=amr, lifetime=portal.HOUR)
    walker.client.set_cookie("__Host-sid-north", secret)


def kept(walker: Walker) -> int:
    """How many forms of this login wait."""
    with walker.database.reading() as session:
        return session.scalar(select(func.count()).where(KeptForm.login_id == walker.login)) or 0


def state(page: Any) -> dict[str, Any]:
    """What is filled in on a page: ticked boxes and written words."""
    form = walking.main_form(page)
    ticked = [
        (each.get("name"), each.get("value")) for each in form.iter("input") if "checked" in each.attrib
    ]
    typed = {each.get("name"): each.get("value") for each in form.iter("input") if each.get("type") == "text"}
    return {"ticked": ticked, **typed}


def ticked(page: Any) -> dict[str, list[str]]:
    """What a browser sends of the boxes that are ticked."""
    found: dict[str, list[str]] = {}
    for name, value in state(page)["ticked"]:
        found.setdefault(name, []).append(value)
    return found


def idle(freeze: Any, seconds: int = 1000) -> None:
    freeze(clock.seconds() + seconds)


def test_what_she_ticked_before_she_was_signed_out_is_there_when_she_is_back(town, sun, ada, freeze):
    page = ada.arrives(sun)
    [place, *_] = walking.open_places(page)
    idle(freeze)

    away = ada.chooses(page, places=[place], **CHOSEN)

    assert away.headers["Location"] == f"{HOME}/sign-in?next=" + local(
        walking.main_form(page).action
    ).replace("/", "%2F")
    with town.reading() as session:
        stored = session.scalars(select(KeptForm.sealed)).all()
    assert not any(b"Usage" in bytes(each) or b"365" in bytes(each) for each in stored)
    assert "What you filled in is kept" in ada.follows(away).get_data(as_text=True)
    signs_in(ada, ada.login)
    back = ada.get(walking.main_form(page).action)
    assert "nothing is done yet" in walking.text(back)
    assert state(back) == {
        "ticked": [("places", place), ("classes", "Usage"), ("history", "365"), ("lasting", "until")],
        "month": "7", "day": "<1>", "year": "",
    }  # fmt: skip
    # The page is given back once; what decides is her own press, with the page's own token.
    assert COOKIE not in [each.key for each in ada.client._cookies.values()]
    assert state(ada.get(walking.main_form(page).action))["ticked"] == []
    assert "Check before you share" in walking.text(
        ada.follows(
            ada.posts(back, places=place, classes="Usage", history="365", lasting="stopped", act="continue")
        )
    )


def test_her_yes_is_asked_for_once_more_and_never_taken_from_what_was_kept(town, sun, ada, freeze):
    second = ada.checks(ada.arrives(sun))
    idle(freeze)

    ada.posts(second, act="share")
    signs_in(ada, ada.login)
    first = ada.follows(
        ada.get(walking.main_form(second).action, 303)
    )  # another session looks at all of it again

    assert ("classes", "Usage") in state(first)["ticked"]
    back = ada.follows(ada.posts(first, act="continue", **ticked(first)))
    assert "nothing is done yet" in walking.text(back)
    with town.reading() as session:
        mine = (
            Authorization.application_id == sun.id,
            Authorization.customer_id == make.customer_id(town, "C-1"),
        )
        assert session.scalar(select(func.count()).select_from(Authorization).where(*mine)) == 0
    assert "code=" in ada.agrees(back).headers["Location"]


def test_somebody_else_who_signs_in_there_sees_nothing_of_it_and_ends_it(town, ada, freeze):
    page = ada.get(f"{HOME}/cases/new")
    bob = portal.login(town, "C-2")
    idle(freeze)
    ada.posts(page, topic="stranger", text="a secret between us")
    assert kept(ada) == 1

    signs_in(ada, bob)
    other = ada.get(f"{HOME}/cases/new")

    assert "secret between us" not in other.get_data(as_text=True)
    assert "checked" not in other.get_data(as_text=True)
    assert kept(ada) == 0
    signs_in(ada, ada.login)
    assert "secret between us" not in ada.get(f"{HOME}/cases/new").get_data(as_text=True)


def test_words_come_back_whole_within_an_hour_and_only_in_that_browser(town, sun, ada, freeze):
    words = '  5 < 6 & "so"\r\n</textarea><script>alert(1)</script> &amp;'
    page = ada.get(f"{HOME}/cases/new?company={sun.id}")
    idle(freeze)
    ada.posts(page, company=str(sun.id), topic="more", text=words)
    elsewhere = Walker(town, sun.app, sun.app.test_client(), ada.login, "C-1")
    signs_in(elsewhere, ada.login)
    signs_in(ada, ada.login)

    assert "5 &lt; 6" not in elsewhere.get(f"{HOME}/cases/new").get_data(as_text=True)
    assert "nothing is done" not in ada.get(HOME + "/companies").get_data(as_text=True)
    back = ada.get(f"{HOME}/cases/new")
    form = walking.main_form(back)

    written = form.fields["text"].removeprefix("\n")  # a browser drops it
    assert (written, form.fields["topic"]) == (words.replace("\r\n", "\n"), "more")
    assert "<script>alert" not in back.get_data(as_text=True)


def test_words_to_a_case_that_was_closed_meanwhile_stand_on_its_page(town, sun, ada, freeze):
    signs_in(ada, ada.login)
    page = ada.get(f"{HOME}/cases/new?company={sun.id}")
    case = ada.follows(ada.posts(page, company=str(sun.id), topic="more", text="First."))
    with town.writing() as session:
        row = session.scalars(select(Case).order_by(Case.opened_at.desc())).first()
        cases.close(session, row, outcome="unclear", by="operator:x")
    idle(freeze)
    ada.posts(case, text="They still <call> me.")
    signs_in(ada, ada.login)

    back = ada.get(f"{HOME}/cases/{row.number}").get_data(as_text=True)

    assert "Nothing was sent. These were your words:" in back
    assert "<pre>They still &lt;call&gt; me.</pre>" in back


def test_what_waits_too_long_or_is_too_long_is_not_given_back(town, ada, freeze):
    page = ada.get(f"{HOME}/cases/new")
    idle(freeze)
    ada.posts(page, topic="still", text="x" * kept_forms.LONGEST)
    assert kept(ada) == 0
    ada.posts(page, topic="still", text="late")

    idle(freeze, kept_forms.LIFETIME)
    signs_in(ada, ada.login)
    back = ada.get(f"{HOME}/cases/new")

    assert "late" not in walking.text(back)
    assert kept(ada) == 0


def test_a_form_that_is_not_ours_and_one_of_nobody_keep_nothing(town, sun, ada, freeze):
    page = ada.get(f"{HOME}/cases/new")
    idle(freeze)

    naked = ada.client.post(f"{HOME}/cases/new", data={"text": "planted"})
    cross = ada.client.post(
        f"{HOME}/cases/new",
        data={**portal.hidden(page), "text": "planted"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    ada.client.delete_cookie("__Host-sid-north")
    nobody = ada.posts(page, text="whose?")

    assert (naked.status_code, cross.status_code) == (403, 403)
    assert nobody.headers["Location"] == f"{HOME}/sign-in?next=%2Fnorth%2Faccount%2Fcases%2Fnew"
    assert kept(ada) == 0


def test_whoever_shows_more_of_herself_first_comes_back_to_her_form_without_secrets(town, ada, freeze):
    page = ada.get(f"{HOME}/security/password")
    idle(freeze, 700)  # still signed in, but not freshly enough

    asked = ada.posts(page, password="a password", password2="a password", code="123456")

    assert (
        asked.headers["Location"]
        == f"{HOME}/sign-in?next=%2Fnorth%2Faccount%2Fsecurity%2Fpassword&again=1&second=1"
    )
    with town.reading() as session:
        secret = ada.client.get_cookie(COOKIE).value
        utility = session.get_one(Login, ada.login).utility_id
        form = kept_forms.find(session, utility, ada.login, secret)
    assert form is not None
    assert form.fields == []
    everywhere = ada.get(f"{HOME}/security")
    idle(freeze)
    away = ada.client.post(f"{HOME}/security/sign-out-everywhere", data=portal.hidden(everywhere))
    assert away.headers["Location"].endswith("next=%2Fnorth%2Faccount%2Fsecurity")


def test_every_page_says_until_when_and_a_link_gives_more_time_for_as_long_as_a_session_lasts(ada, freeze):
    freeze(make.NOW)  # 7:13 in California
    signs_in(ada, ada.login)

    first = ada.get(f"{HOME}/companies")
    freeze(make.NOW + 840)
    more = ada.get(f"{HOME}/stay")
    for later in (1600, 2300, 2900):
        freeze(make.NOW + later)
        last = ada.get(f"{HOME}/stay")
    freeze(make.NOW + portal.HOUR)
    over = ada.get(f"{HOME}/stay", 303)

    said = [re.sub(r"\s+", " ", each.get_data(as_text=True)) for each in (first, more, last)]
    assert [f"until {at} AM" in each for at, each in zip(("7:28", "7:42", "8:13"), said, strict=True)] == [
        True
    ] * 3
    assert ["You signed in long ago" in each for each in said] == [False, False, True]
    assert "/north/account/stay" in said[0]
    assert over.headers["Location"].startswith(f"{HOME}/sign-in")


PAGE = """<!doctype html>
<html><body><!-- one --><main id="main"><h1>A &amp; B &#39;</h1>
<form action="/other"><input name="a" value="kept"></form>
<form method="post" action="/x?a=1&amp;b=2">
<input type="hidden" name="token" value="new"><input type="password" name="word"><input name="a" value="old">
<input name="code" autocomplete="one-time-code" value=""><input type="checkbox" name="t" value="1" checked>
<input type="checkbox" name="t" value="2"><select name="s"><option value="">-</option>
<option value="z">Z</option></select>
<textarea name="w">before &amp; after</textarea><button name="act" value="go">Go</button></form></main></body></html>
"""


def test_a_page_is_filled_in_where_it_may_be_and_the_rest_stays_as_it_was():
    fields = [
        ("token", "old"), ("word", "secret"), ("a", '"<new>'), ("code", "123456"), ("t", "2"), ("s", "z"),
        ("w", "\nnow </textarea>"), ("act", "stop"),
    ]  # fmt: skip

    made = filled(PAGE, "/x?b=2&a=1", fields, "Look <here>") or filled(
        PAGE, "/x?a=1&b=2", fields, "Look <here>"
    )

    wanted = PAGE.replace(
        '<main id="main">', '<main id="main">\n<p class="said" role="status">Look &lt;here&gt;</p>'
    )
    for before, after in (
        ('name="a" value="old"', f'name="a" value="{html.escape(chr(34) + "<new>")}"'),
        ('value="1" checked', 'value="1"'),
        ('value="2">', 'value="2" checked>'),
        ('value="z">', 'value="z" selected>'),
        ("before &amp; after", "\n\nnow &lt;/textarea&gt;"),
    ):
        wanted = wanted.replace(before, after)
    assert made == wanted
    assert filled(PAGE, "/elsewhere", fields, "x") is None
    # Where that form is not there any more, what was written stands on the page; single words are no loss.
    left = beside(PAGE, [("a", "word"), ("w", " two <words>\n")], "Gone")
    assert left == PAGE.replace(
        '<main id="main">',
        '<main id="main">\n<p class="said" role="status">Gone</p>\n<pre>two &lt;words&gt;</pre>',
    )
    assert beside(PAGE, [("a", "word")], "Gone") == PAGE
