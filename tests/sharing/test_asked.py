"""A company asks, and a customer answers on the pages: what is asked, what is granted, what is kept of it."""

from __future__ import annotations

import hashlib

import pytest
from lxml import html
from sqlalchemy import select

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
