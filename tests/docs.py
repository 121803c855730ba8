"""Documents that keep their word: their `sh` blocks are run, and their `output` blocks must come true.

A document with the comment `<!-- tests: run against the demo -->` has its `sh` blocks run in order, by one shell, in
the folder of a demo that is being served; one with `<!-- tests: run beside the samples -->` in an empty folder with
`samples/` in it. Every line of an `output` block must occur in what the block before it printed. Blocks without a
language are for the eye only. Where a block ends in `read`, a person is waited for: she is told the line printed last,
and what she comes back with is typed.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

DEMO = "<!-- tests: run against the demo -->"
SAMPLES = "<!-- tests: run beside the samples -->"
ADDRESS = "localhost:8000"  # as documents write it

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_READ = re.compile(r"^read ", re.MULTILINE)
_SEPARATOR, _WAITS = "\x1e", "\x1d\n"
_PATIENCE = 120  # seconds for a whole document


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line it begins on."""

    language: str
    text: str
    line: int


class Broken(AssertionError):
    """A document promises what does not happen."""


def marked(root: Path, mark: str) -> list[Path]:
    """The documents below `root` that want to be run in the place this mark names."""
    return [path for path in written(root) if mark in path.read_text("utf-8")]


def written(root: Path) -> list[Path]:
    """All documents of the project."""
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("company/*.md")])


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a document."""
    for match in _FENCE.finditer(text):
        yield Block(match[1], match[2], text.count("\n", 0, match.start()) + 1)


def run(
    document: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    address: str = ADDRESS,
    person: Callable[[str], str] = str,
) -> None:
    """Run a document in a folder; `Broken` names the line of what failed, or of what was promised in vain."""
    promised = list(blocks(document.read_text("utf-8").replace(ADDRESS, address)))
    commands = [block for block in promised if block.language == "sh"]
    script = "".join(f"printf '{_SEPARATOR}%s\\n' {block.line}\n{_waiting(block)}\n" for block in commands)
    code, output, problem = _typed(script, folder, environment, person)
    printed = _by_line(output)
    if code:
        line = max(printed, default=0)
        raise Broken(f"{document.name}:{line} ended with {code}: {problem.strip()}")
    _compare(document, promised, printed)


def _waiting(block: Block) -> str:
    return _READ.sub(r"printf '\\035\\n'; \g<0>", block.text)


def _typed(
    script: str, folder: Path, environment: Mapping[str, str], person: Callable[[str], str]
) -> tuple[int, str, str]:
    """How the shell ended, what it printed, and what it complained of."""
    said = [""]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as problem,
        subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=problem, text=True,
        ) as shell,
    ):  # fmt: skip
        assert shell.stdin
        assert shell.stdout
        impatient = threading.Timer(_PATIENCE, shell.kill)
        impatient.start()
        try:
            for line in shell.stdout:
                if line == _WAITS:
                    shell.stdin.write(person(said[-1].strip()) + "\n")
                    shell.stdin.flush()
                else:
                    said.append(line)
        finally:
            impatient.cancel()
        code = shell.wait()
        problem.seek(0)
        return code, "".join(said), problem.read()


def _by_line(output: str) -> dict[int, str]:
    """What each block printed, by the line it begins on."""
    pieces = (piece.partition("\n") for piece in output.split(_SEPARATOR)[1:])
    return {int(line): text for line, _, text in pieces}


def _compare(document: Path, promised: list[Block], printed: Mapping[int, str]) -> None:
    before = 0
    for block in promised:
        if block.language == "sh":
            before = block.line
        elif block.language == "output":
            for line in filter(None, map(str.strip, block.text.splitlines())):
                if line not in printed[before]:
                    raise Broken(
                        f"{document.name}:{block.line} promises {line!r}; printed was {printed[before]!r}"
                    )
