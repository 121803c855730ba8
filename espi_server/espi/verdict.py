"""What a judgement says: findings with lines, a summary of what was read; as text, JSON and JUnit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from .checks.columns import MISSING, Columns
from .checks.local_time import when
from .checks.rule import RULES, Profile, Severity
from .codes import UnitSymbolKind
from .editions import V4_0, Edition
from .tables import FUNCTION_BLOCKS

SCHEMA_VERSION = 1
_BARS = 400
_DAY = 86_400
_WATT_HOUR = 72


class Finding(NamedTuple):
    """One breach of a rule, where it stands."""

    rule: str
    severity: Severity
    line: int
    path: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """With the names of its fields."""
        return {**self._asdict(), "severity": str(self.severity)}


@dataclass
class Summary:
    """What was read: how much of what, from when to when, and what was used, by unit and flow."""

    usage_points: int = 0
    readings: int = 0
    summaries: int = 0
    start: int | None = None
    end: int | None = None
    totals: dict[tuple[int | None, int | None], float] = field(default_factory=dict)
    bars: Counter[int] = field(default_factory=Counter)
    days_a_bar: int = 1

    @property
    def kwh(self) -> float | None:
        """Energy delivered, in kWh; None where nothing is in Wh."""
        found = [total for (unit, flow), total in self.totals.items() if unit == _WATT_HOUR and flow != 19]
        return sum(found) / 1_000 if found else None

    def count(self, type: Any, readings: int, total: int, start: int | None, end: int | None) -> None:
        """Add one meter reading; `total` in its type's unit and power of ten."""
        self.readings += readings
        if readings and type is not None and type.accumulation_behaviour in (None, 4):
            key = _code(type.uom), _code(type.flow_direction)
            self.totals[key] = self.totals.get(key, 0.0) + total * 10.0 ** int(
                type.power_of_ten_multiplier or 0
            )
        if start is not None and end is not None:
            self.start = start if self.start is None else min(self.start, start)
            self.end = end if self.end is None else max(self.end, end)

    def chart(self, type: Any, columns: Columns) -> None:
        """Add a block of delivered energy to the bars of a small chart: at most 400, of one day or more each."""
        if (
            type is None
            or type.accumulation_behaviour != 4
            or type.uom != _WATT_HOUR
            or type.flow_direction == 19
        ):
            return
        scale = 10.0 ** (int(type.power_of_ten_multiplier or 0) - 3)
        for start, value in zip(columns["start"].tolist(), columns["value"].tolist(), strict=True):
            if MISSING not in (start, value) and 0 <= start < 2**33:
                self.bars[start // (_DAY * self.days_a_bar)] += value * scale
        self.fold()

    def fold(self) -> None:
        """Make bars wider until there are few enough."""
        while len(self.bars) > _BARS:
            self.days_a_bar *= 2
            wider: Counter[int] = Counter()
            for at, value in self.bars.items():
                wider[at // 2] += value
            self.bars = wider

    def series(self) -> list[tuple[int, float]]:
        """The bars: start of each (midnight UTC, epoch seconds), and kWh."""
        return [(at * _DAY * self.days_a_bar, value) for at, value in sorted(self.bars.items())]

    def to_json(self) -> dict[str, Any]:
        """Whole numbers as such, times as epoch seconds."""
        return {
            "usagePoints": self.usage_points,
            "readings": self.readings,
            "summaries": self.summaries,
            "start": self.start,
            "end": self.end,
            "kWh": self.kwh,
            "totals": [
                {"uom": unit, "flowDirection": flow, "value": value}
                for (unit, flow), value in self.totals.items()
            ],
        }

    def __str__(self) -> str:
        parts = [
            _many(self.usage_points, "usage point"),
            _many(self.readings, "reading"),
            _many(self.summaries, "bill"),
        ]
        if self.start is not None and self.end is not None:
            parts.append(f"{when(self.start)} to {when(self.end)}")
        parts += [amount(*sort, total) for sort, total in self.totals.items()]
        return " · ".join(part for part in parts if not part.startswith("0 ")) or "no usage"


@dataclass
class Verdict:
    """How a document was found. `refused` says why it could not be read to its end."""

    name: str
    profile: Profile
    edition: Edition
    is_detected: bool = False
    now: int = 0
    refused: str = ""
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    judged: set[str] = field(default_factory=set)
    summary: Summary = field(default_factory=Summary)
    blocks: tuple[int, ...] = ()
    claims: tuple[int, ...] = ()
    quotes: dict[int, str] = field(default_factory=dict)
    """The lines findings stand on, as they are in the document; empty where nobody asked for them."""

    def number(self, severity: Severity) -> int:
        """How many findings of this weight, those that are only counted too."""
        return sum(
            count for id, count in self.counts.items() if RULES[id].severity_in(self.profile) == severity
        )

    @property
    def is_conformant(self) -> bool:
        """Whether there is no error."""
        return not self.number(Severity.ERROR)

    @property
    def passed(self) -> int:
        """How many rules had something to look at and found nothing."""
        return len(self.passed_rules)

    @property
    def passed_rules(self) -> list[str]:
        """Their ids."""
        return [id for id in RULES if id in self.judged and id not in self.counts]

    @property
    def exit_code(self) -> int:
        """The shell's answer: 0 conformant, 1 not, 3 could not be read."""
        return 3 if self.refused else 0 if self.is_conformant else 1

    # Three forms

    def to_json(self) -> dict[str, Any]:
        """Stable keys; `schema_version` changes when one of them does."""
        return {
            "schema_version": SCHEMA_VERSION,
            "file": self.name,
            "profile": str(self.profile),
            "edition": self.edition.name,
            "edition_detected": self.is_detected,
            "conformant": self.is_conformant,
            "refused": self.refused or None,
            "counts": {str(severity): self.number(severity) for severity in Severity}
            | {"passed": self.passed},
            "findings": [finding.to_json() for finding in self.findings],
            "counts_by_rule": dict(sorted(self.counts.items())),
            "function_blocks": {"shown": list(self.blocks), "claimed": list(self.claims)},
            "summary": self.summary.to_json(),
        }

    def to_text(self, most: int = 5) -> list[str]:
        """Lines for people; of one rule's findings the first `most`."""
        lines = [f"{self.name}: {self.headline}"]
        shown: Counter[str] = Counter()
        for finding in self.findings:
            shown[finding.rule] += 1
            if shown[finding.rule] <= most:
                lines.append(
                    f"  {finding.severity:7}  {finding.rule:8}  line {finding.line}  {_where(finding)}"
                )
        for id, count in sorted(self.counts.items()):
            if count > most:
                lines.append(f"  {id}: {count - most} more of these, {count} in all")
        if not self.refused:
            lines.append(f"  read: {self.summary}")
            shows = ", ".join(f"{number} {FUNCTION_BLOCKS[number]}" for number in self.blocks)
            lines.append(f"  function blocks shown: {shows or 'none'}")
            if untested := ", ".join(str(number) for number in self.claims if f"FB-{number:02}" not in RULES):
                lines.append(f"  function blocks claimed that no rule tests: {untested}")
        return lines

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        how = how_chosen(self.edition, is_detected=self.is_detected)
        numbers = ", ".join(
            (_many(self.number(Severity.ERROR), "error"), _many(self.number(Severity.WARNING), "warning"),
             f"{self.number(Severity.ADVICE)} advice", f"{_many(self.passed, 'check')} passed")
        )  # fmt: skip
        word = "cannot be read" if self.refused else "conformant" if self.is_conformant else "not conformant"
        return f"{word} ({self.edition.title}, {how}; profile {self.profile}): {numbers}"

    def to_junit(self) -> str:
        """A test suite: one case a rule; errors fail, warnings and advice are written beside it."""
        cases = "".join(self._case(id) for id in RULES if id in self.judged or id in self.counts)
        failed = sum(1 for id in self.counts if RULES[id].severity_in(self.profile) == Severity.ERROR)
        tests = len(self.judged | self.counts.keys())
        numbers = f'tests="{tests}" failures="{failed}" errors="0"'
        return f"<testsuite name={_quoted(self.name)} {numbers}>{cases}</testsuite>"

    def _case(self, id: str) -> str:
        rule, found = RULES[id], [finding for finding in self.findings if finding.rule == id]
        opening = f"<testcase classname={_quoted(rule.subject_matter)} name={_quoted(f'{id} {rule.title}')}"
        if not found:
            return f"{opening}/>"
        lines = _clean("\n".join(f"line {finding.line}: {_where(finding)}" for finding in found))
        if rule.severity_in(self.profile) == Severity.ERROR:
            body = f"<failure message={_quoted(f'{self.counts[id]} found')}>{lines}</failure>"
        else:
            body = f"<system-out>{rule.severity_in(self.profile)}\n{lines}</system-out>"
        return f"{opening}>{body}</testcase>"


def junit(verdicts: Iterable[Verdict]) -> str:
    """A JUnit document of several verdicts, one suite each."""
    suites = "".join(verdict.to_junit() for verdict in verdicts)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{suites}</testsuites>'


def how_chosen(edition: Edition, *, is_detected: bool) -> str:
    """Who chose the edition, in words: nothing on the wire tells 4.0 from 3.3, so a file can only name another."""
    if not is_detected:
        return "as you chose"
    return "as the file names no other" if edition == V4_0 else "as the file says"


def amount(unit: int | None, flow: int | None, total: float) -> str:
    """What was used, with its unit and which way it went: `7,480 Wh delivered`."""
    return f"{total:,.10g} {_unit(unit)}{_way(flow)}"


def _where(finding: Finding) -> str:
    return f"{finding.path}: {finding.message}" if finding.path else finding.message


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _code(value: Any) -> int | None:
    return None if value is None else int(value)


def _unit(unit: int | None) -> str:
    known = {72: "Wh", 169: "therms", 128: "US gal", 42: "m³", 119: "ft³", 38: "W"}
    names = {int(each): each.name.lower().replace("_", " ") for each in UnitSymbolKind}
    return known.get(unit or 0) or names.get(unit or -1, "without unit")


def _way(flow: int | None) -> str:
    return {1: " delivered", 4: " net", 19: " received"}.get(flow or 0, "")


def _clean(text: str) -> str:
    """What XML can carry of a text, escaped."""
    return escape("".join(each for each in text if each in "\t\n" or each >= " "))


def _quoted(text: str) -> str:
    return quoteattr("".join(each for each in text if each >= " "))
