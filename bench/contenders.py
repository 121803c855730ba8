"""Ways to take a file of readings in, each for a process of its own: `python -m bench.contenders WAY FILE URL`.

Prints one line of JSON: milliseconds of CPU and of the clock, and the readings found. The clock starts when the
process is ready: its modules are loaded, the mappers configured, the database opened and looked at once.
"""

from __future__ import annotations

import json
import resource
import secrets
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from lxml import etree
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column

from bench.in_process import ESPI
from espi_server.accounts import utilities
from espi_server.db import Database
from espi_server.energy import importer, xml_source
from espi_server.energy.skeleton import NotPlain, Skeleton
from espi_server.rates.arriving import arrived

_NS = f"{{{ESPI}}}"
_READING = f"{_NS}IntervalReading"
_LEAVES = (
    f"{_NS}timePeriod/{_NS}start", f"{_NS}timePeriod/{_NS}duration", f"{_NS}value", f"{_NS}cost",
    f"{_NS}ReadingQuality/{_NS}quality",
)  # fmt: skip
_COLUMNS = ("start", "duration", "value", "cost", "quality")

Work = Callable[[], int]


class NeverThinned(Skeleton):
    """A skeleton that takes nothing out, so that every byte of the file goes through lxml."""

    def read(self, size: int = -1) -> bytes:
        """Nothing: the file is read as it is, from its start."""
        raise NotPlain


class _Base(DeclarativeBase):
    pass


class Row(_Base):
    """A reading as most projects keep it."""

    __tablename__ = "bench_reading"

    id: Mapped[int] = mapped_column(primary_key=True)
    meter: Mapped[int]
    start: Mapped[int] = mapped_column(index=True)
    duration: Mapped[int]
    value: Mapped[int]
    cost: Mapped[int]
    quality: Mapped[int]


def parse_alone(file: str, _database: Database) -> Work:
    """lxml builds the tree of the whole file; nothing is read from it."""

    def work() -> int:
        etree.parse(file)
        return 0

    return work


def iterparse(file: str, _database: Database) -> Work:
    """lxml hands over reading after reading, which are read, emptied, and forgotten."""

    def work() -> int:
        rows = []
        for _, reading in etree.iterparse(file, tag=_READING):
            rows.append([int(reading.findtext(leaf) or 0) for leaf in _LEAVES])
            reading.clear()
            while reading.getprevious() is not None:
                del reading.getparent()[0]
        return len(rows)

    return work


def rows(file: str, database: Database) -> Work:
    """The standard library's tree, and an object of the ORM for each reading."""
    _Base.metadata.create_all(database.engine)

    def work() -> int:
        found = 0
        with Session(database.engine) as session:
            for reading in ElementTree.parse(file).iter(_READING):  # noqa: S314 - a file of our own
                cells = [int(reading.findtext(leaf) or 0) for leaf in _LEAVES]
                session.add(Row(meter=1, **dict(zip(_COLUMNS, cells, strict=True))))
                found += 1
            session.commit()
        return found

    return work


def taken_in(file: str, database: Database, notify: importer.Arrived | None = None) -> Work:
    """The importer, into a utility of its own: checked, stored, rendered, noted in the log of changes."""
    code = f"b{secrets.token_hex(5)}"
    with database.writing() as session:
        utilities.add(session, code, name="Bench", timezone="America/Los_Angeles")
    return lambda: importer.import_files(database, code, [file], actor="the bench", arrived=notify).readings


def by_lxml(file: str, database: Database) -> Work:
    """The importer without the fast way, as for files whose readings are not plain bytes."""
    vars(xml_source)["Skeleton"] = NeverThinned
    return taken_in(file, database)


def with_cells(file: str, database: Database) -> Work:
    """The importer, and the cells of the bill engine, which the command line adds."""
    return taken_in(file, database, arrived)


def again(file: str, database: Database) -> Work:
    """A second delivery of what is there already."""
    work = taken_in(file, database)
    work()
    return work


WAYS: dict[str, Callable[[str, Database], Work]] = {
    "lxml parse alone": parse_alone,
    "lxml iterparse": iterparse,
    "ElementTree + ORM": rows,
    "import": taken_in,
    "import by lxml alone": by_lxml,
    "import and cells": with_cells,
    "import again": again,
}


def main(way: str, file: str, url: str) -> None:
    """Run one way once and tell what it took."""
    database = Database(url)
    configure_mappers()
    work = WAYS[way](file, database)
    cpu, began = _cpu(), time.perf_counter()
    found = work()
    spent, wall = _cpu() - cpu, time.perf_counter() - began
    database.close()
    print(json.dumps({"cpu": spent * 1000, "wall": wall * 1000, "readings": found}))


def _cpu() -> float:
    """Seconds of this process and its children, in our code and in the kernel's."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main(*sys.argv[1:4])
