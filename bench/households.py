"""The demo's households on twelve published tariffs, as a Markdown table.

    TARIFF_REFERENCE=… python bench/households.py

Readings are the demo's for 2025, calendar months, Pacific time; sunny homes are netted in kWh where the record says
nothing else. Prices are those of the records, whatever their date.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

import numpy as np

from espi_server.demo.households import TIMEZONE, Service, every
from espi_server.demo.metering import read_out
from espi_server.espi.codes import FlowDirectionKind
from espi_server.rates import tariff
from espi_server.rates.bill import bill
from espi_server.rates.calendar import DAY, Calendar, months, readings_span, zone_named
from espi_server.rates.files import read_tariffs
from espi_server.rates.tariff import Tariff
from espi_server.rates.usage import Usage

CHOSEN = ("E-1", "E-TOU-C", "E-TOU-D", "Electric Vehicle EV2", "E-ELEC", "Domestic Service: D", "TOU-D-4-9PM",
          "TOU-D-PRIME", "DR - Coastal", "TOU-DR-2", "EV-TOU-5", "TOU-ELEC")  # fmt: skip


def tariffs(folder: Path) -> list[Tariff]:
    """The twelve, in the order they are shown."""
    records = [
        record for path in sorted(folder.glob("*residential*.json")) for record in read_tariffs(path).records
    ]
    return [tariff.read(next(one for one in records if one["name"].startswith(name))) for name in CHOSEN]


def usage(service: Service) -> Usage:
    """What the service's meter counted in 2025: delivered less received, in kWh; gaps stay gaps."""
    step, start, net = service.step, 0, np.zeros(0)
    for series in read_out(service, date(2025, 12, 31), 365).series:
        readings = series.readings
        if not len(net):
            start = int(readings.start[0])
            net = np.full((int(readings.start[-1]) - start) // step + 1, np.nan)
        sign = 1 if series.flow is FlowDirectionKind.FORWARD else -1
        at = (readings.start - start) // step
        net[at] = np.nan_to_num(net[at]) + sign * np.asarray(readings.value) / 1000
    return Usage(start, step, net)


def services() -> list[tuple[str, Service]]:
    """The electric services with a year of readings below a day, each with its household's name."""
    found = []
    for household in every():
        for service in household.services:
            fine = service.step < DAY and not service.is_gas and service.ended is None
            if fine and service.udc == service.company and (household.name, service.shape) not in [
                    (name, one.shape) for name, one in found]:  # fmt: skip
                found.append((household.name, service))
    return found


def main() -> int:
    """Print the table."""
    folder = Path(os.environ.get("TARIFF_REFERENCE", "/nonexistent")) / "urdb"
    if not folder.is_dir():
        print("TARIFF_REFERENCE names no folder with urdb/*.json in it.", file=sys.stderr)
        return 3
    zone, priced, rows = zone_named(TIMEZONE), tariffs(folder), services()
    print("| rate | " + " | ".join(f"{name} ({service.shape})" for name, service in rows) + " |")
    print("| --- |" + " ---: |" * len(rows))
    used = [usage(service) for _, service in rows]
    print("| kWh | " + " | ".join(f"{np.nansum(one.kwh):,.0f}" for one in used) + " |")
    for each in priced:
        totals = []
        for one in used:
            first, last = readings_span(zone, one.start, one.step, len(one))
            totals.append(bill(each, one, Calendar(zone, months(zone, first, last))).total)
        print(f"| {each.name[:34]} | " + " | ".join(f"{total:,.2f}" for total in totals) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
