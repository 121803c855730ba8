"""One form for all measurements: figures, ratios, the gates they must pass, and which were missed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Gate:
    """A ratio's floor, or its ceiling where less is better."""

    ratio: str
    bound: float
    is_ceiling: bool = False

    def holds(self, value: float) -> bool:
        """Is the value on the right side?"""
        return value <= self.bound if self.is_ceiling else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.is_ceiling else '≥'} {self.bound:g}"


@dataclass
class Report:
    """What one program measured; `add` as many parts as there are, then `finish`."""

    name: str
    unit: str
    figures: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    gates: dict[str, str] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)

    def add(self, part: str, figures: dict[str, float], ratios: dict[str, float], gates: list[Gate]) -> None:
        """Take in what was measured on one database."""
        self.figures |= {f"{part}: {name}": value for name, value in figures.items()}
        self.ratios |= {f"{part}: {name}": value for name, value in ratios.items()}
        self.gates |= {f"{part}: {gate.ratio}": str(gate) for gate in gates}
        self.missed += [f"{part}: {gate.ratio}" for gate in gates if not gate.holds(ratios[gate.ratio])]

    def finish(self, file: Path | None) -> int:
        """Print the tables, write the figures; 1 where a gate was missed."""
        print(f"{self.name} ({self.unit})")
        for name, value in self.figures.items():
            print(f"  {name:44}{value:18,.1f}")
        print(table(vars(self)))
        if file:
            file.write_text(json.dumps(vars(self), ensure_ascii=False, indent=2) + "\n")
        return 1 if self.missed else 0


def table(report: dict[str, Any]) -> str:
    """The ratios of a report beside their gates."""
    gates, missed = report.get("gates") or {}, report.get("missed") or []
    lines = []
    for name, value in (report.get("ratios") or {}).items():
        gate = gates.get(name) or ""
        gate = gate if isinstance(gate, str) else f"≥ {gate:g}"
        lines.append(f"  {name:52}{value:12,.3f}  {gate:10}{'MISSED' if name in missed else ''}")
    return "\n".join(lines)
