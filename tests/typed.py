"""`espi-server` as a shell types it, without the second each process takes to load what it needs.

with typed.ready() as programs:  # a folder for PATH, with an `espi-server` in it
    subprocess.run(["bash", "-c", "espi-server --help"], env={"PATH": f"{programs}:…"})

One process has loaded every room; each command is a child of it, in the folder, with the arguments, the environment and
the open files of the shell that typed it, and ends with the child's exit code. The installed program itself is met by
the README's commands and by `espi-server demo`.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LOADED = "import sys; from tests import typed; typed.answer(int(sys.argv[1]))"
_MESSAGE = 1 << 22  # bytes of arguments and environment at most


@contextmanager
def ready() -> Iterator[Path]:
    """A folder with an `espi-server` that begins at once."""
    with (
        tempfile.TemporaryDirectory(prefix="espi_typed_") as folder,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        address = Path(folder) / "socket"
        listening.bind(str(address))
        listening.listen()
        program = Path(folder) / "espi-server"
        asked = [sys.executable, "-SE", __file__, str(address)]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(asked)} "$@"\n')
        program.chmod(0o755)
        command = [sys.executable, "-c", _LOADED, str(listening.fileno())]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()], cwd=_ROOT
        ) as loaded:
            yield Path(folder)
            loaded.communicate()


def _ask(address: str, *arguments: str) -> int:
    """Have the command run, with our open files; its exit code."""
    given = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(address)
        socket.send_fds(asking, [b" "], [0, 1, 2])
        asking.sendall(json.dumps(given).encode())
        asking.shutdown(socket.SHUT_WR)
        return int(asking.recv(16))


def answer(descriptor: int) -> None:
    """Load everything, then run what is asked for, each in a process of its own, until stdin ends."""
    import gc
    import select
    from pkgutil import resolve_name

    from espi_server.cli import COMMANDS, main

    for command in COMMANDS.values():
        resolve_name(command)
    gc.freeze()
    listening = socket.socket(fileno=descriptor)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        asking, _ = listening.accept()
        if not os.fork():
            _become(asking)
            main()
        asking.close()


def _become(asking: socket.socket) -> None:
    """Return as a process that is what the shell would have started; the one that waits for it tells how it ended."""
    _, files, _, _ = socket.recv_fds(asking, 1, 3)
    given = json.loads(asking.makefile("rb").read(_MESSAGE))
    child = os.fork()
    if child:
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.sendall(str(ended if ended >= 0 else 128 - ended).encode())
        os._exit(0)
    asking.close()
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(given["folder"])
    os.environ.clear()
    os.environ.update(given["environment"])
    sys.argv = ["espi-server", *given["arguments"]]


if __name__ == "__main__":
    sys.exit(_ask(*sys.argv[1:]))
