"""Bills per second: this engine against SAM's calculator on the same accounts, and against one pass over the data.

    python -m bench.bills [--accounts 200] [--sam 4] [--json FILE]

Twelve residential tariffs (our samples, or the published records where TARIFF_REFERENCE names them), 35,040 quarter
hours for every account, calendar months. SAM prices the first `--sam` accounts on every tariff: a new model, its
inputs assigned, executed, its year's bill read, as one would in a loop; without PySAM (extra `sam`) its gates count as
missed. The largest difference between both prices is told. Everything runs on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402 - after the threads are fixed

from bench.report import Gate  # noqa: E402
from espi_server.rates import energy, tariff  # noqa: E402
from espi_server.rates.bill import bill  # noqa: E402
from espi_server.rates.calendar import Calendar, months  # noqa: E402
from espi_server.rates.cells import Cells  # noqa: E402
from espi_server.rates.files import read_tariffs  # noqa: E402
from espi_server.rates.plan import Plan  # noqa: E402
from espi_server.rates.pricing import Batch, charge  # noqa: E402
from espi_server.rates.usage import Usage  # noqa: E402

STEP, YEAR = 900, 35_040
PIECE = 5  # accounts whose cells are built in one measured stretch
MONDAY_2018 = 1_514_764_800  # SAM's year begins on a Monday and has no daylight saving
RATIOS = {
    "times_from_intervals": "faster than SAM, from intervals",
    "times_from_cells": "faster than SAM, from stored cells",
    "pass_ratio": "times one pass over the data",
}
GATES = {
    words: Gate(words, bound, is_ceiling=name == "pass_ratio")
    for (name, words), bound in zip(RATIOS.items(), (700, 2000, 4), strict=True)
}
ROOT = Path(__file__).resolve().parent.parent


def records() -> list[dict[str, Any]]:
    """Twelve tariffs without demand charges."""
    folder = Path(os.environ.get("TARIFF_REFERENCE", "/nonexistent")) / "urdb"
    paths = sorted(folder.glob("*residential*.json")) or sorted(
        (ROOT / "samples/tariffs").glob("*-2025.json")
    )
    found = [dict(record) for path in paths for record in read_tariffs(path).records]
    priced = [record for record in found if not tariff.read(record).has_demand]
    return [priced[n % len(priced)] for n in range(12)]


def accounts(count: int) -> list[Usage]:
    """Households with evenings, seasons and noise."""
    hour = np.arange(YEAR) * STEP / 3600
    shape = 0.5 + 0.4 * np.exp(-(((hour % 24) - 19) ** 2) / 8) + 0.2 * np.cos(hour / 24 / 58)
    random = np.random.default_rng(11)
    return [Usage(MONDAY_2018, STEP, shape * random.gamma(4, 0.06, YEAR), one_way=True) for _ in range(count)]


def fastest(*works: Sequence[Callable[[], Any]], times: int = 40) -> list[float]:
    """Seconds of each work: the sum of the best times of its pieces.

    Works take turns and pieces are short, so that a busy neighbour on the machine falls on none of them alone; each
    piece finds its data as cold as the pieces before it left them.
    """
    best = [[float("inf")] * len(pieces) for pieces in works]
    for _ in range(times):
        for pieces, seconds in zip(works, best, strict=True):
            for n, piece in enumerate(pieces):
                begin = time.perf_counter()
                piece()
                seconds[n] = min(seconds[n], time.perf_counter() - begin)
    return [sum(seconds) for seconds in best]


def to_cells(used: list[Usage], calendar: Calendar) -> list[Cells]:
    """Each account's cells; each Usage is made anew, so nothing it may remember helps a second run."""
    return [Cells.of(replace(one), calendar, peaks=False) for one in used]


def to_batch(used: list[Usage], calendar: Calendar) -> Batch:
    """The cells of all accounts side by side."""
    return Batch.of(to_cells(used, calendar))


def priced(plans: list[Plan], batch: Batch) -> list[np.ndarray]:
    """The year of every account on every plan."""
    uses = energy.by_period(plans, batch.net)
    return [charge(plan, batch, use=use).total.sum(axis=0) for plan, use in zip(plans, uses, strict=True)]


def sam_years(given: list[dict[str, Any]], used: list[Usage]) -> tuple[np.ndarray, np.ndarray]:
    """SAM's energy charge of the year and the seconds it took, (tariffs, accounts) each.

    Object, inputs, execute, read: each time anew.
    """
    import PySAM.Utilityrate5 as utilityrate
    from PySAM.UtilityRateTools import URDBv8_to_ElectricityRates

    rates = []
    for record in given:
        plain = json.loads(json.dumps(record, default=float))
        if plain.get("mincharge") is None:
            plain.pop("minchargeunits", None)
        rates.append(URDBv8_to_ElectricityRates(plain))
    loads = [(usage.kwh * (3600 / STEP)).tolist() for usage in used]
    idle = [0.0] * YEAR
    totals, seconds = np.zeros((len(given), len(used))), np.zeros((len(given), len(used)))
    for row, rate in enumerate(rates):
        for column, load in enumerate(loads):
            begin = time.perf_counter()
            model = utilityrate.new()
            for name, value in rate.items():
                model.value(name, value)
            model.value("analysis_period", 1)
            model.value("system_use_lifetime_output", 0)
            model.value("inflation_rate", 0)
            model.value("degradation", [0])
            model.value("gen", idle)
            model.value("load", load)
            model.execute(0)
            totals[row, column] = sum(model.Outputs.year1_monthly_ec_charge_with_system)
            seconds[row, column] = time.perf_counter() - begin
    return totals, seconds


def measure(count: int, sam: int) -> dict[str, Any]:
    """Every figure of the bench, seconds per account × rate unless named otherwise."""
    given, used = records(), accounts(count)
    calendar = Calendar(ZoneInfo("UTC"), months(ZoneInfo("UTC"), MONDAY_2018, used[0].end))
    plans = [Plan.of(tariff.read(record), calendar) for record in given]
    pairs, different = count * len(plans), len({json.dumps(record, default=str) for record in given})
    priced(plans, to_batch(used, calendar))
    found: dict[str, Any] = {
        "accounts": count, "tariffs": len(plans), "different": different, "pairs": pairs
    }  # fmt: skip
    pieces = [used[n : n + PIECE] for n in range(0, count, PIECE)]
    batch = to_batch(used, calendar)
    side_by_side = to_cells(used, calendar)
    building, stacking, cells, one_pass = fastest(
        [partial(to_cells, piece, calendar) for piece in pieces],
        [partial(Batch.of, side_by_side)],
        [partial(priced, plans, batch)],
        [partial(_one_pass, piece) for piece in pieces],
    )
    cells += stacking  # stored cells come one account at a time, too
    intervals = building + cells
    (lines,) = fastest([partial(_explained, plan, used, calendar) for plan in plans], times=3)
    found |= {
        "from_intervals": intervals / pairs,
        "from_cells": cells / pairs,
        "one_pass": one_pass / pairs,
        "pass_ratio": intervals / one_pass,
        "with_lines": lines / len(plans),
    }
    if sam and find_spec("PySAM"):
        found |= _against_sam(given, used[:sam], plans, calendar, found)
    return found


def _one_pass(used: list[Usage]) -> None:
    for usage in used:
        usage.kwh.sum()


def _explained(plan: Plan, used: list[Usage], calendar: Calendar) -> None:
    bill(plan.tariff, used[0], calendar)


def _against_sam(
    given: list[dict[str, Any]],
    used: list[Usage],
    plans: list[Plan],
    calendar: Calendar,
    found: dict[str, Any],
) -> dict[str, Any]:
    batch = to_batch(used, calendar)
    theirs, taken = sam_years(given, used)
    seconds = float(
        taken.min(axis=1).mean()
    )  # each tariff's fastest account: no busy neighbour counts against SAM
    ours = np.array([charge(plan, batch).energy.sum(axis=0) for plan in plans])
    return {
        "sam": seconds,
        "sam_difference": float(np.abs(ours - theirs).max()),
        "times_from_intervals": seconds / found["from_intervals"],
        "times_from_cells": seconds / found["from_cells"],
    }


def report(found: dict[str, Any]) -> list[str]:
    """The table."""
    lines = [
        f"{found['accounts']} accounts × {found['tariffs']} tariffs ({found['different']} different), "
        "35,040 intervals each, one core",
        "",
    ]
    for name, words in (
        ("sam", "SAM, per account × rate"),
        ("from_intervals", "from intervals"),
        ("from_cells", "from stored cells"),
        ("one_pass", "one pass over the data"),
        ("with_lines", "one explained bill"),
    ):
        if name in found:
            lines.append(f"{words:28} {found[name] * 1e6:12.2f} µs")
    lines.append("")
    for words, value in ratios(found).items():
        lines.append(f"{words:36} {value:12,.2f} ×   gate {GATES[words]}")
    if "sam" not in found:
        lines.append("SAM was not measured, so nothing is said of the gates against it.")
    if "sam_difference" in found:
        lines.append(f"{'largest difference, energy':28} {found['sam_difference']:12.6f} $ a year")
    return lines


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """What the gates are about, as far as it was measured."""
    named = {words: found.get(name) for name, words in RATIOS.items()}
    return {words: value for words, value in named.items() if value is not None}


def missed(found: dict[str, Any], *, sam: bool) -> list[str]:
    """The gates not reached; one that should have been measured and was not is not reached."""
    measured = ratios(found)
    wanted = [words for words in RATIOS.values() if sam or words == RATIOS["pass_ratio"]]
    return [words for words in wanted if words not in measured or not GATES[words].holds(measured[words])]


def main() -> int:
    """Measure, print, write; 1 if a gate was missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--sam", type=int, default=4, help="accounts priced by SAM too; 0 leaves it out")
    parser.add_argument("--json", type=Path, default=ROOT / "bench" / "results" / "bills.json")
    asked = parser.parse_args()
    found = measure(asked.accounts, asked.sam)
    found |= {
        "ratios": ratios(found),
        "gates": {words: str(gate) for words, gate in GATES.items()},
        "missed": missed(found, sam=bool(asked.sam)),
    }
    print("\n".join(report(found)))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")
    for gate in found["missed"]:
        print(f"Gate missed: {gate}", file=sys.stderr)
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
