"""The Atom shell: patient reading, plain writing."""

import pytest
from lxml import etree

from espi_server.espi.atom import (
    ATOM,
    FEED_TAIL,
    Link,
    entry_head,
    entry_tail,
    entry_type,
    epoch,
    feed_head,
    feed_type,
    moment,
    read_feed,
)
from espi_server.espi.customer import Customer
from espi_server.espi.errors import EspiError
from espi_server.espi.usage import UsagePoint

HREF = "https://dc.example.org/espi/1_1/resource/Subscription/s7/UsagePoint"


def test_an_entry_is_read_whatever_prefix_order_and_gaps_it_has():
    root = etree.fromstring(
        f"""<a:feed xmlns:a="{ATOM}">
          <a:entry xmlns:u="http://naesb.org/espi">
            <a:updated>2012-11-15T00:00:00.5-08:00</a:updated>
            <a:content type="xml"><!-- two --><u:IntervalBlock/><u:IntervalBlock/></a:content>
            <a:link href=" {HREF}/u1 " rel="self"/>
            <a:link href="{HREF}" rel="up" type="espi-feed/UsagePoint"/>
          </a:entry>
        </a:feed>"""
    )

    feed = read_feed(root)
    entry = feed.entries[0]

    assert (feed.id, feed.title, feed.updated) == ("", "", None)
    assert entry.links == [Link("self", f"{HREF}/u1"), Link("up", HREF, "espi-feed/UsagePoint")]
    assert entry.hrefs("up") == [HREF]
    assert (entry.published, entry.updated, entry.line) == (None, 1352966400, 2)
    assert [etree.QName(item).localname for item in entry.contents] == ["IntervalBlock", "IntervalBlock"]


def test_a_single_entry_is_a_feed_of_one():
    root = etree.fromstring(f'<entry xmlns="{ATOM}"><id>urn:uuid:1</id></entry>')

    feed = read_feed(root)

    assert [entry.id for entry in feed.entries] == ["urn:uuid:1"]


def test_a_document_that_is_no_feed_is_refused_by_name():
    with pytest.raises(EspiError, match="starts with 'html'; an Atom feed or entry"):
        read_feed(etree.fromstring("<html/>"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-01T08:00:00Z", 1793520000),
        ("2026-11-01T00:00:00-08:00", 1793520000),
        ("2026-11-01T08:00:00", 1793520000),
        ("2026-11-01T08:00:00.999Z", 1793520000),
        ("1969-12-31T23:59:59.5Z", -1),
        ("yesterday", None),
        ("2026-02-30T00:00:00Z", None),
        ("", None),
    ],
)
def test_dates_become_whole_seconds_and_anything_else_nothing(text, seconds):
    assert epoch(text) == seconds


def test_times_are_written_to_the_whole_second_in_utc():
    assert moment(1793520000) == "2026-11-01T08:00:00Z"
    assert moment(0) == "1970-01-01T00:00:00Z"


def test_a_feed_is_written_in_one_order_with_its_addresses_escaped():
    links = [
        Link("self", f"{HREF}/u1?a=1&b=<2>", entry_type(UsagePoint)),
        Link("up", HREF, feed_type(UsagePoint)),
    ]

    text = (
        feed_head(id="urn:uuid:f", title="Usage & more", updated=0, href=HREF, type="espi-entry/Subscription")
        + entry_head(id="urn:uuid:e", title="UsagePoint", links=links)
        + UsagePoint(status=1).write()
        + entry_tail(published=0, updated=60)
        + FEED_TAIL
    )

    assert text.decode() == (
        f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="{ATOM}"><id>urn:uuid:f</id>'
        "<title>Usage &amp; more</title><updated>1970-01-01T00:00:00Z</updated>"
        f'<link rel="self" type="espi-entry/Subscription" href="{HREF}"/>'
        "<entry><id>urn:uuid:e</id>"
        f'<link rel="self" type="espi-entry/UsagePoint" href="{HREF}/u1?a=1&amp;b=&lt;2&gt;"/>'
        f'<link rel="up" type="espi-feed/UsagePoint" href="{HREF}"/><title>UsagePoint</title>'
        '<content><UsagePoint xmlns="http://naesb.org/espi"><status>1</status></UsagePoint></content>'
        "<published>1970-01-01T00:00:00Z</published><updated>1970-01-01T00:01:00Z</updated></entry></feed>"
    )


def test_customer_resources_have_link_types_of_their_own():
    assert (entry_type(Customer), feed_type(Customer)) == ("cust-entry/Customer", "cust-feed/Customer")


def test_an_entry_alone_is_a_whole_document():
    text = entry_head(id="urn:uuid:e", title="UsagePoint", links=[], alone=True) + entry_tail(
        published=0, updated=0
    )

    feed = read_feed(etree.fromstring(text))

    assert feed.entries[0].title == "UsagePoint"
