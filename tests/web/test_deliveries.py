"""Deliveries over HTTP: what comes in, what is refused, and that nothing comes in where it does not belong."""

from __future__ import annotations

import gzip
import socket
import uuid
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from espi_server import work
from espi_server.db import Database
from espi_server.energy.models import ImportRun, Kind, Resource, UsagePoint
from espi_server.espi.paths import PATTERNS
from espi_server.jobs.models import Job, JobPart
from espi_server.web.house import EXTENSION
from tests import make
from tests.energy import feeds, stored
from tests.energy.feeds import Household
from tests.serving import serve
from tests.towns import on_one

pytestmark = pytest.mark.requirement("FB_33")

ATOM = "application/atom+xml"
NEW = Household("901", days=2)


class Sender:
    """Posts to a utility with one of its tokens."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        self.app = make.app(database, **settings)
        self.tokens = {
            (kind, code): make.token(database, kind, code)
            for kind in ("upload", "custodian") for code in ("north", "south")
        }  # fmt: skip

    def post(
        self,
        path: str,
        body: bytes | str,
        kind: str | None = "custodian",
        *,
        code: str = "north",
        token: str | None = None,
        check: int | None = None,
        **headers: str,
    ) -> TestResponse:
        given = {"Content-Type": ATOM, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token or kind:
            given["Authorization"] = f"Bearer {token or self.tokens[kind or '', code]}"
        answer = self.app.test_client().post(f"/{code}/espi/1_1/resource/{path}", data=body, headers=given)
        assert check in (None, answer.status_code), answer.data[:800]
        return answer

    def get(self, href: str, kind: str = "custodian", code: str = "north") -> TestResponse:
        token = self.tokens[kind, code]
        return self.app.test_client().get(
            href.removeprefix(make.INSTALLATION), headers={"Authorization": f"Bearer {token}"}
        )

    def upload_path(self, customer: str = "C-1", code: str = "north") -> str:
        return f"Batch/RetailCustomer/{make.customer_id(self.database, customer, code)}/UsagePoint"


@pytest.fixture
def sender(towns: Database) -> Sender:
    return Sender(towns)


def body(*households: Household) -> bytes:
    return feeds.feed([entry for household in households for entry in household.entries()])


def imports(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(ImportRun)) or 0


# --- what comes in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["upload", "custodian"])
def test_a_feed_comes_in_for_its_customer_and_says_what_became_of_each(sender: Sender, kind: str) -> None:
    answer = sender.post(sender.upload_path(), body(NEW), kind, check=200)

    told = answer.json
    assert told["refused"] == []
    assert {(each["kind"], each["outcome"]) for each in told["results"]} == {
        ("UsagePoint", "created"), ("MeterReading", "created"), ("IntervalBlock", "created"),
        ("UsageSummary", "created"), ("ReadingType", "unchanged"), ("LocalTimeParameters", "unchanged"),
    }  # fmt: skip
    days = [each["days"] for each in told["results"] if each["kind"] == "IntervalBlock"]
    assert days == [2]
    point = make.point_id(sender.database, "901")
    with sender.database.reading() as session:
        assert session.get_one(UsagePoint, point).customer_id == make.customer_id(sender.database, "C-1")
    for each in told["results"]:
        assert sender.get(each["href"]).status_code == 200, each


def test_the_same_body_again_is_unchanged(sender: Sender) -> None:
    sender.post(sender.upload_path(), body(NEW), "upload", check=200)
    before = stored.state(sender.database)

    told = sender.post(sender.upload_path(), body(NEW), "upload", check=200).json

    assert {each["outcome"] for each in told["results"]} == {"unchanged"}
    assert stored.state(sender.database) == before


def test_one_new_entry_is_a_201_with_its_address(sender: Sender) -> None:
    point = make.point_id(sender.database, "103")
    one = feeds.feed([Household("103", days=2, first="2025-06-01").summary("z9")])
    entry = etree.tostring(etree.fromstring(one)[-1])

    answer = sender.post(f"UsagePoint/{point}/UsageSummary", entry, check=201)
    again = sender.post(f"UsagePoint/{point}/UsageSummary", entry, check=200)

    assert answer.headers["Location"].startswith(f"{make.base()}/UsagePoint/{point}/UsageSummary/")
    assert sender.get(answer.headers["Location"]).status_code == 200
    assert "Location" not in again.headers


def test_an_entry_without_links_belongs_where_it_was_sent_to(sender: Sender) -> None:
    point = make.point_id(sender.database, "103")
    [reading] = [
        row for row in stored.resources(sender.database, Kind.MeterReading) if row["usage_point_id"] == point
    ]
    start = Household("103", days=3).midnights()[-1]
    bare = (
        '<entry xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi"><content><e:IntervalBlock>'
        f"<e:interval><e:duration>3600</e:duration><e:start>{start}</e:start></e:interval><e:IntervalReading>"
        f"<e:timePeriod><e:duration>3600</e:duration><e:start>{start}</e:start></e:timePeriod><e:value>7</e:value>"
        "</e:IntervalReading></e:IntervalBlock></content></entry>"
    )

    answer = sender.post(f"UsagePoint/{point}/MeterReading/{reading['id']}/IntervalBlock", bare, check=201)

    assert answer.json["results"][0]["kind"] == "IntervalBlock"
    assert answer.headers["Location"].endswith(f"/MeterReading/{reading['id']}/IntervalBlock")


def test_what_was_read_here_and_is_sent_back_changes_nothing(sender: Sender) -> None:
    read = sender.get(f"{make.base()}/UsagePoint").data
    rc = make.customer_id(sender.database, "C-1")
    batch = sender.get(f"{make.base()}/Batch/RetailCustomer/{rc}/UsagePoint").data
    people = sender.get(f"{make.base()}/Batch/RetailCustomer/{rc}").data
    before = stored.state(sender.database)

    points = sender.post("UsagePoint", read, check=200).json
    whole = sender.post(sender.upload_path(), batch, "upload", check=200).json
    persons = sender.post(f"RetailCustomer/{rc}/Customer", people, check=200).json
    rooted = sender.post("Customer", people, check=200).json

    for told in (points, whole, persons, rooted):
        assert told["refused"] == []
        assert {each["outcome"] for each in told["results"]} == {"unchanged"}
    assert stored.state(sender.database) == before


def test_gzip_is_understood(sender: Sender) -> None:
    told = sender.post(
        sender.upload_path(), gzip.compress(body(NEW)), "upload", Content_Encoding="gzip", check=200
    )

    assert told.json["counts"]["refused"] == 0


def test_customer_data_come_by_the_custodian(sender: Sender) -> None:
    rc = make.customer_id(sender.database, "C-2")
    tree = make.person("C-2", {"G-3": "103"}, "changed")

    told = sender.post(
        f"RetailCustomer/{rc}/Customer", feeds.feed(tree, namespace="customer"), check=200
    ).json

    assert {each["outcome"] for each in told["results"] if each["kind"] == "Customer"} == {"changed"}


@pytest.fixture(scope="module")
def archive(shared_towns: Database) -> Sender:
    """For tests that post what is there already."""
    return Sender(shared_towns)


@pytest.mark.parametrize(
    "pattern", [each for each in PATTERNS if each.deliverers], ids=lambda each: each.name
)
def test_every_collection_takes_its_own_kind_back(archive: Sender, pattern: Any) -> None:
    sender = archive
    rc, point = make.customer_id(sender.database, "C-1"), make.point_id(sender.database, "101")
    sun = make.access(sender.database, customer="C-1")
    with sender.database.reading() as session:
        rows = session.execute(
            select(Resource.kind, Resource.id, Resource.usage_point_id, Resource.customer_id)
        ).all()
    mine = {
        Kind(row.kind).name: row.id for row in rows if row.customer_id == rc or row.usage_point_id == point
    }
    ids = {**mine, "RetailCustomer": rc, "UsagePoint": point, "Subscription": sun.id}
    chain = _chain(sender.database, rc)
    path = pattern.path.format(**{
        letter: chain.get(name) or ids[name] for name, letter in _letters(pattern).items()
    })  # fmt: skip
    with sender.get(f"{make.base()}/{path}") as answer:
        assert answer.status_code == 200, path
        read = answer.data
    before = stored.state(sender.database)

    told = sender.post(path, read, check=200).json

    assert {each["outcome"] for each in told["results"]} <= {"unchanged"}
    assert stored.state(sender.database) == before


def _letters(pattern: Any) -> dict[str, str]:
    names = pattern.ids({letter: letter for letter in pattern.parameters})
    return dict(names)


def _chain(database: Database, rc: uuid.UUID) -> dict[str, uuid.UUID]:
    """One place of a customer with all that stands above it."""
    with database.reading() as session:
        rows = session.execute(
            select(Resource.kind, Resource.id, Resource.up_id).where(Resource.customer_id == rc)
        ).all()
    by_id = {row.id: row for row in rows}
    at = next(row for row in rows if row.kind == Kind.ServiceLocation)
    found = {}
    while at is not None:
        found[Kind(at.kind).name] = at.id
        at = by_id.get(at.up_id)
    return found


# --- what is refused ----------------------------------------------------------------------------------


def test_a_body_with_refused_entries_is_unmistakable_and_says_which_went_in(sender: Sender) -> None:
    bad = Household("902").summary().replace("<e:currency>840", "<e:currency>euros")
    grant = feeds.entry("Authorization", feeds.BASE, "a1", "<e:status>1</e:status>")

    answer = sender.post(
        sender.upload_path(), feeds.feed([*NEW.entries(), bad, grant]), "upload", check=207
    ).json

    reasons = [each["reason"] for each in answer["refused"]]
    assert any("currency" in words for words in reasons)
    assert any("a file grants nothing" in words for words in reasons)
    assert all(each["line"] for each in answer["refused"])
    assert "created" in {each["outcome"] for each in answer["results"]}


def test_a_body_of_refused_entries_alone_is_a_422(sender: Sender) -> None:
    information = feeds.entry("ApplicationInformation", feeds.BASE, "a1", "<e:client_id>x</e:client_id>")

    told = sender.post("UsagePoint", feeds.feed([information]), check=422).json

    assert told["results"] == []
    assert "a file grants nothing" in told["refused"][0]["reason"]


def test_nobody_writes_a_neighbours_meter(sender: Sender) -> None:
    before = stored.state(sender.database)
    others = Household("103", days=3, changed={Household("103").starts()[0]: 1})
    rc = make.customer_id(sender.database, "C-1")

    by_path = sender.post(sender.upload_path("C-1"), body(others), "upload").json
    point = make.point_id(sender.database, "101")
    below = sender.post(f"UsagePoint/{point}/MeterReading", feeds.feed(others.entries()[3:5])).json
    own = sender.post(
        f"RetailCustomer/{rc}/UsagePoint/{point}/UsageSummary", feeds.feed([others.summary()])
    ).json

    assert "belongs to another customer" in by_path["refused"][0]["reason"]
    assert all("another usage point" in each["reason"] for each in below["refused"])
    assert all("another usage point" in each["reason"] for each in own["refused"])
    after = stored.state(sender.database)
    assert after["usage_point"] == before["usage_point"]
    assert after["interval_block"] == before["interval_block"]


def test_nobody_writes_a_neighbours_name(sender: Sender) -> None:
    one, other = (make.customer_id(sender.database, each) for each in ("C-1", "C-2"))
    read = sender.get(f"{make.base()}/Batch/RetailCustomer/{other}").data
    before = stored.state(sender.database)

    told = sender.post(f"RetailCustomer/{one}/Customer", read, check=422).json

    assert {each["reason"].partition(": ")[2][:29] for each in told["refused"]} == {
        "it belongs to another custome"
    }
    assert stored.state(sender.database) == before


def test_a_subscription_takes_its_own_usage_points_alone(sender: Sender) -> None:
    sun = make.access(sender.database, customer="C-1")

    told = sender.post(f"Subscription/{sun.id}/UsagePoint", body(NEW), check=207).json

    assert any("another usage point" in each["reason"] for each in told["refused"])
    assert {each["kind"] for each in told["results"]} == {"ReadingType", "LocalTimeParameters"}
    assert sender.post(f"Subscription/{sun.id}/UsagePoint", body(make.HOUSEHOLDS[1])).status_code == 200


def test_usage_and_people_never_share_a_delivery(sender: Sender) -> None:
    rc = make.customer_id(sender.database, "C-1")
    tree = feeds.feed(make.person("C-1", {}, "x"), namespace="customer")

    usage = sender.post(sender.upload_path(), tree, "upload", check=422).json
    people = sender.post(f"RetailCustomer/{rc}/Customer", body(NEW), check=422).json

    assert "Customer: " in usage["refused"][0]["reason"]
    assert "does not take this kind" in people["refused"][0]["reason"]


# --- who may ------------------------------------------------------------------------------------------


class Untouchable:
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = readlines = __iter__ = read


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("Batch/RetailCustomer/{rc}/UsagePoint", None, 401),
        ("Batch/RetailCustomer/{rc}/UsagePoint", "garbage", 401),
        ("Batch/RetailCustomer/{rc}/UsagePoint", "south", 401),
        ("Batch/RetailCustomer/{rc}/UsagePoint", "access", 403),
        ("Batch/RetailCustomer/{other}/UsagePoint", "upload", 403),
        ("Batch/RetailCustomer/{other}/UsagePoint", "custodian", 404),
        ("UsagePoint", "upload", 403),
        ("Customer", "upload", 403),
        ("UsagePoint/{point}/MeterReading/{other}/IntervalBlock", "custodian", 404),
        ("RetailCustomer/{rc}/UsagePoint/{theirs}/MeterReading", "custodian", 404),
        ("Subscription/{other}/UsagePoint", "custodian", 404),
    ],
)
@pytest.mark.requirement("FB_13", "NFR22")
@on_one
def test_who_may_not_is_told_before_the_body_is_read(
    sender: Sender, path: str, kind: str | None, status: int
) -> None:
    names = {
        "rc": make.customer_id(sender.database, "C-1"), "point": make.point_id(sender.database, "101"),
        "theirs": make.point_id(sender.database, "103"), "other": make.customer_id(sender.database, "C-1", "south"),
    }  # fmt: skip
    tokens = {
        None: None, "garbage": "gbu_x", "south": sender.tokens["upload", "south"],
        "access": make.access(sender.database, customer="C-1").token,
    }  # fmt: skip
    token = tokens[kind] if kind in tokens else sender.tokens[str(kind), "north"]

    answer = sender.app.test_client().open(
        f"/north/espi/1_1/resource/{path.format(**names)}", method="POST", content_type=ATOM,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        environ_overrides={"wsgi.input": Untouchable(), "CONTENT_LENGTH": "10"},
    )  # fmt: skip

    assert answer.status_code == status
    assert imports(sender.database) == imports(sender.database)


@pytest.mark.requirement("FB_13", "NFR22")
def test_each_collection_takes_its_own_kinds_of_token_alone(sender: Sender) -> None:
    tokens = {
        "A": make.access(sender.database, customer="C-1").token,
        "C": make.token(sender.database, "client", application="Sun"),
        "R": make.token(sender.database, "registration", application="Sun"),
        "U": sender.tokens["upload", "north"],
    }
    nobody = str(uuid.uuid4())
    for pattern in PATTERNS:
        if not pattern.deliverers:
            continue
        path = pattern.path.format(**dict.fromkeys(pattern.parameters, nobody))
        sender.post(path, b"", None, check=401)
        for letter, token in tokens.items():
            if letter not in pattern.deliverers:
                sender.post(path, b"", token=token, check=403)


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Content_Type": "application/json"}, 415, "application/atom+xml, application/xml, text/xml"),
        ({"Content_Encoding": "br"}, 415, "plain or as gzip"),
    ],
)
def test_a_body_of_another_kind_is_told_what_is_taken(
    sender: Sender, headers: dict[str, str], status: int, words: str
) -> None:
    answer = sender.post("UsagePoint", body(NEW), check=status, **headers)

    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b" ", "This is no XML"),
        (b"<feed", "ends in the middle"),
        (b"hello", "no XML"),
        (b"{}", "JSON"),
        (b"<a/>", "no Green Button data"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><feed xmlns='http://www.w3.org/2005/Atom'/>", "DOCTYPE"),
        (gzip.compress(b"0" * 40_000_000), "more than 300 times its size"),
    ],
)
@on_one
def test_a_body_that_cannot_be_read_says_why_and_leaves_nothing(
    sender: Sender, sent: bytes, words: str
) -> None:
    before = stored.state(sender.database)

    answer = sender.post("UsagePoint", sent, check=400)

    assert words in answer.json["detail"]
    assert stored.state(sender.database) == before


def test_a_body_that_is_too_large_is_not_read_to_its_end(towns: Database) -> None:
    sender = Sender(towns, upload_bytes=2_000)

    answer = sender.post("UsagePoint", body(NEW), check=413)
    packed = sender.post("UsagePoint", gzip.compress(body(NEW)), check=400)

    assert "2,000 bytes" in answer.json["detail"]
    assert "larger than 2,000 bytes" in packed.json["detail"]


def test_large_deliveries_leave_room_for_small_requests(towns: Database) -> None:
    sender = Sender(towns, uploads=1)
    sender.app.extensions[EXTENSION].deliveries.enter("another utility")

    answer = sender.post("UsagePoint", body(NEW), check=429)

    assert answer.headers["Retry-After"]
    assert "All places for deliveries are taken" in answer.json["detail"]
    assert sender.get(f"{make.base()}/ReadServiceStatus").status_code == 200


def test_put_and_delete_are_not_offered(sender: Sender) -> None:
    point = make.point_id(sender.database, "101")
    for method in ("PUT", "DELETE"):
        answer = sender.app.test_client().open(
            f"/north/espi/1_1/resource/UsagePoint/{point}", method=method,
            headers={"Authorization": f"Bearer {sender.tokens['custodian', 'north']}"},
        )  # fmt: skip
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_xml_for_who_prefers_it(sender: Sender) -> None:
    answer = sender.post("UsagePoint", body(NEW), Accept="application/xml", check=200)

    root = etree.fromstring(answer.data)
    assert answer.content_type == "application/xml"
    assert root.find("results/entry").get("outcome") in ("created", "unchanged")


# --- later --------------------------------------------------------------------------------------------


@pytest.fixture
def patient(towns: Database) -> Sender:
    return Sender(towns, upload_at_once=0)


def test_a_larger_body_is_kept_and_done_by_a_worker(patient: Sender) -> None:
    answer = patient.post(patient.upload_path(), body(NEW), "upload", check=202)
    address = answer.headers["Location"]
    waiting = patient.get(address, "upload")
    worker = work.worker(patient.database, make.settings())

    worker.sweep()
    done = patient.get(address, "upload")

    assert answer.headers["Retry-After"] == waiting.headers["Retry-After"] == "2"
    assert (waiting.json["state"], done.json["state"]) == ("waiting", "done")
    assert "Retry-After" not in done.headers
    assert {each["outcome"] for each in done.json["result"]["results"] if each["kind"] == "UsagePoint"} == {
        "created"
    }
    assert make.point_id(patient.database, "901")
    with patient.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(JobPart)) == 0


def test_only_the_same_kind_of_token_of_the_same_utility_looks_at_it(patient: Sender) -> None:
    address = patient.post(patient.upload_path(), body(NEW), "upload", check=202).headers["Location"]

    assert patient.get(address, "upload").status_code == 200
    assert patient.get(address, "custodian").status_code == 404
    assert patient.get(address, "upload", "south").status_code == 401
    assert patient.get(address.replace("/north/", "/south/"), "upload", "south").status_code == 404


def test_the_same_body_while_it_waits_is_the_same_delivery(patient: Sender) -> None:
    first, again = (patient.post(patient.upload_path(), body(NEW), "upload", check=202) for _ in range(2))
    other = patient.post(patient.upload_path("C-2"), body(NEW), "upload", check=202)

    assert first.headers["Location"] == again.headers["Location"] != other.headers["Location"]
    with patient.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 2


def test_a_larger_body_that_cannot_be_read_fails_with_the_reason(patient: Sender) -> None:
    address = patient.post(
        "UsagePoint", b"<feed xmlns='http://www.w3.org/2005/Atom'><entry>", check=202
    ).headers["Location"]

    work.worker(patient.database, make.settings()).sweep()

    told = patient.get(address).json
    assert told["state"] == "failed"
    assert "ends in the middle" in told["reason"]


# --- over a socket ------------------------------------------------------------------------------------


def test_over_a_socket_chunks_come_in_and_half_a_body_leaves_nothing(towns: Database, towns_url: str) -> None:
    sender = Sender(towns)
    token, path = sender.tokens["custodian", "north"], "/north/espi/1_1/resource/UsagePoint"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {ATOM}\r\n"
    whole = body(NEW)
    before = imports(towns)

    with serve(towns_url) as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with socket.create_connection(address) as half:
            half.sendall(f"{head}Content-Length: {len(whole)}\r\n\r\n".encode() + whole[: len(whole) // 2])
            half.shutdown(socket.SHUT_WR)
            broken = half.recv(65_536)
        with socket.create_connection(address) as endless:
            endless.sendall(f"{head}\r\n".encode())
            unmeasured = endless.recv(65_536)
        assert imports(towns) == before
        with socket.create_connection(address) as chunked:
            chunked.sendall(f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
            for start in range(0, len(whole), 1000):
                piece = whole[start : start + 1000]
                chunked.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            chunked.sendall(b"0\r\n\r\n")
            answer = b"".join(iter(lambda: chunked.recv(65_536), b""))

    assert broken.startswith(b"HTTP/1.1 400")
    assert unmeasured.startswith(b"HTTP/1.1 411")
    assert answer.startswith(b"HTTP/1.1 200")
    assert imports(towns) == before + 1
