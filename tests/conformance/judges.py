"""Who says whether a document is valid: our own schemas, and the published ones where they are here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from espi_server.espi import xsd
from espi_server.espi.content import CUSTOMER, ESPI

ATOM = "{http://www.w3.org/2005/Atom}"
SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


@dataclass(frozen=True)
class Judge:
    """Some editions of atom.xsd for the shell, and a schema for the resources of each namespace."""

    name: str
    shells: tuple[etree.XMLSchema, ...]
    contents: dict[str, etree.XMLSchema]

    def faults(self, document: bytes) -> list[str]:
        """What is wrong with a feed or an entry; nothing, one hopes."""
        return list(self._faults(document))

    def _faults(self, document: bytes) -> Iterator[str]:
        root = etree.fromstring(document)
        for content in root.iter(f"{ATOM}content"):
            (resource,) = content
            schema = self.contents[str(etree.QName(resource).namespace)]
            if not schema.validate(resource):
                yield f"{self.name}: {schema.error_log.last_error} in {etree.tostring(resource)[:300]!r}"
            content.remove(resource)
        for schema in self.shells:
            if not schema.validate(root):
                yield f"{self.name}: {schema.error_log.last_error}"


class _LocalXml(etree.Resolver):
    """Gives our xml.xsd to the published atom.xsd, which asks the network for it."""

    def resolve(self, url: str, public_id: str, context: object) -> object:
        return self.resolve_filename(str(SCHEMAS / "xml.xsd"), context) if url.endswith("xml.xsd") else None


def ours() -> Judge:
    """The schemas of this project, RINs included."""
    contents = {namespace: _compiled(SCHEMAS / name) for namespace, name in _NAMES.items()}
    return Judge("ours", (_compiled(SCHEMAS / "atom.xsd"),), contents)


def published(reference: Path) -> Judge:
    """ESPI 4.0 as NAESB published it, and both editions of atom.xsd."""
    official = reference / "official"
    shells = tuple(_compiled(official / edition / "atom.xsd") for edition in ("espi-4.0", "espiDerived-0.7"))
    contents = {namespace: _compiled(official / "espi-4.0" / name) for namespace, name in _NAMES.items()}
    return Judge("published", shells, contents)


_NAMES = {ESPI: "espi.xsd", CUSTOMER: "customer.xsd"}


def whole(document: bytes) -> bool:
    """Does our schema take the document as one, shell and resources together?"""
    return bool(xsd.validator().validate(etree.fromstring(document)))


def _compiled(path: Path) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_LocalXml())
    return etree.XMLSchema(etree.parse(path, parser))
