"""What a customer is shown of a company's access is what the company gets, and not a byte more, in page and file alike.

The worlds are those of the feeds: every element of every resource holds a value of its own.
"""

from __future__ import annotations

from collections import Counter

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html

from tests import portal
from tests.energy.oracle import CUSTOMER_SIDE, USAGE_SIDE
from tests.energy.reader import sown
from tests.energy.test_feed_rights import House, Laid, Opened, allowed, grant_of, house, open_up, wanted

__all__ = ["house"]

EXAMPLES = 8
FILES = ("seen.xml", "seen.csv", "bills.csv", "record.xml")


def visitor(house: House, laid: Laid, whose: str) -> FlaskClient:
    """A browser in which this customer is signed in."""
    login = portal.login(house.database, whose, laid.code)
    return portal.browser(house.app, house.database, login, code=laid.code)


def permitted(opened: Opened, whose: str) -> set[bytes]:
    """All that was planted in what the company may see of her."""
    contents, blocks = wanted(opened.expected.resources()), Counter(opened.expected.blocks())
    return allowed(contents + wanted(opened.expected.people(whose, opened.hrefs)), blocks)


@pytest.mark.requirement("F-DATA", "UC2.2")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_pages_and_files_hold_nothing_that_is_not_granted(house: House, data: st.DataObject) -> None:
    laid = data.draw(st.sampled_from(house.worlds))
    whose = data.draw(st.sampled_from(["alice", "bob"]))
    grant = data.draw(grant_of(laid.world))
    opened = open_up(house, laid, whose, grant)
    browser = visitor(house, laid, whose)
    one = f"/{laid.code}/account/access/{opened.usage.rpartition('/')[2]}"
    seen = permitted(opened, whose)

    shown = browser.get(f"{one}/seen")

    assert shown.status_code == 200
    links = [str(each) for each in html.fromstring(shown.data).xpath("//main//a/@href")]
    files = {name for name in FILES if f"{one}/{name}" in links}
    assert ("seen.xml" in files) <= bool(set(grant.letters) & set(USAGE_SIDE))
    assert ("record.xml" in files) <= bool(set(grant.letters) & set(CUSTOMER_SIDE))
    # The pages around these name her own places to her, whatever the company is told.
    for path in (f"{one}/history", f"{one}/seen", *(f"{one}/{each}" for each in FILES)):
        answer = browser.get(path, buffered=True)
        assert answer.status_code in (200, 403, 404), path
        assert sown(answer.data) <= seen, path


@pytest.mark.requirement("UC2.1")
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_her_files_are_the_feeds_the_company_gets(house: House, data: st.DataObject) -> None:
    laid = data.draw(st.sampled_from(house.worlds))
    whose = data.draw(st.sampled_from(["alice", "bob"]))
    grant = data.draw(grant_of(laid.world, readings=True))
    opened = open_up(house, laid, whose, grant)
    browser = visitor(house, laid, whose)
    one = f"/{laid.code}/account/access/{opened.usage.rpartition('/')[2]}"

    assert entries(browser.get(f"{one}/seen.xml", buffered=True).data) == entries(
        opened.reader.feed(opened.usage).data
    )
    table = opened.reader.feed(f"{opened.usage}?format=csv").data.decode().splitlines()
    assert browser.get(f"{one}/seen.csv", buffered=True).get_data(as_text=True).splitlines() == table


def entries(feed: bytes) -> list[bytes]:
    """The contents of a feed's entries, each to the byte, in order."""
    return [each.partition(b"</content>")[0] for each in feed.split(b"<content")[1:]]
