"""The same thing done many times at the same moment, by as many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def at_once(times: int, act: Callable[[int], Answer]) -> list[Answer]:
    """What each came to; `act` is told its number, and none begins before all are there."""
    together = threading.Barrier(times)

    def one(number: int) -> Answer:
        together.wait()
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def statuses(times: int, act: Callable[[int], Any]) -> list[int]:
    """The statuses of so many requests at the same moment, in order."""
    return sorted(answer.status_code for answer in at_once(times, act))
