"""The rules as people read them: one as text, all of them as the table of docs/validation.md.

python -m espi_server.espi.checks.table          # writes the table into docs/validation.md anew
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from .rule import RULES, Profile, Rule

PAGE = Path(__file__).resolve().parents[3] / "docs" / "validation.md"
BEGIN = "<!-- the table: made by python -m espi_server.espi.checks.table -->"
END = "<!-- end of the table -->"
SUBJECTS = {
    "DOC": "The document",
    "ATOM": "The Atom shell",
    "ID": "Ids",
    "LINK": "Links of an entry",
    "GRAPH": "Where links lead",
    "XSD": "The schema",
    "CODE": "Codes",
    "TIME": "Times",
    "UNIT": "Units and commodities",
    "READ": "Readings and blocks",
    "SUM": "Bills",
    "FB": "Claims of function blocks",
    "CUST": "Retail customers",
    "AUTH": "Consents and applications",
    "SST": "The Statewide Standard Tool",
}


def as_text(rule: Rule) -> str:
    """One rule, whole."""
    return "\n".join(
        (
            f"{rule.id}  {rule.title}",
            f"  {weight(rule)}",
            f"  why      {rule.why}",
            f"  breaks   {rule.breaks}",
        )
    )


def weight(rule: Rule) -> str:
    """How serious a breach is, to whom."""
    if rule.profiles != frozenset(Profile):
        return f"{rule.severity} ({', '.join(sorted(rule.profiles))} only)"
    return (
        str(rule.severity)
        if rule.lenient == rule.severity
        else f"{rule.severity} ({rule.lenient} to lenient)"
    )


def table() -> str:
    """All rules in Markdown, a table for each subject."""
    parts = []
    for subject, rules in groupby(RULES.values(), key=lambda rule: rule.subject_matter):
        rows = "\n".join(_row(rule) for rule in rules)
        head = "| id | weight | what it says | why | what breaks it |\n| --- | --- | --- | --- | --- |"
        parts.append(f"### {SUBJECTS[subject]}\n\n{head}\n{rows}\n")
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{rest.partition(END)[2]}"


def _row(rule: Rule) -> str:
    cells = (rule.id, weight(rule), rule.title, rule.why, _code(rule.breaks))
    return f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in cells)} |"


def _code(example: str) -> str:
    return f"`{example}`" if example.startswith("<") else example


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE}: {len(RULES)} rules\n")
