"""gunicorn and granian with the same application: `python -m bench.servers [--json FILE]`.

One worker with 32 threads on core 0, wrk on core 1; a meter's 396 days for feeds, 4 connections, and one of them
for small answers, 16 connections. The last ways are small answers while two clients pull whole feeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import load, meters
from bench.crowd import latency
from bench.report import Gate, Report
from bench.serving import DAY, FEEDS, HELLO, ROOM, SMALL, databases
from tests.serving import serve, serve_by_granian

BUSY = 2  # connections that pull feeds
CEILING = Gate("gunicorn: p99 of one day, beside feeds / alone", 4, is_ceiling=True)


def measured(url: str, seconds: int, repetitions: int) -> tuple[dict[str, float], dict[str, float]]:
    """Answers a second and milliseconds, and what granian does for each of gunicorn's."""
    database = meters.filled(url, 1)
    opened = meters.authorize(database, "monthly")
    database.close()
    with (
        serve(url, command=load.ON_SERVER_CORE, **ROOM) as ours,
        serve(url, application=HELLO, command=load.ON_SERVER_CORE, **ROOM) as hello,
        serve_by_granian(url, command=load.ON_SERVER_CORE, **ROOM) as fast,
        serve_by_granian(url, application=HELLO, command=load.ON_SERVER_CORE, **ROOM) as fast_hello,
    ):
        places = {"gunicorn": (ours.url, hello.url), "granian": (fast, fast_hello)}
        ways = {f"{name}: {way}": asking for name, (here, there) in places.items()
                for way, asking in _ways(here, there, opened, seconds).items()}  # fmt: skip
        figures = load.interleaved(ways, repetitions)
    ratios = {
        f"granian / gunicorn: {way}": figures[f"granian: {way}"] / figures[f"gunicorn: {way}"]
        for way in _ways("", "", opened, seconds)
    }
    for name in places:
        ratios[f"{name}: p99 of one day, beside feeds / alone"] = (
            figures[f"{name}: p99 ms of one day beside feeds"] / figures[f"{name}: p99 ms of one day"]
        )
    return figures, ratios


def _ways(url: str, hello: str, opened: meters.Opened, seconds: int) -> dict[str, Callable[[], float]]:
    def rate(place: str, encoding: str, connections: int) -> Callable[[], float]:
        headers = (f"Authorization: Bearer {opened.token}", f"Accept-Encoding: {encoding}")
        return lambda: load.rate(place, *headers, connections=connections, seconds=seconds)

    feed, day = url + opened.path, url + opened.path + DAY

    def beside() -> float:
        with _pulling(feed, opened):
            return latency(day, opened.token, seconds=seconds)[0]

    return {
        "hello, a second": rate(hello + "/hello", "identity", SMALL),
        "one day, a second": rate(day, "identity", SMALL),
        "a year as gzip, a second": rate(feed, "gzip", FEEDS),
        "a year plain, a second": rate(feed, "identity", FEEDS),
        "p99 ms of one day": lambda: latency(day, opened.token, seconds=seconds)[0],
        "p99 ms of one day beside feeds": beside,
    }


@contextmanager
def _pulling(feed: str, opened: meters.Opened) -> Iterator[None]:
    """Clients that fetch the feed again and again."""
    command = ["taskset", "-c", load.LOAD_CORE, "wrk", "-t1", f"-c{BUSY}", "-d600s",
               "-H", f"Authorization: Bearer {opened.token}", feed]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--repetitions", type=int, default=3, help="turns of each way (default 3)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each turn (default 2)")
    chosen = parser.parse_args()
    absent = [*load.absent(), *([] if importlib.util.find_spec("granian") else ["granian"])]
    if absent:
        print(f"Not measured, for want of {', '.join(absent)}: servers beside each other.")
        return 0
    report = Report("servers", unit="answers a second; ms")
    with databases(["SQLite"]) as urls:
        report.add("SQLite", *measured(urls["SQLite"], chosen.seconds, chosen.repetitions), [CEILING])
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
