"""From the declarations to XML Schema: `python -m espi_server.espi.xsd [folder]` writes schemas/ anew.

Here `published` means without the elements that are ours, that is ESPI 4.0 as NAESB has it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lxml import etree

from . import atom_xsd, customer_codes, types
from .codes import ParticipationCategoryMPM
from .content import CUSTOMER, ESPI, SST, Content, declared
from .fields import Field
from .raw import escaped, quoted
from .types import Choice, Simple, SimpleContent, simple

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
NAMESPACES = {"espi.xsd": ESPI, "customer.xsd": CUSTOMER, "sst.xsd": SST}

# Types the published schemas have without using them.
_SPARE_IN_ALL = (types.HexBinary128, types.HexBinary8, types.UInt8, types.UInt48, types.UUIDType)
_SPARE: dict[str, tuple[Any, ...]] = {
    ESPI: (*_SPARE_IN_ALL, types.String16, ParticipationCategoryMPM),
    CUSTOMER: (*_SPARE_IN_ALL, customer_codes.RevenueKind, customer_codes.ServiceKind),
}


def files() -> dict[str, str]:
    """Every schema by its file name."""
    texts = {name: schema(namespace) for name, namespace in NAMESPACES.items()}
    return {**texts, "atom.xsd": atom_xsd.ATOM, "xml.xsd": atom_xsd.XML}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every schema into the folder; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files()]


@cache
def schema(namespace: str, *, published: bool = False) -> str:
    """The schema of one namespace as text."""
    kinds = declared(namespace)
    simples = sorted(_simple_types(kinds, namespace), key=lambda item: item.name)
    addresses = [item for item in simples if isinstance(item, SimpleContent)]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<!-- Made by python -m espi_server.espi.xsd from the declarations. Change those, then run it. -->",
        f'<xs:schema xmlns="{namespace}" xmlns:xs="http://www.w3.org/2001/XMLSchema"',
        f'           targetNamespace="{namespace}" elementFormDefault="qualified">',
        '  <xs:import namespace="http://www.w3.org/2005/Atom" schemaLocation="atom.xsd"/>',
    ]
    lines += [
        f'  <xs:element name="{root}" type="{kind.type_name}"/>' for kind in kinds for root in kind.roots
    ]
    lines += [f'  <xs:element name="{item.name}" type="{item.name}"/>' for item in addresses]
    for kind in kinds:
        if not kind.anonymous:
            lines += _indented(_complex(kind, published))
    for item in simples:
        lines += _indented(_simple(item))
    return "\n".join([*lines, "</xs:schema>", ""])


@cache
def validator() -> etree.XMLSchema:
    """One schema for whole documents of any kind, made from the declarations, without a network.

    It keeps its last errors in itself, so threads that want to read them need a lock or a copy each.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        (folder / "all.xsd").write_text(_ALL, encoding="utf-8")
        return etree.XMLSchema(file=str(folder / "all.xsd"))


_ALL = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
    + "".join(f'<xs:import namespace="{uri}" schemaLocation="{name}"/>' for name, uri in NAMESPACES.items())
    + "</xs:schema>"
)


def _simple_types(kinds: list[type[Content]], namespace: str) -> set[Simple]:
    """Every simple type of this namespace that is used, rests on another, or stands there unused."""
    waiting = [field.leaf for kind in kinds for field in kind.own if field.content is None]
    waiting += [simple(item) for item in _SPARE.get(namespace, ())]
    found: set[Simple] = set()
    while waiting:
        item = waiting.pop()
        if not item.name.startswith("xs:") and item not in found:
            found.add(item)
            waiting += [item.base] if item.base else []
    return found


def _indented(lines: Iterator[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _words(kind: type[Any]) -> str:
    text = " ".join((kind.__doc__ or "").split())
    return f"<xs:annotation><xs:documentation>{escaped(text)}</xs:documentation></xs:annotation>"


def _complex(kind: type[Content], published: bool) -> Iterator[str]:
    base = next(item for item in kind.__mro__[1:] if issubclass(item, Content))
    yield "<xs:complexType>" if kind.anonymous else f'<xs:complexType name="{kind.type_name}">'
    yield f"  {_words(kind)}"
    if base is Content:
        yield from _indented(_sequence(kind, published))
    else:
        yield "  <xs:complexContent>"
        yield f'    <xs:extension base="{base.type_name}">'
        yield from (f"      {line}" for line in _sequence(kind, published))
        yield "    </xs:extension>"
        yield "  </xs:complexContent>"
    yield "</xs:complexType>"


def _sequence(kind: type[Content], published: bool) -> Iterator[str]:
    fields = [field for field in kind.own if not (published and field.ours)]
    if fields:
        yield "<xs:sequence>"
        for field in fields:
            yield from _indented(_element(field, published))
        yield "</xs:sequence>"


def _element(field: Field, published: bool) -> Iterator[str]:
    occurs = "" if field.at_least == 1 else f' minOccurs="{field.at_least}"'
    occurs += ' maxOccurs="unbounded"' if field.many else ""
    if field.content and field.content.anonymous:
        yield f'<xs:element name="{field.name}"{occurs}>'
        yield from _indented(_complex(field.content, published))
        yield "</xs:element>"
    else:
        held = field.content.type_name if field.content else field.leaf.name
        yield f'<xs:element name="{field.name}" type="{held}"{occurs}/>'


def _simple(item: Simple) -> Iterator[str]:
    if isinstance(item, SimpleContent):
        yield f'<xs:complexType name="{item.name}">'
        yield '  <xs:simpleContent><xs:extension base="xs:anyURI"/></xs:simpleContent>'
        yield "</xs:complexType>"
        return
    yield f'<xs:simpleType name="{item.name}">'
    if isinstance(item, Choice):
        yield f"  {_words(item.members)}"
    if isinstance(item, Choice) and item.open:
        yield f'  <xs:union memberTypes="{item.base_name}">'
        yield "    <xs:simpleType>"
        yield from (f"      {line}" for line in _restriction(item))
        yield "    </xs:simpleType>"
        yield "  </xs:union>"
    else:
        yield from _indented(_restriction(item))
    yield "</xs:simpleType>"


def _restriction(item: Simple) -> Iterator[str]:
    inside = [f"<xs:{facet} value={quoted(str(value))}/>" for facet, value in item.facets.items()]
    if isinstance(item, Choice):
        inside += [f'<xs:enumeration value="{member.value}"/>' for member in item.members]
    if inside:
        yield f'<xs:restriction base="{item.base_name}">'
        yield from (f"  {line}" for line in inside)
        yield "</xs:restriction>"
    else:
        yield f'<xs:restriction base="{item.base_name}"/>'


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
