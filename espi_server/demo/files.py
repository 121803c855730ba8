"""The files the demo's utilities deliver: Green Button feeds and tables, as they would come from anybody."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from espi_server.demo import customer_feed, tables, usage_feed
from espi_server.demo.households import COMPANIES, HARBOR, Company, Household, every
from espi_server.demo.metering import Metered, read_out

DAYS = 396  # thirteen months


def write(folder: Path, end_day: date, *, days: int = DAYS) -> dict[str, list[Path]]:
    """Write what each company would deliver about the `days` up to `end_day`; its files by the company's code.

    The same days give the same bytes, and a shorter stretch is the end of a longer one.
    """
    return {
        company.code: list(_company(folder / company.code, company, end_day, days)) for company in COMPANIES
    }


def _company(folder: Path, company: Company, end_day: date, days: int) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    served = []
    for household in every():
        metered = [read_out(service, end_day, days) for service in household.at(company.code)]
        if metered:
            served.append((household, metered))
            yield from _household(folder, company, household, metered)
    yield _kept(folder / "agreements.csv", tables.agreements(served))


def _household(
    folder: Path, company: Company, household: Household, metered: list[Metered]
) -> Iterator[Path]:
    """The customer's feed and the usage feed; gas readings come as a table beside it, many meters compressed."""
    yield _kept(folder / f"{household.name}-customer.xml", customer_feed.write(company, household, metered))
    usage = usage_feed.write(company, metered, readings=company is not HARBOR)
    if household.is_business:
        # The same bytes every time: no time of day in the gzip header.
        yield _kept(folder / f"{household.name}.xml.gz", gzip.compress(usage, 3, mtime=0))
    else:
        yield _kept(folder / f"{household.name}.xml", usage)
    if company is HARBOR:
        yield _kept(folder / f"{household.name}-readings.csv", tables.gas_days(metered))


def _kept(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
