"""Our schemas as files to fetch: each edition's, made from the declarations, with a digest to tell them apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from espi_server import __version__
from espi_server.espi import atom_xsd, editions
from espi_server.espi.editions import Edition
from espi_server.espi.mapping import json_schema

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPE_ASKED = '<xs:attribute name="type" type="xs:string" use="required"/>'
_WHAT = {
    "espi": "usage, bills, authorizations and applications",
    "customer": "customers, accounts, agreements, places and meters",
    "sst": "our own elements for the Statewide Standard Tool",
    "atom": "Atom as the shell of resources; the others import it",
    "json": "the same resources said in JSON; JSON Schema 2020-12",
    "xml": "xml:base and xml:lang; Atom's schema imports it",
}


@dataclass(frozen=True)
class File:
    """One schema of one edition."""

    edition: Edition
    name: str
    body: bytes

    @property
    def what(self) -> str:
        """What it describes."""
        return _WHAT[self.name]

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


@cache
def of_json() -> File:
    """The JSON Schema of the same resources said in JSON: of all that is declared, whatever the edition."""
    return File(editions.WITH_SST, "json", json_schema.text().encode())


@cache
def every() -> dict[tuple[str, str], File]:
    """All of them by edition and name, the newest edition first."""
    made = [
        File(edition, name, text.encode())
        for edition in editions.EDITIONS.values()
        for name, text in _texts(edition).items()
    ]
    return {(file.edition.name, file.name): file for file in made}


def _texts(edition: Edition) -> dict[str, str]:
    texts = {
        name: f"{_DECLARATION}\n{_note(edition)}\n{edition.schema(namespace)}"
        for name, namespace in editions.NAMES.items()
        if namespace in edition.namespaces
    }
    return {**texts, "atom": _atom(edition), "xml": atom_xsd.XML}


def _atom(edition: Edition) -> str:
    asked = _TYPE_ASKED if edition.link_types else _TYPE_ASKED.replace("required", "optional")
    return atom_xsd.ATOM.replace(_TYPE_ASKED, asked)


def _note(edition: Edition) -> str:
    return f"<!-- The structure of {edition.title}, made by espi_server {__version__} from its own declarations. -->"
