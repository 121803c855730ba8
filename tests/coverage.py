"""Which test proves which requirement: a table made from the marks, never by hand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import pytest

_HEAD = """# Coverage

Made by `make coverage` from the marks of the tests; nothing here is written by hand. `FB_…` are the function blocks of
the Green Button Alliance, `UC…`, `CEC…`, `NFR…`, `F-…` and `T15-…` come from California's concept design of the
Single Statewide Tool, `NH-…` from New Hampshire's use cases.

| requirement | proved by |
|---|---|
"""


def table(items: Iterable[pytest.Item]) -> str:
    """The whole page for the collected tests."""
    proofs: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for mark in item.iter_markers("requirement"):
            for requirement in mark.args:
                proofs[requirement].add(_named(item))
    return _HEAD + "".join(
        f"| {requirement} | {'<br>'.join(sorted(proofs[requirement]))} |\n"
        for requirement in sorted(proofs, key=_order)
    )


def _named(item: pytest.Item) -> str:
    """`tests/espi/test_scope.py`: scope within another."""
    path, _, name = item.nodeid.partition("::")
    sentence = re.sub(r"\[.*\]$", "", name).rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"`{path}`: {sentence}"


def _order(requirement: str) -> tuple[str, list[int], str]:
    return (
        re.split(r"[\d_.-]", requirement)[0],
        [int(each) for each in re.findall(r"\d+", requirement)],
        requirement,
    )
