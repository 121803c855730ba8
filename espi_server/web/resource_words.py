"""The resources of the standard in the words of OpenAPI: made from their paths and from the mapping's JSON Schema."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from espi_server.espi import mapping, rows
from espi_server.espi.mapping import json_schema
from espi_server.espi.paths import Pattern
from espi_server.web.described import OBJECT, TEXT, Answer, Operation, Parameter, Schema
from espi_server.web.negotiation import Representation, offered
from espi_server.web.sending import ATOM, XML

_TIME: Schema = {"type": "string", "format": "date-time"}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_SELECTING: tuple[Parameter, ...] = (
    Parameter("published-min", "Entries published, and readings ending, after this.", _TIME),
    Parameter("published-max", "Entries published, and readings starting, before this.", _TIME),
    Parameter("updated-min", "Entries changed at or after this.", _TIME),
    Parameter("updated-max", "Entries changed at or before this.", _TIME),
    Parameter(
        "max-results", "The greatest number of entries; of a table, of the blocks or bills in it.", _COUNT
    ),
    Parameter("start-index", "The first entry wanted; 1 is the first of all.", _COUNT),
    Parameter("depth", "A second greatest number of entries.", _COUNT),
)
_HEADERS = {
    "ETag": "Differs wherever a byte of the answer could.",
    "Last-Modified": "When anything in it last changed.",
    "Link": "The pages around this one, `next` and `previous`, where max-results or depth is given.",
}
_LATER: Mapping[int, Answer] = {
    202: Answer(
        "It is being prepared, as this utility does with large batches. The same request gives it later.",
        {"application/json": OBJECT, XML: TEXT},
        {"Location": "The same address.", "Retry-After": "Seconds to wait."},
    )
}
_UNSELECTED = frozenset({"read_service_status_entry", "application_information_entry"})


def _schemas() -> dict[str, Any]:
    """The definitions of the mapping's schema, where OpenAPI has them."""
    return {name: _moved(each) for name, each in copy.deepcopy(json_schema.schema()["$defs"]).items()}


def _moved(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: each.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(each)
            for key, each in schema.items()
        }
    return [_moved(each) for each in schema] if isinstance(schema, list) else schema


SCHEMAS: Mapping[str, Schema] = _schemas()


@lru_cache(maxsize=256)
def resource(pattern: Pattern) -> Operation:
    """The GET of one of the standard's paths."""
    shape = "A feed of" if pattern.is_collection or pattern.is_batch else "One"
    blocks = ", ".join(f"FB_{number:02d}" for number in pattern.blocks)
    selecting = () if pattern.name in _UNSELECTED else _SELECTING
    return Operation(
        f"{shape} {pattern.kind}",
        "customer" if pattern.is_customer else "batch" if pattern.is_batch else "usage",
        {
            200: Answer("The data, as far as the token's grant allows.", _media(pattern), _HEADERS),
            **(_LATER if pattern.is_batch and not pattern.is_customer else {}),
            304: Answer("What you have is still right."),
        },
        description=f"Function block {blocks}." if blocks else "",
        tokens=pattern.tokens,
        parameters=(*selecting, _format(pattern)),
        problems=(400, 429, 503),
        name=pattern.name,
        more=f"/tools/schemas/4.0/{'customer' if pattern.is_customer else 'espi'}.xsd",
    )


def _format(pattern: Pattern) -> Parameter:
    names = ["xml", "atom", "json"] + (["csv"] if Representation.CSV in offered(pattern) else [])
    return Parameter("format", "Goes before Accept.", {"type": "string", "enum": names})


def _media(pattern: Pattern) -> Mapping[str, Schema]:
    """What the answer comes as."""
    table = {rows.MEDIA_TYPE: TEXT} if Representation.CSV in offered(pattern) else {}
    if pattern.kind == "ReadServiceStatus":
        return {XML: TEXT, mapping.MEDIA_TYPE: _member("ServiceStatus", "espi.ServiceStatus")}
    is_feed = pattern.is_collection or pattern.is_batch or pattern.kind == "RetailCustomer"
    shell = ("feed", "Feed") if is_feed else ("entry", "Entry")
    return {ATOM: TEXT, mapping.MEDIA_TYPE: _member(*shell), **table}


def _member(name: str, schema: str) -> Schema:
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"$ref": f"#/components/schemas/{schema}"}},
    }
