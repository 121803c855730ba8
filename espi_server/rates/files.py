"""Tariff, sidecar and cycle files as people hand them over."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from espi_server.rates.calendar import EARLIEST, LATEST, Cycle, check_cycles, midnight
from espi_server.rates.errors import RatesError, Unreadable
from espi_server.rates.fields import normalised
from espi_server.rates.sidecar import NO_SIDECAR, Sidecar


@dataclass(frozen=True)
class TariffFile:
    """The records of a file, each with its sidecar where the file has one under the record's label."""

    records: tuple[dict[str, Any], ...]
    sidecars: Mapping[str, Mapping[str, Any]]

    def sidecar_of(self, record: Mapping[str, Any]) -> Sidecar:
        """The parsed sidecar of that record; an empty one where there is none."""
        given = self.sidecars.get(label_of(record))
        return Sidecar.parse(given) if given else NO_SIDECAR

    def one(self, wanted: str | None) -> dict[str, Any]:
        """The record of that label or name, or the only one. Raises RatesError listing what is there."""
        found = [record for record in self.records if wanted is None or wanted in names_of(record)]
        if len(found) == 1:
            return found[0]
        there = "\n".join(f"  {' · '.join(names_of(record))}" for record in self.records)
        asked = (
            "has several records; choose one with --record"
            if wanted is None
            else f"has not one record {wanted!r}"
        )
        raise RatesError(f"The file {asked} (label or name):\n{there}")


def names_of(record: Mapping[str, Any]) -> list[str]:
    """Label and name of a record."""
    plain = normalised(record)
    return [str(plain[key]) for key in ("label", "name") if plain.get(key)]


def label_of(record: Mapping[str, Any]) -> str:
    """The label of a record, empty where it has none."""
    return str(normalised(record).get("label", ""))


def read_json(path: Path) -> Any:
    """The JSON of a file, plain or gzip, fractions as exact decimals. Raises Unreadable."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except FileNotFoundError as missing:
        raise Unreadable(f"{path} does not exist. Check the name.") from missing
    except UnicodeDecodeError as wrong:
        raise Unreadable(f"{path} is not UTF-8 text (byte {wrong.start}).") from wrong
    except (OSError, EOFError, zlib.error) as wrong:
        raise Unreadable(f"{path} cannot be read: {wrong}.") from wrong
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError, _Constant) as wrong:
        at = f"line {wrong.lineno}, column {wrong.colno}: " if isinstance(wrong, json.JSONDecodeError) else ""
        reason = wrong.msg if isinstance(wrong, json.JSONDecodeError) else str(wrong)
        raise Unreadable(f"{path} is not JSON: {at}{reason}.") from wrong


class _Constant(ValueError):
    """NaN and Infinity are not JSON."""


def _no_constant(name: str) -> None:
    raise _Constant(f"{name} is not a number")


def read_tariffs(path: Path) -> TariffFile:
    """One URDB record, a list of them, or `{"items": [...], "sidecars": {label: {...}}}`. Raises Unreadable."""
    given = read_json(path)
    sidecars: Any = {}
    if isinstance(given, dict) and isinstance(given.get("items"), list):
        sidecars = given.get("sidecars", {})
        given = given["items"]
    records = given if isinstance(given, list) else [given]
    if (
        not records
        or not all(isinstance(record, dict) for record in records)
        or not isinstance(sidecars, dict)
    ):
        raise Unreadable(
            f"{path} holds no URDB record. Accepted: one record (a JSON object), a list of records, or "
            '{"items": [record, …]} as the URDB service answers.'
        )
    return TariffFile(tuple(records), sidecars)


def read_sidecar(path: Path) -> Sidecar:
    """The sidecar a JSON object file describes."""
    given = read_json(path)
    if not isinstance(given, dict):
        raise Unreadable(f"{path} holds no sidecar: it must be a JSON object.")
    return Sidecar.parse(given)


def read_cycles(path: Path, zone: ZoneInfo) -> tuple[Cycle, ...]:
    """Billing cycles: a JSON list of [start, end) pairs, each edge a local date or a UTC instant."""
    given = read_json(path)
    if not isinstance(given, list) or not given:
        raise Unreadable(
            f'{path} holds no cycles: a list such as [["2025-01-09", "2025-02-07"], …] is accepted.'
        )
    return check_cycles([_cycle(path, number, pair, zone) for number, pair in enumerate(given, 1)])


def _cycle(path: Path, number: int, pair: Any, zone: ZoneInfo) -> Cycle:
    if isinstance(pair, dict) and {"start", "end"} <= set(pair):
        pair = [pair["start"], pair["end"]]
    if not isinstance(pair, list) or len(pair) != 2:
        raise Unreadable(f"{path}, cycle {number}: {pair!r} is not a pair [start, end).")
    try:
        start, end = (instant(one, zone) for one in pair)
    except (ValueError, OverflowError) as wrong:
        raise Unreadable(
            f"{path}, cycle {number}: {wrong}. Each edge is a local date such as 2025-01-09 or a UTC "
            "instant such as 2025-01-09T08:00:00Z."
        ) from wrong
    return Cycle(start, end)


def instant(given: Any, zone: ZoneInfo) -> int:
    """UTC seconds of a local date (its midnight in the zone), of an ISO instant, or of seconds since 1970."""
    if isinstance(given, int) and not isinstance(given, bool):
        return _in_our_times(given)
    text = str(given).strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return utc_instant(text)
    return midnight(zone, day) if 1900 <= day.year < 2200 else _in_our_times(LATEST + 1)


def utc_instant(text: str) -> int:
    """UTC seconds of an ISO date-time; one without offset is taken as UTC. Raises ValueError."""
    if text.strip().lstrip("-").isdecimal():
        return _in_our_times(int(text))
    read = datetime.fromisoformat(text.strip())
    moment = read if read.tzinfo else read.replace(tzinfo=UTC)
    if moment.microsecond:
        raise ValueError(f"{text!r} has a fraction of a second")
    return _in_our_times(int(moment.timestamp()))


def _in_our_times(moment: int) -> int:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("only the years 1900 to 2200 are known")
    return moment
