"""The page about validation is the rules' own words."""

from __future__ import annotations

from espi_server.espi.checks.rule import RULES, Profile, Severity
from espi_server.espi.checks.table import PAGE, as_text, page


def test_the_page_shows_the_rules_as_they_are():
    text = PAGE.read_text("utf-8")

    assert page(text) == text, "run python -m espi_server.espi.checks.table"


def test_there_are_more_than_sixty_rules_of_every_weight():
    assert len(RULES) >= 60
    assert {rule.severity for rule in RULES.values()} == set(Severity)


def test_every_rule_says_what_it_asks_why_and_what_breaks_it():
    short = [rule.id for rule in RULES.values() if min(map(len, (rule.title, rule.why, rule.breaks))) < 8]

    assert short == []


def test_every_profile_has_rules():
    assert all(any(each in rule.profiles for rule in RULES.values()) for each in Profile)


def test_a_rule_explains_itself():
    assert as_text(RULES["LINK-06"]).splitlines()[0] == "LINK-06  No address ends in a slash"
