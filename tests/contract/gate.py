"""The real application behind a gate: each feed stops once it is well under way, until the test opens the gate.

So whatever happens to a feed in mid-download happens in the middle, for fast clients and slow machines alike.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from espi_server.app import create_app

FOLDER = "FEED_GATE"  # the variable that names the gate's folder
APPLICATION = "tests.contract.gate:application()"
BEFORE = 2  # chunks that pass before a feed waits
PATIENCE = 60


class Gate:
    """The test's side: how many feeds wait, and letting them go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the server must be started with."""
        return {FOLDER: str(self._folder)}

    def wait_for(self, feeds: int) -> None:
        """Until so many feeds stand at the gate."""
        _until(lambda: len(list(self._folder.glob("waiting-*"))) >= feeds, f"{feeds} feeds at the gate")

    def open(self) -> None:
        """Let all go on."""
        (self._folder / "open").touch()


def application() -> Any:
    """What gunicorn serves."""
    app, folder = create_app(), Path(os.environ[FOLDER])

    def gated(environ: Any, start_response: Any) -> Iterable[bytes]:
        return _Held(app(environ, start_response), folder)

    return gated


class _Held:
    """A body that waits after its first chunks; a short one just passes."""

    def __init__(self, body: Any, folder: Path) -> None:
        self._body = body
        self._folder = folder

    def __iter__(self) -> Iterator[bytes]:
        for number, part in enumerate(self._body):
            if number == BEFORE:
                (self._folder / f"waiting-{uuid.uuid4().hex}").touch()
                _until((self._folder / "open").exists, "an open gate")
            yield part

    def close(self) -> None:
        self._body.close()


def _until(condition: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"Waited {PATIENCE} seconds for {what}.")
        time.sleep(0.02)
