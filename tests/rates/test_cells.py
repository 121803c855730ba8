"""Cells: a sufficient statistic, extended as readings arrive."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from espi_server.rates import tariff
from espi_server.rates.bill import bill, bill_of_cells
from espi_server.rates.cells import Cells
from espi_server.rates.errors import DoesNotFit
from espi_server.rates.tariff import Metering
from espi_server.rates.usage import Usage
from tests.rates.records import calendar_months, hours, household, read_days, record, time_of_use, usage

DEMAND = {
    "flatdemandstructure": [[{"rate": 3}]],
    "demandratestructure": [[{"rate": 1}], [{"rate": 7}]],
    "demandweekdayschedule": [hours(1, 0)] * 12,
    "demandweekendschedule": [[0] * 24] * 12,
}


@pytest.mark.parametrize("solar", [False, True])
@pytest.mark.parametrize("cut", [1, 11_111, 17_520, 35_036])
def test_cells_extended_equal_cells_built_at_once(cut: int, solar: bool) -> None:
    used = household(solar=solar)
    calendar = calendar_months(used)
    early = Usage(used.start, used.step, used.kwh[:cut])
    late = Usage(used.start + cut * used.step, used.step, used.kwh[cut:])

    extended = Cells.of(early, calendar) + Cells.of(late, calendar)

    whole = Cells.of(used, calendar)
    assert extended.net == pytest.approx(whole.net)
    assert extended.peaks == pytest.approx(whole.peaks)
    assert (extended.expected == whole.expected).all()


def test_bill_from_cells_is_the_bill_from_readings() -> None:
    used = household()
    calendar = read_days(date(2025, 1, 10), date(2025, 5, 20), date(2025, 6, 19), date(2025, 12, 1))
    priced = tariff.read(time_of_use(**DEMAND))

    from_cells = bill_of_cells(priced, Cells.of(used, calendar), calendar)

    assert from_cells.total == pytest.approx(bill(priced, used, calendar).total)


def test_missing_readings_of_stored_cells_are_filled_like_those_of_readings() -> None:
    kwh = household().kwh.copy()
    kwh[100:140] = np.nan
    used = usage(kwh, step=900)
    calendar = calendar_months(used)
    priced = tariff.read(time_of_use())

    cut = Cells.of(Usage(used.start, 900, kwh[:120]), calendar) + Cells.of(
        Usage(used.start + 120 * 900, 900, kwh[120:]), calendar
    )

    assert bill_of_cells(priced, cut, calendar).total == pytest.approx(bill(priced, used, calendar).total)


def test_quarter_hour_cells_fold_into_hours() -> None:
    used = household(solar=True)
    calendar = calendar_months(used)

    folded = Cells.of(used, calendar, slots=96).with_slots(24)

    whole = Cells.of(used, calendar)
    assert folded.imports == pytest.approx(whole.imports)
    assert folded.exports == pytest.approx(whole.exports)
    assert folded.peaks == pytest.approx(whole.peaks)


def test_hours_do_not_unfold() -> None:
    used = household()

    with pytest.raises(DoesNotFit, match="slots=96"):
        Cells.of(used, calendar_months(used)).with_slots(96)


def test_imports_and_exports_are_netted_inside_the_interval() -> None:
    used = usage(np.tile([1.0, -0.25], 372))

    cells = Cells.of(used, calendar_months(used))

    assert cells.imports.sum() == 372
    assert cells.exports is not None
    assert cells.exports.sum() == 93
    assert (cells.peaks or np.zeros(1)).max() == 1 if cells.peaks is None else cells.peaks.max() == 1


def test_all_bought_and_all_sold_are_not_netted() -> None:
    used = usage(np.full(744, 2.0), generated=np.full(744, 3.0))

    cells = Cells.of(used, calendar_months(used), metering=Metering.BUY_ALL_SELL_ALL)

    assert cells.imports.sum() == 1488
    assert cells.exports is not None
    assert cells.exports.sum() == 2232


def test_column_that_goes_below_zero_is_sold_beside_the_generation() -> None:
    used = usage([2.0, -0.5], first=date(2025, 1, 1), generated=np.array([1.0, 3.0]))
    calendar = read_days(date(2025, 1, 1), date(2025, 1, 2))

    found = Cells.of(used, calendar, metering=Metering.BUY_ALL_SELL_ALL)

    assert found.exports is not None
    assert (found.imports.sum(), found.exports.sum()) == (2.0, 4.5)


def test_cells_of_unlike_calendars_are_not_added() -> None:
    january, year = usage(np.ones(744)), usage(np.ones(8760))

    with pytest.raises(DoesNotFit, match="same calendar"):
        Cells.of(january, calendar_months(january)) + Cells.of(year, calendar_months(year))


def test_demand_without_peaks_is_refused() -> None:
    used = household()
    calendar = calendar_months(used)

    with pytest.raises(DoesNotFit, match="highest kW"):
        bill_of_cells(tariff.read(record(**DEMAND)), Cells.of(used, calendar, peaks=False), calendar)
