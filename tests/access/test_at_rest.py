"""Personal fields at rest: what a copy of the database gives away, and what happens to who moves things in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyotp
import pytest
from click.testing import CliRunner
from sqlalchemy import Text, literal, select, type_coerce, update
from sqlalchemy.orm import Session

from espi_server import work
from espi_server.access import keys as signing
from espi_server.access import reencrypting, securing
from espi_server.access.models import AuthorizationRequest
from espi_server.accounts import factors, provider, sessions, signin, utilities
from espi_server.accounts.models import Account, Customer, Login, LoginSession, Premise, ServiceAgreement
from espi_server.accounts.passkey_models import Passkey
from espi_server.at_rest import Personal, Sealed
from espi_server.cli import main
from espi_server.db import PII, Database
from espi_server.energy.importer import import_files
from espi_server.energy.models import Kind, Resource, UsagePoint
from espi_server.jobs.models import Job, JobPart
from espi_server.keyring import CannotOpen, Keyring
from espi_server.models import metadata
from espi_server.notify import signing as shared_secrets
from espi_server.settings import DEVELOPMENT_SECRET, BadSetting, Settings
from tests import make, oauth
from tests.energy import feeds
from tests.energy.feeds import Household

SEALED_ELSEWHERE = {"prepared_part.body"}  # by those who write it, and gone with the batch
NEW, LATER = "a-new-secret-of-forty-characters-or-more", "a-later-secret-of-forty-characters-more!"

# --- what closes and opens -----------------------------------------------------------------------------


def test_what_is_sealed_opens_at_its_own_place_only() -> None:
    keys = Keyring(NEW)

    sealed = keys.seal(b"Ada Nowak", "resource.sealed:1")

    assert b"Ada" not in sealed
    assert sealed != keys.seal(b"Ada Nowak", "resource.sealed:1")
    assert keys.open(sealed, "resource.sealed:1") == b"Ada Nowak"
    for wrong, place in (
        (sealed, "resource.sealed:2"),
        (sealed[:-1], "resource.sealed:1"),
        (b"", "resource.sealed:1"),
    ):
        with pytest.raises(CannotOpen):
            keys.open(wrong, place)


def test_what_is_covered_is_the_same_each_time_and_belongs_to_its_column() -> None:
    keys = Keyring(NEW)

    covered = keys.cover("C-1", "customer.reference")

    assert covered == keys.cover("C-1", "customer.reference")
    assert covered != keys.cover("C-1", "account.reference")
    assert keys.uncover(covered, "customer.reference") == "C-1"
    for wrong, place in (
        (covered, "account.reference"),
        ("Ada", "customer.reference"),
        ("", "customer.reference"),
    ):
        with pytest.raises(CannotOpen):
            keys.uncover(wrong, place)


def test_an_older_secret_opens_what_it_closed_and_no_other_does() -> None:
    sealed, covered = Keyring(NEW).seal(b"Ada", "a"), Keyring(NEW).cover("Ada", "a")
    keys = Keyring(LATER, NEW)

    assert (keys.open(sealed, "a"), keys.uncover(covered, "a")) == (b"Ada", "Ada")
    assert keys.cover("Ada", "a", age=1) == covered != keys.cover("Ada", "a")
    assert [keys.is_current(each) for each in (sealed, covered)] == [False, False]
    assert [keys.is_current(each) for each in (keys.seal(b"Ada", "a"), keys.cover("Ada", "a"))] == [
        True,
        True,
    ]
    with pytest.raises(CannotOpen):
        Keyring(LATER).open(sealed, "a")


def test_no_more_older_secrets_are_taken_than_are_looked_for() -> None:
    loaded = Settings.load({"ESPI_MODE": "development", "ESPI_SECRET_KEY_FALLBACKS": f"{NEW}  {LATER}"})

    assert loaded.older_secrets == [NEW, LATER]
    with pytest.raises(BadSetting, match="ESPI_SECRET_KEY_FALLBACKS"):
        Settings.load({"ESPI_MODE": "development", "ESPI_SECRET_KEY_FALLBACKS": "one two three"})


def test_every_personal_column_is_closed_and_knows_where_it_stands() -> None:
    marked = [column for table in metadata.sorted_tables for column in table.columns if column.info == PII]

    assert marked
    open = [str(column) for column in marked if not isinstance(column.type, Personal | Sealed)]
    assert set(open) <= SEALED_ELSEWHERE
    covered = [column for column in marked if isinstance(column.type, Personal)]
    assert [
        str(column) for column in covered if column.type.place not in (str(column), f"leased.{column.name}")
    ] == []
    closed = [
        column for table in metadata.sorted_tables for column in table.columns
        if isinstance(column.type, Personal | Sealed) and column.info != PII
    ]  # fmt: skip
    assert closed == []


def test_what_is_personal_is_compared_for_equality_only() -> None:
    for compare in (lambda: Customer.reference.like("C%"), lambda: Customer.reference < "C"):
        with pytest.raises(NotImplementedError, match="equality"):
            compare()


# --- what a thief of the database may do to it ---------------------------------------------------------


def customers(session: Session) -> list[Any]:
    """The rows of the two customers of `north` themselves, in clear as far as they are."""
    chosen = select(Resource.id, Resource.customer_id, Resource.sealed).join(
        Customer, Customer.id == Resource.customer_id
    )
    chosen = chosen.where(
        Resource.kind == Kind.Customer, Customer.utility_id == utilities.find(session, "north").id
    )
    return list(session.execute(chosen.order_by(Resource.id)))


def test_a_customer_s_records_open_in_their_own_row_only(towns: Database) -> None:
    sun = make.access(towns, customer="C-1", scope=make.EVERYTHING)
    client = make.client(towns)
    assert "Ada Nowak" in client.get(sun.customer_resource, sun, check=200).text
    with towns.writing() as session:
        first, second = customers(session)
        for row, sealed in ((first, second.sealed), (second, first.sealed)):
            session.execute(update(Resource).where(Resource.id == row.id).values(sealed=sealed))

    answer = client.get(sun.customer_resource, sun, check=500)

    told = answer.json
    assert (told["code"], told["instance"]) == ("cannot_open", answer.headers["X-Request-Id"])
    assert "Ada" not in answer.text
    # What is nobody's name is served as before.
    client.get(sun.resource, sun, check=200)


def test_a_record_given_to_another_customer_does_not_open(towns: Database) -> None:
    sun = make.access(towns, customer="C-1", scope=make.EVERYTHING)
    with towns.writing() as session:
        mine = make.customer_id(towns, "C-1")
        hers = next(row for row in customers(session) if row.customer_id != mine)
        session.execute(update(Resource).where(Resource.id == hers.id).values(customer_id=mine))

    answer = make.client(towns).get(sun.customer_resource, sun, check=500)

    assert answer.json["code"] == "cannot_open"


def test_another_secret_opens_nothing_and_says_so(towns: Database, towns_url: str) -> None:
    stranger = Database(towns_url, secret=NEW)

    with stranger.reading() as session:
        assert session.scalar(select(Customer.id).where(Customer.reference == "C-1")) is None
        with pytest.raises(CannotOpen):
            session.scalar(select(Customer.reference))
    stranger.close()


def test_nothing_in_clear_enters_a_sealed_column(towns: Database) -> None:
    with pytest.raises(Exception, match=r"at_rest\.seal"), towns.writing() as session:
        session.execute(update(Resource).values(sealed=b"<Customer>Ada Nowak</Customer>"))


# --- a new secret --------------------------------------------------------------------------------------


def closed(database: Database) -> dict[str, list[Any]]:
    """Every closed field of the database as it stands there."""
    found = {}
    with database.reading() as session:
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, Personal):
                    raw = type_coerce(column, Text()).label("raw")
                    found[str(column)] = list(session.scalars(select(raw).where(column.is_not(None))))
                elif isinstance(column.type, Sealed):
                    found[str(column)] = list(session.scalars(select(column).where(column.is_not(None))))
    return found


def test_a_new_secret_opens_all_and_an_interrupted_reencryption_is_finished_by_the_next(
    towns: Database, towns_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sun = make.access(towns, customer="C-1", scope=make.EVERYTHING)
    with towns.writing() as session:
        utility = utilities.find(session, "north").id
        signing.ensure(session, utility, DEVELOPMENT_SECRET)
        session.add(Login(kind="customer", name="ada", email="ada@example.org", created_at=1))
    before = make.client(towns).get(sun.customer_resource, sun, check=200).data
    monkeypatch.setattr(reencrypting, "AT_ONCE", 3)
    rotated = Database(towns_url, secret=NEW, older=[DEVELOPMENT_SECRET])

    def interrupted(table: str, rows: int) -> None:
        if table == "resource" and rows >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypting.reencrypt(rotated, interrupted)

    half = [rotated.keyring.is_current(each) for each in closed(rotated)["resource.sealed"]]
    assert set(half) == {True, False}
    assert make.client(rotated).get(sun.customer_resource, sun, check=200).data == before
    with rotated.reading() as session:
        assert session.scalar(select(Login.name).where(Login.email == "ada@example.org")) == "ada"

    report = reencrypting.reencrypt(rotated)
    again = reencrypting.reencrypt(rotated)

    assert report.closed > 0
    assert (report.failed, again.closed, again.failed) == (0, 0, 0)
    assert all(rotated.keyring.is_current(each) for values in closed(rotated).values() for each in values)
    alone = Database(towns_url, secret=NEW)
    assert make.client(alone).get(sun.customer_resource, sun, check=200).data == before
    with alone.writing() as session:
        assert signing.active(session, utility, NEW).as_dict(private=True)["d"]
    for each in (rotated, alone):
        each.close()


def test_what_no_secret_opens_is_left_as_it_is_and_told(towns: Database, towns_url: str) -> None:
    with towns.writing() as session:
        lost = literal(Keyring(LATER).cover("C-9", "customer.reference"), Text())
        session.execute(
            update(Customer).where(Customer.id == make.customer_id(towns, "C-2")).values(reference=lost)
        )
    environment = {
        "ESPI_MODE": "development", "ESPI_DATABASE_URL": towns_url, "ESPI_SECRET_KEY": NEW,
        "ESPI_SECRET_KEY_FALLBACKS": DEVELOPMENT_SECRET,
    }  # fmt: skip

    result = CliRunner().invoke(main, ["keys", "reencrypt"], env=environment)

    assert result.exit_code == 3
    assert "1 rows hold what no secret known here opens" in result.stderr
    mine = Database(towns_url, secret=NEW)
    assert make.customer_id(mine, "C-1")
    mine.close()


# --- the whole flow, and what a copy of it gives away --------------------------------------------------

CANARIES = {
    "name": "Canarina Vogelsang", "street": "Nachtigallenweg", "town": "Zeisigheim", "mail": "canarina@vogel.example",
    "phone": "+1 530 555 7788", "customer": "KD-99887766", "account": "ACC-55443322", "agreement": "AGR-66554433",
    "meter": "MTR-77665544", "gate": "Finkenschlag 9", "point": "8877665511", "unit": "Amselhaus",
    "other name": "Dohle Elsterberg", "other phone": "+1 530 555 6611", "later": "Rabea Kolkrabe",
    "late": "Birkhahn Auerwald", "hint": "hint-of@vogel.example", "self": "kuckucksnest",
    "forgotten": "vergessen@vogel.example", "browser": "Habichtbrowser", "next": "/north/account/Milanweg",
    "passkey": "Rotkehlchenhandy", "ours": "zeisig-secret-of-ours",
}  # fmt: skip


def person(name: str, customer: str, reached: str, point: str) -> list[str]:
    """A customer's tree, every text of it a canary."""
    entries = make.person(customer, {CANARIES["agreement"] + customer[-1]: point}, "kuckucksnest")
    words = {
        "Ada Nowak": name, "Larkspur Lane": CANARIES["street"], "Alder Grove": CANARIES["town"],
        f"Gate {point}": CANARIES["gate"], f"M-{point}": CANARIES["meter"] + customer[-1],
        "<e:accountId>A-1": f"<e:accountId>{CANARIES['account']}{customer[-1]}",
        "<e:organisationName>": f"{reached}<e:organisationName>",
    }  # fmt: skip
    whole = "\n".join(entries)
    for old, new in words.items():
        whole = whole.replace(old, new)
    return [whole]


MAIL = f"<e:electronicAddress><e:email1>{CANARIES['mail']}</e:email1></e:electronicAddress>"
PHONE = f"<e:phone1><e:ituPhone>{CANARIES['other phone']}</e:ituPhone></e:phone1>"
BOTH = f"<e:phone1><e:ituPhone>{CANARIES['phone']}</e:ituPhone></e:phone1>{MAIL}"
TABLE = (
    "customer,account,agreement,class,rate,modifiers,rins,address,town,state,zip,circuit,meter,usage point,"
    "udc,lse,start,end\n"
    "{customer}3,{account}3,{agreement}3,residential,E-1,,,12 {street} Apt {unit},Oakland,CA,94601,,{meter}3,"
    "{point}9,north,north,2026-01-01,\n"
)


def imported(database: Database, folder: Path) -> None:
    """Two customers by feeds, one by a table, and what they use."""
    make.utility(database)
    files = {
        "usage.xml": feeds.feed(Household(CANARIES["point"], days=2, subscription="kuckucksnest").entries()),
        "one.xml": feeds.feed(
            person(CANARIES["name"], CANARIES["customer"] + "1", BOTH, CANARIES["point"]),
            namespace="customer",
        ),
        "two.xml": feeds.feed(
            person(CANARIES["other name"], CANARIES["customer"] + "2", PHONE, CANARIES["point"] + "2"),
            namespace="customer",
        ),
        "three.csv": TABLE.format(**CANARIES).encode(),
    }
    for name, body in files.items():
        (folder / name).write_bytes(body)
    report = import_files(database, "north", [folder / name for name in files], actor="a test")
    assert not report.errors, report.errors


def consented(database: Database) -> dict[str, str]:
    """Everything secret that changes hands on the way from a question to data, and afterwards."""
    sun = oauth.company(database)
    asked = sun.secret_of_request(login_hint=CANARIES["hint"])
    waiting = sun.secret_of_request(login_hint=CANARIES["hint"])
    pushed = sun.posts("par", {
        "response_type": "code", "client_id": sun.client_id, "redirect_uri": oauth.BACK, "scope": oauth.SCOPE,
        "login_hint": CANARIES["hint"], **sun.pkce[1],
    }).json["request_uri"]  # fmt: skip
    code = oauth.in_address(
        oauth.agree(database, asked, customer=CANARIES["customer"] + "1", points=(CANARIES["point"],))
    )["code"]
    unused = sun.code(yes={"customer": CANARIES["customer"] + "1", "points": (CANARIES["point"],)})
    first = sun.redeem(code).json
    second = sun.refresh(first["refresh_token"]).json
    make.access(database, application="Moon", customer=CANARIES["customer"] + "2", scope=make.USAGE)
    machine = {kind: make.token(database, kind) for kind in ("upload", "custodian")}
    machine |= {kind: make.token(database, kind, application="Sun") for kind in ("client", "registration")}
    with database.writing() as session:
        shared = shared_secrets.renew(session, sun.id, DEVELOPMENT_SECRET, overlap=0)
        utility = utilities.find(session, "north").id
        key = signing.active(session, utility, DEVELOPMENT_SECRET).as_dict(private=True)["d"]
    return {
        "request": asked, "waiting": waiting, "pushed": pushed.rpartition(":")[2], "code": code, "unused": unused,
        "client": sun.secret, "access": first["access_token"], "refresh": first["refresh_token"],
        "next access": second["access_token"], "next": second["refresh_token"], "shared": shared, "key": str(key),
        "verifier": sun.pkce[0], **machine,
    }  # fmt: skip


def delivered(database: Database, custodian: str) -> None:
    """One upload is done by a worker; another still waits."""
    app = make.app(database, upload_at_once=0)
    at = f"/north/espi/1_1/resource/RetailCustomer/{make.customer_id(database, CANARIES['customer'] + '1')}"
    headers = {"Authorization": f"Bearer {custodian}", "Content-Type": "application/atom+xml"}
    for name in ("later", "late"):
        body = person(CANARIES[name], CANARIES["customer"] + "1", BOTH, CANARIES["point"])[0]
        feed = feeds.feed([body], namespace="customer")
        answer = app.test_client().post(f"{at}/Customer", data=feed, headers=headers)
        assert answer.status_code == 202, answer.data
        if name == "later":
            work.worker(database, make.settings(senders=1)).sweep()


def verdict(database: Database, folder: Path) -> None:
    """A stranger's file is judged, and the verdict kept."""
    file = gzip.compress((folder / "one.xml").read_bytes())
    answer = (
        make.app(database).test_client().post("/tools/validate", data=file, content_type="application/gzip")
    )
    assert answer.status_code in (200, 201, 303), answer.data


def signed_in(database: Database) -> dict[str, str]:
    """Somebody has a way in, with all there is to it; another knows where she may sign in elsewhere."""
    with database.writing() as session:
        session.add(Login(kind="customer", name=CANARIES["mail"], email=CANARIES["mail"], created_at=1))
        north = utilities.find(session, "north")
        login = signin.add(session, north, CANARIES["customer"] + "2", CANARIES["mail"])
        link = securing.invite(session, login, signin.FIRST, by="a test", mail=True)
        securing.ask_for_link(session, north, CANARIES["forgotten"], is_known=False)
        app = factors.propose(session, login.id)
        factors.settle(session, login.id, pyotp.TOTP(app).now())
        pending = factors.propose(session, login.id)
        cookie = sessions.begin(session, login, amr=("pwd",), lifetime=3600)
        session.get_one(LoginSession, sessions.digest(cookie)).agent = CANARIES["browser"]
        half = {"amr": [], "acr": None, "at": 1, "next": CANARIES["next"], "must": False}
        step, device = signin.begin(session, login, half), signin.remember(session, login)
        row = {
            "digest": b"x" * 32,
            "credential": b"x",
            "public_key": b"x",
            "sign_count": 0,
            "is_synced": False,
        }
        session.add(Passkey(login_id=login.id, name=CANARIES["passkey"], created_at=1, **row))
        provider.configure(
            session, north, issuer="https://login.example", client_id="us", secret=CANARIES["ours"]
        )
    made = factors.invent()
    with database.writing() as session:
        factors.keep(session, login.id, factors.hashes(made[:1]))
    return {
        "link": link.partition("=")[2], "app": app, "pending app": pending, "cookie": cookie, "step": step,
        "device": device, "spare code": made[0], "plain spare code": made[0].replace("-", ""),
    }  # fmt: skip


@pytest.fixture
def lived(database: Database, tmp_path: Path) -> dict[str, str]:
    """A database after all of that; the secrets."""
    imported(database, tmp_path)
    secrets = consented(database)
    secrets |= signed_in(database)
    work.worker(database, make.settings(senders=1)).sweep()
    delivered(database, secrets["custodian"])
    verdict(database, tmp_path)
    return secrets


def dumped(database: Database) -> Iterator[tuple[str, bytes]]:
    """The database as a thief has it: SQLite's files, or every cell of every table of PostgreSQL."""
    url = database.engine.url
    if database.dialect == "sqlite":
        for file in (Path(str(url.database)), Path(f"{url.database}-wal")):
            yield file.name, file.read_bytes() if file.exists() else b""
        return
    with psycopg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(f'SELECT * FROM "{table.name}"'):
                for cell in row:
                    raw = bytes(cell) if isinstance(cell, bytes | memoryview) else None
                    yield table.name, str(cell).encode() if raw is None else raw
                    if isinstance(cell, dict | list):
                        yield table.name, json.dumps(cell, ensure_ascii=False).encode()


def test_a_copy_of_the_database_holds_no_secret_and_nothing_personal_in_clear(
    database: Database, lived: dict[str, str]
) -> None:
    whole = b"\0".join(cell for _, cell in dumped(database))

    planted = {name: value.encode() for name, value in {**CANARIES, **lived}.items()}
    found = {name for name, value in planted.items() if value in whole or value.hex().encode() in whole}

    assert found == set()
    everything_is_there_for_whoever_may_ask(database, lived["custodian"])


def everything_is_there_for_whoever_may_ask(database: Database, token: str) -> None:
    """Nothing was found because it is closed, and not because it is gone."""
    customer = make.customer_id(database, CANARIES["customer"] + "1")
    feed = make.client(database).get(f"{make.base()}/Batch/RetailCustomer/{customer}", token, check=200).text
    for name in ("later", "street", "town", "mail", "phone", "account", "meter", "gate"):
        assert CANARIES[name] in feed, name
    with database.reading() as session:
        for row, value in (
            (Customer, CANARIES["customer"] + "1"), (Account, CANARIES["account"] + "1"),
            (ServiceAgreement, CANARIES["agreement"] + "1"),
        ):  # fmt: skip
            assert session.scalar(select(row.reference).where(row.reference == value)) == value
        owner = select(UsagePoint.customer_id).where(UsagePoint.source_id == CANARIES["point"])
        assert session.scalar(owner) == customer
        assert CANARIES["street"].upper() in str(session.scalar(select(Premise.address)))
        hints = [row.parameters.get("login_hint") for row in session.scalars(select(AuthorizationRequest))]
        assert CANARIES["hint"] in hints
        assert session.scalar(select(Job.state).join(JobPart, JobPart.job_id == Job.id)) == "due"
