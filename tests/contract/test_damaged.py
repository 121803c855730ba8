"""Stored readings that cannot be sent end a feed before its length."""

from __future__ import annotations

import pytest

from espi_server.db import Database
from espi_server.espi.blocks import DamagedIndex
from espi_server.espi.stream import DamagedSegment, WrongLength
from tests.contract import stock
from tests.contract.downloads import application, start


@pytest.mark.parametrize("filled_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("damage", "encoding", "seen"),
    [
        ("half missing", "gzip", WrongLength),
        ("half missing", "identity", DamagedSegment),
        ("a flipped bit", "identity", DamagedSegment),  # packed, only the client can see it: test_midway.py
        ("a broken index", "gzip", DamagedIndex),
    ],
)
def test_damaged_readings_never_make_a_feed_that_looks_whole(
    filled: Database, damage: str, encoding: str, seen: type[Exception]
) -> None:
    opened = stock.open_all(filled)
    stock.damage(filled, stock.in_feed_order(filled)[-1], damage)
    download = start(application(filled, log_level="CRITICAL"), opened, encoding=encoding)

    with pytest.raises(seen):
        download.finish()
    assert download.size < download.length
