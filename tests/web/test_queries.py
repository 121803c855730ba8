"""The seven query parameters, on every feed there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests import make
from tests.energy.feeds import local
from tests.make import Access, Entry, Feed
from tests.web.world import World

pytestmark = pytest.mark.requirement("FB_37", "FB_35", "FB_32", "FB_33")

FEEDS = [
    ("sun", "Batch/Subscription/{s}"), ("sun", "Batch/Subscription/{s}/UsagePoint/{u}"), ("client", "Batch/Bulk/7"),
    ("sun", "Subscription/{s}/UsagePoint"), ("sun", "Subscription/{s}/UsagePoint/{u}/MeterReading"),
    ("sun", "Subscription/{s}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock"),
    ("sun", "Subscription/{s}/UsagePoint/{u}/UsageSummary"), ("sun", "LocalTimeParameters"), ("sun", "ReadingType"),
    ("sun", "Subscription/{s}/UsagePoint/{u}/ElectricPowerQualitySummary"), ("sun", "RetailCustomer/{rc}"),
    ("sun", "Batch/RetailCustomer/{rc}"), ("sun", "RetailCustomer/{rc}/Customer"),
    ("client", "Batch/BulkRetailCustomerInfo/7"), ("client", "Authorization"), ("custodian", "UsagePoint"),
    ("custodian", "ApplicationInformation"), ("custodian", "IntervalBlock"), ("custodian", "MeterReading"),
    ("custodian", "Batch/RetailCustomer/{rc}/UsagePoint"), ("custodian", "ServiceLocation"),
    ("custodian", "Authorization"), ("custodian", "ProgramIdMappings"),
]  # fmt: skip


def ask(world: World, who: str, path: str, query: str = "") -> Feed:
    """A feed of the north."""
    sun = world.sun["north"]
    point = make.point_id(world.database, "101")
    tokens: dict[str, Access | str] = {
        "sun": sun, "client": world.machines["north", "client of Sun"],
        "custodian": world.machines["north", "custodian"],
    }  # fmt: skip
    reading = (
        "" if "{m}" not in path else _reading(world, f"Subscription/{sun.id}/UsagePoint/{point}/MeterReading")
    )
    filled = path.format(s=sun.id, u=point, rc=sun.customer, m=reading)
    return world.feed(f"{filled}?{query}" if query else filled, tokens[who])


def _reading(world: World, path: str) -> str:
    return world.feed(path, world.sun["north"]).entries[0].id.removeprefix("urn:uuid:")


def zulu(moment: int) -> str:
    """Epoch seconds as a client writes them."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "path"), FEEDS)
def test_pages_put_together_are_the_whole_feed(world: World, who: str, path: str) -> None:
    whole = ask(world, who, path).entries
    assert whole
    for size in (1, 3, len(whole)):
        if len(whole) / size > 12:
            continue
        pages = [
            ask(world, who, path, f"start-index={start}&max-results={size}").entries
            for start in range(1, len(whole) + size, size)
        ]
        assert [entry for page in pages for entry in page] == whole
        assert all(len(page) <= size for page in pages)


@pytest.mark.parametrize(("who", "path"), FEEDS)
def test_the_links_of_a_page_lead_to_its_neighbours_and_nowhere_else(
    world: World, who: str, path: str
) -> None:
    whole = ask(world, who, path)
    assert whole.link("next") is whole.link("previous") is None
    size = max(2, len(whole) // 3)

    there, back = [ask(world, who, path, f"max-results={size}")], []
    assert there[0].link("previous") is None
    while (href := there[-1].link("next")) is not None:
        there.append(_follow(world, who, href))
    back = [there[-1]]
    while (href := back[-1].link("previous")) is not None:
        back.append(_follow(world, who, href))

    assert [entry for page in there for entry in page.entries] == whole.entries
    assert [page.entries for page in reversed(back)] == [page.entries for page in there]


def _follow(world: World, who: str, href: str) -> Feed:
    found = ask(world, who, href.removeprefix(f"{make.base()}/"))
    assert found.link("self") == href
    return found


@pytest.mark.parametrize(("who", "path"), FEEDS)
def test_beyond_the_last_entry_a_page_is_empty(world: World, who: str, path: str) -> None:
    for query in ("start-index=1000", "start-index=999999999999999999", "start-index=1000&max-results=10"):
        assert len(ask(world, who, path, query)) == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [("depth=2", 2), ("depth=2&max-results=3", 2), ("depth=3&max-results=2", 2), ("depth=999999999999999999", None),
     ("max-results=999999999999999999", None)],
)  # fmt: skip
def test_depth_is_a_second_limit(world: World, query: str, expected: int | None) -> None:
    whole = ask(world, "sun", "Batch/Subscription/{s}").entries

    assert ask(world, "sun", "Batch/Subscription/{s}", query).entries == whole[:expected]


def test_pages_are_whole_for_readers_whose_blocks_are_made_for_them(world: World) -> None:
    # Neither costs nor quarters of an hour: nothing is sent as it is stored.
    hourly = make.access(
        world.database, application="Hourly", customer="C-1", scope="FB=4_5_16;IntervalDuration=3600"
    )
    whole = world.client.feed(hourly.resource, hourly)
    assert len(whole.of("IntervalBlock")) == 6

    page, found = world.client.feed(f"{hourly.resource}?max-results=4", hourly), list[Entry]()
    while True:
        found += page.entries
        if (href := page.link("next")) is None:
            break
        page = world.client.feed(href, hourly)

    assert found == whole.entries


@pytest.mark.parametrize(
    "scope", ["FB=4_5;IntervalDuration=3600", "FB=4_5;BlockDuration=monthly", "FB=4_5_16"]
)
def test_a_window_finds_blocks_however_they_are_made(world: World, scope: str) -> None:
    consent = make.access(world.database, application=scope, customer="C-1", scope=scope)
    point = make.point_id(world.database, "101")
    here = f"Subscription/{consent.id}/UsagePoint/{point}/MeterReading"
    blocks = f"{world.feed(here, consent).entries[0].self}/IntervalBlock"
    noon = local("2026-01-31") + 43_200
    window = f"published-min={zulu(noon)}&published-max={zulu(noon + 60)}"

    whole = world.client.feed(blocks, consent).entries
    [chosen] = world.client.feed(f"{blocks}?{window}", consent).entries
    batch = world.client.feed(f"{consent.resource}?{window}", consent).of("IntervalBlock")

    assert chosen in whole
    assert chosen in batch
    assert len(batch) == 2  # both houses were at home that day
    assert noon in [start for start, _ in chosen.readings]
    assert world.client.feed(chosen.self, consent).entries == [chosen]


# --- times ---------------------------------------------------------------------------------------------


def test_blocks_are_chosen_by_their_interval_and_others_by_when_they_were_published(world: World) -> None:
    start, end = local("2026-01-31"), local("2026-02-01")

    found = ask(
        world, "sun", "Batch/Subscription/{s}", f"published-min={zulu(start)}&published-max={zulu(end)}"
    )

    # Both houses have that day; what was published in March comes only as the frame of what was asked for.
    assert [each.text("interval/start") for each in found.of("IntervalBlock")] == [str(start)] * 2
    frame = {"LocalTimeParameters", "ReadingType", "ProgramIdMappings", "UsagePoint", "MeterReading"}
    assert found.kinds <= frame | {"IntervalBlock"}
    assert len(found.of("UsagePoint")) == 2


def test_a_window_holds_what_overlaps_it_and_touching_is_not_overlapping(world: World) -> None:
    path = "Subscription/{s}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock"
    days = [int(str(each.text("interval/start"))) for each in ask(world, "sun", path).entries]
    assert days == [local(f"2026-{day}") for day in ("01-30", "01-31", "02-01", "02-02")]
    noon = days[1] + 43_200

    def chosen(query: str) -> list[int]:
        return [int(str(each.text("interval/start"))) for each in ask(world, "sun", path, query).entries]

    assert chosen(f"published-min={zulu(noon)}") == days[1:]
    assert chosen(f"published-max={zulu(noon)}") == days[:2]
    assert chosen(f"published-min={zulu(noon)}&published-max={zulu(noon)}") == [days[1]]
    assert chosen(f"published-min={zulu(days[1])}&published-max={zulu(days[2])}") == [days[1]]
    assert chosen(f"published-min={zulu(days[3] + 86_400)}") == []
    assert chosen(f"published-max={zulu(days[0])}") == []
    for low, high in zip(days, [*days[1:], days[3] + 86_400], strict=True):
        assert chosen(f"published-min={zulu(low)}&published-max={zulu(high)}") == [low]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("published-max=2026-03-01T08:00:00Z", ["8325000"]), ("published-min=2026-03-01T08:00:01Z", ["9000001"]),
        ("published-min=2026-03-05T08:00:00Z", ["9000001"]), ("published-min=2026-03-05T08:00:00.5Z", []),
        ("published-min=2026-03-05T00:00:00-08:00", ["9000001"]),
        ("published-max=2026-03-04T00:00:00%2B01:00", ["8325000"]),
        ("published-min=2026-03-01T08:00:00Z&published-max=2026-03-05T08:00:00Z", ["8325000", "9000001"]),
        ("published-max=2199-01-01T00:00:00Z", ["8325000", "9000001"]),
        ("published-min=0001-01-01T00:00:00Z", ["8325000", "9000001"]),
        ("published-max=9999-12-31T23:59:59Z", ["8325000", "9000001"]), ("published-max=0001-01-01T00:00:00Z", []),
    ],
)  # fmt: skip
def test_summaries_are_chosen_by_publication_with_both_ends(
    world: World, query: str, expected: list[str]
) -> None:
    found = ask(world, "sun", "Subscription/{s}/UsagePoint/{u}/UsageSummary", query)

    assert [each.text("billLastPeriod") for each in found.entries] == expected


@pytest.mark.parametrize(("who", "path"), FEEDS)
def test_changes_are_chosen_by_when_they_happened(world: World, who: str, path: str) -> None:
    whole = ask(world, who, path)
    now = datetime.now(UTC)
    past, future = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-9000, 1))

    assert ask(world, who, path, f"updated-min={past}").entries == whole.entries
    assert ask(world, who, path, f"updated-max={future}").entries == whole.entries
    assert ask(world, who, path, f"updated-min={future}").entries == []
    assert ask(world, who, path, f"updated-max={past}").entries == []
    assert ask(world, who, path, f"published-max={future}&correlationID=17").entries == whole.entries


def test_a_selection_has_pages_too(world: World) -> None:
    window = f"published-min={zulu(local('2026-01-31'))}"
    whole = ask(world, "sun", "Batch/Subscription/{s}", window)

    first = ask(world, "sun", "Batch/Subscription/{s}", f"{window}&max-results=5")

    assert first.entries == whole.entries[:5]
    rest = str(first.link("next")).removeprefix(f"{make.base()}/").replace("max-results=5", "max-results=99")
    assert ask(world, "sun", rest).entries == whole.entries[5:]


def test_what_a_query_selects_does_not_make_a_single_entry_come_and_go(world: World) -> None:
    for path in (
        "Subscription/{s}/UsagePoint/{u}/MeterReading/{m}/IntervalBlock", "RetailCustomer/{rc}/Customer",
        "Subscription/{s}/UsagePoint/{u}/UsageSummary", "ReadingType", "Authorization",
    ):  # fmt: skip
        who = "client" if path == "Authorization" else "sun"
        [entry, *_] = ask(world, who, path).entries
        below = entry.self.removeprefix(f"{make.base()}/")
        for query in (
            "published-min=2199-01-01T00:00:00Z",
            "updated-max=2000-01-01T00:00:00Z",
            "start-index=5",
        ):
            assert ask(world, who, below, query).entries == [entry]


def test_an_empty_selection_is_an_empty_feed(world: World) -> None:
    found = ask(world, "sun", "Batch/Subscription/{s}", "published-min=2199-01-01T00:00:00Z")

    assert found.entries == []
    assert found.link("self") is not None


@pytest.mark.parametrize(("who", "path"), FEEDS)
def test_a_window_as_wide_as_the_calendar_is_no_window(world: World, who: str, path: str) -> None:
    widest = "published-min=0001-01-01T00:00:00Z&published-max=9999-12-31T23:59:59Z"

    whole = [each.id for each in ask(world, who, path).entries]
    assert [each.id for each in ask(world, who, path, widest).entries] == whole
