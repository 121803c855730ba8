"""A verdict as it is kept and shown: what was found, the lines it stands on, and what a chart is drawn from."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from espi_server import clock
from espi_server.espi.check import Limits, check
from espi_server.espi.checks.rule import Profile
from espi_server.espi.incoming import MIB
from espi_server.espi.verdict import junit

UNPACKED = 64 * MIB
"""What a file that comes through the page may unpack to, in bytes."""


@dataclass(frozen=True)
class Judgement:
    """All that is left of a file once it has been judged; plain values, so that it can be kept as JSON."""

    verdict: dict[str, Any]
    junit: str
    quotes: dict[str, str]
    days: list[list[float]]
    days_a_bar: int
    passed: list[str]

    def packed(self) -> bytes:
        """As few bytes, for `unpacked`."""
        return zlib.compress(json.dumps(asdict(self)).encode())

    @classmethod
    def unpacked(cls, body: bytes) -> Judgement:
        """The reverse of `packed`."""
        return cls(**json.loads(zlib.decompress(body)))


def judged(
    file: BinaryIO, *, name: str, profile: Profile, edition: str | None, claims: Sequence[int], work: float
) -> Judgement:
    """What is to be said of a stranger's file, at the cost of at most `work` seconds of processor time."""
    limits = Limits(
        size=UNPACKED, entry=16 * MIB, tags=1_000_000, elements=50_000, findings=25, work=work, quoted=200
    )  # a year of quarter-hours in one block has 9 MiB and half a million tags
    verdict = check(file, profile, edition, claims=claims, name=name, now=clock.seconds(), limits=limits)
    return Judgement(
        verdict=verdict.to_json(),
        junit=junit([verdict]),
        quotes={str(line): text for line, text in verdict.quotes.items()},
        days=[[start, round(value, 3)] for start, value in verdict.summary.series()],
        days_a_bar=verdict.summary.days_a_bar,
        passed=verdict.passed_rules,
    )
