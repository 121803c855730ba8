"""From the declarations to JSON Schema: `python -m espi_server.espi.mapping.json_schema` writes it to schemas/ anew.

What is valid against `schemas/*.xsd` is valid here once it is mapped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from espi_server.espi.content import CUSTOMER, ESPI, SST, Content, declared
from espi_server.espi.fields import Field
from espi_server.espi.mapping.documents import named
from espi_server.espi.mapping.shape import ATTRIBUTES, CHILDREN
from espi_server.espi.types import Anything, Choice, Decimal, Hex, Simple, Truth, Whole
from espi_server.espi.xsd import FOLDER

FILE = "espi.schema.json"
ID = "urn:espi-server:json:1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PREFIXES = {ESPI: "espi", CUSTOMER: "cust", SST: "sst"}
_HEX = "^([0-9A-Fa-f]{2})*$"
Schema = dict[str, Any]


@cache
def schema() -> Schema:
    """The schema of whole documents; `$defs` has its parts: `Feed`, `Entry`, `espi.UsagePoint`, `cust.Customer` …"""
    return {
        "$schema": DIALECT,
        "$id": ID,
        "$comment": "Made by python -m espi_server.espi.mapping.json_schema from the declarations.",
        "title": "ESPI in JSON",
        **_one_of({"feed": _ref("Feed"), "entry": _ref("Entry"), **_resources()}),
        "$defs": {**_SHELLS, "Content": _content(), "Children": _CHILDREN, **_types()},
    }


def write(folder: Path = FOLDER) -> Path:
    """Write the schema into the folder; the path written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(text(), encoding="utf-8")
    return path


def text() -> str:
    """The schema as it is committed."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_of(members: Schema) -> Schema:
    return {
        "type": "object",
        "properties": members,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _object(members: Schema, required: list[str], words: str = "") -> Schema:
    made: Schema = {"description": words} if words else {}
    made |= {"type": "object", "properties": {**members, CHILDREN: _ref("Children"), ATTRIBUTES: _TEXT}}
    if required:
        # What is spelled as XML in #children may be what is asked for here.
        made |= {"if": {"not": {"required": [CHILDREN]}}, "then": {"required": required}}
    return {**made, "additionalProperties": False}


_TEXT: Schema = {"type": "string"}
_CHILDREN: Schema = {
    "description": "Everything the element holds, in its order, where members in the usual order cannot say it.",
    "type": "array",
    "items": {
        "anyOf": [
            _TEXT,
            {
                "type": "object",
                "properties": {"name": _TEXT, "xml": _TEXT},
                "required": ["xml"],
                "additionalProperties": False,
            },
        ]
    },
}
_LINKS: Schema = {"type": "array", "items": {"type": "object", "additionalProperties": _TEXT}}
_ENTRY = {
    "id": _TEXT,
    "link": _LINKS,
    "title": _TEXT,
    "content": _ref("Content"),
    "published": _TEXT,
    "updated": _TEXT,
}
_FEED = {
    "id": _TEXT,
    "title": _TEXT,
    "updated": _TEXT,
    "link": _LINKS,
    "entry": {"type": "array", "items": _ref("Entry")},
}
_SHELLS: Schema = {
    "Feed": _object(_FEED, [], "An Atom feed."),
    "Entry": _object(_ENTRY, [], "An Atom entry around one resource."),
}


def _kinds() -> Iterator[type[Content]]:
    for namespace in _PREFIXES:
        yield from declared(namespace)


def _name(kind: type[Content]) -> str:
    return f"{_PREFIXES[kind.namespace]}.{kind.name}"


def _resources() -> Schema:
    """Every root element by its name in JSON."""
    return {named(kind.namespace, root): _ref(_name(kind)) for kind in _kinds() for root in kind.roots}


def _content() -> Schema:
    """One resource by its name, or several of it in a list."""
    members = {
        name: {"anyOf": [each, {"type": "array", "items": each}]} for name, each in _resources().items()
    }
    return _object(members, [], "The resource by its name.")


def _types() -> Schema:
    return {_name(kind): _type(kind) for kind in _kinds()}


def _type(kind: type[Content]) -> Schema:
    members = {field.name: _member(field) for field in kind.fields}
    required = [field.name for field in kind.fields if field.at_least]
    return _object(members, required, " ".join((kind.__doc__ or "").split()))


def _member(field: Field) -> Schema:
    held = _ref(_name(field.content)) if field.content else _simple(field.leaf)
    if not field.many:
        return held
    least = {"minItems": field.at_least} if field.at_least else {}
    return {"type": "array", "items": held, **least}


def _simple(leaf: Simple) -> Schema:
    if isinstance(leaf, Choice):
        return _choice(leaf)
    if isinstance(leaf, Anything):
        raw = {
            "type": "object",
            "properties": {"xml": _TEXT},
            "required": ["xml"],
            "additionalProperties": False,
        }
        return {"anyOf": [_TEXT, raw]}
    if isinstance(leaf, Truth):
        return {"type": "boolean"}
    if isinstance(leaf, Decimal):
        return {"type": "number"}
    if isinstance(leaf, Whole):
        bounds = {"minimum": leaf.limits.get("minInclusive"), "maximum": leaf.limits.get("maxInclusive")}
        return {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}
    return _string(leaf)


def _string(leaf: Simple) -> Schema:
    made = dict(_TEXT)
    most = leaf.limits.get("maxLength")
    if most is not None:
        made["maxLength"] = 2 * most if isinstance(leaf, Hex) else most
    if isinstance(leaf, Hex):
        made["pattern"] = _HEX
    elif leaf.pattern:
        made["pattern"] = f"^{leaf.pattern.pattern}$"
    return made


def _choice(leaf: Choice) -> Schema:
    words = " ".join((leaf.members.__doc__ or "").split())
    listed = {"enum": [member.value for member in leaf.members]}
    if not leaf.open or leaf.base is None:
        return {"description": words, **listed}
    return {"description": words, "anyOf": [listed, _simple(leaf.base)]}


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:2]))
