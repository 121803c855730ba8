"""Which representation a client gets: Atom unless it names another, and never a 406 for reading.

`?format=` decides; else `Accept`. HTTP libraries send `application/json, text/plain, */*` without being asked, and
browsers a list that ends in `*/*`: both get Atom, as the standard has it. Our JSON comes only to who names
`application/vnd.espi+json`, a table only to who names `text/csv` where there is one, and not below anything of Atom.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from espi_server.espi import mapping
from espi_server.espi.paths import Pattern
from espi_server.espi.query import BadParameter


class Representation(Enum):
    """How an answer is written."""

    ATOM = "application/atom+xml"
    JSON = mapping.MEDIA_TYPE
    CSV = "text/csv"


_BY_FORMAT = {
    "xml": Representation.ATOM,
    "atom": Representation.ATOM,
    "json": Representation.JSON,
    "csv": Representation.CSV,
}
_PLAIN = frozenset({Representation.ATOM, Representation.JSON})
_ALL = frozenset(Representation)
_WITH_READINGS = frozenset({"Subscription", "Bulk", "UsagePoint", "MeterReading", "IntervalBlock"})
_WITH_BILLS = frozenset({"UsageSummary"})
_NO_TABLE = (
    "xml, atom or json here; csv is for readings (Batch, UsagePoint to IntervalBlock) and UsageSummary"
)


@lru_cache(maxsize=256)
def offered(pattern: Pattern) -> frozenset[Representation]:
    """What a path can be read as: a table where it leads to readings or to bills."""
    return _ALL if pattern.kind in _WITH_READINGS | _WITH_BILLS else _PLAIN


def chosen(pattern: Pattern, format: str, accept: str) -> Representation:
    """The representation of an answer; `BadParameter` for a format that this path does not come in."""
    given = _BY_FORMAT.get(format)
    if given is None:
        return next((each for each in preferred(accept) if each in offered(pattern)), Representation.ATOM)
    if given not in offered(pattern):
        raise BadParameter("format", format, _NO_TABLE)
    return given


# Clients send the same few headers all day.
@lru_cache(maxsize=1024)
def preferred(accept: str) -> tuple[Representation, ...]:
    """What `Accept` names above anything of Atom, best first, and Atom; of equals what stands first."""
    found: list[Representation] = []
    for kind, quality in sorted(parse_accept_header(accept, MIMEAccept), key=lambda each: -each[1]):
        name = kind.partition(";")[0].strip().lower()
        if not quality or (name not in _NAMED and not _is_atom(name)):
            continue
        if _is_atom(name):
            break
        found.append(_NAMED[name])
    return (*found, Representation.ATOM)


_NAMED = {each.value: each for each in (Representation.JSON, Representation.CSV)}


def _is_atom(name: str) -> bool:
    """Any XML, and whoever takes anything."""
    return name.endswith(("/xml", "+xml", "/*"))
