"""Every measurement there is, one after another, and one table: `python -m bench [NAME …]`.

Each program writes its figures to bench/results/NAME.json. Exit code 1 if any gate was missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.report import table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
EVERY = ("in_process", "bills", "storage", "import", "growth", "crowd", "servers", "serving")
_PROGRAMS = {"import": "importing"}  # where the name is a word of Python


def main(names: list[str]) -> int:
    """Runs the named measurements, or all, and shows what their ratios came to."""
    RESULTS.mkdir(exist_ok=True)
    codes = [_run(name) for name in names or EVERY]
    print()
    for name in names or EVERY:
        print(_shown(name))
    return max(codes)


def _run(name: str) -> int:
    print(f"— {name}", flush=True)
    command = [
        sys.executable,
        "-m",
        f"bench.{_PROGRAMS.get(name, name)}",
        "--json",
        str(RESULTS / f"{name}.json"),
    ]
    return subprocess.run(command, cwd=HERE.parent, check=False).returncode


def _shown(name: str) -> str:
    file = RESULTS / f"{name}.json"
    if not file.exists():
        return f"{name}: nothing was measured"
    report = json.loads(file.read_text())
    missed = report.get("missed") or []
    lines = [f"{name}: {', '.join(missed) + ' missed' if missed else 'every gate holds'}", table(report)]
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
