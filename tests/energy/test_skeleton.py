"""All ways of reading a file tell and store the same, whatever is done to the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from espi_server.db import Database
from espi_server.energy import xml_source
from espi_server.energy.skeleton import NotPlain, Skeleton
from tests.energy import feeds, stored
from tests.energy.feeds import Household

# What is put somewhere into a file, or in the place of something.
INSERTED = (
    "<!-- a comment -->", "<!--", "-->", "<![CDATA[", "]]>", "<?pi x?>", " ", "\n", "+", "-", "0", "9" * 16,
    "&#49;", "&amp;", "<e:ReadingQuality><e:quality>8</e:quality></e:ReadingQuality>", "<e:tou>1</e:tou>",
    "<e:consumptionTier>2</e:consumptionTier>", "<e:cpp>70000</e:cpp>", "<e:extension>x</e:extension>",
    "<e:value>5</e:value>", "<x:value xmlns:x='urn:x'>5</x:value>", "<e:odd/>",
    "<e:IntervalReading>", "</e:IntervalReading>", "</e:IntervalBlock><e:IntervalBlock>",
    "<e:IntervalReading><e:timePeriod><e:duration>60</e:duration><e:start>1769800000</e:start></e:timePeriod>"
    "<e:value>77</e:value></e:IntervalReading>",
)  # fmt: skip
PLACES = (
    "<e:IntervalReading>", "</e:IntervalReading>", "<e:value>", "</e:value>", "<e:start>", "</e:start>", "<e:cost>",
    "</e:timePeriod>", "<e:IntervalBlock>", "<e:interval>", "</e:duration>",
)  # fmt: skip


class NeverPlain(Skeleton):
    """The way without the fast one."""

    def read(self, size: int = -1) -> bytes:
        raise NotPlain


@pytest.fixture
def north(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    stored.utility(database)
    yield database
    database.close()


def _outcome(database: Database, path: Path) -> tuple[Any, Any]:
    stored.wipe(database)
    report = stored.take(database, path)
    return report.to_json(), stored.state(database)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    household = Household(days=2, cost=draw(st.booleans()), quality=draw(st.sampled_from([None, 17])))
    text = feeds.feed(household.entries(), indent=draw(st.booleans())).decode()
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(PLACES))
        number = draw(st.integers(0, max(0, text.count(place) - 1)))
        parts = text.split(place)
        before, after = place.join(parts[: number + 1]), place.join(parts[number + 1 :])
        inserted = draw(st.sampled_from(INSERTED))
        middle = draw(st.sampled_from([place + inserted, inserted + place, inserted]))
        text = before + middle + after if len(parts) > 1 else text
    return text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=mutated())
def test_all_ways_tell_and_store_the_same(
    north: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with monkeypatch.context() as patch:
        patch.setattr("espi_server.clock.seconds", lambda: 1_790_000_000)
        fast = _outcome(north, path)
        patch.setattr(xml_source, "Skeleton", NeverPlain)

        plain = _outcome(north, path)
        patch.setattr(xml_source, "read_alike", lambda *_: None)
        one_by_one = _outcome(north, path)

    assert fast == plain == one_by_one


def test_a_number_that_is_a_word_for_another_code_is_looked_up_in_every_way(
    north: Database, tmp_path: Path
) -> None:
    south = stored.utility(north, "south", namespace=uuid4())
    with north.writing() as session:
        session.merge(south).qualities = {"17": 8}
    path = Household(quality=17).write(tmp_path / "a.xml")

    stored.take(north, path, code="south")

    assert set(stored.readings(north).cells("quality").tolist()) == {8}


@pytest.mark.parametrize("form", [{}, {"indent": True}, {"prefix": ""}, {"prefix": "ns0"}, {"zipped": True}])
def test_plain_files_do_take_the_fast_way(
    north: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: dict[str, Any]
) -> None:
    taken: list[int] = []

    class Counting(Skeleton):
        def readings(self, block: Any, notes: list[str]) -> Any:
            found = super().readings(block, notes)
            taken.append(0 if found is None else len(found))
            return found

    monkeypatch.setattr(xml_source, "Skeleton", Counting)
    household = Household(days=40, interval=900, cost=True, quality=17)

    report = stored.take(north, household.write(tmp_path / "a.xml", **form))

    assert sum(taken) == report.readings == len(household.starts())


def test_a_skeleton_is_small_and_keeps_its_lines() -> None:
    household = Household(days=30, interval=900)
    document = feeds.feed(household.entries(), indent=True)
    skeleton = Skeleton(io.BytesIO(document), 1 << 26)

    thin = b"".join(iter(lambda: skeleton.read(4096), b""))

    assert thin.count(b"\n") == document.count(b"\n")
    assert len(thin.replace(b"\n", b"")) < len(document) / 10


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_where_chunks_end_makes_no_difference(size: int) -> None:
    document = feeds.feed(Household(days=1).entries())

    class Slow(io.BytesIO):
        def read(self, asked: int | None = -1) -> bytes:
            return super().read(size)

    skeleton = Skeleton(Slow(document), 1 << 26)
    thin = b"".join(iter(lambda: skeleton.read(1), b""))

    assert thin.count(b"IntervalReading run-") <= 24
    assert b"<e:value>" not in thin
