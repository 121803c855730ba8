"""Feeds over HTTP against nginx, and one day's feed against a Flask hello: `python -m bench.serving [--json FILE]`.

One gunicorn worker with 32 threads on core 0, wrk on core 1; nginx has one worker on core 0 and the same bytes as
a file. A feed is a meter's 396 days of quarter-hours (4.8 MB of XML), 4 connections; small answers, 16 connections.
All of a database's ways take turns. PostgreSQL itself runs wherever the system puts it.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench import load, meters
from bench.meters import Opened
from bench.report import Gate, Report
from tests import pg
from tests.serving import Server, serve

DAY = "?published-min=2026-01-10T08:00:00Z&published-max=2026-01-11T07:59:59Z"
FEEDS, SMALL = 4, 16  # connections
ROOM = {"feeds": 31, "feeds_per_application": 31, "log_level": "WARNING"}
HELLO = "bench.hello:application"


def gates(database: str) -> list[Gate]:
    """What the measured ratios of a database must reach."""
    hello = 0.45 if database == "SQLite" else 0.35
    return [
        Gate("monthly gzip / nginx static", 1.0),
        Gate("monthly gzip / nginx gzip -1", 12),
        Gate("daily gzip / nginx static", 0.4),
        Gate("daily gzip / nginx gzip -1", 5),
        Gate("monthly identity / nginx static", 0.2),
        Gate("daily identity / nginx static", 0.2),
        Gate("one day / hello", hello),
    ]


def measured(url: str, seconds: int, repetitions: int) -> tuple[dict[str, float], dict[str, float]]:
    """Rates (feeds in bytes of XML a second, small answers in answers a second) and their ratios."""
    database = meters.filled(url, 1)
    monthly, daily = meters.authorize(database, "monthly"), meters.authorize(database, "daily")
    database.close()
    with (
        tempfile.TemporaryDirectory(prefix="espi_bench_", dir=_memory()) as name,
        serve(url, command=load.ON_SERVER_CORE, **ROOM) as server,
        serve(url, application=HELLO, command=load.ON_SERVER_CORE, **ROOM) as hello,
        load.nginx(Path(name)) as static,
    ):
        sizes = {each.path: _checked(server, each) for each in (monthly, daily)}
        (Path(name) / "feed.xml").write_bytes(_fetched(server, monthly, "identity"))
        ways = _ways(server, static, hello, monthly, daily, seconds)
        rates = load.interleaved(ways, repetitions)
    for way in rates:
        if "one day" not in way and way != "hello":
            rates[way] *= sizes[daily.path if way.startswith("daily") else monthly.path]
    return rates, _ratios(rates)


def _ways(
    server: Server, static: str, hello: Server, monthly: Opened, daily: Opened, seconds: int
) -> dict[str, Callable[[], float]]:
    def feed(opened: Opened, encoding: str) -> Callable[[], float]:
        return _asking(server.url + opened.path, opened, encoding, FEEDS, seconds)

    def file(place: str, encoding: str) -> Callable[[], float]:
        return _asking(f"{static}/{place}/feed.xml", monthly, encoding, FEEDS, seconds)

    return {
        "nginx static": file("plain", "identity"),
        "nginx gzip -1": file("compressed", "gzip"),
        "monthly gzip": feed(monthly, "gzip"),
        "daily gzip": feed(daily, "gzip"),
        "monthly identity": feed(monthly, "identity"),
        "daily identity": feed(daily, "identity"),
        "hello": _asking(hello.url + "/hello", daily, "identity", SMALL, seconds),
        "one day": _asking(server.url + daily.path + DAY, daily, "identity", SMALL, seconds),
        "one day gzip": _asking(server.url + daily.path + DAY, daily, "gzip", SMALL, seconds),
    }


def _asking(url: str, opened: Opened, encoding: str, connections: int, seconds: int) -> Callable[[], float]:
    headers = (f"Authorization: Bearer {opened.token}", f"Accept-Encoding: {encoding}")
    return lambda: load.rate(url, *headers, connections=connections, seconds=seconds)


def _ratios(rates: dict[str, float]) -> dict[str, float]:
    feeds = {name for name in rates if name.endswith(("gzip", "identity")) and "day " not in name}
    ratios = {f"{name} / nginx static": rates[name] / rates["nginx static"] for name in feeds}
    ratios |= {f"{name} / nginx gzip -1": rates[name] / rates["nginx gzip -1"] for name in feeds}
    ratios |= {f"{name} / hello": rates[name] / rates["hello"] for name in ("one day", "one day gzip")}
    return dict(sorted(ratios.items()))


def _checked(server: Server, opened: Opened) -> int:
    """The size of a feed's XML, after a look at whether both encodings tell the same."""
    plain, packed = (_fetched(server, opened, encoding) for encoding in ("identity", "gzip"))
    if gzip.decompress(packed) != plain or plain.count(b"<IntervalReading>") != meters.READINGS:
        raise SystemExit("The feeds compared here do not tell the same; nothing was measured.")
    return len(plain)


def _fetched(server: Server, opened: Opened, encoding: str) -> bytes:
    headers = {"Authorization": f"Bearer {opened.token}", "Accept-Encoding": encoding}
    with httpx.stream("GET", server.url + opened.path, headers=headers) as answer:
        return b"".join(answer.iter_raw())


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - files that fit there


@contextmanager
def databases(names: list[str]) -> Iterator[dict[str, str]]:
    """Addresses of empty databases, each on what it would run on."""
    with tempfile.TemporaryDirectory(prefix="espi_bench_") as folder:
        found = {"SQLite": f"sqlite:///{folder}/bench.sqlite"} if "SQLite" in names else {}
        server = pg.Server() if "PostgreSQL" in names else None
        try:
            if server:
                server.execute("CREATE DATABASE bench")
                found["PostgreSQL"] = server.url("bench")
            yield found
        finally:
            if server:
                server.stop()


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of each way (default 5)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each turn (default 2)")
    parser.add_argument("--database", action="append", choices=("SQLite", "PostgreSQL"))
    chosen = parser.parse_args()
    if load.absent():
        print(f"Not measured, for want of {', '.join(load.absent())}: feeds over HTTP.")
        return 0
    report = Report("serving", unit="XML bytes/s; answers/s")
    with databases(chosen.database or ["SQLite", "PostgreSQL"]) as urls:
        for name, url in urls.items():
            figures, ratios = measured(url, chosen.seconds, chosen.repetitions)
            report.add(name, figures, ratios, gates(name))
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
