"""Slow readers of a bulk feed, as many as may be, and what small requests notice: `python -m bench.crowd`.

One gunicorn worker with the settings it comes with. Every place of the turnstile is taken by a reader that takes
its feed in sips; then one more is told to come back, and small requests go on. wrk measures those with four
connections, before and meanwhile; memory is the worker's peak meanwhile, above what it had before.
"""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench import load, town
from bench.growth import peak, resident
from bench.report import Gate, Report
from bench.serving import databases
from espi_server.settings import Settings
from tests.serving import Server, serve

HOMES = 200
SIP, PAUSE = 8_192, 0.05  # bytes, and seconds between two of them: 160 kB/s
CONNECTIONS, SECONDS = 4, 5
MEMORY = 64  # MB above rest
GATES = [
    Gate("p99 of small requests, crowded / alone", 4, is_ceiling=True),
    Gate("memory, MB above rest / 64", 1, is_ceiling=True),
]


def measured(url: str) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds and requests a second, alone and in the crowd, and MB."""
    founded = town.founded(url)
    token = town.grow(founded, HOMES, "crowd")
    alone = town.grow(founded, 1, "alone")
    founded.database.close()
    places = Settings().feeds
    room = {"feeds_per_application": places, "log_level": "WARNING"}
    with serve(url, command=load.ON_SERVER_CORE, **room) as server:
        small = server.url + f"/{town.UTILITY}/espi/1_1/resource/ReadServiceStatus"
        latency(small, alone, seconds=1)
        before, rest = latency(small, alone), resident(server)
        with peak(server) as most, _crowd(server, token, places) as read:
            refused = httpx.get(server.url + town.path("crowd"), headers=_headers(token)).status_code
            meanwhile = latency(small, alone)
            sipped = sum(read)
    if refused != 429 or not sipped:
        raise SystemExit(f"The crowd did not fill the room: one more reader was answered {refused}.")
    figures = {
        "slow readers": places,
        "small requests alone: p99 ms": before[0],
        "small requests alone: a second": before[1],
        "small requests in the crowd: p99 ms": meanwhile[0],
        "small requests in the crowd: a second": meanwhile[1],
        "MB above rest": (most[0] - rest) / 1e6,
    }
    return figures, {
        GATES[0].ratio: meanwhile[0] / before[0],
        GATES[1].ratio: figures["MB above rest"] / MEMORY,
    }


@contextmanager
def _crowd(server: Server, token: str, places: int) -> Iterator[list[int]]:
    """So many readers in the middle of their feeds; what each has read so far."""
    stop, read = threading.Event(), [0] * places
    with ExitStack() as stack:
        sockets = [stack.enter_context(_asking(server, token)) for _ in range(places)]
        for each in sockets:
            if b" 200 " not in each.recv(SIP).split(b"\r\n")[0]:
                raise SystemExit("A slow reader was not let in.")

        def sip() -> None:
            while not stop.wait(PAUSE):
                for number, each in enumerate(sockets):
                    read[number] += len(each.recv(SIP))

        thread = threading.Thread(target=sip)
        thread.start()
        yield read
        stop.set()
        thread.join()


def _asking(server: Server, token: str) -> socket.socket:
    place = urlsplit(server.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP)
    connection.settimeout(30)
    connection.connect((str(place.hostname), int(place.port or 80)))
    lines = [f"GET {town.path('crowd')} HTTP/1.1", f"Host: {place.netloc}", f"Authorization: Bearer {token}"]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def latency(url: str, token: str, seconds: int = SECONDS) -> tuple[float, float]:
    """The 99th percentile in milliseconds, and requests a second."""
    header = f"Authorization: Bearer {token}"
    command = ["taskset", "-c", load.LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
               "-H", header, url]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{url} did not answer as it should:\n{said}")
    [(number, unit)] = re.findall(r"99%\s+([\d.]+)(us|ms|s)\b", said)
    [rate] = re.findall(r"Requests/sec:\s+([\d.]+)", said)
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], float(rate)


def main() -> int:
    """Prints the table; exit code 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--database", action="append", choices=("SQLite", "PostgreSQL"))
    chosen = parser.parse_args()
    if load.absent():
        print(f"Not measured, for want of {', '.join(load.absent())}: small requests in a crowd.")
        return 0
    report = Report("crowd", unit="ms; MB")
    with databases(chosen.database or ["SQLite", "PostgreSQL"]) as urls:
        for name, url in urls.items():
            report.add(name, *measured(url), GATES)
    return report.finish(chosen.json)


if __name__ == "__main__":
    sys.exit(main())
