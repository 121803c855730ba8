"""Reading a column of kWh from a CSV file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from espi_server.rates import usage
from espi_server.rates.errors import DoesNotFit, Unreadable
from espi_server.rates.usage import NoColumn, Usage


def read(path: Path, text: str, column: str | None = None) -> Usage:
    file = path / "usage.csv"
    file.write_text(text)
    return usage.read(file, start=0, step=3600, column=column)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("1\n2.5\n-3\n", None),
        ("kwh\n1\n2.5\n-3", None),
        ("time,kWh\na,1\nb,2.5\nc,-3\n", None),
        ("time;load\na;1\nb;2.5\nc;-3\n", "LOAD"),
        ("9,1\n9,2.5\n9,-3\n", "2"),
        ('time,"net kwh"\n"a, b",1\n"c",2.5\n"d",-3\n', "net kwh"),
        ("\ufeffkwh\r\n1\r\n2.5\r\n-3\r\n", None),
    ],
)
def test_column_is_found_by_name_number_or_because_it_is_the_only_one(
    tmp_path: Path, text: str, column: str | None
) -> None:
    assert read(tmp_path, text, column).kwh.tolist() == [1, 2.5, -3]


def test_gzip_is_read_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(gzip.compress(b"kwh\n1\n2\n"))

    assert usage.read(file, start=0, step=900).kwh.tolist() == [1, 2]


def test_empty_cell_is_a_missing_reading_not_zero(tmp_path: Path) -> None:
    found = read(tmp_path, "kwh,quality\n1,\n,valid\nNaN,\n4,estimated\n")

    assert found.missing == 2
    assert found.gaps() == [(3600, 2)]
    assert found.estimated is not None
    assert found.estimated.tolist() == [False, False, False, True]


def test_empty_line_is_a_missing_reading(tmp_path: Path) -> None:
    assert np.isnan(read(tmp_path, "1\n\n3\n").kwh).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("kwh\n", "no readings"),
        ("kwh\n1\nabc\n", "line 3: 'abc' is not a number"),
        ("kwh\n1\ninf\n", "line 3: 'inf'"),
        ("kwh\n1\n1e999\n", "line 3: '1e999'"),
        ("kwh\n1\n0,5\n", "line 3"),
        ("time,kwh\na,1\nb\n", "line 3: the row has 1 columns and the first row 2"),
        ("kwh\n1\n1e13\n", "line 3: '1e13' is not a number of kWh"),
        ("kwh\n" + "9" * 200_000, "no CSV of readings near line 2"),
        ("9" * 200_000, "no CSV of readings|is not a number"),
    ],
)
def test_what_is_not_a_reading_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_ending_ends_a_line(tmp_path: Path, ending: str) -> None:
    found = read(tmp_path, ending.join(["time,kwh", "a,1", "b,2", ""]))

    assert found.kwh.tolist() == [1, 2]


def test_line_endings_may_be_mixed(tmp_path: Path) -> None:
    assert read(tmp_path, "kwh\r\n1\n2\r\n3").kwh.tolist() == [1, 2, 3]


def test_header_of_a_saved_index_begins_with_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, ",kwh\n0,1.5\n1,2.5\n").kwh.tolist() == [1.5, 2.5]


def test_first_row_with_a_missing_reading_is_no_header(tmp_path: Path) -> None:
    found = read(tmp_path, "2025-01-01T08:00Z,\n2025-01-01T09:00Z,2\n", "2")

    assert np.isnan(found.kwh[0])
    assert found.kwh[1] == 2


def test_of_two_columns_with_one_name_a_number_chooses(tmp_path: Path) -> None:
    text = "kwh,kwh\n1,2\n"

    with pytest.raises(NoColumn, match="2 columns 'kwh': name one by its number, 1 and 2"):
        read(tmp_path, text, "kWh")
    assert read(tmp_path, text, "2").kwh.tolist() == [2]


def test_unknown_column_lists_those_there(tmp_path: Path) -> None:
    with pytest.raises(NoColumn, match="time, load"):
        read(tmp_path, "time,load\na,1\n", "kwh")
    with pytest.raises(NoColumn, match="--column"):
        read(tmp_path, "time,load\na,1\n")
    with pytest.raises(NoColumn, match="numbers from 1 to 2"):
        read(tmp_path, "1,2\n3,4\n", "3")


@pytest.mark.parametrize(
    ("raw", "words"), [(b"\xff\xfe1\n", "UTF-8"), (gzip.compress(b"1\n2\n", mtime=0)[:-9], "gzip")]
)
def test_file_that_is_not_text_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(raw)

    with pytest.raises(Unreadable, match=words):
        usage.read(file, start=0, step=3600)


def test_million_rows_are_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_text("kwh\n" + "0.125\n" * 1_000_000)

    assert usage.read(file, start=0, step=900).kwh.sum() == 125_000


def test_generation_needs_a_row_per_interval() -> None:
    used = Usage(0, 3600, np.ones(4))

    with pytest.raises(DoesNotFit, match="4 readings and the generation 3"):
        used.less(Usage(0, 3600, np.ones(3)))
