"""IntervalReading elements: written by template, read from anything legal."""

import numpy as np
import pytest
from hypothesis import given
from lxml import etree

from espi_server.espi.readings import Readings, ReadingsError, Renderer, read, render

from .shapes import EXTENSION, readings

NOON = 1_700_049_600
ESPI = "http://naesb.org/espi"


def block(content: str, prefix: str = "") -> etree._Element:
    """An IntervalBlock; content is written without a prefix."""
    if prefix:
        content = (
            content.replace("</", "<\0").replace("<", f"<{prefix}:").replace(f"<{prefix}:\0", f"</{prefix}:")
        )
        return etree.fromstring(
            f'<{prefix}:IntervalBlock xmlns:{prefix}="{ESPI}">{content}</{prefix}:IntervalBlock>'
        )
    return etree.fromstring(f'<IntervalBlock xmlns="{ESPI}">{content}</IntervalBlock>')


def reading(value="5", start=NOON, duration=900, after="", before=""):
    period = f"<timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
    return f"<IntervalReading>{before}{period}<value>{value}</value>{after}</IntervalReading>"


def test_elements_stand_in_the_order_of_the_schema():
    full = Readings.of([NOON], 900, value=[-5], cost=[7], quality=[17], tou=[1], tier=[2], cpp=[3])

    assert render(full) == (
        b"<IntervalReading><cost>7</cost><ReadingQuality><quality>17</quality></ReadingQuality>"
        b"<timePeriod><duration>900</duration><start>1700049600</start></timePeriod><value>-5</value>"
        b"<consumptionTier>2</consumptionTier><tou>1</tou><cpp>3</cpp></IntervalReading>"
    )


def test_missing_cells_leave_no_element():
    xml = render(Readings.of([NOON, NOON + 900], 900, value=[None, 0], cost=[4, None]))

    assert xml.count(b"<value>") == xml.count(b"<cost>") == 1
    assert xml.index(b"<cost>4") < xml.index(b"<value>0")


def test_several_qualities_and_extensions_are_rendered_where_they_belong():
    rare = Readings.of([NOON], 900, quality=[13], extra={0: {"quality": [17, 8], "extension": [EXTENSION]}})

    assert render(rare).startswith(
        f"<IntervalReading>{EXTENSION}<ReadingQuality><quality>17</quality></ReadingQuality>"
        "<ReadingQuality><quality>8</quality></ReadingQuality><timePeriod>".encode()
    )


def test_no_readings_are_no_bytes():
    assert render(Readings.none()) == b""


@given(readings())
def test_what_is_rendered_is_read_back(given_readings):
    assert read(block(render(given_readings).decode())) == given_readings


@given(readings())
def test_rows_rendered_in_parts_are_the_whole(given_readings):
    renderer = Renderer(given_readings)
    middle = len(given_readings) // 3

    parts = renderer.xml(slice(0, middle)) + renderer.xml(slice(middle, len(given_readings)))

    assert parts == render(given_readings)


@pytest.mark.parametrize("prefix", ["", "espi", "ns0"])
def test_any_prefix_will_do(prefix):
    assert read(block(reading(), prefix)) == Readings.of([NOON], 900, value=[5])


@pytest.mark.parametrize("text", [" 5 ", "+5", "\n\t005\n", "5<!-- Wh -->", "<?x y?>5"])
def test_numbers_may_look_as_xsd_permits(text):
    assert read(block(reading(value=text))).value.tolist() == [5]


def test_a_comment_inside_a_number_does_not_cut_it():
    commented = block(reading(value="1<!-- thousand -->000"))

    assert read(commented).value.tolist() == [1000]
    assert len(commented.xpath("//comment()")) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "value is empty"),
        ("12.5", "value is '12.5'"),
        ("1_000", "value is '1_000'"),
        ("٣", "value is '٣'"),
        ("1 2", "value is '1 2'"),
        ("9" * 30, "whole number from -140737488355328 to 140737488355328"),
    ],
)
def test_a_bad_number_is_refused_by_its_line(text, said):
    broken = block(reading() + "\n\n" + reading(start=NOON + 900, value=text))

    with pytest.raises(ReadingsError) as refused:
        read(broken)

    assert "Line 3: " in str(refused.value)
    assert said in str(refused.value)


def test_the_line_is_right_in_a_commented_block_too():
    with pytest.raises(ReadingsError, match="Line 4: value is 'x'"):
        read(block("<!-- one\n two -->\n\n" + reading(value="x")))


@pytest.mark.parametrize(
    ("after", "said"),
    [("<value>6</value>", "value stands a second time"), ("<tou>1<cpp>2</cpp></tou>", "tou holds elements")],
)
def test_what_makes_a_number_unsure_is_refused(after, said):
    with pytest.raises(ReadingsError, match=said):
        read(block(reading(after=after)))


def test_unknown_elements_are_left_out_and_noted():
    notes = []

    kept = read(block(reading(after="<weather>9</weather>")), notes=notes)

    assert kept == Readings.of([NOON], 900, value=[5])
    assert notes == ["Line 1: weather is not part of IntervalReading and was left out."]


def test_values_inside_an_extension_are_not_readings():
    kept = read(block(reading(before="<extension><value>77</value><start>1</start></extension>")))

    assert kept.value.tolist() == [5]
    assert "<value>77</value>" in kept.extra[NOON]["extension"][0]


def test_several_qualities_become_mixed_unless_they_agree():
    twice = "".join(f"<ReadingQuality><quality>{code}</quality></ReadingQuality>" for code in (17, 8))
    same = "<ReadingQuality><quality>8</quality></ReadingQuality>" * 2

    kept = read(block(reading(before=twice) + reading(before=same, start=NOON + 900)))

    assert kept.quality.tolist() == [13, 8]
    assert [rare["quality"] for rare in kept.extra.values()] == [[17, 8], [8, 8]]


def test_a_sources_own_quality_words_become_codes():
    worded = reading(before="<ReadingQuality><quality> EST </quality></ReadingQuality>")

    assert read(block(worded), quality_words={"EST": 8}).quality.tolist() == [8]


def test_readings_without_time_follow_their_predecessor():
    notes = []
    bare = "<IntervalReading><value>1</value></IntervalReading>"
    interval = f"<interval><duration>3600</duration><start>{NOON}</start></interval>"

    placed = read(
        block(interval + bare * 2 + reading(start=NOON + 7200) + bare), interval_length=900, notes=notes
    )

    assert (placed.start - NOON).tolist() == [0, 900, 7200, 8100]
    assert notes == ["3 readings without timePeriod were placed by intervalLength, 900 s each."]


def test_readings_that_cannot_be_placed_are_refused():
    bare = block("<IntervalReading><value>1</value></IntervalReading>")

    with pytest.raises(ReadingsError, match="Line 1: the reading has no timePeriod"):
        read(bare)
    with pytest.raises(ReadingsError, match="neither the first reading nor the IntervalBlock says its start"):
        read(bare, interval_length=900)


def test_duplicate_starts_in_a_block_are_noted_and_the_later_wins():
    notes = []

    assert read(block(reading(value=1) + reading(value=2)), notes=notes).value.tolist() == [2]
    assert len(notes) == 1


def test_an_interval_after_the_readings_does_no_harm():
    late = f"<interval><duration>900</duration><start>{NOON - 900}</start></interval>"

    assert read(block(reading() + late)) == Readings.of([NOON], 900, value=[5])


def test_a_large_block_is_read_in_time_that_grows_with_its_size():
    year = Readings.of(NOON + 900 * np.arange(35_040), 900, value=np.arange(35_040))

    assert read(block(render(year).decode())) == year


def test_published_samples_keep_every_reading(espi_reference):
    for sample in sorted((espi_reference / "samples").glob("*.xml")):
        for interval_block in etree.parse(sample).iter(f"{{{ESPI}}}IntervalBlock"):
            kept = read(interval_block)

            assert len(kept) == len(interval_block.findall(f"{{{ESPI}}}IntervalReading"))
            assert read(block(render(kept).decode())) == kept
