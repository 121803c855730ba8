"""Who is told of what: exactly what an application may fetch, with windows that hold what changed and little else."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from espi_server import clock
from espi_server.access import announcing, applications
from espi_server.access.models import Application, Authorization
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.energy import changes, personal
from espi_server.energy.importer import import_files
from espi_server.energy.models import IntervalBlock, Resource
from espi_server.notify.models import Cursor, Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.copies import KINDS, Copies
from tests.energy import feeds
from tests.energy.feeds import Household
from tests.notify import town as receivers

URI = "https://sun.example.org/notify"


def build(url: str, folder: Path) -> None:
    """Two customers, and nothing left to tell."""
    database = Database(url, secret=DEVELOPMENT_SECRET)
    make.utility(database)
    make.town(database, folder)
    told(database)
    database.close()


@pytest.fixture(params=KINDS)
def town(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[Database]:
    with copies.opened(request.param, "told", build, tmp_path) as database:
        yield database


def told(database: Database, wait: int = 0) -> dict[str, list[str]]:
    """What a round puts into the outbox: addresses by the application's name."""
    with database.writing() as session:
        changes.number(session)
        before = set(session.scalars(select(Outbox.id)))
    announcing.announce(database, make.INSTALLATION, wait)
    with database.reading() as session:
        fresh = [
            each
            for each in session.scalars(select(Outbox))
            if each.id not in before and each.kind == "batch_list"
        ]
        names = {f"application:{each.id}": each.name for each in session.scalars(select(Application))}
    found: dict[str, list[str]] = {}
    for each in fresh:
        found.setdefault(names[each.recipient], []).extend(each.payload["resources"])
    return found


def sharing(database: Database, name: str, **how: str) -> make.Access:
    """An application that is told things and has this authorization, of which it was told already."""
    receivers.company(database, name, URI)
    access = make.access(database, application=name, **how)
    told(database)
    return access


def window(address: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(address).query)
    return query["published-min"][0], query["published-max"][0]


def more(database: Database, folder: Path, point: str, **how: object) -> None:
    make.take(database, folder, Household(point, **how).entries())


@pytest.mark.requirement("FB_39")
def test_new_readings_are_told_with_an_address_that_gives_them_all(town: Database, tmp_path: Path) -> None:
    sun = sharing(town, "Sun", customer="C-1", scope=make.USAGE)

    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")
    found = told(town)

    assert set(found) == {"Sun"}
    client = make.client(town)
    [address] = [each for each in found["Sun"] if _readings(client.feed(each, sun))]
    assert address.partition("?")[0] == sun.resource
    with town.reading() as session:
        point = make.point_id(town, "102")
        last = session.scalars(
            select(IntervalBlock.ends_at)
            .where(IntervalBlock.usage_point_id == point)
            .order_by(IntervalBlock.ends_at.desc())
        ).first()
    assert last is not None
    assert window(address)[1] == clock.written(last)
    fetched = client.feed(address, sun)
    assert any(f"/UsagePoint/{point}/" in href for each in fetched.entries for href in each.hrefs("self"))


def _readings(feed: make.Feed) -> bool:
    return any(each.kind == "IntervalBlock" for each in feed.entries)


@pytest.mark.requirement("FB_39")
def test_nobody_hears_of_what_is_not_theirs(town: Database, tmp_path: Path) -> None:
    sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    sharing(town, "Moon", customer="C-2", scope=make.USAGE)
    sharing(town, "Bills", customer="C-1", scope="FB=16_28;AdditionalScope=Billing")
    ended = sharing(town, "Gone", customer="C-1", scope=make.USAGE)
    make.end(town, ended.id)
    held = sharing(town, "Held", customer="C-1", scope=make.USAGE)
    make.hold(town, held.application)
    told(town)

    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")

    assert set(told(town)) - {"Bills"} == {"Sun"}


def test_who_may_not_see_readings_is_not_told_of_them(town: Database, tmp_path: Path) -> None:
    sharing(town, "Bills", customer="C-1", scope="FB=16_28;AdditionalScope=Billing")
    with town.writing() as session:
        place = utilities.find(session, "north")
        changes.note(
            session, place.id, "IntervalBlock", uuid.uuid4(), "created", usage_point_id=make.point_id(town, "101"),
            window=(1_780_000_000, 1_780_003_600),
        )  # fmt: skip

    assert told(town) == {}


def test_what_lies_before_the_consented_history_is_not_hinted_at(town: Database) -> None:
    sun = sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    make.change(town, Authorization, Authorization.id == sun.id, history_from=1_780_000_000)
    point, place = make.point_id(town, "101"), None
    with town.writing() as session:
        place = utilities.find(session, "north").id
        changes.note(
            session, place, "IntervalBlock", uuid.uuid4(), "changed", usage_point_id=point,
            window=(1_770_000_000, 1_770_003_600),
        )  # fmt: skip
    before = told(town)
    with town.writing() as session:
        changes.note(
            session, place, "IntervalBlock", uuid.uuid4(), "changed", usage_point_id=point,
            window=(1_779_999_000, 1_780_003_600),
        )  # fmt: skip

    [address] = told(town)["Sun"]

    assert before == {}
    assert window(address) == (clock.written(1_780_000_000), clock.written(1_780_003_600))


def test_a_bill_from_before_the_consented_history_is_not_hinted_at(town: Database) -> None:
    sun = sharing(town, "Sun", customer="C-1")
    make.change(town, Authorization, Authorization.id == sun.id, history_from=clock.seconds())
    with town.writing() as session:
        place = utilities.find(session, "north").id
        for row in session.scalars(select(Resource).where(Resource.kind == 130)).all():
            changes.note(session, place, "UsageSummary", row.id, "changed", usage_point_id=row.usage_point_id)

    assert told(town) == {}


def test_changes_close_together_are_one_message(town: Database, tmp_path: Path) -> None:
    sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    more(town, tmp_path, "101", days=5, interval=900, cost=True, quality=17)
    too_early = told(town, wait=60)
    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")

    with town.reading() as session:
        before = len(session.scalars(select(Outbox)).all())
    found = told(town)

    with town.reading() as session:
        assert len(session.scalars(select(Outbox)).all()) == before + 1
    assert too_early == {}
    assert len(found["Sun"]) <= announcing.WINDOWS


def test_what_was_told_is_not_told_again(town: Database, tmp_path: Path) -> None:
    sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")

    assert [bool(told(town)), bool(told(town))] == [True, False]


def test_a_worker_killed_before_its_commit_tells_it_all_the_next_time(
    town: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")
    put = announcing.outbox.put

    def dies(*given: Any, **more: Any) -> None:
        put(*given, **more)
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(announcing.outbox, "put", dies)
        told(town)

    assert set(told(town)) == {"Sun"}


@pytest.mark.requirement("FB_39")
def test_beginning_and_end_of_an_authorization_are_told_by_its_address(town: Database) -> None:
    receivers.company(town, "Sun", URI)
    sun = make.access(town, application="Sun", customer="C-1", scope=make.USAGE)

    begun = told(town)
    make.end(town, sun.id)
    ended = told(town)

    assert begun == ended == {"Sun": [sun.authorization]}


def test_an_authorization_that_ran_out_is_ended_and_told_like_any_other(
    town: Database, freeze: Callable[[int], None]
) -> None:
    sun = sharing(town, "Sun", customer="C-1", scope=make.USAGE)
    freeze(clock.seconds() + 366 * 86_400)

    announcing.expire(town)

    assert told(town) == {"Sun": [sun.authorization]}
    with town.reading() as session:
        assert session.get_one(Authorization, sun.id).ended_reason == "expired"


@pytest.mark.requirement("FB_39")
def test_a_changed_status_of_the_application_is_told_by_its_address(town: Database) -> None:
    sun = sharing(town, "Sun", customer="C-1", scope=make.USAGE)

    with town.writing() as session:
        applications.set_status(session, session.get_one(Application, sun.application), 3)

    assert told(town) == {"Sun": [f"{make.base()}/ApplicationInformation/{sun.application}"]}


@pytest.mark.requirement("FB_35", "FB_39")
def test_bulk_subscriptions_are_told_by_one_address(town: Database, tmp_path: Path) -> None:
    receivers.company(town, "Sun", URI)
    for customer in ("C-1", "C-2"):
        make.access(town, application="Sun", customer=customer, scope=f"{make.USAGE};BR=all")
    told(town)

    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")
    more(town, tmp_path, "103", days=5, published="2026-03-03T08:00:00Z")
    found = told(town)["Sun"]

    assert {each.partition("?")[0] for each in found} == {f"{make.base()}/Batch/Bulk/all"}
    client, token = make.client(town), make.token(town, "client", application="Sun")
    assert any(_readings(client.feed(each, token)) for each in found)


@pytest.mark.requirement("FB_39")
def test_changed_customer_data_are_told_by_the_customers_address(town: Database, tmp_path: Path) -> None:
    sun = sharing(town, "Sun", customer="C-1")
    usage = sharing(town, "Usage", customer="C-1", scope=make.USAGE)
    other = sharing(town, "Other", customer="C-2")
    entries = "".join(make.person("C-1", {"G-1": "101", "G-2": "102"}, "north")).replace(
        "<e:billingCycle>14", "<e:billingCycle>15"
    )
    file = tmp_path / "again.xml"
    file.write_bytes(feeds.feed([entries], namespace="customer"))
    import_files(town, "north", [file], actor="a test")

    found = told(town)

    assert set(found) == {"Sun"}, (usage.id, other.id)
    assert {each.partition("?")[0] for each in found["Sun"]} == {sun.customer_resource}
    assert make.client(town).feed(found["Sun"][0], sun).entries


def test_a_customers_other_premise_is_not_hinted_at(town: Database) -> None:
    cabin = sharing(town, "Cabin", points=("102",))
    with town.writing() as session:
        place = utilities.find(session, "north").id
        hidden = [
            row
            for row in session.scalars(select(Resource).where(Resource.kind == 250)).all()
            if personal.content(town.keyring, vars(row)).get("serialNumber") == "M-101"
        ]
        assert hidden
        changes.note(session, place, "Meter", hidden[0].id, "changed")

    assert told(town) == {}, cabin.id


def test_events_go_to_those_who_want_them_and_hold_no_data(town: Database, tmp_path: Path) -> None:
    receivers.company(town, "Sun", None, event_uri="https://sun.example.org/events")
    sun = make.access(town, application="Sun", customer="C-1", scope=make.USAGE)
    told(town)
    more(town, tmp_path, "102", days=5, published="2026-03-02T08:00:00Z")
    told(town)

    with town.reading() as session:
        wanted = Outbox.recipient == f"events:{sun.application}"
        rows = session.scalars(select(Outbox).where(wanted).order_by(Outbox.id)).all()
    assert [each.kind for each in rows] == ["authorization.granted", "data.available"]
    assert rows[0].payload["data"] == {"authorization": str(sun.id), "links": [sun.authorization]}
    assert set(rows[1].payload["data"]) == {"links"}


def test_each_utility_has_a_cursor_of_its_own(town: Database, tmp_path: Path) -> None:
    make.utility(town, "south")
    make.town(town, tmp_path, "south")
    receivers.company(town, "Sun", URI, "south")
    make.access(town, "south", application="Sun", customer="C-1", scope=make.USAGE)

    found = told(town)

    assert all("/south/" in each for each in found["Sun"])
    with town.reading() as session:
        assert len(session.scalars(select(Cursor)).all()) == 2


def test_windows_apart_stay_apart_until_there_are_too_many() -> None:
    many = [(day * 100, day * 100 + 10 + day) for day in range(20)]

    assert announcing._joined([(5, 9), (0, 5), (20, 30), (25, 28)]) == [(0, 9), (20, 30)]
    assert len(announcing._joined(many)) == announcing.WINDOWS
    assert announcing._joined(many)[-1][1] == many[-1][1]
