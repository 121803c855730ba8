"""Batches a utility has prepared: 202 now, later the very feed at the very address, and only for who may have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from espi_server import clock
from espi_server.access import prepared, preparing
from espi_server.access.models import Application, Authorization, PreparedBatch, PreparedPart
from espi_server.accounts.models import Utility
from espi_server.db import Database
from espi_server.energy.feed import FeedChanged
from espi_server.jobs.worker import Worker
from espi_server.notify.models import Outbox
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make
from tests.energy.feeds import Household
from tests.notify import town as receivers

FLEET = f"{make.EVERYTHING};BR=7"
Freeze = Callable[[int], None]


@pytest.fixture
def sun(towns: Database) -> make.Access:
    """C-1's authorization, at a utility that prepares everything."""
    having(towns, prepare_from=0, prepare_bulk_from=0)
    return make.access(towns, application="Sun", customer="C-1", scope=FLEET)


def having(database: Database, **policy: int | None) -> None:
    make.change(database, Utility, Utility.code == "north", **policy)


def worked(database: Database, most: int = 1 << 30) -> None:
    """What workers of the installation do."""
    Worker(database, [preparing.work(DEVELOPMENT_SECRET, make.INSTALLATION, most)]).sweep()


def rows(database: Database) -> list[PreparedBatch]:
    with database.reading() as session:
        return list(session.scalars(select(PreparedBatch)))


def at_once(
    database: Database, client: make.Client, href: str, access: make.Access | str, **headers: str
) -> TestResponse:
    """What the same request gives where nothing is prepared."""
    with database.reading() as session:
        utility = session.scalars(select(Utility).where(Utility.code == "north")).one()
        policy = {"prepare_from": utility.prepare_from, "prepare_bulk_from": utility.prepare_bulk_from}
    having(database, prepare_from=None, prepare_bulk_from=None)
    answer = client.get(href, access, check=200, **headers)
    having(database, **policy)
    return answer


@pytest.mark.requirement("FB_35")
def test_a_batch_is_asked_for_once_prepared_and_served_at_the_same_address(
    towns: Database, sun: make.Access, client: make.Client
) -> None:
    bulk, token = f"{make.base()}/Batch/Bulk/7", make.token(towns, "client", application="Sun")
    window = "?published-min=2026-03-01T08:00:00Z&published-max=2026-03-03T08:00:00Z"
    for href, bearer in [(sun.resource, sun), (sun.resource + window, sun), (bulk, token)]:
        for headers in ({}, {"Accept": "application/vnd.espi+json"}, {"Accept": "text/csv"}):
            first, again = (client.get(href, bearer, check=202, **headers) for _ in range(2))
            worked(towns)
            plain = client.get(href, bearer, check=200, **headers)
            packed = client.get(href, bearer, check=200, Accept_Encoding="gzip", **headers)
            head = client.get(href, bearer, check=200, method="HEAD", **headers)
            whole = at_once(towns, client, href, bearer, **headers)

            assert first.headers["Location"] == again.headers["Location"]
            assert first.headers["Location"].partition("?")[0] == href.partition("?")[0]
            assert int(first.headers["Retry-After"]) > 0
            assert "no-store" in first.headers["Cache-Control"]
            assert (
                plain.data == whole.data == make.Feed(packed.data).body
                if not headers
                else plain.data == whole.data
            )
            assert plain.headers["ETag"] == whole.headers["ETag"] != packed.headers["ETag"]
            assert plain.content_length == head.content_length == len(plain.data)
            assert plain.mimetype == whole.mimetype
            unchanged = {"If_None_Match": plain.headers["ETag"]}
            client.get(href, bearer, check=304, **headers, **unchanged)
    assert {(row.state, row.attempts) for row in rows(towns)} == {("done", 1)}
    assert len(rows(towns)) == 9


def test_it_is_for_companies_of_utilities_that_want_it_and_for_batches_that_are_large_enough(
    towns: Database, sun: make.Access, client: make.Client
) -> None:
    point = f"{sun.resource}/UsagePoint/{make.point_id(towns, '102')}"
    custodian = make.token(towns, "custodian")
    south = make.access(towns, "south", application="Sun", customer="C-1", scope=FLEET)
    entries = len(client.feed(sun.resource, custodian))

    client.get(south.resource, south, check=200)
    client.get(f"{sun.resource}?max-results=2", sun, check=200)
    client.get(point, sun, check=202)
    client.get(sun.customer_resource, sun, check=200)
    for machine in (custodian, make.token(towns, "upload")):
        client.get(f"{make.base()}/Batch/RetailCustomer/{sun.customer}/UsagePoint", machine, check=200)
    having(towns, prepare_from=entries + 1)
    client.get(sun.resource, sun, check=200)
    having(towns, prepare_from=entries)
    client.get(sun.resource, sun, check=202)

    assert {row.path.count("UsagePoint") for row in rows(towns)} == {0, 1}


def test_what_is_prepared_obeys_the_guard_at_the_moment_it_is_fetched(
    towns: Database, sun: make.Access, client: make.Client
) -> None:
    moon = make.access(towns, application="Moon", customer="C-1", scope=make.EVERYTHING)
    bulk, token = f"{make.base()}/Batch/Bulk/7", make.token(towns, "client", application="Sun")
    other = make.token(towns, "client", application="Moon")
    for _ in range(2):
        client.get(sun.resource, sun)
        client.get(bulk, token)
        worked(towns)
    client.get(sun.resource, sun, check=200)
    costs = client.feed(sun.resource, sun)

    client.get(sun.resource, moon, check=403)
    client.get(bulk, other, check=403)
    client.get(sun.resource, token, check=403)
    make.change(
        towns, Authorization, Authorization.id == sun.id, scope="FB=15_16;AdditionalScope=Billing;BR=7"
    )
    narrowed = [client.get(href, bearer) for href, bearer in ((sun.resource, sun), (bulk, token))]
    worked(towns)
    smaller = client.feed(sun.resource, sun)
    make.end(towns, sun.id)

    assert [each.status_code for each in narrowed] == [202, 202]
    assert len(smaller) < len(costs)
    client.get(sun.resource, sun, check=401)
    assert rows(towns) == []
    with towns.reading() as session:
        assert session.scalar(select(func.count()).select_from(PreparedPart)) == 0


def test_an_authorization_that_ends_while_its_batch_is_written_leaves_nothing(
    towns: Database, sun: make.Access, client: make.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(sun.resource, sun, check=202)
    keep = preparing._keep

    def ends(*given: object) -> None:
        keep(*given)
        make.end(towns, sun.id)

    with monkeypatch.context() as patched:
        patched.setattr(preparing, "_keep", ends)
        worked(towns)

    assert rows(towns) == []


def test_data_that_changed_are_prepared_anew_once_somebody_can_have_been_told(
    towns: Database, sun: make.Access, tmp_path: Path, freeze: Freeze
) -> None:
    freeze(now := clock.seconds())
    client = make.client(towns, notify_after=30)
    client.get(sun.resource, sun, check=202)
    worked(towns)
    before = len(client.feed(sun.resource, sun))

    make.take(towns, tmp_path, Household("102", days=5, published="2026-03-02T08:00:00Z").entries())
    freeze(now + 29)
    still = len(client.feed(sun.resource, sun))
    freeze(now + 30)
    client.get(sun.resource, sun, check=202)
    worked(towns)

    assert still == before
    assert len(client.feed(sun.resource, sun)) > before


def test_the_company_is_told_when_it_is_there(towns: Database, sun: make.Access, client: make.Client) -> None:
    receivers.company(towns, "Sun", "https://sun.example.org/", event_uri="https://sun.example.org/")
    asked = client.get(f"{sun.resource}?published-min=2026-03-01T00:00:00-08:00", sun, check=202)
    worked(towns)

    with towns.reading() as session:
        told = session.scalars(select(Outbox).where(Outbox.recipient.not_like("customer:%"))).all()
    [batch_list] = [row.payload["resources"] for row in told if row.kind == "batch_list"]
    assert batch_list == [asked.headers["Location"]]
    assert [row.payload["data"] for row in told if row.kind == "batch.prepared"] == [{"links": batch_list}]
    client.get(batch_list[0], sun, check=200)


def test_many_who_ask_at_once_make_one(towns: Database, sun: make.Access) -> None:
    app, found = make.app(towns), []
    threads = [
        Thread(target=lambda: found.append(make.Client(app).get(sun.resource, sun).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [202] * 8
    assert len(rows(towns)) == 1


def test_what_is_too_large_or_cannot_be_prepared_is_sent_at_once(
    towns: Database, sun: make.Access, client: make.Client
) -> None:
    client.get(sun.resource, sun, check=202)
    worked(towns, most=100)

    client.get(sun.resource, sun, check=200)
    [row] = rows(towns)
    assert (row.state, "ESPI_PREPARED_BYTES" in (row.last_error or "")) == ("parked", True)
    with towns.reading() as session:
        assert session.scalar(select(func.count()).select_from(PreparedPart)) == 0


def test_one_application_waits_for_so_many_and_another_is_not_kept_by_it(
    towns: Database, sun: make.Access, client: make.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    moon = make.access(towns, application="Moon", customer="C-2", scope=make.EVERYTHING)
    monkeypatch.setattr(prepared, "WAITING", 2)
    for year in (2024, 2025):
        client.get(f"{sun.resource}?published-min={year}-01-01T00:00:00Z", sun, check=202)

    refused = client.get(f"{sun.resource}?published-min=2026-01-01T00:00:00Z", sun, check=429)

    assert "Retry-After" in refused.headers
    client.get(moon.resource, moon, check=202)


def test_what_lies_in_the_database_is_sealed_and_goes_after_its_time(
    towns: Database, sun: make.Access, client: make.Client, freeze: Freeze
) -> None:
    freeze(now := clock.seconds())
    client.get(sun.resource, sun, check=202)
    worked(towns)
    with towns.reading() as session:
        kept = b"".join(session.scalars(select(PreparedPart.body)))
    freeze(now + 600)
    prepared.forget_old(towns, 601)
    early = len(rows(towns))
    prepared.forget_old(towns, 600)

    assert kept[:2] != b"\x1f\x8b"
    assert b"IntervalBlock" not in kept
    assert (early, len(rows(towns))) == (1, 0)
    client.get(sun.resource, sun, check=202)


def test_a_worker_killed_in_the_middle_leaves_it_to_the_next(
    towns: Database, sun: make.Access, client: make.Client, freeze: Freeze, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(now := clock.seconds())
    monkeypatch.setattr(prepared, "PART", 512)
    client.get(sun.resource, sun, check=202)
    keep = preparing._keep

    def dies(*given: object) -> None:
        keep(*given)
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(preparing, "_keep", dies)
        worked(towns)
    client.get(sun.resource, sun, check=202)
    freeze(now + 600)
    worked(towns)

    assert client.get(sun.resource, sun, check=200).data == at_once(towns, client, sun.resource, sun).data
    assert [row.attempts for row in rows(towns)] == [2]


def test_on_hold_nothing_is_fetched(towns: Database, sun: make.Access, client: make.Client) -> None:
    client.get(sun.resource, sun, check=202)
    worked(towns)

    make.change(towns, Application, Application.id == sun.application, status=3)

    client.get(sun.resource, sun, check=401)
    assert len(rows(towns)) == 1


def test_a_download_breaks_off_when_its_authorization_ends(
    towns: Database, sun: make.Access, client: make.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "PART", 512)
    client.get(sun.resource, sun, check=202)
    worked(towns)
    headers = {"Authorization": f"Bearer {sun.token}", "Accept-Encoding": "gzip"}
    answer = client.app.test_client().get(urlsplit(sun.resource).path, headers=headers)
    parts = answer.iter_encoded()
    next(parts)

    make.end(towns, sun.id)

    with pytest.raises(FeedChanged):
        list(parts)
    answer.close()
