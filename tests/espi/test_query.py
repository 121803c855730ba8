"""The seven query parameters: what is taken, what is refused, and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi.query import GREATEST, BadParameter, Query

DATES = ("published-min", "published-max", "updated-min", "updated-max")
COUNTS = ("max-results", "start-index", "depth")


class Arguments(dict[str, list[str]]):
    """Like a web framework's: one value by [], all by getlist."""

    def getlist(self, key: str, /) -> list[str]:
        return self.get(key, [])


@pytest.mark.requirement("FB_37")
def test_the_seven_parameters_are_read():
    arguments = Arguments(
        {
            "published-min": ["2026-11-01T00:00:00Z"],
            "published-max": ["2026-11-02T00:00:00Z"],
            "updated-min": ["2026-11-03T00:00:00Z"],
            "updated-max": ["2026-11-04T00:00:00Z"],
            "max-results": ["50"],
            "start-index": ["101"],
            "depth": ["20"],
        }
    )

    query = Query.parse(arguments)

    assert query == Query(1793491200, 1793577600, 1793664000, 1793750400, 50, 101, 20)
    assert (query.limit, query.offset) == (20, 100)


def test_nothing_asked_for_is_everything():
    query = Query.parse({})

    assert query.is_whole
    assert (query.limit, query.offset, str(query)) == (None, 0, "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-01T00:00:00Z", 1793491200),
        ("2026-11-01t00:00:00z", 1793491200),
        ("2026-11-01T00:00:00.000Z", 1793491200),
        ("2026-11-01T02:00:00+02:00", 1793491200),
        ("2026-11-01T02:00:00 02:00", 1793491200),  # a plus nobody encoded
        ("2026-10-31T17:00:00-07:00", 1793491200),
        ("2026-11-01T00:00:00-00:00", 1793491200),
        ("1969-12-31T23:59:59Z", -1),
        ("2028-02-29T00:00:00Z", 1835395200),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
@pytest.mark.requirement("FB_37")
def test_a_time_may_have_offset_or_fraction(text, seconds):
    assert Query.parse({"published-max": [text]}).published_max == seconds


def test_fractions_are_rounded_into_the_range():
    query = Query.parse(
        {"published-min": "2026-11-01T00:00:00.000001Z", "published-max": "2026-11-01T00:00:09.9Z"}
    )

    assert (query.published_min, query.published_max) == (1793491201, 1793491209)


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T00:60:00Z",
        "2026-11-01T00:00:00",
        "2026-11-01",
        "2026-11-01T00:00Z",
        "2026-11-01 00:00:00Z",
        "2026-11-01T00:00:00+2:00",
        "2026-11-01T00:00:00+24:00",
        "2026-11-01T00:00:00+01:60",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1793491200",
        "-1",
        "２０２６-11-01T00:00:00Z",
        "2026-11-01T00:00:00Z\n",
        "2026-11-01T00:00:00Z\0",
        "2026-11-01T00:00:00.Z",
        "2026-11-01T00:00:00Z'; drop table resource; --",
        "9" * 10_000,
    ],
)
@pytest.mark.requirement("FB_37")
def test_an_impossible_time_is_refused_by_name(name, value):
    with pytest.raises(BadParameter) as caught:
        Query.parse({name: [value]})

    assert (caught.value.name, caught.value.value) == (name, value)
    assert "RFC 3339" in caught.value.accepted
    assert name in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    "value",
    ["", "abc", "0", "000", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "٣", "1_000", "9" * 19, "1\0"],
)
@pytest.mark.requirement("FB_37")
def test_a_count_that_is_no_positive_integer_is_refused_by_name(name, value):
    with pytest.raises(BadParameter) as caught:
        Query.parse({name: [value]})

    assert (caught.value.name, caught.value.value) == (name, value)
    assert "positive integer" in str(caught.value)


@pytest.mark.parametrize("value", ["2147483647", "9223372036854775807"[:18]])
def test_a_languages_greatest_number_means_all(value):
    assert Query.parse({"max-results": value}).limit == GREATEST


@pytest.mark.parametrize("name", [*DATES, *COUNTS])
def test_a_parameter_given_twice_is_refused(name):
    with pytest.raises(BadParameter, match="one value, not several"):
        Query.parse(Arguments({name: ["1", "1"]}))


@pytest.mark.parametrize("name", ["published", "updated"])
def test_a_window_that_ends_before_it_begins_is_refused(name):
    swapped = {f"{name}-min": "2026-11-02T00:00:00Z", f"{name}-max": "2026-11-01T00:00:00Z"}

    with pytest.raises(
        BadParameter, match=f"{name}-min.*not after {name}-max, which is 2026-11-01T00:00:00Z"
    ):
        Query.parse(swapped)


def test_other_parameters_are_ignored():
    assert Query.parse({"correlationID": ["a", "b"], "SST": "BillComparison"}).is_whole


def test_a_far_future_is_fine():
    assert Query.parse({"published-max": "9000-01-01T00:00:00Z"}).overlaps(0, 10)


def test_one_day_selects_the_blocks_of_that_day_only():
    day = 86_400
    query = Query(published_min=day, published_max=2 * day)

    selected = [start for start in range(0, 5 * day, day) if query.overlaps(start, start + day)]

    assert selected == [day]


def test_a_window_of_one_instant_selects_the_block_around_it():
    query = Query(published_min=100, published_max=100)

    assert [query.overlaps(*block) for block in ((0, 100), (100, 200), (50, 150), (101, 200))] == [
        False,
        True,
        True,
        False,
    ]


def test_a_block_without_length_counts_as_its_start():
    query = Query(published_min=100, published_max=200)

    assert [query.overlaps(t, t) for t in (99, 100, 199, 200)] == [False, True, True, False]


def test_the_canonical_print_reads_back_and_orders_the_parameters():
    query = Query.parse({"depth": "7", "updated-min": "2026-11-01T02:00:00+02:00", "start-index": "01"})

    assert str(query) == "updated-min=2026-11-01T00:00:00Z&depth=7"
    assert str(query.page(8)) == "updated-min=2026-11-01T00:00:00Z&start-index=8&depth=7"


@given(
    st.builds(
        Query,
        published_min=st.none() | st.integers(-62135596800, 0),
        published_max=st.none() | st.integers(1, 253402300799),
        max_results=st.none() | st.integers(1, GREATEST),
        start_index=st.integers(1, GREATEST),
    )
)
def test_every_query_reads_back_from_its_print(query):
    pairs = dict(part.split("=") for part in str(query).split("&") if part)

    assert Query.parse(pairs) == query


@pytest.mark.parametrize("name", ["xml", "atom", "json", "csv"])
def test_a_format_is_no_selection_but_every_link_carries_it(name):
    plain, formed = Query.parse({"max-results": ["3"]}), Query.parse({"max-results": ["3"], "format": [name]})

    assert Query.parse({"format": [name]}).is_whole
    assert not formed.is_whole
    assert str(plain.page(4)) == "max-results=3&start-index=4"
    assert str(formed.page(4)) == f"max-results=3&start-index=4&format={name}"


@pytest.mark.parametrize("values", [["pdf"], [""], ["JSON"], ["json", "csv"]])
def test_a_format_that_is_none_is_named(values):
    with pytest.raises(BadParameter, match="format"):
        Query.parse({"format": values})
