"""Taking a file in, against parsers that store nothing and a row per reading: `python -m bench import [--json FILE]`.

The file is `bench/feed_file.py`'s: 38,016 readings, 8.4 MB. Every turn is a process of its own
(`bench/contenders.py`), all ways take turns, and of each the best turn counts. Judged is the CPU time of the process,
in its own code and in the kernel's: on a machine with neighbours the clock mostly tells about them. What PostgreSQL's
own processes spend is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from bench import contenders, feed_file
from bench.report import Gate, Report
from bench.serving import databases
from espi_server import migrate
from espi_server.espi.deflate import FAST

PARSERS = ("lxml parse alone", "lxml iterparse")
GATES = {
    "import": (0.45, 3, 12),
    "import by lxml alone": (0.25, 2, 7),
}
AGAINST = (*PARSERS, "ElementTree + ORM")
_TICK = 1000 / os.sysconf("SC_CLK_TCK")

Times = dict[str, dict[str, float]]


def measured(url: str, file: Path, repetitions: int) -> Times:
    """The best CPU and clock times of each way, in milliseconds."""
    migrate.upgrade(url)
    best: Times = {}
    for _ in range(repetitions):
        for way in contenders.WAYS:
            turn = _turn(way, file, url)
            kept = best.setdefault(way, turn)
            best[way] = {name: min(kept[name], turn[name]) for name in turn}
    return best


def _turn(way: str, file: Path, url: str) -> dict[str, float]:
    server = _server(url) if url.startswith("postgresql") and way not in PARSERS else None
    before = _spent(server)
    command = [sys.executable, "-m", "bench.contenders", way, str(file), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    turn: dict[str, float] = json.loads(said)
    if turn.pop("readings") not in (0, feed_file.READINGS):
        raise SystemExit(f"{way} did not find the readings there are: {said}")
    return turn | ({"server": _spent(server) - before} if server else {})


def _server(url: str) -> int:
    """The process that started the one that answers."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_backend_pid()").fetchone()
        return int(_stat(int(found[0] if found else 0))[1])


def _spent(server: int | None) -> float:
    """Milliseconds of CPU of a server and of all processes it started, those that are gone included."""
    if server is None:
        return 0
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    family = [stat for pid in pids if (stat := _stat(pid)) and (pid == server or int(stat[1]) == server)]
    own = sum(int(ticks) for stat in family for ticks in stat[11:13])
    gone = sum(int(ticks) for ticks in _stat(server)[13:15])
    return (own + gone) * _TICK


def _stat(pid: int) -> list[str]:
    """The fields of a process after its name; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def figures(times: Times) -> dict[str, float]:
    """Milliseconds of each way, under the words of the table."""
    words = {"cpu": "CPU", "wall": "clock", "server": "CPU of the server"}
    return {f"{way}, {words[name]}": value for way, found in times.items() for name, value in found.items()}


def ratios(times: Times) -> dict[str, float]:
    """How many times the rate of each other way an import has, by CPU and (in brackets) by the clock."""
    return {
        f"{way} / {other}{mark}": times[other][name] / times[way][name]
        for name, mark in (("cpu", ""), ("wall", " (clock)"))
        for way in GATES
        for other in AGAINST
    }


def gates() -> list[Gate]:
    """What the ratios must reach."""
    return [
        Gate(f"{way} / {other}", bound)
        for way, bounds in GATES.items()
        for other, bound in zip(AGAINST, bounds, strict=True)
    ]


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each way (default 7)")
    parser.add_argument("--database", action="append", choices=("SQLite", "PostgreSQL"))
    chosen = parser.parse_args()
    print(f"Deflate is {'isal' if FAST else 'zlib'}'s.")
    report = Report("import", unit="milliseconds; best of the turns")
    with tempfile.TemporaryDirectory(prefix="espi_bench_") as folder:
        file = feed_file.write(Path(folder) / "feed.xml")
        with databases(chosen.database or ["SQLite", "PostgreSQL"]) as urls:
            for name, url in urls.items():
                times = measured(url, file, chosen.repetitions)
                report.add(name, figures(times), ratios(times), gates())
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
