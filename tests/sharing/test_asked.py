"""A company asks, and a customer answers on the pages: what is asked, what is granted, what is kept of it."""

from __future__ import annotations

import hashlib

import pytest
from lxml import html
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from espi_server.access.models import Authorization, ConsentRecord
from tests import oauth
from tests.sharing import walking


@pytest.mark.requirement("F-M2", "F-T1", "F-REC", "UC1.3")
def test_a_customer_shares_what_she_ticked_and_the_record_is_the_page_she_saw(shared_towns):
    sun = walking.company(shared_towns, "asked-1")
    ada = walking.customer(shared_towns, sun.app)

    page = ada.arrives(sun)
    second = ada.checks(page)
    consent = html.fromstring(second.data).get_element_by_id("consent")
    back = ada.agrees(second)

    assert "checked" not in page.get_data(as_text=True)
    found = oauth.in_address(back.headers["Location"])
    assert set(found) == {"code", "state", "iss"}
    tokens = sun.redeem(found["code"]).json
    assert tokens["scope"] == "FB=4_5_15;IntervalDuration=900;HistoryLength=31536000"
    with shared_towns.reading() as session:
        row = session.scalars(select(Authorization).where(Authorization.application_id == sun.id)).one()
        record = session.get_one(ConsentRecord, row.consent_record_id)
    assert row.identified["amr"] == ["pwd", "otp", "mfa"]
    assert hashlib.sha256(record.shown.encode()).digest() == record.digest
    for line in record.shown.splitlines():
        assert line in " ".join(consent.text_content().split())
    assert "Larkspur Lane" in record.shown


def presses(walker, page, act: str, **filled: str):
    """A button of the form, with all that the form holds, as a browser without scripts sends it."""
    form = walking.main_form(page)
    sent = MultiDict(form.form_values())
    sent.update({"act": act})
    for name, value in filled.items():
        sent.setlist(name, [value])
    return walker.follows(walker.client.post(form.action, data=sent))


def kept(page) -> dict[str, list[str]]:
    """What the form holds beside places."""
    found: dict[str, list[str]] = {}
    for name, value in walking.main_form(page).form_values():
        if name not in ("places", "act", "csrf_token", "filter") and value:
            found.setdefault(name, []).append(value)
    return found


def ticked(page) -> int:
    return len(html.fromstring(page.data).xpath("//input[@name='places'][@checked]"))


@pytest.mark.requirement("F-SEL")
def test_a_business_finds_and_ticks_its_places_by_buttons_that_keep_all_it_filled_in(shared_towns):
    scope = "FB=4_5_15_16_54;IntervalDuration=900;HistoryLength=63072000"
    sun = walking.company(shared_towns, "asked-2", scope=scope)
    walking.describe(sun, essential=["Usage"])
    bo = walking.customer(shared_towns, sun.app, "C-2")
    for number in range(6):
        for meter in range(2):
            walking.agreement(shared_towns, f"B-{number}{meter}", "C-2", address=f"{number}|MARKET ST|")
    filled = {
        "classes": ["Basic", "Billing"], "history": ["365"], "lasting": ["until"], "month": ["6"], "day": ["30"],
        "year": ["2031"],
    }  # fmt: skip

    page = bo.arrives(sun, scope=scope)
    first = bo.follows(bo.posts(page, act="filter", filter="3 market", **filled))
    site = presses(bo, first, "site-0")
    every = presses(bo, presses(bo, site, "filter", filter=""), "all")
    none = presses(bo, every, "none")
    asked = presses(bo, every, "asked")
    unasked = presses(bo, asked, "unasked")
    check = bo.follows(bo.client.post(
        walking.main_form(site).action, data=MultiDict([*walking.main_form(site).form_values(), ("act", "continue")])
    ))  # fmt: skip

    assert len(walking.open_places(page)) == 13
    assert len(walking.open_places(first)) == 2
    assert "2 are ticked" in walking.text(site)
    assert [ticked(each) for each in (first, site, every, none, asked, unasked)] == [0, 2, 13, 0, 13, 13]
    for each in (first, site, every, none):
        assert kept(each) == filled
    assert kept(asked) == {**filled, "classes": ["Usage"]}
    assert kept(unasked) == {name: value for name, value in filled.items() if name != "classes"}
    assert "There is a problem" not in walking.text(unasked)  # nothing was sent yet
    assert "Check before you share" in walking.text(check)
    assert "3 MARKET ST" in walking.text(check)
    assert "4 MARKET ST" not in walking.text(check)
