"""Every rule finds its own fault, at its line, and says nothing of the good file."""

from __future__ import annotations

import io

import pytest
from lxml import etree

from espi_server.espi.check import check
from espi_server.espi.checks.rule import RULES, Profile
from espi_server.espi.xsd import validator
from tests.espi.check.mutations import FILES, MUTATIONS, NOW

SHOWN = {
    "usage": (4, 5, 8, 9, 12, 15, 16, 17, 26, 27, 28),
    "kinds": (4, 6, 7, 10, 11, 29),
    "customer": (54, 56, 57, 58, 59, 60, 61, 62, 71),
}
GOOD = sorted(path.stem for path in FILES.iterdir())
TOOLS = "statewide"


def judged(text, **how):
    return check(io.BytesIO(text.encode()), now=NOW, **how)


@pytest.mark.parametrize(
    ("name", "profile"),
    [(name, each) for name in GOOD for each in Profile if name != TOOLS or each is Profile.SST],
)
def test_nothing_is_said_of_a_good_file(name, profile):
    verdict = judged((FILES / f"{name}.xml").read_text("utf-8"), profile=profile, claims=SHOWN.get(name, ()))

    assert verdict.findings == []
    assert verdict.exit_code == 0


@pytest.mark.parametrize("name", GOOD)
def test_good_files_are_valid_against_our_schema(name):
    assert validator().validate(etree.parse(FILES / f"{name}.xml"))


def test_every_rule_has_a_mutation():
    assert MUTATIONS.keys() == RULES.keys()


@pytest.mark.parametrize("id", MUTATIONS)
def test_a_fault_is_found_by_the_rule_meant_for_it(id):
    mutation = MUTATIONS[id]
    how = {"profile": mutation.profile, "edition": mutation.edition, "claims": mutation.claims}

    verdict = judged(mutation.bad, **how)

    assert mutation.line in {finding.line for finding in verdict.findings if finding.rule == id}, (
        verdict.findings
    )
    assert verdict.counts.keys() <= {id, *mutation.also.split()}
    assert verdict.number(RULES[id].severity_in(verdict.profile)) >= 1


@pytest.mark.parametrize("id", MUTATIONS)
def test_the_good_file_passes_the_same_rule_in_the_same_way(id):
    mutation = MUTATIONS[id]
    how = {"profile": mutation.profile, "edition": mutation.edition}

    assert id not in judged(mutation.good, **how).counts
