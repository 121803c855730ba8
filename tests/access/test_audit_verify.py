"""Verifying the audit: what somebody with his hands on the database did is found, whatever it was."""

from __future__ import annotations

import itertools
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from espi_server import migrate
from espi_server.access import audit, checkpoints, disclosure_seals, keys, recorded, verifying
from espi_server.access.checkpoints import Checkpoint
from espi_server.access.disclosures import Disclosures
from espi_server.access.guard import Grant
from espi_server.access.models import AuditEvent, Disclosure, DisclosureSeal
from espi_server.accounts import utilities
from espi_server.accounts.models import Utility
from espi_server.cli import main
from espi_server.db import Database, id_before, ordered_id
from espi_server.settings import DEVELOPMENT_SECRET
from tests import make

pytestmark = pytest.mark.requirement("F-REC")

SECRET = DEVELOPMENT_SECRET
EARLIER = "an earlier secret of the installation, long enough"


def disclose(database: Database, utility_id: uuid.UUID, number: int, **more: Any) -> None:
    grant = Grant(
        digest=b"", kind="access", scope="", utility_id=utility_id, utility="north", namespace=uuid.uuid4(),
        timezone="UTC", base_url=None, application_id=None, authorization_id=None, customer_id=None,
    )  # fmt: skip
    Disclosures(database).append(
        grant, path="ReadingType", query="", entries=1, size=number, request_id=f"r{number}"
    )


def act(database: Database, utility_id: uuid.UUID, subject: str) -> None:
    with database.writing() as session:
        audit.record(session, utility_id, "authorization.changed", actor="a", subject=subject, until=1)


def seals(database: Database) -> list[tuple[int, int]]:
    """How many disclosures each seal holds."""
    with database.reading() as session:
        grouped = select(DisclosureSeal.number, func.count()).group_by(DisclosureSeal.number)
        return [tuple(row) for row in session.execute(grouped.order_by(DisclosureSeal.number))]


@pytest.fixture
def north(database: Database) -> uuid.UUID:
    """Acts 1 to 4, a seal over three disclosures, acts 6 and 7."""
    id = make.utility(database).id
    for number in range(1, 5):
        act(database, id, f"{number}")
    for number in range(3):
        disclose(database, id, number)
    assert disclosure_seals.seal(database) == 3
    for number in range(6, 8):
        act(database, id, f"{number}")
    return id


class Undo(Exception):
    """Ends a trial, whose changes are undone."""


@contextmanager
def trial(database: Database) -> Iterator[Session]:
    """A transaction of somebody who owns the tables, and no trace of it afterwards."""
    with pytest.raises(Undo), database.writing() as session:
        for table in ("audit_event", "disclosure", "disclosure_seal"):
            if database.dialect == "postgresql":
                session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            else:
                session.execute(text(f"DROP TRIGGER {table}_no_update"))
                session.execute(text(f"DROP TRIGGER {table}_no_delete"))
        yield session
        raise Undo


def found(session: Session, *known: Checkpoint, secrets: tuple[str, ...] = (SECRET,)) -> list[Any]:
    """What is wrong: kinds, with the numbers of acts."""
    verdict = verifying.verify(session, utilities.find(session, "north"), secrets, known)
    return [(each.kind, each.number) if each.number else each.kind for each in verdict.findings]


def event(number: int) -> Any:
    return AuditEvent.number == number


def without_digest(row: AuditEvent) -> dict[str, Any]:
    names = ("at", "act", "actor", "subject", "detail", "key", "previous", "digest")
    return {name: getattr(row, name) for name in names}


def swap(session: Session, one: int, other: int) -> None:
    """Two acts in each other's place, everything but their numbers."""
    rows = {each.number: without_digest(each) for each in session.scalars(select(AuditEvent))}
    session.expire_all()
    for number, values in ((one, rows[other]), (other, rows[one])):
        session.execute(update(AuditEvent).where(event(number)).values(**values))


TAMPERING: list[tuple[str, Callable[[Session, list[uuid.UUID]], object], list[Any]]] = [
    ("nothing", lambda s, ids: None, []),
    ("an actor", lambda s, ids: s.execute(update(AuditEvent).where(event(2)).values(actor="b")), [("altered", 2)]),
    ("a moment", lambda s, ids: s.execute(update(AuditEvent).where(event(2)).values(at=1)), [("altered", 2)]),
    (
        "a detail",
        lambda s, ids: s.execute(update(AuditEvent).where(event(4)).values(detail={"until": 2})),
        [("altered", 4)],
    ),
    (
        "a digest",
        lambda s, ids: s.execute(update(AuditEvent).where(event(2)).values(digest=bytes(32))),
        [("altered", 2), ("unlinked", 3)],
    ),
    (
        "an act under a key nobody has",
        lambda s, ids: s.execute(update(AuditEvent).where(event(2)).values(key="0badc0de")),
        [("key", 2)],
    ),
    ("an act gone", lambda s, ids: s.execute(delete(AuditEvent).where(event(3))), [("missing", 4)]),
    ("the first gone", lambda s, ids: s.execute(delete(AuditEvent).where(event(1))), [("missing", 2)]),
    (
        "two acts swapped",
        lambda s, ids: swap(s, 2, 3),
        [("unlinked", 2), ("altered", 2), ("unlinked", 3), ("altered", 3), ("unlinked", 4)],
    ),
    ("the last gone, and no checkpoint", lambda s, ids: s.execute(delete(AuditEvent).where(event(7))), []),
    (
        "a disclosure altered",
        lambda s, ids: s.execute(update(Disclosure).where(Disclosure.id == ids[1]).values(size=7)),
        [("disclosures", 5)],
    ),
    (
        "a disclosure gone",
        lambda s, ids: s.execute(delete(Disclosure).where(Disclosure.id == ids[1])),
        [("disclosures", 5)],
    ),
    (
        "a disclosure gone, its seal too",
        lambda s, ids: (
            s.execute(delete(Disclosure).where(Disclosure.id == ids[1])),
            s.execute(delete(DisclosureSeal).where(DisclosureSeal.disclosure_id == ids[1])),
        ),
        [("disclosures", 5)],
    ),
    (
        "a disclosure with another's name",
        lambda s, ids: s.execute(update(Disclosure).where(Disclosure.id == ids[1]).values(id=ordered_id())),
        [("disclosures", 5)],
    ),
    (
        "a disclosure added to a seal",
        lambda s, ids: (
            s.execute(insert(Disclosure).values(line(ordered_id()))),
            s.execute(insert(DisclosureSeal).values(disclosure_id=newest(s), utility_id=north_id(s), number=5)),
        ),
        [("disclosures", 5)],
    ),
    (
        "a disclosure added to the past",
        lambda s, ids: s.execute(insert(Disclosure).values(line(id_before(ids[0], 90_000)))),
        ["added"],
    ),
    (
        "a disclosure under a seal that is none",
        lambda s, ids: (
            s.execute(insert(Disclosure).values(line(ordered_id()))),
            s.execute(insert(DisclosureSeal).values(disclosure_id=newest(s), utility_id=north_id(s), number=4)),
        ),
        ["disclosures"],
    ),
    ("a seal gone", lambda s, ids: s.execute(delete(AuditEvent).where(event(5))), [("missing", 6), "disclosures"]),
]  # fmt: skip


def line(id: uuid.UUID) -> dict[str, Any]:
    return {
        "id": id, "utility_id": uuid.UUID(int=1), "token_kind": "access", "at": 1, "path": "", "query": "",
        "entries": 1, "size": 1, "request_id": "",
    }  # fmt: skip


def north_id(session: Session) -> uuid.UUID:
    return utilities.find(session, "north").id


def newest(session: Session) -> uuid.UUID:
    found = session.scalars(select(Disclosure.id).order_by(Disclosure.id.desc()).limit(1)).one()
    session.execute(update(Disclosure).where(Disclosure.id == found).values(utility_id=north_id(session)))
    return found


def test_what_was_done_to_the_rows_is_found(database: Database, north: uuid.UUID) -> None:
    for name, tamper, expected in TAMPERING:
        with trial(database) as session:
            ids = list(session.scalars(select(Disclosure.id).order_by(Disclosure.id)))
            tamper(session, ids)
            for added in session.scalars(select(Disclosure).where(Disclosure.utility_id == uuid.UUID(int=1))):
                added.utility_id = north
            session.flush()

            assert found(session) == expected, name


def test_details_that_are_no_json_any_more_are_found_too(database: Database, north: uuid.UUID) -> None:
    words = "1e400" if database.dialect == "postgresql" else "{broken"

    with trial(database) as session:
        session.execute(text(f"UPDATE audit_event SET detail = '{words}' WHERE number IN (2, 5)"))

        assert found(session) == [("altered", 2), ("altered", 5), ("disclosures", 5)]


GARBAGE = ("'words'", "x'ff00fe'", "CAST(x'ff00fe' AS TEXT)", "NULL", "-1.5", "'[' || hex(zeroblob(9999))")


@pytest.fixture
def loose(sqlite_url: str, tmp_path: Path) -> Path:
    """A chain of five acts, the third of which seals a disclosure, in tables that hold anything anywhere."""
    database = Database(sqlite_url, secret=SECRET)
    id = make.utility(database).id
    act(database, id, "1")
    act(database, id, "2")
    disclose(database, id, 0)
    disclosure_seals.seal(database)
    act(database, id, "4")
    act(database, id, "5")
    disclose(database, id, 1)
    database.close()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as plain:
        for name in ("audit_event", "disclosure", "disclosure_seal"):
            columns = [each[1] for each in plain.execute(f"PRAGMA table_info({name})")]
            plain.execute(f"ALTER TABLE {name} RENAME TO {name}_before")
            plain.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            plain.execute(f"INSERT INTO {name} SELECT * FROM {name}_before")
            plain.execute(f"DROP TABLE {name}_before")
        plain.commit()
    return file


def test_a_row_overwritten_with_garbage_is_a_finding_and_no_error(loose: Path) -> None:
    database = Database(f"sqlite:///{loose}", secret=SECRET)
    with database.reading() as session:
        before = found(session)
    assert before == []
    rows = {"audit_event": "number = 3", "disclosure": "size = 0", "disclosure_seal": "number = 3"}

    for table, row in rows.items():
        with closing(sqlite3.connect(loose)) as plain:
            columns = [each[1] for each in plain.execute(f"PRAGMA table_info({table})")]
            for column, garbage in itertools.product(columns, GARBAGE):
                kept = plain.execute(f"SELECT *, rowid FROM {table} WHERE {row}").fetchone()
                plain.execute(f"UPDATE {table} SET {column} = {garbage} WHERE {row}")
                plain.commit()

                with database.reading() as session:
                    assert found(session) or kept[columns.index(column)] is None, (table, column, garbage)
                    list(recorded.lines(session, utilities.find(session, "north"), 0, 2**40))

                values = ", ".join(f"{name} = ?" for name in columns)
                plain.execute(f"UPDATE {table} SET {values} WHERE rowid = ?", kept)
                plain.commit()
    with database.reading() as session:
        assert found(session) == []
    database.close()


def checkpoint(database: Database, folder: Path, name: str = "north.jws") -> Checkpoint:
    with database.writing() as session:
        _, signed = checkpoints.sign(session, utilities.find(session, "north"), SECRET)
    (folder / name).write_text(signed)
    [read] = checkpoints.read([str(folder / name)])
    return read


def test_with_a_checkpoint_a_cut_and_a_new_chain_are_found(
    database: Database, north: uuid.UUID, tmp_path: Path
) -> None:
    known = checkpoint(database, tmp_path)  # its key was made first, which are acts too
    act(database, north, "later")

    with trial(database) as session:
        assert found(session, known) == []
    with trial(database) as session:
        session.execute(delete(AuditEvent).where(AuditEvent.number >= known.number))
        assert found(session) == []
        assert found(session, known) == [("cut", known.number)]
    with trial(database) as session:  # by somebody who knows the secret
        session.execute(delete(AuditEvent).where(AuditEvent.number >= known.number))
        audit.append(session, north, [audit.made("token.revoked", "a", "b", {})] * 3)
        assert found(session) == []
        assert found(session, known) == [("rewritten", known.number)]


def test_a_checkpoint_counts_only_under_a_key_the_secret_opens(
    database: Database, north: uuid.UUID, tmp_path: Path
) -> None:
    known = checkpoint(database, tmp_path)
    head, body, signature = known.text.split(".")
    forged = Checkpoint(**{**vars(known), "text": f"{head}.{body[:-4]}AAAA.{signature}"})
    other = make.utility(database, "south").id

    with database.writing() as session:
        assert checkpoints.is_ours(session, north, known, [SECRET])
        assert checkpoints.is_ours(session, north, known, [EARLIER, SECRET])
        assert not checkpoints.is_ours(session, north, known, [EARLIER])
        assert not checkpoints.is_ours(session, other, known, [SECRET])
        assert found(session, forged) == [("checkpoint", known.number)]
        keys.rotate(session, north, SECRET, keys.AUDIT)
        assert checkpoints.is_ours(session, north, known, [SECRET])  # retired, and still known


def test_a_checkpoint_of_before_a_change_of_the_secret_counts_by_the_older_one(
    sqlite_url: str, tmp_path: Path
) -> None:
    old = Database(sqlite_url, secret=EARLIER)
    id = make.utility(old).id
    act(old, id, "1")
    with old.writing() as session:
        _, signed = checkpoints.sign(session, utilities.find(session, "north"), EARLIER)
        kid = keys.active(session, id, EARLIER, keys.AUDIT).kid
    old.close()
    (tmp_path / "north.jws").write_text(signed)
    [known] = checkpoints.read([str(tmp_path / "north.jws")])

    new = Database(sqlite_url, secret=SECRET, older=[EARLIER])
    with new.writing() as session:
        assert found(session, known, secrets=(SECRET, EARLIER)) == []
        assert keys.kept(session, id, str(kid), SECRET, EARLIER) is not None
        assert keys.kept(session, id, str(kid), SECRET) is None
        assert ("checkpoint", known.number) in found(session, known)
        keys.rewrap(session)
        assert found(session, known, secrets=(SECRET, EARLIER)) == []
    new.close()


def test_acts_under_an_earlier_secret_are_verified_with_it(database_url: str) -> None:
    database = Database(database_url, secret=EARLIER)
    id = make.utility(database).id
    act(database, id, "x")
    database.close()
    database = Database(database_url, secret=SECRET)
    act(database, id, "y")

    with database.reading() as session:
        assert found(session) == [("key", 1)]
        assert found(session, secrets=(SECRET, EARLIER)) == []
    database.close()


# --- sealing --------------------------------------------------------------------------------------------


def test_disclosures_are_sealed_once_by_utility_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disclosure_seals, "AT_ONCE", 4)
    north, south = make.utility(database).id, make.utility(database, "south").id
    for number in range(10):
        disclose(database, south if number % 5 == 0 else north, number)

    assert [disclosure_seals.seal(database), disclosure_seals.seal(database)] == [10, 0]

    with database.reading() as session:
        for code, rows in (("north", 8), ("south", 2)):
            verdict = verifying.verify(session, utilities.find(session, code), [SECRET])
            assert (verdict.disclosures, verdict.waiting, verdict.findings) == (rows, 0, [])
        sealed = session.scalars(select(AuditEvent).where(AuditEvent.act == audit.SEALED)).all()
    assert sum(each.detail["rows"] for each in sealed) == 10
    assert max(each.detail["rows"] for each in sealed) <= 4


def test_late_disclosures_are_sealed_by_the_look_further_back(database: Database, north: uuid.UUID) -> None:
    with database.writing() as session:
        [first, *_] = session.scalars(select(Disclosure.id).order_by(Disclosure.id))
        for seconds in (60, 3600):
            session.execute(
                insert(Disclosure).values(line(id_before(first, seconds)) | {"utility_id": north})
            )

    assert disclosure_seals.seal(database) == 1
    assert disclosure_seals.seal(database, back=disclosure_seals.FURTHER) == 1
    with database.reading() as session:
        assert found(session) == []


def test_sealers_side_by_side_seal_each_disclosure_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(disclosure_seals, "AT_ONCE", 5)
    id = make.utility(database).id

    def work(place: int) -> int:
        for number in range(10):
            disclose(database, id, number)
            act(database, id, f"{place}")
        return disclosure_seals.seal(database)

    with ThreadPoolExecutor(6) as pool:
        sealed = sum(pool.map(work, range(6)))

    assert sealed + disclosure_seals.seal(database) == 60
    assert sum(rows for _, rows in seals(database)) == 60
    with database.reading() as session:
        assert found(session) == []


def test_disclosures_that_wait_too_long_are_a_finding(database: Database, north: uuid.UUID) -> None:
    disclose(database, north, 8)

    with database.reading() as session:
        assert found(session) == []
    with trial(database) as session:
        session.execute(update(Disclosure).where(Disclosure.size == 8).values(at=Disclosure.at - 3700))
        assert found(session) == ["unsealed"]


# --- commands -------------------------------------------------------------------------------------------


def run(url: str, *words: str, **settings: str) -> Result:
    environment = {
        "ESPI_MODE": "development",
        "ESPI_DATABASE_URL": url,
        "ESPI_SECRET_KEY": SECRET,
        **settings,
    }
    return CliRunner().invoke(main, ["audit", *words], env=environment)


@pytest.fixture
def town(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url, secret=SECRET)
    id = make.utility(database).id
    act(database, id, "one")
    disclose(database, id, 5)
    disclosure_seals.seal(database)
    yield database
    database.close()


def test_the_worker_writes_checkpoints_where_the_setting_says_and_verify_looks_there(
    town: Database, sqlite_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    [duty] = checkpoints.duties(str(folder), SECRET)
    assert checkpoints.duties("", SECRET) == []

    for _ in range(3):
        duty.run(town)

    # The first time two keys were made for it, which are acts too.
    written = sorted(each.name for each in folder.iterdir())
    assert written == ["north-000000000002.jws", "north-000000000004.jws"]
    assert run(sqlite_url, "verify", ESPI_AUDIT_CHECKPOINTS=str(folder)).exit_code == 0
    with town.writing() as session:
        session.execute(text("DROP TRIGGER audit_event_no_delete"))
        session.execute(delete(AuditEvent).where(event(4)))
    assert run(sqlite_url, "verify").exit_code == 0
    cut = run(sqlite_url, "verify", "--json", ESPI_AUDIT_CHECKPOINTS=str(folder))
    assert cut.exit_code == 1
    [said] = json.loads(cut.stdout)["utilities"]
    assert (said["utility"], said["acts"], said["disclosures"], said["waiting"]) == ("north", 3, 1, 0)
    assert [(each["kind"], each["number"]) for each in said["problems"]] == [("cut", 4)]


def test_a_folder_that_cannot_be_written_stops_nobody(town: Database, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "file").write_text("")

    checkpoints.write(town, tmp_path / "file", SECRET)

    assert "checkpoints of the audit could not be written" in caplog.text


def test_verify_tells_a_person_what_is_wrong(town: Database, sqlite_url: str) -> None:
    assert (
        run(sqlite_url, "verify").stdout
        == "north: 2 acts, 1 sealed disclosures, 0 waiting for a seal; no problems.\n"
    )
    with town.writing() as session:
        session.execute(text("DROP TRIGGER audit_event_no_update"))
        session.execute(update(AuditEvent).where(event(1)).values(subject="two"))

    wrong = run(sqlite_url, "verify", "--utility", "north")

    assert wrong.exit_code == 1
    assert "1 problem.\n  altered: Act 1 is not as it was written." in wrong.stdout


def test_a_printed_checkpoint_can_be_kept_anywhere(town: Database, sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "north.jws"
    file.write_text(run(sqlite_url, "checkpoint", "--utility", "north").stdout)

    assert run(sqlite_url, "verify", "--checkpoint", str(file)).exit_code == 0
    file.write_text("nothing")
    wrong = run(sqlite_url, "verify", "--checkpoint", str(file))
    assert (wrong.exit_code, "is no checkpoint that can be read" in wrong.stderr) == (3, True)


def test_export_writes_acts_and_disclosures_of_a_time_as_lines(
    town: Database, sqlite_url: str, tmp_path: Path
) -> None:
    whole = [json.loads(each) for each in run(sqlite_url, "export", "--utility", "north").stdout.splitlines()]

    assert [each["type"] for each in whole] == ["act", "act", "act", "disclosure"]
    assert [each.get("act") for each in whole] == [
        "authorization.changed",
        audit.SEALED,
        "audit.exported",
        None,
    ]
    assert whole[1]["previous"] == whole[0]["digest"]
    assert (whole[3]["size"], whole[3]["sealed_by"]) == (5, 2)
    file = tmp_path / "none.jsonl"
    assert run(sqlite_url, "export", "--utility", "north", "--until", "2020-01-01", str(file)).exit_code == 0
    assert file.read_text() == ""
    assert run(sqlite_url, "export", "--utility", "north", "--from", "yesterday").exit_code == 2


def test_an_earlier_secret_is_read_from_a_file(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url, secret=EARLIER)
    act(database, make.utility(database).id, "x")
    database.close()
    (tmp_path / "secret").write_text(f"{EARLIER}\n")

    assert run(sqlite_url, "verify").exit_code == 1
    assert run(sqlite_url, "verify", "--earlier-secret", str(tmp_path / "secret")).exit_code == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_disclosed_before_there_were_seals_is_kept_and_sealed(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite"
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql")
        server.execute("CREATE DATABASE unsealed")
        url = server.url("unsealed")
    migrate.upgrade(url, "0007")
    database, old = Database(url, secret=SECRET), line(ordered_id())
    with database.writing() as session:
        session.execute(insert(Disclosure).values(old))

    migrate.upgrade(url)

    with database.writing() as session:
        session.add(Utility(id=old["utility_id"], code="north", name="North", timezone="UTC", created_at=1))
    assert disclosure_seals.seal(database) == 1
    with database.reading() as session:
        assert found(session) == []
    database.close()
