"""Bulk feeds of 1 to 10,000 subscriptions over HTTP: time and memory: `python -m bench.growth [--json FILE]`.

Each subscription is a home with a month of quarter-hours. One gunicorn worker on core 0, one curl on core 1 that
throws the bytes away. Memory is the worker's peak while it serves, above what it has at rest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench import load, town
from bench.report import Gate, Report
from bench.serving import databases
from tests.serving import Server, serve

SIZES = (1, 10, 100, 1_000, 10_000)
ROOM = {"feeds": 31, "feeds_per_application": 31, "log_level": "WARNING"}
ENCODINGS = ("gzip", "identity")


def gates(sizes: tuple[int, ...]) -> list[Gate]:
    """Time per subscription may not grow, and memory neither."""
    largest = f"{sizes[-1]:,}"
    return [
        gate
        for encoding in ENCODINGS
        for gate in (
            Gate(f"{encoding}: time per subscription, {largest} / 100", 1.25, is_ceiling=True),
            Gate(f"{encoding}: peak memory, {largest} / 1,000", 1.1, is_ceiling=True),
            Gate(f"{encoding}: MB above rest with 1,000 / 16", 1, is_ceiling=True),
        )
    ]


def measured(url: str, sizes: tuple[int, ...], repetitions: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds, MB of XML or gzip, and MB of memory for each number of subscriptions."""
    founded = town.founded(url)
    opened = {size: town.grow(founded, size, str(size)) for size in sizes}
    founded.database.close()
    figures: dict[str, float] = {}
    warm = sizes[min(2, len(sizes) - 1)]
    with serve(url, command=load.ON_SERVER_CORE, **ROOM) as server:
        for encoding in ENCODINGS:
            _fetched(server, town.path(str(warm)), opened[warm], encoding)
        rest = resident(server)
        for encoding in ENCODINGS:
            for size, token in opened.items():
                seen = [_fetched(server, town.path(str(size)), token, encoding) for _ in range(repetitions)]
                seconds, sent, peak, first = (median(column) for column in zip(*seen, strict=True))
                name = f"{encoding}, {size:,}"
                figures[f"{name}: ms"] = 1000 * seconds
                figures[f"{name}: ms to the first byte"] = 1000 * first
                figures[f"{name}: MB sent"] = sent / 1e6
                figures[f"{name}: MB of memory"] = peak / 1e6
                figures[f"{name}: MB above rest"] = (peak - rest) / 1e6
    return figures, _ratios(figures, sizes[-1])


def _ratios(figures: dict[str, float], largest: int) -> dict[str, float]:
    ratios = {}
    for encoding in ENCODINGS:
        per = {size: figures[f"{encoding}, {size:,}: ms"] / size for size in (100, largest)}
        memory = {size: figures[f"{encoding}, {size:,}: MB of memory"] for size in (1_000, largest)}
        ratios[f"{encoding}: time per subscription, {largest:,} / 100"] = per[largest] / per[100]
        ratios[f"{encoding}: peak memory, {largest:,} / 1,000"] = memory[largest] / memory[1_000]
        ratios[f"{encoding}: MB above rest with 1,000 / 16"] = (
            figures[f"{encoding}, 1,000: MB above rest"] / 16
        )
    return ratios


def _fetched(server: Server, path: str, token: str, encoding: str) -> tuple[float, float, float, float]:
    """Seconds, bytes, the worker's peak memory meanwhile in bytes, and seconds to the first byte."""
    told = "%{http_code} %{time_total} %{size_download} %{time_starttransfer}"
    command = ["taskset", "-c", load.LOAD_CORE, "curl", "-sS", "-o", "/dev/null", "-w", told,
               "-H", f"Authorization: Bearer {token}", "-H", f"Accept-Encoding: {encoding}",
               server.url + path]  # fmt: skip
    with peak(server) as most:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    if said[0] != "200":
        raise SystemExit(f"{path} answered {said[0]}.")
    return float(said[1]), float(said[2]), most[0], float(said[3])


@contextmanager
def peak(server: Server) -> Iterator[list[float]]:
    """The greatest resident memory of the one worker during a block, in bytes."""
    [worker] = server.workers
    Path(f"/proc/{worker}/clear_refs").write_text("5")  # forget the peak so far
    found: list[float] = []
    yield found
    found.append(_status(worker, "VmHWM"))


def resident(server: Server) -> float:
    [worker] = server.workers
    return _status(worker, "VmRSS")


def _status(process: int, name: str) -> float:
    [line] = [
        each for each in Path(f"/proc/{process}/status").read_text().splitlines() if each.startswith(name)
    ]
    return 1024.0 * int(line.split()[1])


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--repetitions", type=int, default=3, help="fetches of each feed (default 3)")
    parser.add_argument(
        "--most", type=int, default=SIZES[-1], help="the greatest number of subscriptions, 1,000 at least"
    )
    parser.add_argument("--database", action="append", choices=("SQLite", "PostgreSQL"))
    chosen = parser.parse_args()
    if load.absent():
        print(f"Not measured, for want of {', '.join(load.absent())}: how feeds grow.")
        return 0
    sizes = tuple(size for size in SIZES if size <= max(1_000, chosen.most))
    report = Report("growth", unit="of one bulk feed")
    with databases(chosen.database or ["SQLite", "PostgreSQL"]) as urls:
        for name, url in urls.items():
            figures, ratios = measured(url, sizes, chosen.repetitions)
            report.add(name, figures, ratios, gates(sizes))
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
