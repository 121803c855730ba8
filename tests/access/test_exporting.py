"""`espi-server export`: a file holds what the company would get, in any form."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from espi_server.db import Database
from tests import make
from tests.access.test_authorize import Operator
from tests.make import Access, Client

pytestmark = pytest.mark.requirement("FB_02", "F-DATA")

MEDIA = {"xml": "application/atom+xml", "json": "application/vnd.espi+json", "csv": "text/csv"}


@pytest.fixture
def operator(towns_url: str) -> Operator:
    return Operator(towns_url)


def export(operator: Operator, access: Access, file: Path, *more: str, check: int = 0) -> str:
    """What the command says."""
    result = operator.run(
        "export", "--utility", "north", "--subscription", str(access.id), *more, str(file), check=check
    )
    return result.output


@pytest.mark.parametrize("form", list(MEDIA))
def test_a_file_holds_what_the_company_gets(
    towns: Database, client: Client, operator: Operator, tmp_path: Path, form: str
) -> None:
    sun, file = make.access(towns, customer="C-1"), tmp_path / f"usage.{form}"

    told = export(operator, sun, file, "--format", form)
    export(operator, sun, tmp_path / "packed", "--format", form, "--gzip")

    assert file.read_bytes() == client.get(sun.resource, sun, Accept=MEDIA[form]).data
    assert gzip.decompress((tmp_path / "packed").read_bytes()) == file.read_bytes()
    assert f"{file.stat().st_size} bytes" in told


def test_without_a_format_it_is_the_feed(towns: Database, operator: Operator, tmp_path: Path) -> None:
    export(operator, make.access(towns, customer="C-1"), tmp_path / "usage")

    assert (tmp_path / "usage").read_bytes().startswith(b'<?xml version="1.0" encoding="UTF-8"?><feed')


def test_there_is_no_table_of_readings_that_are_not_shared(
    towns: Database, operator: Operator, tmp_path: Path
) -> None:
    bills = make.access(towns, customer="C-1", scope="FB=15_16")

    told = export(operator, bills, tmp_path / "usage.csv", "--format", "csv", check=4)

    assert "opens no readings" in told
    assert list(tmp_path.glob("usage.csv*")) == []


def test_an_authorization_that_ended_gives_no_file(
    towns: Database, operator: Operator, tmp_path: Path
) -> None:
    sun = make.access(towns, customer="C-1")
    make.end(towns, sun.id)

    for form in MEDIA:
        assert "no live authorization" in export(operator, sun, tmp_path / "x", "--format", form, check=3)
    assert list(tmp_path.glob("x*")) == []
