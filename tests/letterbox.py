"""People who can be reached, and a letterbox that keeps what they were sent.

letterbox.reachable(towns, "C-1", email="ada@example.org")       # in the utility's records for a week
box = letterbox.Box(towns)
box.empty()                                                      # what waits leaves; the letters since the last time
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from espi_server import clock
from espi_server.access import asking, login_letters, sealed_letters, securing
from espi_server.access.contacts import Means
from espi_server.access.identification import NobodyIsFound
from espi_server.adapters.post import Letter
from espi_server.db import Database
from espi_server.energy.importer import import_files
from espi_server.energy.models import Kind, Resource
from espi_server.jobs.worker import Worker
from espi_server.notify.letters import People
from espi_server.notify.sending import Message, Sender
from tests import make
from tests.energy import feeds

WEEK = 7 * 86_400
_METERS = {"C-1": {"G-1": "101", "G-2": "102"}, "C-2": {"G-3": "103"}}


def means(**settings: Any) -> Means:
    """What an installation of tests lends."""
    return Means.of(make.settings(**settings))


def reachable(
    database: Database,
    customer: str,
    code: str = "north",
    *,
    email: str | None = None,
    phone: str | None = None,
    since: int | None = None,
) -> None:
    """Deliver it as her record, as of a week ago."""
    entries = "".join(make.person(customer, _METERS[customer], code))
    told = f"<e:phone1><e:ituPhone>{phone}</e:ituPhone></e:phone1>" if phone else ""
    told += f"<e:electronicAddress><e:email1>{email}</e:email1></e:electronicAddress>" if email else ""
    entries = entries.replace("<e:organisationName>", f"{told}<e:organisationName>")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "person.xml"
        file.write_bytes(feeds.feed([entries], namespace="customer"))
        report = import_files(database, code, [file], actor="a test")
    assert not report.errors, report.errors
    hers = (Resource.customer_id == make.customer_id(database, customer, code)) & (
        Resource.kind == Kind.Customer
    )
    make.change(database, Resource, hers, updated=clock.seconds() - WEEK if since is None else since)


class Elsewhere:
    """Other letters leave, and nobody looks at them."""

    def send(self, message: Message) -> None:
        pass


class Box:
    """Takes mail and text messages of a database's people."""

    def __init__(self, database: Database, identification: Any = None, **settings: Any) -> None:
        given = make.settings(**settings)
        logins = login_letters.composers(given.base_url)
        composers = {**sealed_letters.composers(), **asking.composers(given), **logins}
        people = People(database, composers, self, self)
        sender = Sender(database, {"urgent": people, "people": Elsewhere()})
        asked = asking.work(given, identification or NobodyIsFound())
        self._worker = Worker(database, [asked, securing.work(), *sender.works(slow=True)])
        self._taken: list[tuple[str, Letter]] = []

    def mail(self, letter: Letter) -> None:
        self._taken.append(("mail", letter))

    def text(self, letter: Letter) -> None:
        self._taken.append(("text", letter))

    def empty(self) -> list[Letter]:
        """The letters since the last time."""
        return [letter for _, letter in self.ways()]

    def sweep(self) -> None:
        """What waits leaves."""
        self._worker.sweep()

    def ways(self) -> list[tuple[str, Letter]]:
        """The same, each with the way it took."""
        self.sweep()
        taken, self._taken = self._taken, []
        return taken

    def code(self) -> str:
        """The code in the only letter there is."""
        [letter] = self.empty()
        [code] = re.findall(r"^([0-9]{6})$", letter.text, re.MULTILINE)
        assert code in letter.html
        assert code in letter.short
        assert code not in letter.subject
        return str(code)


def in_clear(database: Database, *tables: Any) -> str:
    """What these tables hold but for ids and numbers, as somebody with a copy of the database reads it."""
    with database.engine.connect() as connection:
        rows = [row for each in tables for row in connection.exec_driver_sql(f"SELECT * FROM {each}")]
    return repr([each for row in rows for each in row if isinstance(each, str | bytes | dict | list)])
