"""Lines are right, however long the document: libxml2 counts to 65,535, and real files are longer."""

from __future__ import annotations

import io

import pytest

from espi_server.espi.check import check
from tests.espi.check.mutations import FILES, MUTATIONS, NOW

AHEAD = 70_000
IN_THE_PROLOG = {
    "DOC-01",
    "DOC-02",
    "DOC-05",
}  # the parser's own words, and what stands before the first entry


def found(text, mutation):
    how = {"profile": mutation.profile, "edition": mutation.edition, "claims": mutation.claims}
    return check(io.BytesIO(text.encode()), now=NOW, **how).findings


def below(text, lines):
    """The same document with empty lines before its first entry."""
    return text.replace("  <entry>", "\n" * lines + "  <entry>", 1)


@pytest.mark.parametrize("id", sorted(MUTATIONS.keys() - IN_THE_PROLOG))
def test_a_finding_far_down_has_its_own_line(id):
    mutation = MUTATIONS[id]
    head = mutation.bad.splitlines().index("  <entry>") + 1 if "  <entry>" in mutation.bad else 10**9

    near, far = found(mutation.bad, mutation), found(below(mutation.bad, AHEAD), mutation)

    assert [each.line for each in far] == [each.line + (AHEAD if each.line >= head else 0) for each in near]


def test_a_reading_deep_in_a_long_entry_has_its_own_line():
    good = (FILES / "usage.xml").read_text("utf-8")
    text = good.replace("<espi:IntervalReading>", "\n" * 4_000 + "<espi:IntervalReading>")
    text = text.replace("<espi:value>337</espi:value>", "\n<espi:value>-337</espi:value>")

    findings = check(io.BytesIO(text.encode()), now=NOW).findings

    (negative,) = [each for each in findings if each.rule == "READ-15"]
    line = next(n for n, line in enumerate(text.splitlines(), 1) if "-337" in line)
    assert negative.line == line - 1  # where its IntervalReading begins


def test_windows_line_ends_count_once():
    mutation = MUTATIONS["LINK-06"]

    findings = found(mutation.bad.replace("\n", "\r\n"), mutation)

    assert [each.line for each in findings] == [mutation.line]
