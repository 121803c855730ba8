"""The editions of the schema, told by how they differ from our declarations.

Those are ESPI 4.0 with the Statewide Standard Tool's elements. 3.3 describes the same usage side and has no
Statement; the older derived edition (0.7, of 2019) has fewer customer elements, asks both scope selection screens of
an application, and comes with an Atom schema that does not ask a type of every link.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from . import customer, xsd
from .content import CUSTOMER, ESPI, SST, Content, declared
from .errors import EspiError
from .fields import Field

XS = "{http://www.w3.org/2001/XMLSchema}"
Names = frozenset[tuple[str, str, str]]
"""Elements by namespace, type and name."""


class NoSuchEdition(EspiError):
    """There is no such edition."""


@dataclass(frozen=True)
class Edition:
    """One edition of the schemas: which types and elements of ours it has not, and what it asks besides."""

    name: str
    title: str
    namespaces: tuple[str, ...] = (ESPI, CUSTOMER)
    without: frozenset[type[Content]] = frozenset()
    lacks: Names = frozenset()
    requires: Names = frozenset()
    link_types: bool = True

    def has(self, kind: type[Content], field: Field | None = None) -> bool:
        """Whether the edition has this type, or this element of it."""
        if kind.namespace not in self.namespaces or kind in self.without:
            return False
        if field is None:
            return True
        return not (field.ours and SST not in self.namespaces) and (_of(kind, field) not in self.lacks)

    def at_least(self, kind: type[Content], field: Field) -> int:
        """How often the element must stand there."""
        return max(field.at_least, int(_of(kind, field) in self.requires))

    def kinds(self, namespace: str) -> list[type[Content]]:
        """The types of a namespace, in the order of declaration."""
        return [kind for kind in declared(namespace) if self.has(kind)]

    def schema(self, namespace: str) -> str:
        """The schema of one namespace as text, made from our declarations."""
        root = etree.fromstring(xsd.schema(namespace, published=SST not in self.namespaces).encode())
        _drop(root, [kind for kind in self.without if kind.namespace == namespace])
        for element, name in _elements(root):
            if (namespace, name, str(element.get("name"))) in self.lacks:
                _remove(element)
            elif (namespace, name, str(element.get("name"))) in self.requires:
                element.set("minOccurs", "1")
        return etree.tostring(root, encoding="unicode", pretty_print=True)


def _of(kind: type[Content], field: Field) -> tuple[str, str, str]:
    owner = next(each for each in kind.__mro__ if issubclass(each, Content) and field in each.own)
    return owner.namespace, owner.name, field.name


def _elements(root: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """Every element declared in a type, with the type's name."""
    for kind in root.findall(f"{XS}complexType"):
        for element in list(kind.iter(f"{XS}element")):
            yield element, str(kind.get("name"))


def _drop(root: etree._Element, kinds: list[type[Content]]) -> None:
    """Take types and their root elements out, and the code lists that only they used."""
    gone = {name for kind in kinds for name in (kind.type_name, *kind.roots)}
    used = {element.get("type") for element, kind in _elements(root) if kind in gone}
    for child in list(root):
        if child.get("name") in gone:
            _remove(child)
    for name in used - {element.get("type") for element, _ in _elements(root)}:
        for child in root.findall(f"{XS}simpleType[@name='{name}']"):
            if next(child.iter(f"{XS}enumeration"), None) is not None:
                _remove(child)


def _remove(element: etree._Element) -> None:
    above = element.getparent()
    if above is not None:
        above.remove(element)


_STATEMENT = frozenset[type[Content]]({customer.Statement, customer.StatementRef})
_LATER = frozenset(
    {
        (CUSTOMER, "Customer", "customerName"),
        (CUSTOMER, "CustomerAccount", "accountId"),
        (CUSTOMER, "CustomerAgreement", "agreementId"),
        (CUSTOMER, "Organisation", "organisationName"),
    }
)
_SCREENS = frozenset(
    (ESPI, "ApplicationInformation", f"{whose}ScopeSelectionScreenURI")
    for whose in ("thirdParty", "dataCustodian")
)

V4_0 = Edition("4.0", "ESPI 4.0 (4.0.20231213)")
V3_3 = Edition("3.3", "ESPI 3.3 (3.3.20200320)", without=_STATEMENT)
DERIVED = Edition(
    "0.7",
    "the derived edition 0.7 (0.7.20190206)",
    without=_STATEMENT,
    lacks=_LATER,
    requires=_SCREENS,
    link_types=False,
)
WITH_SST = Edition(
    "sst", "ESPI 4.0 with the Statewide Standard Tool's elements", namespaces=(ESPI, CUSTOMER, SST)
)

EDITIONS = {edition.name: edition for edition in (V4_0, V3_3, DERIVED, WITH_SST)}
NAMES = {"espi": ESPI, "customer": CUSTOMER, "sst": SST}
"""The schemas by the names people use for them."""


def named(name: str) -> Edition:
    """The edition of this name; NoSuchEdition tells which there are."""
    if name not in EDITIONS:
        raise NoSuchEdition(f"There is no edition {name!r}. There are: {', '.join(EDITIONS)}.")
    return EDITIONS[name]


def detected(schema_location: str) -> Edition:
    """The edition a document names by its xsi:schemaLocation; 4.0 where it names none, as nothing else on the wire
    tells them apart."""
    return DERIVED if "espiderived" in schema_location.lower() else V4_0


# Comparing


def differences(old: Edition, new: Edition) -> list[str]:
    """What the newer edition has, has not, or asks otherwise, one line each."""
    lines = []
    for name, namespace in NAMES.items():
        for kind in declared(namespace):
            lines += [f"{name}: {words}" for words in _kind_differs(kind, old, new)]
    if old.link_types != new.link_types:
        lines.append(
            f"atom: link/@type is {_asked(old.link_types)} in {old.name}, {_asked(new.link_types)} in {new.name}"
        )
    return lines


def _kind_differs(kind: type[Content], old: Edition, new: Edition) -> Iterator[str]:
    if old.has(kind) != new.has(kind):
        yield f"{kind.name} is only in {(old if old.has(kind) else new).name}"
        return
    for field in kind.own:
        there = old.has(kind, field), new.has(kind, field)
        if there[0] != there[1]:
            yield f"{kind.name}/{field.name} is only in {(old if there[0] else new).name}"
        elif all(there) and old.at_least(kind, field) != new.at_least(kind, field):
            yield (
                f"{kind.name}/{field.name} is {_asked(old.at_least(kind, field))} in {old.name}, "
                f"{_asked(new.at_least(kind, field))} in {new.name}"
            )


def _asked(required: object) -> str:
    return "required" if required else "optional"
