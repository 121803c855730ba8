"""The demo's server: gunicorn in this very process, which greets once it listens."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from espi_server import work
from espi_server.app import create_app
from espi_server.db import Database
from espi_server.demo.portraits import every_portrait
from espi_server.errors import Problem
from espi_server.settings import Settings
from espi_server.shell import options
from espi_server.web.pages import invite

HOST = "127.0.0.1"


class PortTaken(Problem):
    """Another program listens on that port."""

    exit_code = 6


class Server(BaseApplication):
    """gunicorn with these settings, deaf to its own configuration files and variables."""

    def __init__(
        self, settings: Settings, port: int, command: str, greet: Callable[[], None], *, company: str = ""
    ) -> None:
        self._settings = settings
        self._port = port
        self._command = command
        self._greet = greet
        self._company = company
        super().__init__()

    def load_config(self) -> None:
        """gunicorn asks for its settings here."""
        words = options(self._settings)
        for name, value in zip(words[::2], words[1::2], strict=True):
            self.cfg.set(name.removeprefix("--").replace("-", "_").replace("keep_alive", "keepalive"), value)
        self.cfg.set("bind", f"{HOST}:{self._port}")
        self.cfg.set("loglevel", "warning")
        self.cfg.set("control_socket_disable", True)
        self.cfg.set("when_ready", self._listening)

    def load(self) -> Flask:
        """gunicorn asks each worker for the application here."""
        app = create_app(self._settings)
        invite(app, every_portrait, self._command, self._company)
        self._work()
        return app

    def _work(self) -> None:
        """A worker in a thread: one command is enough for a demo, and it ends as the server does."""
        database = Database(self._settings.database_url, secret=self._settings.secret_key)
        worker = work.worker(database, self._settings)
        threading.Thread(target=worker.run, name="worker", daemon=True).start()

    def _listening(self, server: Any) -> None:
        self._greet()


def check_port(port: int) -> None:
    """`PortTaken` where somebody else listens, at either of the addresses `localhost` may mean."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            raise _taken(port, error) from error
    if answers("::1", port):
        raise _taken(port, None)


def answers(host: str, port: int) -> bool:
    """Does anybody listen there?"""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def _taken(port: int, error: OSError | None) -> PortTaken:
    other = f"Choose another: `make demo PORT={port % 60_000 + 1}` or `espi-server demo --port {port % 60_000 + 1}`."
    if error and error.errno == errno.EACCES:
        return PortTaken(f"Port {port} needs more rights than you have. Choose one above 1023, such as 8000.")
    return PortTaken(f"Port {port} is taken by another program. {other}")
