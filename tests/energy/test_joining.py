"""Who belongs to whom: profiles, missing parents, customers meeting usage points, and files that fit nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from espi_server.accounts.models import Account, Customer, ServiceAgreement
from espi_server.db import Database
from espi_server.energy import identity
from espi_server.energy.models import Kind, UsagePoint, UsagePointLink
from tests.energy import feeds, stored
from tests.energy.feeds import BASE, Household, entry

NAMESPACE = uuid.UUID("7d1f4a60-11aa-4b1c-9d6e-6f3c1b1d0e55")
_ENTRY = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry>"
RC = f"{BASE}/RetailCustomer/R7"


@pytest.fixture
def north(database: Database, freeze: Callable[[int], None]) -> Database:
    stored.utility(database)
    freeze(1_790_000_000)
    return database


def customer_entries(usage_point: str = f"{BASE}/Subscription/S1/UsagePoint/101") -> list[str]:
    """A customer with an account, an agreement, a location with one usage point, a meter and a supplier."""
    customer, account = f"{RC}/Customer/C1", f"{RC}/Customer/C1/CustomerAccount/A1"
    agreement = f"{account}/CustomerAgreement/G1"
    location = f"{agreement}/ServiceLocation/L1"
    points = f"<e:UsagePoints><e:UsagePoint>{usage_point}</e:UsagePoint></e:UsagePoints>"
    return [
        entry(
            "Customer",
            RC,
            "C1",
            "<e:customerName>Ada</e:customerName>",
            related=(f"{customer}/CustomerAccount",),
        ),
        entry("CustomerAccount", customer, "A1", "<e:accountId>55</e:accountId>"),
        entry("CustomerAgreement", account, "G1", "<e:agreementId>77</e:agreementId>"),
        entry("ServiceLocation", agreement, "L1", points),
        entry("Meter", location, "M1", "<e:serialNumber>M1</e:serialNumber>"),
        entry("ServiceSupplier", agreement, "P1", "<e:kind>utility</e:kind>"),
    ]


def customer_feed(path: Path, entries: list[str] | None = None) -> Path:
    return feeds.write(path, entries or customer_entries(), namespace="customer")


@pytest.mark.parametrize("order", ["usage first", "customer first", "together"])
@pytest.mark.requirement("FB_58")
def test_customers_and_usage_points_meet_in_whatever_order_they_come(
    north: Database, tmp_path: Path, order: str
) -> None:
    usage, people = Household().write(tmp_path / "u.xml"), customer_feed(tmp_path / "c.xml")
    deliveries = {
        "usage first": [[usage], [people]],
        "customer first": [[people], [usage]],
        "together": [[usage, people]],
    }

    reports = [stored.take(north, *files) for files in deliveries[order]]

    [customer] = stored.every(north, Customer)
    [point] = stored.every(north, UsagePoint)
    [agreement] = stored.every(north, ServiceAgreement)
    assert [report.errors for report in reports] == [[] for _ in reports]
    assert (customer["reference"], agreement["reference"]) == ("C1", "77")
    assert (point["customer_id"], point["agreement_id"]) == (customer["id"], agreement["id"])
    assert point["id"] == identity.usage_point(NAMESPACE, "101")
    [location] = stored.resources(north, Kind.ServiceLocation)
    assert location["content"]["UsagePoints"] == [{"UsagePoint": [f"urn:uuid:{point['id']}"]}]
    assert {row["kind"] for row in stored.every(north, UsagePointLink)} == {"location", "agreement"}


def test_a_customer_feed_again_changes_no_byte(
    north: Database, tmp_path: Path, freeze: Callable[[int], None]
) -> None:
    path = customer_feed(tmp_path / "c.xml")
    stored.take(north, path)
    before = stored.state(north)
    freeze(1_790_000_100)

    report = stored.take(north, customer_feed(tmp_path / "d.xml", customer_entries()[::-1]))

    assert (report.created, report.changed, report.unchanged) == (0, 0, 6)
    assert stored.state(north) == before


def test_a_new_account_makes_its_customer_relate_to_it(north: Database, tmp_path: Path) -> None:
    entries = customer_entries()
    stored.take(north, customer_feed(tmp_path / "a.xml", entries[:1]))
    [alone] = stored.resources(north, Kind.Customer)

    stored.take(north, customer_feed(tmp_path / "b.xml", entries[1:2]))

    [customer] = stored.resources(north, Kind.Customer)
    assert (alone["shape"], customer["shape"]) == ("", "210*")
    assert stored.every(north, Customer)[0]["version"] == 2


def test_parents_that_only_a_path_names_hold_their_place(north: Database, tmp_path: Path) -> None:
    report = stored.take(north, customer_feed(tmp_path / "a.xml", customer_entries()[4:5]))

    kinds = {Kind(row["kind"]).name: row["content"] for row in stored.resources(north)}
    assert kinds == {
        "Customer": {}, "CustomerAccount": {}, "CustomerAgreement": {}, "ServiceLocation": {},
        "Meter": {"serialNumber": "M1"},
    }  # fmt: skip
    assert len(list(report.supplies)) == 4


def test_sources_that_number_accounts_within_a_customer_are_kept_apart(
    north: Database, tmp_path: Path
) -> None:
    one = [each.replace("<e:accountId>55</e:accountId>", "") for each in customer_entries()]
    two = [each.replace("Customer/C1", "Customer/C2").replace("C1-Customer", "C2-Customer") for each in one]

    stored.take(north, customer_feed(tmp_path / "a.xml", one + two))

    found = sorted(row["reference"] for row in stored.every(north, Account))
    assert found in (["A1", "C1/A1"], ["A1", "C2/A1"])


def test_the_customer_may_be_named_from_outside(north: Database, tmp_path: Path) -> None:
    stored.take(north, Household().write(tmp_path / "u.xml"), customer="ACME")
    stored.take(north, customer_feed(tmp_path / "c.xml"), customer="ACME")

    [customer] = stored.every(north, Customer)
    [point] = stored.every(north, UsagePoint)
    assert customer["reference"] == "ACME"
    assert point["customer_id"] == customer["id"]


def test_the_profile_chooses_the_key_of_a_usage_point(north: Database, tmp_path: Path) -> None:
    path = Household(id="101").write(tmp_path / "a.xml")

    report = stored.take(north, path, profile="atom-id")

    [point] = stored.every(north, UsagePoint)
    assert report.errors == []
    assert point["source_id"] == "101-usagepoint"
    assert point["id"] == identity.usage_point(NAMESPACE, "101-usagepoint")
    assert len(stored.readings(north)) == 48


def test_blocks_alone_find_a_usage_point_known_by_its_atom_id(north: Database, tmp_path: Path) -> None:
    household = Household(id="101")
    stored.take(north, household.write(tmp_path / "a.xml"), profile="atom-id")

    later = household.but(first="2026-03-01", parts=("blocks",)).write(tmp_path / "b.xml")
    report = stored.take(north, later, profile="atom-id")

    assert (report.errors, len(stored.every(north, UsagePoint))) == ([], 1)
    assert len(stored.readings(north)) == 96


def test_the_meter_profile_takes_the_name_of_the_service_delivery_point(
    north: Database, tmp_path: Path
) -> None:
    entries = [
        each.replace(
            "<e:status>1</e:status>",
            "<e:status>1</e:status><e:serviceDeliveryPoint><e:name>M-9</e:name></e:serviceDeliveryPoint>",
        )
        for each in Household().entries()
    ]

    stored.take(north, feeds.write(tmp_path / "a.xml", entries), profile="meter")

    assert stored.every(north, UsagePoint)[0]["source_id"] == "M-9"


@pytest.mark.parametrize(("profile", "what"), [("meter", "serviceDeliveryPoint/name"), ("self", "self link")])
def test_a_file_that_does_not_fit_its_profile_is_refused_with_advice(
    north: Database, tmp_path: Path, profile: str, what: str
) -> None:
    entries = Household().entries()
    if profile == "self":
        entries[1] = entries[1].replace('rel="self"', 'rel="alternate"')

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries), profile=profile)

    assert what in report.errors[0].message
    assert "--profile" in report.errors[0].message
    assert report.exit_code == 3
    assert stored.resources(north) == []


def test_a_summary_without_links_goes_to_the_usage_point_before_it(north: Database, tmp_path: Path) -> None:
    one, two = Household(id="101"), Household(id="102")
    bare = (
        two.summary()
        .replace('rel="self"', 'rel="x"')
        .replace('rel="up"', 'rel="x"')
        .replace('rel="related"', 'rel="x"')
    )
    entries = [*one.entries(), *two.but(parts=("point",)).entries(), bare]

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    owners = {row["usage_point_id"] for row in stored.resources(north, Kind.UsageSummary)}
    assert owners == {identity.usage_point(NAMESPACE, each) for each in ("101", "102")}
    assert [remark.message for remark in report.repairs] == [
        "UsageSummary: its usage point is the one before it in the file, no link names one"
    ]


def test_the_data_of_an_unknown_usage_point_never_go_to_a_neighbour(north: Database, tmp_path: Path) -> None:
    one, two = Household(id="101"), Household(id="102")
    orphan = Household(id="103", parts=("summary",))

    report = stored.take(
        north, feeds.write(tmp_path / "a.xml", one.entries() + two.entries() + orphan.entries())
    )

    owners = [row["usage_point_id"] for row in stored.resources(north, Kind.UsageSummary)]
    assert identity.usage_point(NAMESPACE, "103") in owners
    assert len(set(owners)) == 3
    assert any("made from its path" in remark.message for remark in report.repairs)


def test_readings_of_an_unknown_type_are_errors_with_their_lines_and_the_rest_comes_in(
    north: Database, tmp_path: Path
) -> None:
    one = Household(id="101")
    two = Household(id="102", interval=1800, parts=("point", "reading", "blocks"))
    text = feeds.feed(one.entries() + two.entries(), indent=True)
    (tmp_path / "a.xml").write_bytes(text)

    report = stored.take(north, tmp_path / "a.xml")

    lines = text.decode().splitlines()
    assert len(report.errors) == 3
    for error in report.errors:
        assert error.line is not None
        assert "<a:entry>" in lines[error.line - 1]
    assert "ReadingType" in report.errors[0].message
    assert report.readings == 48
    assert report.exit_code == 1


def test_authorizations_in_a_file_grant_nothing(north: Database, tmp_path: Path) -> None:
    entries = [entry("Authorization", BASE, "a1", "<e:status>1</e:status>"), *Household().entries()]

    report = stored.take(north, feeds.write(tmp_path / "a.xml", entries))

    assert (report.ignored, report.exit_code) == (1, 0)
    assert "a file grants nothing" in str(report)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "<e:kind>0</e:kind>",
            "<e:kind>70000</e:kind>",
            "ServiceCategory/kind must be a whole number from 0 to 65535",
        ),
        ("<e:status>1</e:status>", "<e:status>on</e:status>", "UsagePoint/status must be a whole number"),
        ("<e:uom>72</e:uom>", "<e:uom>kWh</e:uom>", "ReadingType/uom must be a whole number"),
        (
            "<e:billLastPeriod>8325000<",
            "<e:billLastPeriod>9999999999999999<",
            "UsageSummary/billLastPeriod must be",
        ),
        (
            "<e:currency>840</e:currency><e:statusTimeStamp>",
            "<e:currency/><e:statusTimeStamp>",
            "UsageSummary/currency",
        ),
    ],
)
def test_a_value_outside_its_type_is_an_error_of_its_entry_alone(
    north: Database, tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = feeds.feed(Household(id="101").entries()).decode()
    assert old in text
    broken = text.replace(old, new, 1)
    (tmp_path / "a.xml").write_text(broken)
    other = Household(id="102", subscription="S2", interval=1800).write(tmp_path / "b.xml")

    report = stored.take(north, tmp_path / "a.xml", other)

    assert words in report.errors[0].message
    assert report.errors[0].line == 2
    points = {row["source_id"] for row in stored.every(north, UsagePoint)}
    assert "102" in points


@pytest.mark.parametrize("value", ["0x10", "1e3", "", "9" * 30, "1 2", "-"])
def test_a_reading_with_an_impossible_value_fails_its_block_and_no_other(
    north: Database, tmp_path: Path, value: str
) -> None:
    household = Household(days=2)
    text = feeds.feed(household.entries(), indent=True).decode()
    first = f"<e:value>{household.value(household.starts()[3])}</e:value>"
    (tmp_path / "a.xml").write_text(text.replace(first, f"<e:value>{value}</e:value>", 1))

    report = stored.take(north, tmp_path / "a.xml")

    assert len(report.errors) == 1
    assert "value" in report.errors[0].message
    assert report.readings == 24


def test_bare_contents_without_a_shell_are_read(north: Database, tmp_path: Path) -> None:
    household = Household(days=1)
    stored.take(north, household.write(tmp_path / "a.xml"))
    (tmp_path / "b.xml").write_text(
        '<ReadingType xmlns="http://naesb.org/espi"><uom>169</uom><powerOfTenMultiplier>0</powerOfTenMultiplier>'
        "<currency>840</currency><commodity>7</commodity></ReadingType>"
    )

    report = stored.take(north, tmp_path / "b.xml")

    assert (report.created, report.errors) == (1, [])
    assert len(stored.resources(north, Kind.ReadingType)) == 2


def test_a_single_entry_is_a_delivery(north: Database, tmp_path: Path) -> None:
    household = Household(days=1)
    stored.take(north, household.write(tmp_path / "a.xml"))
    text = feeds.feed([household.summary(bill=99)]).decode()
    single = text[text.index("<a:entry>") : text.index("</a:feed>")]
    spaces = ' xmlns:a="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi"'
    (tmp_path / "b.xml").write_text(single.replace("<a:entry>", f"<a:entry{spaces}>"))

    report = stored.take(north, tmp_path / "b.xml")

    assert (report.entries, report.changed) == (1, 1)
    [summary] = stored.resources(north, Kind.UsageSummary)
    assert summary["content"]["billLastPeriod"] == 99


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("doctype", b'<!DOCTYPE feed [<!ENTITY a "aaaa">]><feed>&a;</feed>', "DOCTYPE"),
        ("deep", _ENTRY + b"<a>" * 300 + b"</a>" * 300 + b"</entry></feed>", "deep"),
        ("html", b"<html><body>Please sign in</body></html>", "web page"),
        ("zip", b"PK\x03\x04xxxx", "zip"),
        ("other xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no Green Button data"),
        ("empty", b"", "empty"),
        ("lying", b'<?xml version="1.0" encoding="UTF-16"?><feed/>', "first bytes"),
        ("cut off", _ENTRY, "ends in the middle"),
    ],
)  # fmt: skip
def test_hostile_and_broken_files_are_refused_in_clear_words_and_others_come_in(
    north: Database, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / "bad.xml").write_bytes(content)
    good = Household(days=1).write(tmp_path / "good.xml")

    report = stored.take(north, tmp_path / "bad.xml", good)

    assert [words in error.message for error in report.errors] == [True]
    assert report.errors[0].file.endswith("bad.xml")
    assert (report.files, report.readings, report.exit_code) == (1, 24, 1)


def test_an_endless_id_is_an_error_of_its_entry(north: Database, tmp_path: Path) -> None:
    household = Household(id="9" * 300, parts=("point", "summary"))

    report = stored.take(north, household.write(tmp_path / "a.xml"), Household().write(tmp_path / "b.xml"))

    assert report.failed >= 1
    assert [row["source_id"] for row in stored.every(north, UsagePoint)] == ["101"]


def test_an_empty_feed_is_a_delivery_of_nothing(north: Database, tmp_path: Path) -> None:
    report = stored.take(north, feeds.write(tmp_path / "a.xml", []))

    assert (report.files, report.entries, report.exit_code) == (1, 0, 0)
