"""What a person sees while the demo is prepared: a bar on a terminal, else a line a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from espi_server.demo.demo import Watch
from espi_server.energy.importer import Progress as Done
from espi_server.terminal import tell

_READING = 0.65  # reading the files takes about two thirds of an import, storing the rest


@contextmanager
def watched() -> Iterator[Watch]:
    """Something to hand to `prepare`; it shows on stderr what is going on."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    bar = BarColumn(complete_style="green", finished_style="green")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), bar, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _bars(progress)


def _lines() -> Watch:
    def watch(step: str, done: Done | None) -> None:
        if done is None:
            tell(f"{step} …")

    return watch


def _bars(progress: Progress) -> Watch:
    tasks: dict[str, TaskID] = {}

    def watch(step: str, done: Done | None) -> None:
        if step not in tasks:
            for earlier in tasks.values():
                progress.update(earlier, total=1, completed=1)
            tasks[step] = progress.add_task(step, total=None)
        if done is not None and done.total:
            progress.update(tasks[step], total=1, completed=_share(done))

    return watch


def _share(done: Done) -> float:
    """How much of an import is done, 0 to 1."""
    part = done.done / done.total
    return part * _READING if done.phase == "reading" else _READING + part * (1 - _READING)
