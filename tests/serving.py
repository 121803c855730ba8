"""The real application in a real gunicorn on a free port, for what only sockets can show.

with serve(database_url, feeds=40) as server:
    httpx.get(f"{server.url}/healthz")

`serve_here` is for browsers that look at pages: the same application, in a thread of the test's own process.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from espi_server import shell
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.settings import DEVELOPMENT_SECRET, PREFIX, Settings
from espi_server.shell import options
from tests import make

APPLICATION = "espi_server.app:create_app()"
ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30  # seconds a server has to come up or go down


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, its master process, and the file its log goes to."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers that live now."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def serve(
    database_url: str,
    *,
    application: str = APPLICATION,
    environment: dict[str, str] | None = None,
    command: tuple[str, ...] = (),
    **settings: Any,
) -> Iterator[Server]:
    """A server over the database, with these settings; `command` stands before it, such as `taskset -c 0`."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    given = {"mode": "development", "database_url": database_url, "secret_key": DEVELOPMENT_SECRET}
    chosen = Settings(**{**given, "base_url": url, "log_level": "WARNING", **settings}).checked()
    with tempfile.TemporaryDirectory(prefix="espi_serving_") as folder:
        log = Path(folder) / "log"
        arguments = [*command, sys.executable, "-m", "gunicorn", "--bind", f"fd://{listening.fileno()}"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*arguments, "--no-control-socket", *options(chosen), application],
                env=_environment(chosen) | (environment or {}),
                cwd=ROOT,
                stdout=output,
                stderr=output,
                pass_fds=[listening.fileno()],
            )
        listening.close()
        try:
            _wait(process, url, log)
            yield Server(url, process, log)
        finally:
            _stop(process)


@contextmanager
def serve_here(database: Database, **settings: Any) -> Iterator[tuple[str, Flask]]:
    """The address of an application over an open database, and the application."""
    server = make_server("127.0.0.1", 0, lambda *_: None, threaded=True)
    url = f"http://localhost:{server.server_port}"
    server.app = app = create_app(make.settings(base_url=url, **settings), database)
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    try:
        yield url, app
    finally:
        server.shutdown()
        running.join()
        server.server_close()


@contextmanager
def serve_by_granian(
    database_url: str,
    *,
    application: str = APPLICATION,
    command: tuple[str, ...] = (),
    **settings: Any,
) -> Iterator[str]:
    """The same application in granian, as docs/performance.md says; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    given = {"mode": "development", "database_url": database_url, "secret_key": DEVELOPMENT_SECRET}
    chosen = Settings(**{**given, "base_url": url, "log_level": "WARNING", **settings}).checked()
    with tempfile.TemporaryDirectory(prefix="espi_serving_") as folder:
        log = Path(folder) / "log"
        arguments = ["--interface", "wsgi", "--http", "1", "--no-ws", "--port", str(port), "--workers", "1",
                     "--blocking-threads", str(chosen.threads)]  # fmt: skip
        factory = (
            ["--factory", application.removesuffix("()")] if application.endswith("()") else [application]
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, sys.executable, "-m", "granian", *arguments, *factory],
                env=_environment(chosen), cwd=ROOT, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            _wait(process, url, log)
            yield url
        finally:
            _stop(process)


def _environment(settings: Settings) -> dict[str, str]:
    plain = {name: value for name, value in shell.environment().items() if not name.startswith(PREFIX)}
    return plain | {PREFIX + name.upper(): str(value) for name, value in vars(settings).items()}


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        connection = HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse()  # what it answers is the caller's business
            return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise RuntimeError("The server did not come up:\n" + log.read_text())


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
