"""An import that dies, at whatever moment, leaves whole usage points; two at once leave what one would."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from espi_server.db import Database
from espi_server.energy.models import IntervalBlock, Kind, UsagePoint
from tests.energy import feeds, stored
from tests.energy.feeds import Household

_PROCESS = """
import sys
from espi_server.db import Database
from espi_server.energy.importer import import_files
import_files(Database(sys.argv[1]), "north", sys.argv[2:], actor="a process")
"""
# Loads everything once, so that each import is a real process of its own and yet begins at once.
_NURSERY = """
import os, sys
from espi_server.db import Database
from espi_server.energy.importer import import_files
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        import_files(Database(sys.argv[1]), "north", sys.argv[2:], actor="a process")
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()
    print(os.waitpid(pid, 0)[1], flush=True)
"""
_KILLS = 20


class Nursery:
    """Starts importing processes, one at a time."""

    def __init__(self, url: str, *paths: Path) -> None:
        command = [sys.executable, "-c", _NURSERY, url, *map(str, paths)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Nursery:
        self._process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self) -> int:
        """A new importing process; its id, which is nobody else's until `end` is asked."""
        return self._asked()

    def end(self) -> int:
        """Wait until it is gone; its status."""
        return self._asked()

    def _asked(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _households() -> list[Household]:
    return [Household(id=str(number), days=2) for number in range(100, 120)]


def _units(database: Database) -> Counter[tuple[int, int, int]]:
    """For every usage point: its small resources, its readings and its version."""
    counts: Counter[object] = Counter(row["usage_point_id"] for row in stored.resources(database))
    readings: Counter[object] = Counter()
    for row in stored.every(database, IntervalBlock):
        readings[row["usage_point_id"]] += row["count"]
    rows = stored.every(database, UsagePoint)
    return Counter((counts[row["id"]], readings[row["id"]], row["version"]) for row in rows)


def test_killed_at_any_moment_it_leaves_whole_usage_points_and_the_next_run_finishes(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    stored.utility(database)
    entries = [entry for household in _households() for entry in household.entries()]
    random.Random(7).shuffle(entries)
    path = feeds.write(tmp_path / "a.xml", entries)
    moments = random.Random(11)
    seen = set()

    with Nursery(database_url, path) as nursery:
        nursery.start()
        begun = time.monotonic()
        assert nursery.end() == 0
        whole, took = _units(database), time.monotonic() - begun
        for _ in range(_KILLS):
            stored.wipe(database)
            pid = nursery.start()
            time.sleep(moments.uniform(0, took))
            os.kill(pid, signal.SIGKILL)
            nursery.end()
            units = _units(database)
            assert set(units) <= set(whole)
            seen.add(units.total())

    report = stored.take(database, path)
    assert report.errors == []
    assert _units(database) == whole
    assert len(seen) > 2  # it was indeed killed at different moments


def test_two_imports_at_once_leave_what_one_would(database: Database, tmp_path: Path) -> None:
    stored.utility(database)
    entries = [entry for household in _households()[:12] for entry in household.entries()]
    path = feeds.write(tmp_path / "a.xml", entries)
    turned = feeds.write(tmp_path / "b.xml", entries[::-1])
    errors: list[BaseException] = []

    def take(file: Path) -> None:
        try:
            stored.take(database, file)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=take, args=(file,)) for file in (path, turned, path, turned)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert errors == []
    assert set(_units(database)) == {(3, 48, 1)}
    assert len(stored.resources(database, Kind.ReadingType)) == 1
    assert len(stored.every(database, UsagePoint)) == 12


@pytest.mark.soak
def test_a_gigabyte_in_any_order_needs_no_more_than_200_megabytes(sqlite_url: str, tmp_path: Path) -> None:
    _memory(sqlite_url, tmp_path, usage_points=420, days=200, most=200)


def test_memory_does_not_grow_with_the_file(sqlite_url: str, tmp_path: Path) -> None:
    _memory(sqlite_url, tmp_path, usage_points=12, days=60, most=200)


_PEAK = """
from pathlib import Path
[peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
print(peak.split()[1])
"""


def _memory(url: str, tmp_path: Path, *, usage_points: int, days: int, most: int) -> None:
    """Import a bulk file of shuffled entries in a process of its own, and look at its peak."""
    database = Database(url)
    stored.utility(database)
    path = tmp_path / "bulk.xml"
    expected = _write_shuffled(path, usage_points, days)

    # getrusage would tell the peak of this test's own process too, which the child inherits; this one begins anew.
    program = f"{_PROCESS}\n{_PEAK}"
    command = [sys.executable, "-c", program, url, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert sum(row["count"] for row in stored.every(database, IntervalBlock)) == expected
    assert int(output.split()[-1]) < most * 1024
    database.close()


def _write_shuffled(path: Path, usage_points: int, days: int) -> int:
    """A bulk feed whose entries stand in no order, written without holding it in memory; its readings."""
    households = [
        Household(id=str(1000 + number), days=days, interval=900, cost=True) for number in range(usage_points)
    ]
    parts = [(place, part) for place, household in enumerate(households) for part in range(5 + days)]
    random.Random(3).shuffle(parts)
    head, tail = feeds.feed(["\0"]).split(b"\0")
    with path.open("wb") as file:
        file.write(head)
        for place, part in parts:
            file.write(_part(households[place], part).encode())
        file.write(tail)
    return sum(len(household.starts()) for household in households[:1]) * usage_points


def _part(household: Household, part: int) -> str:
    if part < 5:
        return household.but(parts=(("time", "point", "type", "reading", "summary")[part],)).entries()[0]
    return household.block_of_day(part - 5)
