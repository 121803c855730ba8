"""What left is on record before it leaves, and no secret is in any log."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from espi_server.access.disclosures import Disclosures
from espi_server.access.models import Disclosure
from espi_server.db import Database
from espi_server.web.house import EXTENSION, House
from tests import make
from tests.make import Client, Feed
from tests.web.world import World, unknown

pytestmark = pytest.mark.requirement("UC2.2", "NFR24", "F-REC")


def rows(database: Database, request_id: str | None = None) -> list[Disclosure]:
    """The record, in order; of one request, where told."""
    chosen = select(Disclosure).order_by(Disclosure.at)
    with database.reading() as session:
        return list(
            session.scalars(
                chosen if request_id is None else chosen.where(Disclosure.request_id == request_id)
            )
        )


@pytest.mark.parametrize(
    "path",
    [
        "Batch/Subscription/{s}", "Batch/Subscription/{s}?max-results=4&start-index=3", "Batch/RetailCustomer/{rc}",
        "Batch/Subscription/{s}?published-min=2026-02-01T00:00:00Z", "Subscription/{s}/UsagePoint", "ReadingType",
        "Subscription/{s}/UsagePoint/{u}", "RetailCustomer/{rc}/Customer?depth=1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_every_answer_with_data_is_on_record_once(world: World, path: str, encoding: str) -> None:
    sun, request = world.sun["north"], unknown()
    below = path.format(s=sun.id, rc=sun.customer, u=make.point_id(world.database, "101"))

    answer = world.get(below, sun, Accept_Encoding=encoding, X_Request_Id=request, check=200)

    [row] = rows(world.database, request)
    assert (row.authorization_id, row.application_id, row.token_kind) == (sun.id, sun.application, "access")
    assert row.size == len(answer.data)
    assert row.entries == len(Feed(answer.data))
    assert row.path == below.partition("?")[0]
    assert sorted(row.query.split("&")) == sorted(below.partition("?")[2].split("&"))


def test_what_is_rendered_for_a_reader_is_counted_as_sent(world: World) -> None:
    request = unknown()
    coarse = make.access(
        world.database, application="Coarse", customer="C-1", scope="FB=4_5;IntervalDuration=7200"
    )

    answer = world.client.get(coarse.resource, coarse, X_Request_Id=request, check=200)

    assert [row.entries for row in rows(world.database, request)] == [len(Feed(answer.data))]


def test_nothing_is_on_record_where_nothing_left(towns: Database, client: Client) -> None:
    sun = make.access(towns, customer="C-1")
    tag = client.get(sun.resource, sun, method="HEAD", check=200).headers["ETag"]
    client.get(sun.resource, sun, If_None_Match=tag, check=304)
    client.get(sun.resource, "gba_garbage", check=401)
    client.get(f"{make.base()}/Batch/Bulk/7", sun, check=403)
    client.get(f"{make.base()}/Subscription/{sun.id}/UsagePoint/nobodys", sun, check=404)
    client.get(f"{sun.resource}?depth=no", sun, check=400)
    client.get(sun.resource, sun, method="DELETE", check=405)
    client.get(f"{make.base()}/ReadServiceStatus", make.token(towns, "upload"), check=200)

    assert rows(towns) == []


class Watched:
    """A record that notes how many bytes had been handed out when it was written."""

    def __init__(self, disclosures: Disclosures, sent: list[int]) -> None:
        self._disclosures = disclosures
        self._sent = sent
        self.when: list[int] = []

    def append(self, *arguments: object, **more: object) -> None:
        """Note the moment, and write."""
        self.when.append(sum(self._sent))
        self._disclosures.append(*arguments, **more)


def test_the_record_is_written_before_the_first_byte_goes(towns: Database) -> None:
    sun = make.access(towns, customer="C-1")
    app: Flask = make.app(towns)
    house: House = app.extensions[EXTENSION]
    sent: list[int] = []
    watched = Watched(house.disclosures, sent)
    app.extensions[EXTENSION] = replace(house, disclosures=watched)

    answer = app.test_client().get(
        sun.resource.removeprefix(make.INSTALLATION), headers={"Authorization": f"Bearer {sun.token}"}
    )
    for part in answer.response:
        sent.append(len(part))
    answer.close()

    assert watched.when == [0]
    assert sum(sent) == answer.content_length


@pytest.mark.requirement("FB_13", "NFR23", "CEC5")
def test_no_log_line_holds_a_token_a_query_or_a_forged_line(
    towns: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sun = make.access(towns, customer="C-1")
    custodian = make.token(towns, "custodian")
    client = make.client(towns)
    client.get(f"{sun.resource}?correlationID=secretword", sun, check=200)
    client.get(sun.customer_resource, sun, check=200)
    client.get(sun.resource, sun.refresh, check=401)
    client.get("/north/espi/1_1/resource/x%0A2026 INFO forged", custodian, check=404)
    client.get(f"{sun.resource}?access_token={sun.token}", check=401)

    text = "\n".join(record.getMessage() for record in caplog.records) + caplog.text
    for secret in (sun.token, sun.refresh, custodian, "secretword", "Larkspur", "Nowak"):
        assert secret not in text
    assert all(
        "\n" not in record.getMessage() for record in caplog.records if record.name == "espi_server.requests"
    )


@pytest.mark.requirement("FB_13", "NFR23", "CEC5")
def test_not_even_a_failure_writes_a_secret_into_the_log(
    towns: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sun = make.access(towns, customer="C-1")
    client = make.client(towns)
    with towns.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE disclosure RENAME TO gone")

    answer = client.get(sun.customer_resource, sun)

    assert answer.status_code in (500, 503)
    assert sun.token not in caplog.text
    assert "Nowak" not in caplog.text
