"""Memory does not grow with the document: what waits, waits in a file."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.espi.check.mutations import FILES

PEAK = """
import resource, sys
from espi_server.espi.check import check
verdict = check(sys.argv[1])
print(verdict.summary.readings, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def written(path, days):
    """The good file with many days of its first block, each an entry of its own."""
    text = (FILES / "usage.xml").read_text("utf-8")
    first = next(
        each for each in re.findall(r"  <entry>.*?</entry>\n", text, re.DOTALL) if "IntervalBlock/b1" in each
    )
    with path.open("w", encoding="utf-8") as file:
        file.write(text.removesuffix("</feed>\n"))
        for day in range(days):
            file.write(earlier(first, day + 1).replace("IntervalBlock/b1", f"IntervalBlock/d{day}"))
        file.write("</feed>\n")


def earlier(text, days):
    """The same readings some days before."""
    return re.sub(r"<espi:start>(\d+)", lambda at: f"<espi:start>{int(at[1]) - 86_400 * days}", text)


def peak(path):
    command = [sys.executable, "-c", PEAK, str(path)]
    readings, kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(readings), int(kilobytes)


@pytest.mark.soak
def test_thirty_times_the_document_takes_the_same_memory(tmp_path):
    written(tmp_path / "small.xml", 100)
    written(tmp_path / "large.xml", 3_000)

    (few, rest), (many, most) = peak(tmp_path / "small.xml"), peak(tmp_path / "large.xml")

    assert many - few == 2_900 * 24
    assert most - rest < 16 * 1024
