"""Readings that differ in their numbers alone are read at once; all others are left to the careful way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from espi_server.espi.readings import read, read_alike
from espi_server.espi.readings.alike import alike

ESPI = "http://naesb.org/espi"
FULL = (
    "<p:IntervalReading><p:cost>{cost}</p:cost><p:ReadingQuality><p:quality>17</p:quality></p:ReadingQuality>"
    "<p:timePeriod><p:duration>900</p:duration><p:start>{start}</p:start></p:timePeriod>"
    "<p:value>{value}</p:value></p:IntervalReading>"
)
BARE = (
    "<p:IntervalReading><p:timePeriod><p:duration>900</p:duration><p:start>{start}</p:start></p:timePeriod>"
    "<p:value>{value}</p:value></p:IntervalReading>"
)
INTERVAL = "<p:interval><p:duration>900</p:duration><p:start>0</p:start></p:interval>"


def _readings(count: int, form: str = FULL, value: int = 7) -> list[str]:
    return [
        form.format(start=1_700_000_000 + 900 * n, value=value + n * n, cost=-5 * n) for n in range(count)
    ]


def _block(inside: str) -> etree._Element:
    return etree.fromstring(f'<p:IntervalBlock xmlns:p="{ESPI}">{inside}</p:IntervalBlock>')


@pytest.mark.parametrize("form", [FULL, BARE])
@pytest.mark.parametrize("between", ["", "\n", "\n    \t"])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_readings_that_are_alike_are_read_as_the_careful_way_reads_them(form, between, count):
    block = _block(INTERVAL + between + between.join(_readings(count, form)) + "\n")

    assert read_alike(block) == read(block)


@pytest.mark.parametrize("prefix", ["p", "ns0", "a-1", "e2-2e"])
def test_digits_in_a_prefix_are_no_numbers(prefix):
    block = etree.fromstring(
        f'<{prefix}:IntervalBlock xmlns:{prefix}="{ESPI}">'.encode()
        + "".join(_readings(20)).replace("p:", f"{prefix}:").encode()
        + f"</{prefix}:IntervalBlock>".encode()
    )

    assert read_alike(block) == read(block)


def test_a_default_namespace_is_as_good_as_a_prefix():
    block = etree.fromstring(
        f'<IntervalBlock xmlns="{ESPI}">'.encode()
        + "".join(_readings(20)).replace("p:", "").encode()
        + b"</IntervalBlock>"
    )

    assert read_alike(block) == read(block)


def test_comments_and_references_are_the_parsers_business():
    parser = etree.XMLParser(remove_comments=True)
    text = "".join(_readings(20)).replace("17<", "1<!-- not 18 -->&#55;<")
    block = etree.fromstring(f'<p:IntervalBlock xmlns:p="{ESPI}">{text}</p:IntervalBlock>', parser)

    assert read_alike(block) == read(block)


@pytest.mark.parametrize(
    ("place", "instead"),
    [
        ("<p:value>8</p:value>", "<p:value>1-8</p:value>"),
        ("<p:value>8</p:value>", "<p:value>-</p:value>"),
        ("<p:value>8</p:value>", "<p:value></p:value>"),
        ("<p:value>8</p:value>", "<p:value> 8</p:value>"),
        ("<p:value>8</p:value>", "<p:value>+8</p:value>"),
        ("<p:value>8</p:value>", "<p:value>8</p:value>9"),
        ("<p:value>8</p:value>", "8<p:value></p:value>"),
        ("<p:value>8</p:value>", f"<p:value>{2**47 + 1}</p:value>"),
        ("<p:value>8</p:value>", f"<p:value>{'9' * 30}</p:value>"),
        ("<p:value>8</p:value>", "<p:value>8</p:value><p:tou>1</p:tou>"),
        ("<p:value>8</p:value>", "<p:value>8</p:value><p:value>9</p:value>"),
        ("<p:value>8</p:value>", "<p:valu3>8</p:valu3>"),
        ("<p:value>8</p:value>", "<q:value xmlns:q='urn:q'>8</q:value>"),
        ("<p:value>8</p:value>", "<p:value a='1'>8</p:value>"),
        ("<p:quality>17</p:quality>", "<p:quality>70000</p:quality>"),
        ("<p:quality>17</p:quality>", "<p:quality>-1</p:quality>"),
        ("<p:duration>900</p:duration>", "<p:duration>-900</p:duration>"),
        ("</p:IntervalReading><p:IntervalReading>", "</p:IntervalReading>7<p:IntervalReading>"),
        ("</p:IntervalReading><p:IntervalReading>", "</p:IntervalReading>\n<p:IntervalReading>"),
        ("</p:IntervalReading><p:IntervalReading>", "</p:IntervalReading><p:odd/><p:IntervalReading>"),
    ],
)
def test_what_is_not_alike_is_left_to_the_careful_way(place, instead):
    text = "".join(_readings(6))
    before, found, after = text.rpartition(place)

    assert found
    assert read_alike(_block(text)) is not None
    assert read_alike(_block(before + instead + after)) is None


@pytest.mark.parametrize(
    "inside",
    [
        "",
        INTERVAL,
        "<p:odd/>" + "".join(_readings(2)),
        "".join(_readings(2)) + "<p:odd/>",
        "words" + "".join(_readings(2)),
        "<p:odd>" + "".join(_readings(2)) + "</p:odd>",
        "<p:interval>" + "".join(_readings(2)) + "</p:interval>",
        '<IntervalReading xmlns="urn:other"/>' + "".join(_readings(2)),
        '<IntervalReading xmlns="urn:other"/>'.join(_readings(2)),
        '<p:IntervalReading a="1"/>' + "".join(_readings(2)),
    ],
)
def test_a_block_of_other_things_is_left_to_the_careful_way(inside):
    assert read_alike(_block(inside)) is None


def test_another_namespace_is_not_taken_for_ours():
    text = "".join(_readings(3))

    assert read_alike(etree.fromstring(f'<p:IntervalBlock xmlns:p="urn:p">{text}</p:IntervalBlock>')) is None


def test_a_start_given_twice_is_noted():
    notes: list[str] = []
    first, second = _readings(2)

    found = read_alike(_block(first + second + second), notes)

    assert found is not None
    assert len(found) == 2
    assert "share their start" in notes[0]


@given(
    values=st.lists(st.integers(-(2**47), 2**47), min_size=1, max_size=30),
    zeros=st.integers(0, 3),
)
def test_numbers_of_any_width_and_sign_are_read(values, zeros):
    texts = [f"{'-' * (value < 0)}{'0' * zeros}{abs(value)}" for value in values]
    data = "".join(
        BARE.replace("p:", "").format(start=900 * n, value=text) for n, text in enumerate(texts)
    ).encode()

    found = alike(data, b"")

    # More digits than the pattern takes are somebody else's to judge.
    if found is None:
        assert any(len(text.lstrip("-")) > 15 for text in texts)
    else:
        assert np.array_equal(found["value"], values)
