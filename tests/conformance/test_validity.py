"""Every feed and every entry is valid: against our schemas, and against the published ones but for the RINs."""

from __future__ import annotations

import pytest

from espi_server import clock
from espi_server.demo.households import Household
from tests.conformance.judges import Judge, whole
from tests.conformance.town import ALL_BLOCKS, PLACES, Town, named
from tests.energy.reader import Served

WINDOWS = (
    "?published-min=2026-10-31T12:00:00Z&published-max=2026-11-02T12:00:00Z",
    "?max-results=7&start-index=3",
)
CONSENTED = 1_793_800_000  # in the middle of a day, 4 November 2026
places = pytest.mark.parametrize("place", PLACES, ids=named)


@places
@pytest.mark.parametrize("cut", ["daily", "monthly"])
@pytest.mark.requirement("FB_01", "FB_04", "FB_15", "FB_16", "FB_17")
def test_usage_feeds_are_valid_whole_and_windowed(
    town: Town, judge: Judge, place: tuple[Household, str], cut: str
) -> None:
    household, code = place
    scope = f"{ALL_BLOCKS};BlockDuration={cut}"
    whole_feed = town.usage(place, scope)
    opened = town.open(code, household.reference(code), scope)

    assert judge.faults(whole_feed.data) == []
    for window in WINDOWS:
        assert judge.faults(opened.reader.get(opened.usage + window).data) == []


@places
@pytest.mark.requirement("FB_04", "NH-07")
def test_feeds_clipped_by_history_and_summed_for_a_promise_are_valid(
    town: Town, judge: Judge, place: tuple[Household, str]
) -> None:
    since = f"HistoryLength={clock.seconds() - CONSENTED}"

    for limits in (since, "IntervalDuration=5400;BlockDuration=monthly", "IntervalDuration=7776000"):
        assert judge.faults(town.usage(place, f"FB=4_5_15;{limits}").data) == []


@places
@pytest.mark.requirement("UC3.1", "UC3.2")
def test_feeds_with_rins_are_valid_here(town: Town, ours: Judge, place: tuple[Household, str]) -> None:
    for scope in (f"{ALL_BLOCKS};AdditionalScope=RIN", "AdditionalScope=RIN", "FB=15;AdditionalScope=RIN"):
        answer = town.usage(place, scope)

        assert ours.faults(answer.data) == []
        assert whole(answer.data)
        assert answer.data.count(b"Rin>") == 2 * len(_rins(answer.entries))


@places
@pytest.mark.requirement("FB_51", "FB_54", "FB_55", "FB_56", "FB_57", "FB_58", "FB_59", "FB_60")
def test_customer_feeds_are_valid(town: Town, judge: Judge, place: tuple[Household, str]) -> None:
    household, code = place

    for scope in (
        ALL_BLOCKS,
        "FB=54",
        "FB=55",
        "FB=56",
        "FB=57",
        "FB=58",
        "FB=59",
        "FB=60",
        "FB=61",
        "FB=62",
    ):
        opened = town.open(code, household.reference(code), scope)

        assert judge.faults(opened.reader.feed(opened.people).data) == []


@pytest.mark.requirement("FB_01", "FB_32")
def test_an_entry_of_each_kind_is_valid_alone_and_so_is_its_collection(town: Town, judge: Judge) -> None:
    for household, code in PLACES[:6]:
        opened = town.open(code, household.reference(code), ALL_BLOCKS)
        entries = [*opened.reader.get(opened.usage).entries, *opened.reader.get(opened.people).entries]

        for entry in {each.kind: each for each in entries}.values():
            assert judge.faults(opened.reader.feed(entry.href).data) == []
            assert judge.faults(opened.reader.feed(entry.hrefs("up")[0]).data) == []


@pytest.mark.requirement("FB_03")
def test_the_authorization_is_valid(town: Town, judge: Judge) -> None:
    household, code = PLACES[0]
    opened = town.open(code, household.reference(code), "FB=4_5_15")
    client = town.machine(code, "client")

    assert judge.faults(client.get(opened.authorization).data) == []
    assert judge.faults(client.get(opened.authorization.rpartition("/")[0]).data) == []


@pytest.mark.requirement("FB_03", "FB_41")
def test_the_application_is_valid(town: Town, judge: Judge) -> None:
    _, code = PLACES[0]
    custodian = town.machine(code, "custodian")

    document = custodian.get(f"http://localhost/{code}/espi/1_1/resource/ApplicationInformation")

    assert judge.faults(document.data) == []
    for entry in document.entries:
        assert judge.faults(custodian.get(entry.href).data) == []


def _rins(entries: list[Served]) -> list[str]:
    names = ("bundledRin", "deliveryRin", "generationRin")
    return [
        str(each.text)
        for entry in entries
        for name in names
        for each in entry.content.iterfind(f"{{*}}{name}")
    ]
