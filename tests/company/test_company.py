"""The sandbox company against a real server on a socket; customers answer by the seam."""

from __future__ import annotations

import json
import re
import socket
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.serving import make_server

from company import feed, homes, pages, scope
from company.__main__ import check
from company.app import create_app
from company.settings import Settings
from espi_server.access import applications, grants
from espi_server.access.models import Authorization
from espi_server.db import Database
from espi_server.espi.authorization import BatchList
from espi_server.espi.tables import CLASS_BLOCKS, DataClass
from espi_server.notify import signing
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make, towns
from tests import oauth as consent
from tests.copies import Copies
from tests.oauth import in_address

BACK = "http://localhost:8001/callback"


@dataclass
class Town:
    """A utility that is being served: its database and its address."""

    database: Database
    address: str


@pytest.fixture(scope="module")
def town(copies: Copies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with copies.of("sqlite", "towns", towns.build, tmp_path_factory.mktemp("town")) as url:
        database = Database(url, secret=DEVELOPMENT_SECRET)
        listening = socket.create_server(("127.0.0.1", 0))
        address = f"http://localhost:{listening.getsockname()[1]}"
        app = consent.app(database, base_url=address)
        server = make_server("127.0.0.1", 0, app, threaded=True, fd=listening.fileno())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Town(database, address)
        server.shutdown()
        listening.close()
        database.close()


@dataclass
class SunWise:
    """The company at that town's utility `north`, and one browser at the company."""

    town: Town
    registered: consent.Company
    here: pages.Here
    browser: FlaskClient

    @property
    def utility(self):
        return self.here.utilities["north"]

    def asks(self) -> str:
        """The button is pressed: where the browser goes."""
        answer = self.browser.post("/connect/north")
        assert answer.status_code == 303
        return answer.headers["Location"]

    def comes_back(self, **yes) -> str:
        """She says yes: where her browser comes back to."""
        kept = requests.get(self.asks(), allow_redirects=False, timeout=30).headers["Location"]
        return consent.agree(
            self.town.database, in_address(kept)["request"], installation=self.town.address, **yes
        )

    def opens(self, address: str):
        """Her browser follows an address of the company's."""
        parts = urlsplit(address)
        return self.browser.get(f"{parts.path}?{parts.query}")

    def connects(self, **yes) -> str:
        """All of it; the path of her home."""
        answer = self.opens(self.comes_back(**yes))
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def home(self, path: str):
        return self.here.store.one("SELECT * FROM home WHERE id = ?", path.rpartition("/")[2])

    def told(
        self, addresses: list[str], *, id: uuid.UUID | None = None, key: bytes | None = None, age: int = 0
    ):
        """The utility posts a notification."""
        with self.town.database.reading() as session:
            live = signing.live(session, self.registered.id, DEVELOPMENT_SECRET)
        body = BatchList(resources=addresses).write()
        moment = int(time.time()) - age
        headers = signing.headers(id or uuid.uuid4(), moment, body, [key] if key else live)
        return self.browser.post("/notices/north", data=body, headers=headers)

    def works(self) -> str:
        """What was kept is worked off; the page that tells of it."""
        self.here.worker.sweep()
        return self.browser.get("/notices").text

    def ends(self) -> None:
        """The customer stops all of it at the utility."""
        with self.town.database.writing() as session:
            chosen = select(Authorization).where(
                Authorization.application_id == self.registered.id, Authorization.ended_at.is_(None)
            )
            for each in session.scalars(chosen):
                grants.end(session, each, "cancelled", by="a test")


@pytest.fixture
def sun(town: Town, tmp_path: Path, freeze) -> SunWise:
    freeze(make.NOW)  # the readings of these towns do not get old
    registered = consent.company(
        town.database, f"SunWise {uuid.uuid4().hex}", app=object(), redirect_uris=[BACK]
    )
    with town.database.writing() as session:
        webhook = signing.renew(session, registered.id, DEVELOPMENT_SECRET)
    file = tmp_path / "utilities.json"
    north = {
        "name": "North", "issuer": f"{town.address}/north", "client_id": registered.client_id,
        "client_secret": registered.secret, "notify_secret": webhook, "timezone": "America/Los_Angeles",
    }  # fmt: skip
    file.write_text(json.dumps({"north": north}))
    app = create_app(Settings(utilities=file, database=tmp_path / "sunwise.sqlite"))
    return SunWise(town, registered, app.extensions[pages.HERE], app.test_client())


# --- connecting


def test_the_browser_is_sent_on_with_a_challenge_and_a_state_of_its_own(sun):
    first, second = (in_address(sun.asks()) for _ in range(2))

    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == BACK
    assert first["scope"] == scope.ASKED
    assert (
        len({first["state"], second["state"]})
        == len({each["code_challenge"] for each in (first, second)})
        == 2
    )


def test_a_customer_connects_and_sees_her_readings_and_what_she_shared(sun):
    path = sun.connects()

    page = sun.browser.get(path).text
    kept = sun.home(path)
    assert kept["scope"] == scope.ASKED
    assert kept["etag"]
    assert "<svg" in page
    assert re.search(r'class="count">\d+', page)
    assert "Not shared" not in page
    assert sun.browser.get("/").text.count(path) == 1


def test_what_she_left_out_is_shown_as_left_out(sun):
    narrow = scope.ASKED.replace("Usage_Billing_Basic", "Usage")

    page = sun.browser.get(sun.connects(scope=narrow)).text

    assert page.count("Shared: ") == 1
    assert page.count("Not shared: ") == 2
    assert "Your bills" not in page


def test_a_home_is_shown_to_the_browser_that_connected_it_alone(sun):
    path = sun.connects()
    other = sun.browser.application.test_client()

    assert other.get(path).status_code == 404
    assert other.post(f"{path}/fetch").status_code == 404
    assert path not in other.get("/").text


@pytest.mark.parametrize("wrong", ["another state", "another browser", "a second time", "too late"])
def test_an_answer_nobody_here_asked_for_is_refused(sun, wrong, monkeypatch):
    back = sun.comes_back()
    browser = sun.browser
    if wrong == "another state":
        back = back.replace("state=", "state=x")
    if wrong == "another browser":
        sun.browser = browser.application.test_client()
    if wrong == "a second time":
        assert sun.opens(back).status_code == 303
    if wrong == "too late":
        now = time.time()
        monkeypatch.setattr(pages.time, "time", lambda: now + pages.TEN_MINUTES + 1)
    before = sun.here.store.all("SELECT * FROM home")

    answer = sun.opens(back)

    assert answer.status_code == 400
    assert "We did not ask for this" in answer.text
    assert sun.here.store.all("SELECT * FROM home") == before


@pytest.mark.parametrize("iss", [None, "https://elsewhere.example"])
def test_an_answer_of_another_issuer_is_refused_and_its_code_is_not_used(sun, iss):
    back = in_address(sun.comes_back())
    said = {"code": back["code"], "state": back["state"], **({"iss": iss} if iss else {})}

    answer = sun.browser.get("/callback", query_string=said)

    assert answer.status_code == 400
    assert "This is not from your utility" in answer.text
    assert not sun.here.store.all("SELECT * FROM home")


def test_declining_is_said_plainly(sun):
    kept = requests.get(sun.asks(), allow_redirects=False, timeout=30).headers["Location"]

    answer = sun.opens(consent.decline(sun.town.database, in_address(kept)["request"]))

    assert "Nothing was shared" in answer.text
    assert not sun.here.store.all("SELECT * FROM home")


def test_a_code_that_is_refused_is_told(sun):
    back = sun.comes_back().replace("code=", "code=x")

    answer = sun.opens(back)

    assert answer.status_code == 400
    assert "North could not do this" in answer.text


def test_the_landing_page_of_who_chose_us_at_the_utility_leads_on(sun):
    page = sun.browser.get("/welcome/north").text

    assert 'action="/connect/north"' in page
    assert sun.browser.get("/welcome/nowhere").status_code == 404


def test_a_form_on_somebody_elses_page_does_nothing(sun):
    for site in ("cross-site", "same-site", "none"):
        assert sun.browser.post("/connect/north", headers={"Sec-Fetch-Site": site}).status_code == 403


# --- keeping tokens, fetching


def test_an_old_token_is_replaced_before_it_is_used(sun):
    path = sun.connects()
    before = sun.home(path)
    sun.here.store.do("UPDATE home SET expires_at = 0, etag = ''")

    sun.browser.post(f"{path}/fetch")

    after = sun.home(path)
    assert before["access_token"] != after["access_token"]
    assert before["refresh_token"] != after["refresh_token"]
    assert re.fullmatch(r"\d+ readings and \d bills came\.", after["told"])


def test_of_many_at_once_one_refreshes_and_all_get_its_token(sun):
    path = sun.connects()
    sun.here.store.do("UPDATE home SET expires_at = 0")
    found: list[str] = []

    def ask() -> None:
        found.append(homes.fresh_token(sun.here.store, sun.utility, sun.home(path)["id"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_token_the_utility_ended_is_replaced_once(sun):
    path = sun.connects()
    make.revoke(sun.town.database, sun.home(path)["access_token"])

    sun.browser.post(f"{path}/fetch")

    assert sun.home(path)["ended_at"] is None


def test_nothing_is_sent_where_nothing_is_new(sun):
    path = sun.connects()
    rows = sun.here.store.all("SELECT * FROM block")

    sun.browser.post(f"{path}/fetch")

    assert sun.home(path)["told"] == "Nothing is new."
    assert sun.here.store.all("SELECT * FROM block") == rows


def test_a_feed_is_asked_for_as_gzip(sun, monkeypatch):
    sent = []
    real = requests.get

    def get(address, **more):
        answer = real(address, **more)
        sent.append((answer.request.headers["Accept-Encoding"], answer.headers.get("Content-Encoding")))
        return answer

    monkeypatch.setattr(homes.requests, "get", get)

    sun.connects()

    assert all("gzip" in asked for asked, _ in sent)
    assert ("gzip, deflate", "gzip") in {(asked[:13], got) for asked, got in sent}


def test_once_she_has_stopped_the_next_call_fails_and_the_page_says_so(sun):
    path = sun.connects()
    sun.ends()

    page = sun.browser.post(f"{path}/fetch", follow_redirects=True).text

    kept = sun.home(path)
    assert "Access ended" in page
    assert "<svg" in page  # what we have we may keep
    assert kept["access_token"] == kept["refresh_token"] == ""
    assert sun.browser.post(f"{path}/fetch", follow_redirects=True).status_code == 200


def test_disconnecting_ends_it_at_the_utility_too_and_then_all_can_be_deleted(sun):
    path = sun.connects()
    assert sun.browser.post(f"{path}/forget").status_code == 409

    sun.browser.post(f"{path}/disconnect")
    sun.browser.post(f"{path}/forget")

    with sun.town.database.reading() as session:
        rows = session.scalars(
            select(Authorization.ended_at).where(Authorization.application_id == sun.registered.id)
        ).all()
    assert rows
    assert all(rows)
    assert sun.browser.get(path).status_code == 404
    assert not sun.here.store.all("SELECT * FROM block")


def test_a_feed_that_breaks_off_changes_nothing(sun, monkeypatch):
    path = sun.connects()
    rows = sun.here.store.all("SELECT * FROM block")
    sun.here.store.do("UPDATE home SET etag = ''")
    monkeypatch.setattr(requests.Response, "iter_content", lambda self, size: iter([b"<feed><entry>"]))

    sun.browser.post(f"{path}/fetch")

    assert "did not come whole" in sun.home(path)["told"]
    assert sun.here.store.all("SELECT * FROM block") == rows


def test_a_utility_that_is_away_is_told_and_ends_nothing(sun, monkeypatch):
    path = sun.connects()

    def away(*_, **__):
        raise requests.ConnectionError("nobody is there")

    monkeypatch.setattr(homes.requests, "get", away)
    page = sun.browser.post(f"{path}/fetch", follow_redirects=True).text

    assert "nobody is there" in page
    assert sun.home(path)["ended_at"] is None


# --- being told


def test_a_notification_is_answered_at_once_and_worked_off_afterwards(sun):
    path = sun.connects()
    address = (
        sun.home(path)["resource_uri"]
        + "?published-min=2026-01-01T00:00:00Z&published-max=2026-09-01T00:00:00Z"
    )
    rows = sun.here.store.all("SELECT * FROM block ORDER BY home, href")

    assert sun.told([address]).status_code == 204
    assert sun.here.store.one("SELECT done_at FROM notice")["done_at"] is None

    page = sun.works()
    assert re.search(r"[1-9]\d* readings and \d+ bills came", page)
    assert sun.here.store.all("SELECT * FROM block ORDER BY home, href") == rows


def test_a_part_of_a_feed_replaces_what_we_had_of_that_time_alone(sun):
    path = sun.connects()
    first, *others = sun.here.store.all("SELECT * FROM block ORDER BY start")
    sun.here.store.do("UPDATE block SET taken = -1")
    since, until = (
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        for at in (first["start"], first["start"] + first["duration"])
    )

    sun.told([f"{sun.home(path)['resource_uri']}?published-min={since}&published-max={until}"])
    sun.works()

    untouched = sun.here.store.all("SELECT href FROM block WHERE taken = -1")
    assert (
        sun.here.store.one("SELECT taken FROM block WHERE href = ?", first["href"])["taken"] == first["taken"]
    )
    assert 0 < len(untouched) <= len(others)


@pytest.mark.parametrize("forged", ["another key", "too old", "another body", "no signature", "nonsense"])
def test_what_the_utility_did_not_sign_is_refused_and_not_kept(sun, forged):
    answer = {
        "another key": lambda: sun.told([], key=b"x" * 32),
        "too old": lambda: sun.told([], age=400),
        "another body": lambda: _tampered(sun),
        "no signature": lambda: sun.browser.post("/notices/north", data=b"<BatchList/>"),
        "nonsense": lambda: sun.browser.post(
            "/notices/north",
            data=b"\xff",
            headers={"webhook-id": "a", "webhook-timestamp": "1", "webhook-signature": "v"},
        ),
    }[forged]()

    assert answer.status_code == 401
    assert not sun.here.store.all("SELECT * FROM notice")


def _tampered(sun):
    with sun.town.database.reading() as session:
        live = signing.live(session, sun.registered.id, DEVELOPMENT_SECRET)
    headers = signing.headers(uuid.uuid4(), int(time.time()), b"<a/>", live)
    return sun.browser.post("/notices/north", data=b"<b/>", headers=headers)


def test_a_notification_that_comes_twice_is_shown_and_worked_off_once(sun):
    path = sun.connects()
    id = uuid.uuid4()
    for _ in range(2):
        assert sun.told([sun.home(path)["authorization_uri"]], id=id).status_code == 204
        page = sun.works()

    assert page.count(f"msg_{id.hex}") == 1
    assert page.count("This access is as we know it.") == 1


def test_the_end_is_learnt_from_a_notification_too(sun):
    path = sun.connects()
    address = sun.home(path)["authorization_uri"]
    sun.ends()

    sun.told([address])

    assert "This access has ended." in sun.works()
    assert "It told us that you stopped sharing" in sun.browser.get(path).text


def test_a_scope_that_changed_is_learnt_from_a_notification(sun):
    path = sun.connects()
    narrow = scope.ASKED.replace("Usage_Billing_Basic", "Usage")
    make.change(
        sun.town.database, Authorization, Authorization.application_id == sun.registered.id, scope=narrow
    )

    sun.told([sun.home(path)["authorization_uri"]])

    assert "What we may see has changed." in sun.works()
    assert sun.browser.get(path).text.count("Not shared: ") == 2


def test_whose_home_it_is_is_asked_anew_when_that_changed(sun):
    path = sun.connects(scope=scope.ASKED.replace("Usage_Billing_Basic", "Usage_Basic"))
    sun.here.store.do("UPDATE home SET name = 'Somebody'")

    sun.told([sun.home(path)["customer_uri"]])

    assert "We know who she is." in sun.works()
    assert sun.home(path)["name"] not in ("", "Somebody")


def test_what_cannot_be_fetched_for_a_day_is_given_up(sun):
    path = sun.connects()
    make.hold(sun.town.database, sun.registered.id)
    sun.told([sun.home(path)["authorization_uri"]])
    assert "is still to be worked off" in sun.works()

    sun.here.store.do("UPDATE notice SET next_at = 0, received_at = received_at - 90000")

    page = sun.works()
    assert "is still to be worked off" not in page
    assert "invalid_client" in page


def test_an_authorization_that_began_at_the_utility_is_noticed(sun):
    access = make.access(sun.town.database, application=_name(sun), customer="C-2", scope="FB=4_5")

    sun.told([f"{sun.town.address}/north/espi/1_1/resource/Authorization/{access.id}"])

    assert "began at the utility and waits for its customer" in sun.works()
    assert str(access.id) in sun.browser.get("/authorizations/north").text
    assert "Until she stops it." not in sun.browser.get("/authorizations/north").text
    make.change(sun.town.database, Authorization, Authorization.id == access.id, ends_at=grants.OPEN_END)
    assert "Until she stops it." in sun.browser.get("/authorizations/north").text
    assert "2200" not in sun.browser.get("/authorizations/north").text


def _name(sun) -> str:
    with sun.town.database.reading() as session:
        return session.get_one(applications.Application, sun.registered.id).name


@pytest.mark.parametrize(
    "address",
    ["http://localhost:1/x", "{own}/north/oauth/token", "{own}/south/espi/1_1/resource/Batch/Bulk/1", ""],
)
def test_our_tokens_go_nowhere_because_a_message_says_so(sun, address, monkeypatch):
    sun.connects()
    monkeypatch.setattr(homes.requests, "get", lambda *_, **__: pytest.fail("fetched"))

    sun.told([address.format(own=sun.town.address)])

    assert "Nothing we fetch." in sun.works()


def test_what_could_not_be_fetched_is_fetched_later(sun, monkeypatch):
    path = sun.connects()
    sun.told([sun.home(path)["resource_uri"]])
    with monkeypatch.context() as context:
        context.setattr(
            homes.requests, "get", lambda *_, **__: (_ for _ in ()).throw(requests.Timeout("slow"))
        )
        assert "is still to be worked off" in sun.works()

    sun.here.store.do("UPDATE notice SET next_at = 0")

    assert "is still to be worked off" not in sun.works()


# --- around it


def test_every_page_is_closed_to_what_comes_from_elsewhere_but_leads_to_its_utilities(sun):
    path = sun.connects()

    for each in ("/", "/welcome/north", path, "/notices", "/authorizations/north", "/privacy", "/callback"):
        answer = sun.browser.get(each)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'")
        assert f"form-action 'self' {sun.town.address}" in policy
        assert "<script" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"


def test_its_secrets_and_tokens_lie_in_a_file_for_us_alone(sun, tmp_path):
    assert stat.S_IMODE((tmp_path / "sunwise.sqlite").stat().st_mode) == 0o600
    assert sun.registered.secret not in repr(sun.here)


def test_the_check_tells_which_utilities_know_us(sun, tmp_path, capsys):
    settings = sun.here.settings
    assert check(settings) == 0
    assert "north: North knows us." in capsys.readouterr().out

    said = json.loads(settings.utilities.read_text())
    said["north"]["client_secret"] = "gbs_wrong"
    settings.utilities.write_text(json.dumps(said))

    assert check(settings) == 1
    assert "invalid_client" in capsys.readouterr().out


def test_a_server_that_speaks_for_another_issuer_is_not_believed(sun, tmp_path, capsys):
    settings = sun.here.settings
    said = json.loads(settings.utilities.read_text())
    said["north"]["issuer"] = said["north"]["issuer"].replace("localhost", "127.0.0.1")
    settings.utilities.write_text(json.dumps(said))

    assert check(settings) == 1
    assert "speaks for" in capsys.readouterr().out


def test_what_it_asks_for_names_each_class_and_blocks_of_each():
    terms = dict(each.split("=") for each in scope.ASKED.split(";"))
    blocks = {int(each) for each in terms["FB"].split("_")}

    for cls in DataClass:
        if cls.term in scope.CLASSES:
            assert blocks & CLASS_BLOCKS[cls]


def test_it_leans_on_nothing_of_the_server():
    for path in Path(feed.__file__).parent.rglob("*.py"):
        assert "espi_server" not in path.read_text("utf-8")


def test_feeds_in_pieces_are_read_like_whole_ones():
    entry = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="self" href="/M/1"/>'
        b'<link rel="related" href="/ReadingType/1"/><content><MeterReading xmlns="http://naesb.org/espi"/></content>'
        b'</entry><entry><link rel="self" href="/ReadingType/1"/><content><ReadingType xmlns="http://naesb.org/espi">'
        b"<flowDirection>19</flowDirection><powerOfTenMultiplier>3</powerOfTenMultiplier><uom>72</uom></ReadingType>"
        b'</content></entry><entry><link rel="self" href="/M/1/IntervalBlock/1"/>'
        b'<link rel="up" href="/M/1/IntervalBlock"/>'
        b'<content><IntervalBlock xmlns="http://naesb.org/espi"><interval><duration>7200</duration><start>1</start>'
        b"</interval><IntervalReading><value>2</value></IntervalReading><IntervalReading><value>5</value>"
        b"</IntervalReading></IntervalBlock></content></entry></feed>"
    )

    found = feed.read(entry[at : at + 7] for at in range(0, len(entry), 7))

    [block] = found.blocks
    assert (block.start, block.duration, block.total, block.number) == (1, 7200, 7, 2)
    assert found.series(block) == feed.Series("kWh", 1.0, True)
