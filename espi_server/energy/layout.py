"""How another custodian's table is laid out, said once as data: a TOML (or JSON) file, checked before it is used.

Those of PG&E, SCE, Ameren and SAP stand in `layouts/`; a utility describes its own in the same words. What a layout
does not name is an error of the file that has it, so nothing of a file goes lost unnoticed.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from espi_server.errors import Usage

FOLDER = Path(__file__).with_name("layouts")
ZONES = ("local", "standard", "utc")
NO_READING = "none"
"""The quality word that says: there is no reading."""

_FIELDS = ("usage_point", "commodity", "flow", "unit", "quality")
_TIMES = ("start", "period", "date", "time", "end", "interval")
_PREAMBLE = ("", "usage_point", "commodity", "unit")
_WORDS = ("commodity", "flow", "unit", "quality")
_DELIMITERS = {",": ",", ";": ";", "|": "|", "tab": "\t", "\t": "\t"}
_ENCODINGS = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "iso-8859-1": "iso-8859-1"}


class BadLayout(Usage):
    """This layout cannot be used."""


@dataclass(frozen=True)
class Channel:
    """One column of values: its unit, its direction, and the columns that belong to it."""

    value: str
    unit: str = ""
    unit_column: str = ""
    flow: str = ""
    cost: tuple[str, ...] = ()
    interval_column: str = ""


@dataclass(frozen=True)
class Layout:
    """One custodian's table. Names of columns and words are compared without case and doubled blanks.

    `zone` is `local` (the utility's clock, the doubled hour by order), `standard` (the utility's time without
    daylight saving) or `utc`. `interval` (seconds) is what a reading takes where its row does not say. In `lines`,
    `totals`, `ignore` and the words a `*` stands for anything, a `?` for one character.
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str, ...]]
    channels: tuple[Channel, ...]
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    decimal: str = "."
    zone: str = "local"
    dates: tuple[str, ...] = ("%Y-%m-%d",)
    times: tuple[str, ...] = ("%H:%M",)
    between: str = ""
    interval: int = 0
    inclusive: bool = False
    ragged: bool = False
    repeated: bool = False
    wide: bool = False
    nothing: tuple[str, ...] = ("",)
    totals: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    preamble: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def word(self, sort: str, text: str) -> str:
        """What this custodian's word means in ours; the word itself where the layout does not say."""
        for pattern, meaning in self.words.get(sort, {}).items():
            if fits(text, pattern):
                return meaning
        return text


def named(name: str) -> Layout:
    """The built-in layout of this name, or the one a file describes; BadLayout says what is wrong with it."""
    path = FOLDER / f"{name}.toml"
    if re.fullmatch(r"[a-z]+", name) and path.is_file():
        return _read(path)
    if not name.lower().endswith((".toml", ".json")):
        known = ", ".join(each.name for each in builtin())
        raise BadLayout(
            f"There is no layout {name!r}. Give one of {known}, or a .toml or .json file of your own."
        )
    return _read(Path(name))


@lru_cache(maxsize=1)
def builtin() -> tuple[Layout, ...]:
    """The layouts that come with this server."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.toml")))


def plain(text: str) -> str:
    """A name as it is compared: no case, no doubled or unbreakable blanks."""
    return " ".join(text.replace("\xa0", " ").split()).casefold()


def fits(text: str, pattern: str) -> bool:
    """Is the text what the pattern says?"""
    return _pattern(plain(pattern)).fullmatch(plain(text)) is not None


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


# --- reading a description, and saying what is wrong with it ------------------------------------------


def _read(path: Path) -> Layout:
    try:
        text = path.read_text("utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise BadLayout(f"The layout {path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise BadLayout(f"The layout {path} is no table of keys and values.")
    return of(path.stem, values)


def of(name: str, values: Mapping[str, Any]) -> Layout:
    """A layout from its description as plain values."""
    check = _Check(name)
    given = check.keys(
        values, "", {each.name: _KINDS[each.name] for each in fields(Layout) if each.name != "name"}
    )
    for needed in ("title", "columns", "channels"):
        if needed not in given:
            raise check.wrong(needed, "is missing")
    layout = Layout(name=name, **given)
    _check_sense(check, layout)
    return layout


def _check_sense(check: _Check, layout: Layout) -> None:
    columns = layout.columns
    if not any(each in columns for each in ("start", "period", "date")):
        raise check.wrong("columns", "names no time; give start, period or date")
    if "period" in columns and not layout.between:
        raise check.wrong(
            "between", 'is missing; a period is two times with something between, such as " to "'
        )
    units = any(label == "unit" for label in layout.preamble.values())
    for channel in layout.channels:
        if bool(channel.unit) == bool(channel.unit_column) and not (units or "unit" in columns):
            raise check.wrong("channels", f"{channel.value!r} needs either unit or unit_column")


class _Check:
    """Reads values by their kind; what is wrong is named with its place."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wrong(self, place: str, words: str) -> BadLayout:
        """The error about one place of the description."""
        return BadLayout(f"Layout {self._name}: {place} {words}.")

    def keys(self, values: Any, place: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """A table whose keys are all known."""
        if not isinstance(values, Mapping):
            raise self.wrong(place, "must be a table of keys and values")
        for key in values:
            if key not in kinds:
                raise self.wrong(f"{place}.{key}".strip("."), f"is not known; known are {', '.join(kinds)}")
        return {key: kinds[key](self, value, f"{place}.{key}".strip(".")) for key, value in values.items()}


Kind = Callable[[_Check, Any, str], Any]


def _text(check: _Check, value: Any, place: str) -> str:
    if not isinstance(value, str) or len(value) > 512:
        raise check.wrong(place, "must be a text")
    return value


def _texts(check: _Check, value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and len(each) <= 512 for each in value):
        raise check.wrong(place, "must be a list of texts")
    return tuple(value)


def _truth(check: _Check, value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise check.wrong(place, "must be true or false")
    return value


def _seconds(check: _Check, value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 86_400:
        raise check.wrong(place, "must be a whole number of seconds, 1 to 86400")
    return value


def _one_of(known: Mapping[str, str]) -> Kind:
    def read(check: _Check, value: Any, place: str) -> str:
        if value not in known:
            raise check.wrong(place, f"{value!r} is not one of {', '.join(repr(each) for each in known)}")
        return known[value]

    return read


def _formats(parts: str) -> Kind:
    """Formats of `strptime` that use these directives alone."""

    def read(check: _Check, value: Any, place: str) -> tuple[str, ...]:
        found = _texts(check, value, place)
        for each in found:
            if not re.findall("%.", each) or any(one[1] not in parts for one in re.findall("%.", each)):
                allowed = ", ".join(f"%{letter}" for letter in parts)
                raise check.wrong(place, f"{each!r} is not made of {allowed}")
        return found

    return read


def _table(*keys: str, of: Kind = _texts) -> Kind:
    return lambda check, value, place: check.keys(value, place, dict.fromkeys(keys, of))


def _meanings(known: tuple[str, ...] | None = None) -> Kind:
    """Their words → ours."""

    def read(check: _Check, value: Any, place: str) -> dict[str, str]:
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
            raise check.wrong(place, "must be a table of texts")
        for word, meaning in value.items():
            if known is not None and meaning not in known:
                raise check.wrong(
                    f"{place}.{word}", f"{meaning!r} is not one of {', '.join(map(repr, known))}"
                )
        return dict(value)

    return read


def _channels(check: _Check, value: Any, place: str) -> tuple[Channel, ...]:
    if not isinstance(value, list) or not value:
        raise check.wrong(place, "must be a list of at least one table")
    kinds: dict[str, Kind] = {each.name: _texts if each.name == "cost" else _text for each in fields(Channel)}
    found = []
    for number, each in enumerate(value, 1):
        given = check.keys(each, f"{place}[{number}]", kinds)
        if not given.get("value"):
            raise check.wrong(f"{place}[{number}].value", "is missing; it is the name of a column")
        found.append(Channel(**given))
    return tuple(found)


_KINDS: Mapping[str, Kind] = {
    "title": _text,
    "encoding": _one_of(_ENCODINGS),
    "delimiter": _one_of(_DELIMITERS),
    "decimal": _one_of({".": ".", ",": ","}),
    "zone": _one_of({each: each for each in ZONES}),
    "dates": _formats("YymdbBj"),
    "times": _formats("HIMSp"),
    "between": _text,
    "interval": _seconds,
    "inclusive": _truth,
    "ragged": _truth,
    "repeated": _truth,
    "wide": _truth,
    "nothing": _texts,
    "totals": _texts,
    "lines": _texts,
    "ignore": _texts,
    "preamble": _meanings(_PREAMBLE),
    "columns": _table(*_FIELDS, *_TIMES),
    "channels": _channels,
    "words": _table(*_WORDS, of=_meanings()),
}
assert all(each.name == "name" or each.name in _KINDS for each in fields(Layout)), MISSING  # noqa: S101
