"""Readings that are alike go to JSON by a pattern: never into anything else than the long way gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.energy.translated import _entry
from espi_server.espi.mapping.alike import quickly

NAMESPACE = "http://naesb.org/espi"
HEAD = (
    f'<entry><id>urn:uuid:1</id><title>3"}}],{{&amp;</title><content><IntervalBlock xmlns="{NAMESPACE}">'
    "<interval><duration>900</duration><start>0</start></interval>"
)
TAIL = "</IntervalBlock></content><updated>2026-01-01T00:00:00Z</updated></entry>"


def reading(
    value: str = "7", start: str = "900", *, before: str = "", after: str = "", inside: str = ""
) -> str:
    period = f"<timePeriod><duration>900</duration><start>{start}</start></timePeriod>"
    return f"<IntervalReading>{before}{period}{inside}<value>{value}</value>{after}</IntervalReading>"


def entry(*readings: str, between: str = "") -> bytes:
    return (HEAD + between.join(readings) + TAIL).encode()


def counted() -> tuple[Callable[[bytes], str], list[int]]:
    """The long way, and how many readings went it."""
    seen: list[int] = []

    def slowly(document: bytes) -> str:
        seen.append(document.count(b"<IntervalReading>"))
        return _entry(document)

    return slowly, seen


numbers = st.integers(-(10**14), 10**14).map(str)
odd = st.sampled_from(
    [
        "007",
        "-0",
        "+5",
        " 5",
        "5 ",
        "",
        "1.0",
        "1e3",
        "many",
        "&#53;",
        "<!-- 5 -->5",
        "99999999999999999999",
        "５",
    ]
)
extras = st.sampled_from(
    ["", "<cost>21</cost>", "<cost>0</cost>", "<ReadingQuality><quality>17</quality></ReadingQuality>",
     "<ReadingQuality><quality>17</quality></ReadingQuality><ReadingQuality><quality>8</quality></ReadingQuality>",
     "<extension>1</extension>", "<extension><a>3</a></extension>", "<other>5</other>", " "]
)  # fmt: skip
after = st.sampled_from(
    ["", "<tou>2</tou>", "<consumptionTier>1</consumptionTier>", "<tou>2</tou><cpp>1</cpp>", "<x/>"]
)


@st.composite
def readings(draw: st.DrawFn) -> list[str]:
    """Mostly alike, as in the field; now and then one is not."""
    before, behind = draw(extras), draw(after)
    made = []
    for start in range(draw(st.integers(1, 6))):
        other = draw(st.integers(0, 9)) == 0
        made.append(
            reading(
                draw(odd if draw(st.integers(0, 14)) == 0 else numbers),
                str(start * 900),
                before=draw(extras) if other else before,
                after=draw(after) if other else behind,
            )
        )
    return made


@given(readings(), st.sampled_from(["", "", "", " ", "\n", "text", "<other/>", "<!-- -->"]))
def test_the_quick_way_gives_what_the_long_way_gives(made: list[str], between: str) -> None:
    document = entry(*made, between=between)

    assert quickly(document, _entry) == _entry(document)


@pytest.mark.parametrize(
    "more", ["", "<cost>21</cost>", "<ReadingQuality><quality>17</quality></ReadingQuality>"]
)
def test_readings_that_are_alike_go_the_quick_way(more: str) -> None:
    document = entry(*(reading(str(number), str(900 * number), before=more) for number in range(96)))
    slowly, seen = counted()

    told = quickly(document, slowly)

    assert seen == [1]
    assert told == _entry(document)


@pytest.mark.parametrize("odd", ["007", "many", "1.0", "-0"])
def test_one_that_is_not_alike_takes_the_whole_entry_the_long_way(odd: str) -> None:
    document = entry(reading("1", "0"), reading(odd, "900"), reading("3", "1800"))
    slowly, seen = counted()

    assert quickly(document, slowly) == _entry(document)
    assert seen == [1, 3]


def test_an_entry_without_readings_goes_the_long_way() -> None:
    document = entry()
    slowly, seen = counted()

    assert quickly(document, slowly) == _entry(document)
    assert seen == [0]
