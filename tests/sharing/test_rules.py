"""What an answer comes to, without pages: within the question and within the ticks, whatever they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.access import grants, sharing
from espi_server.access.models import Application, Authorization
from espi_server.access.sharing import ALL, Choices, Question
from espi_server.access.sharing_places import Place
from espi_server.accounts.models import Utility
from espi_server.espi.scope import Scope, ScopeError
from espi_server.espi.tables import CLASS_BLOCKS, DataClass
from tests.sharing.walking import EVERYTHING

UTILITY = Utility(code="north", name="Valley", timezone="America/Los_Angeles", portal={})
OPEN = Place("one", (), "electricity", "4471")
CLOSED = Place("two", (), "electricity", "4472", refusal="closed")
NOW = 1_790_000_000
BLOCKS = sorted({block for blocks in CLASS_BLOCKS.values() for block in blocks} | {1, 3, 13, 35, 46, 50})


def question(scope: str = EVERYTHING, **more: Any) -> Question:
    return Question(
        UTILITY, Application(name="Sun", policy="strict", information={}), Scope.parse(scope), **more
    )


def choices(**changed: Any) -> Choices:
    given = {"places": ("one",), "classes": ("Usage",), "history": ALL, "lasting": "stopped"}
    return Choices(**{**given, **changed})


def codes(asked: Question, chosen: Choices) -> list[str]:
    return [each.code for each in sharing.problems(asked, chosen, [OPEN, CLOSED])]


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    blocks = draw(st.sets(st.sampled_from(BLOCKS), max_size=12))
    terms = draw(st.sets(st.sampled_from([each.term for each in DataClass if each != DataClass.RATE_CHANGE])))
    if {"RIN", "BillComparison"} <= terms and draw(st.booleans()):
        terms |= {"RateChange"}
    said = [f"FB={'_'.join(map(str, sorted(blocks)))}"] if blocks else []
    said += [f"AdditionalScope={'_'.join(sorted(terms))}"] if terms else []
    said += draw(
        st.sampled_from([[], ["HistoryLength=34128000"], ["HistoryLength=0"], ["HistoryLength=94608000"]])
    )
    said += draw(st.sampled_from([[], ["IntervalDuration=900_3600"], ["BlockDuration=monthly"]]))
    return Scope.parse(";".join(said) or "FB=4")


@pytest.mark.requirement("F-SEL", "NFR22")
@given(
    scopes(),
    st.sets(st.sampled_from([each.term for each in DataClass])),
    st.sampled_from(["", "yes", "no"]),
    st.sampled_from(["0", "365", "730", ALL]),
)
def test_what_is_granted_lies_within_the_request_and_within_the_ticks(scope, ticked, rate, history):
    asked = Question(UTILITY, Application(name="Sun", policy="strict", information={}), scope)
    chosen = choices(classes=tuple(sorted(ticked)), rate=rate, history=history)

    try:
        granted = sharing.decide(asked, chosen, [OPEN]).scope
    except ScopeError:
        return

    assert granted.within(scope)
    assert granted.classes <= chosen.wanted
    assert granted.classes == chosen.wanted & scope.classes or rate == "yes"
    assert (DataClass.RATE_CHANGE in granted.classes) <= (rate == "yes")
    if history != ALL:
        assert granted.history_length is not None
        assert granted.history_length <= int(history) * sharing.DAY


@given(
    scopes(),
    scopes(),
    st.sets(st.sampled_from([each.term for each in DataClass])),
    st.booleans(),
    st.booleans(),
)
def test_more_than_before_lies_within_the_request_and_adds_only_what_was_ticked(
    asked, given, ticked, detail, longer
):
    chosen = Choices(
        classes=tuple(sorted(ticked)), history=ALL if longer else "kept", detail="yes" if detail else ""
    )

    try:
        granted = sharing.with_more(asked, given, chosen)
    except ScopeError:
        return

    assert granted.within(asked)
    assert granted.classes <= given.classes | chosen.wanted
    if not longer and given.history_length is not None:
        assert granted.history_length is not None
        assert granted.history_length <= given.history_length
    if not detail and given.interval is not None:
        assert granted.interval is not None
        assert granted.interval >= given.interval


def test_nothing_is_chosen_for_her_and_the_rate_question_alone_may_be_left_out():
    assert codes(question(), Choices()) == ["no_place", "no_class", "no_history", "no_end"]
    assert codes(question(), choices()) == []
    assert DataClass.RATE_CHANGE not in sharing.decide(question(), choices(), [OPEN]).scope.classes


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"places": ("two",)}, ["no_place"]),
        ({"places": ("one", "two")}, ["gone_place"]),
        ({"places": ("one", "another's")}, ["gone_place"]),
        ({"classes": ("RateChange",)}, ["no_class"]),
        ({"classes": ("Usage", "RateChange")}, ["gone_class"]),
        ({"classes": ("Usage", "nonsense")}, ["gone_class"]),
        ({"rate": "yes"}, ["rate_needs"]),
        ({"rate": "yes", "classes": ("RIN", "BillComparison")}, []),
        ({"history": "9999"}, ["no_history"]),
        ({"history": "kept"}, ["no_history"]),
        ({"lasting": "for ever"}, ["no_end"]),
        ({"lasting": "once"}, []),
        ({"lasting": "once", "history": "0"}, ["once_needs_history"]),
        ({"lasting": "until"}, ["no_date"]),
        ({"lasting": "until", "month": "2", "day": "30", "year": "2027"}, ["no_date"]),
        ({"lasting": "until", "month": "٣", "day": "1", "year": "2027"}, ["no_date"]),
        ({"lasting": "until", "month": "9", "day": "20", "year": "2026"}, ["past_date"]),
        ({"lasting": "until", "month": "9", "day": "21", "year": "2026"}, []),
        ({"lasting": "until", "month": "1", "day": "1", "year": "2200"}, ["far_date"]),
    ],
)
def test_each_answer_that_cannot_be_is_named(freeze, changed, found):
    freeze(NOW)  # September 21, 2026 in California

    assert codes(question(), choices(**changed)) == found


def test_a_rate_question_nobody_asked_is_not_answered():
    asked = question("FB=4_5_15;AdditionalScope=Usage_RIN_BillComparison")

    assert codes(asked, choices(rate="yes", classes=("Usage", "RIN", "BillComparison"))) == ["no_rate"]


def test_the_three_ends(freeze):
    freeze(NOW)

    ends = [
        sharing.decide(question(), choices(**each), [OPEN]).until - NOW
        for each in (
            {"lasting": "once"},
            {"lasting": "until", "month": "9", "day": "21", "year": "2026"},
            {"lasting": "stopped"},
        )
    ]

    assert ends[0] == 86_400
    assert 0 < ends[1] < 86_400
    assert (NOW + ends[1]) % 86_400 == 7 * 3600  # midnight in California
    assert NOW + ends[2] == grants.OPEN_END


def test_a_change_stays_within_the_registration_and_keeps_what_was_refined():
    widest, now = Scope.parse(EVERYTHING), Scope.parse("FB=4_5;IntervalDuration=3600;HistoryLength=31536000")
    present = Authorization(scope=str(now), history_from=1_700_000_000, ends_at=NOW, lasting="until")
    asked = question(str(now), widest=widest, present=present, is_change=True)

    kept = sharing.decide(asked, choices(history="kept"), [OPEN])
    wider = sharing.decide(asked, choices(classes=("Usage", "Billing"), history="365"), [OPEN])

    assert asked.histories[0] == "kept"
    assert (kept.scope, kept.keeps_history, kept.history_from) == (now, True, 1_700_000_000)
    assert wider.scope.within(widest)
    assert wider.scope.classes == {DataClass.USAGE, DataClass.BILLING}


def test_a_company_without_a_registered_scope_is_offered_every_class_of_its_policy():
    plain = Application(name="Sun", policy="standard", information={}, scope="")
    strict = Application(name="Sun", policy="strict", information={}, scope="")

    assert sharing.registered(strict).classes == frozenset(DataClass)
    assert sharing.registered(plain).classes == frozenset(DataClass) - {DataClass.RATE_CHANGE}
    assert len(str(sharing.registered(strict))) <= 256


def test_the_difference_is_told_in_classes_history_and_detail():
    asked = Scope.parse(
        "FB=4_5_12_15;IntervalDuration=900;HistoryLength=63072000;AdditionalScope=Usage_Account_RIN"
    )
    given = Scope.parse("FB=4_5;IntervalDuration=3600;HistoryLength=31536000;AdditionalScope=Usage")

    found = sharing.beyond(asked, given)

    assert found.classes == (DataClass.ACCOUNT, DataClass.RIN)
    assert (found.rate, found.history, found.detail) == (False, True, (DataClass.USAGE,))
    assert not sharing.beyond(given, given)
