"""What an import says afterwards: counts for machines, and for people the place of everything that was not plain.

`created`, `changed` and `unchanged` count what the files bring, each thing once: every small resource, and every
local day of readings. A repair, something supplied and something unknown never make an import fail; an error does,
for its own entry only.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from espi_server.db import NIL
from espi_server.energy.models import Kind

SCHEMA_VERSION = 1
_MOST_ERRORS = 10_000  # told with file and line; beyond that they are only counted
_MOST_PLACES = 1_000  # different remarks kept of each sort


class Error(NamedTuple):
    """One entry, or one file, that did not come in."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.line is None else f':{self.line}'}: {self.message}"


class Outcome(NamedTuple):
    """What became of one resource, or of a meter reading's readings (`days`: how many local days of them)."""

    line: int | None
    kind: Kind
    id: uuid.UUID
    usage_point_id: uuid.UUID
    outcome: str
    days: int | None = None


@dataclass
class Remark:
    """Something noteworthy: where it was met first, and how often in all."""

    file: str
    line: int | None
    message: str
    count: int = 1

    def __str__(self) -> str:
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"{Error(self.file, self.line, self.message)}{more}"


class Remarks:
    """Remarks of one sort; the same words about the same file are one remark with a count."""

    def __init__(self) -> None:
        self.total = 0
        self._kept: dict[tuple[str, str], Remark] = {}

    def add(self, file: str, line: int | None, message: str) -> None:
        """Note it."""
        self.total += 1
        known = self._kept.get((file, message))
        if known:
            known.count += 1
        elif len(self._kept) < _MOST_PLACES:
            self._kept[file, message] = Remark(file, line, message)

    def absorb(self, others: Remarks) -> None:
        """Add the remarks of another collection."""
        self.total += others.total
        for remark in others:
            known = self._kept.get((remark.file, remark.message))
            if known:
                known.count += remark.count
            elif len(self._kept) < _MOST_PLACES:
                self._kept[remark.file, remark.message] = replace(remark)

    def __iter__(self) -> Iterator[Remark]:
        return iter(self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)


@dataclass
class Report:
    """How an import went. `exit_code` is the shell's answer to it."""

    files: int = 0
    entries: int = 0
    readings: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    errors: list[Error] = field(default_factory=list)
    repairs: Remarks = field(default_factory=Remarks)
    supplies: Remarks = field(default_factory=Remarks)
    refusals: Remarks = field(default_factory=Remarks)
    unknowns: Remarks = field(default_factory=Remarks)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def repaired(self) -> int:
        """How many things were understood only after a repair, or had to be supplied."""
        return self.repairs.total + self.supplies.total

    @property
    def ignored(self) -> int:
        """Entries that were read and left alone, such as an Authorization: a file grants nothing."""
        return self.refusals.total

    @property
    def unknown(self) -> int:
        """Elements the standard does not know; they are kept aside, and not served."""
        return self.unknowns.total

    @property
    def exit_code(self) -> int:
        """0 while nothing failed, 1 when some entries did, 3 when no file could be read."""
        if not self.failed:
            return 0
        return 1 if self.files else 3

    def error(self, file: str, line: int | None, message: str) -> None:
        """An entry (or, without a line, a file) that did not come in."""
        self.failed += 1
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(Error(file, line, message))

    def came(
        self,
        outcome: str,
        kind: Kind,
        id: uuid.UUID,
        line: int | None,
        *,
        usage_point_id: uuid.UUID = NIL,
        days: int | None = None,
    ) -> None:
        """What became of a resource, told by name up to a number nobody reads."""
        if len(self.outcomes) < _MOST_ERRORS:
            self.outcomes.append(Outcome(line, kind, id, usage_point_id, outcome, days))

    def repair(self, file: str, line: int | None, message: str) -> None:
        """Something was wrong and could be put right."""
        self.repairs.add(file, line, message)

    def supply(self, file: str, line: int | None, message: str) -> None:
        """Something was missing and came from the utility's settings."""
        self.supplies.add(file, line, message)

    def ignore(self, file: str, line: int | None, message: str) -> None:
        """An entry that has no place in an import."""
        self.refusals.add(file, line, message)

    def unknown_element(self, file: str, line: int | None, message: str) -> None:
        """An element the standard does not know."""
        self.unknowns.add(file, line, message)

    def absorb(self, unit: Report) -> None:
        """Add what one file, or one unit that is in, reported."""
        for name in ("files", "entries", "readings", "created", "changed", "unchanged"):
            setattr(self, name, getattr(self, name) + getattr(unit, name))
        self.failed += unit.failed
        self.errors += unit.errors[: max(0, _MOST_ERRORS - len(self.errors))]
        self.outcomes += unit.outcomes[: max(0, _MOST_ERRORS - len(self.outcomes))]
        for sort in ("repairs", "supplies", "refusals", "unknowns"):
            getattr(self, sort).absorb(getattr(unit, sort))

    def counts(self) -> dict[str, int]:
        """The numbers alone."""
        names = ("files", "entries", "readings", "created", "changed", "unchanged")
        return {name: getattr(self, name) for name in (*names, "ignored", "repaired", "unknown")}

    def to_json(self) -> dict[str, Any]:
        """For machines; stable keys under `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            **self.counts(),
            "errors": [error._asdict() for error in self.errors],
            "errors_total": self.failed,
            "repairs": _plain(self.repairs),
            "supplied": _plain(self.supplies),
            "refused": _plain(self.refusals),
            "unknown_elements": _plain(self.unknowns),
        }

    def __str__(self) -> str:
        """For people."""
        lines = [f"{name:>10}  {count:,}" for name, count in self.counts().items()]
        lines.append(f"{'errors':>10}  {self.failed:,}")
        for title, remarks in self._chapters():
            lines += ["", f"{title}:", *(f"  {remark}" for remark in remarks)]
        return "\n".join(lines)

    def _chapters(self) -> list[tuple[str, list[Any]]]:
        chapters: list[tuple[str, list[Any]]] = [
            ("Errors", self.errors),
            ("Repaired", list(self.repairs)),
            ("Supplied", list(self.supplies)),
            ("Ignored", list(self.refusals)),
            ("Unknown, kept aside", list(self.unknowns)),
        ]
        return [chapter for chapter in chapters if chapter[1]]


def _plain(remarks: Remarks) -> list[dict[str, Any]]:
    return [vars(remark) for remark in remarks]
