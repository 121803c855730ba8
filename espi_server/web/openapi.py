"""`/openapi.json`: what this server offers, in OpenAPI 3.1, made from the routes and the words beside them.

The resources of the standard follow from `espi.paths` (see `resource_words`), all other routes from what stands
above their views (`described`). Pages for people are left out. A test says which route nobody has described.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Flask, Response, current_app, json
from werkzeug.routing import Rule

from espi_server import __version__
from espi_server.espi.paths import BY_NAME, LETTERS
from espi_server.web import portal
from espi_server.web.described import OBJECT, TEXT, Answer, Operation, Parameter, Schema, described, describes
from espi_server.web.house import house
from espi_server.web.resource_words import SCHEMAS, resource

MEDIA_TYPE = "application/json"
RESOURCES = "espi"
"""The blueprint whose routes follow from the standard's table of paths."""

FOR_PEOPLE = frozenset({"pages", "phone", "tools_pages"})
"""Blueprints that answer with HTML pages; nobody writes a client for those."""

UNDESCRIBED = frozenset({"static"})
"""Endpoints that are nobody's interface."""

TOKENS: Mapping[str, str] = {
    "A": "access token of an authorization",
    "C": "client token of an application",
    "R": "registration token of an application",
    "U": "upload token of a data source",
    "D": "the data custodian's own token",
}

blueprint = Blueprint("openapi", __name__)

_EXTENSION = "espi_server.openapi"  # the document, once somebody asked

_BELOW = "/<code>/espi/1_1/"
_OURS = frozenset(f"{_BELOW}resource{pattern.rule}" for pattern in BY_NAME.values())
_PLACE = re.compile(r"<(?:[^:<>]+:)?(\w+)>")
_CODE: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9]{1,15}$"}
_MEANING = {"code": "The utility's code."}
_TITLES: Mapping[int, str] = {
    400: "A parameter, or another part of the request, cannot be read.",
    401: "No live token of this utility came along.",
    403: "The token does not open this path, whether it exists or not.",
    404: "There is nothing at this address.",
    405: "This resource does not take that method.",
    409: "This would contradict what is already there.",
    411: "The body has no length and is not chunked.",
    413: "The body is too large.",
    415: "The body is of a kind that is not taken.",
    422: "The body can be read, but not be taken.",
    429: "Too many at once; wait as Retry-After says.",
    503: "Not just now; wait as Retry-After says.",
}
_WAITING = frozenset({429, 503})
_WITH_A_TOKEN = (401, 403, 404)

PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457. `code` is stable, new ones may come; `instance` is the request id, `help` where the"
    " code is explained.",
    "required": ["type", "title", "status", "detail", "code", "instance", "help"],
    "properties": {
        **dict.fromkeys(("type", "title", "detail", "code", "instance", "help"), TEXT),
        "status": {"type": "integer"},
    },
}


@blueprint.get("/openapi.json")
@describes(
    "This document",
    tag="operations",
    answers={200: Answer("OpenAPI 3.1.", {MEDIA_TYPE: OBJECT})},
)
def openapi() -> Response:
    """The description of this installation."""
    text = current_app.extensions.setdefault(_EXTENSION, [])
    if not text:
        text.append(json.dumps(described_by(current_app, house().settings.base_url)))
    return Response(text[0], content_type=MEDIA_TYPE, headers={"Cache-Control": "public, max-age=3600"})


def described_by(app: Flask, base_url: str) -> dict[str, Any]:
    """The document of an application reached at `base_url`."""
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, operation in operations(app):
        path = _PLACE.sub(r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, method, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "espi_server", "version": __version__, "description": _ABOUT},
        "servers": [{"url": base_url.rstrip("/") or "/"}],
        "tags": [{"name": tag} for tag in sorted({each["tags"][0] for each in _each(paths)})],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": PROBLEM, **SCHEMAS},
            "responses": {str(status): _problem(status) for status in sorted(_TITLES)},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _BEARER}},
        },
    }


_ABOUT = (
    "Green Button Connect My Data. The resources are ESPI's own: Atom by default, its XML described by the XML Schemas "
    "at `/tools/schemas`. JSON is a mapping of the same that loses nothing; its schemas are the components of this "
    "document. `Resource` is understood for `resource`, ElectricPowerUsageSummary for UsageSummary, and a trailing "
    "slash is forgiven."
)
_BEARER = "Each operation names the kinds of token that open it."


def _each(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    return (operation for methods in paths.values() for operation in methods.values())


def operations(app: Flask) -> Iterator[tuple[Rule, str, Operation]]:
    """Every method of every route that is described, the standard's resources each once."""
    for rule in app.url_map.iter_rules():
        for method, operation in _of(app, rule).items():
            yield rule, method, operation


def silent(app: Flask) -> list[str]:
    """Methods of routes that nobody has described, such as `POST /<code>/upload (deliveries.upload)`."""
    wanting = []
    for rule in app.url_map.iter_rules():
        if (
            rule.endpoint in UNDESCRIBED
            or _room(rule) in FOR_PEOPLE | {RESOURCES}
            or rule.rule.startswith(f"{portal.PREFIX}/")
            or _is_other_spelling(rule)
        ):
            continue
        known = _of(app, rule)
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"} - known.keys())
        wanting += [f"{method} {rule.rule} ({rule.endpoint})" for method in methods]
    return wanting


def _of(app: Flask, rule: Rule) -> Mapping[str, Operation]:
    if _is_other_spelling(rule):
        return {}
    if _room(rule) != RESOURCES:
        return described(app.view_functions[rule.endpoint])
    pattern = BY_NAME[rule.endpoint.rpartition(".")[2]]
    return {"GET": resource(pattern)}


def _is_other_spelling(rule: Rule) -> bool:
    """A resource by another of its names, or below `Resource`: understood, and told by the name that is ours."""
    return rule.rule.startswith(_BELOW) and rule.rule not in _OURS


def _room(rule: Rule) -> str:
    endpoint: str = rule.endpoint
    return endpoint.partition(".")[0]


def _operation(rule: Rule, method: str, operation: Operation) -> dict[str, Any]:
    operation = operation if operation.name else replace(operation, name=rule.endpoint.replace(".", "_"))
    statuses = [*operation.problems, *(_WITH_A_TOKEN if operation.tokens else ())]
    refused = sorted({*statuses} - operation.answers.keys())  # an answer may have a form of its own
    said: dict[str, Any] = {
        "externalDocs": {"url": operation.more} if operation.more else {},
        "operationId": operation.name if method == "GET" else f"{operation.name}_{method.lower()}",
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _told(operation),
        "parameters": [*_in_path(rule), *(_parameter(each) for each in operation.parameters)],
        "responses": {
            **{str(status): _answer(each) for status, each in operation.answers.items()},
            **{str(status): _refusal(status, operation.has_pages) for status in refused},
        },
    }
    if operation.body:
        content = {kind: {"schema": schema} for kind, schema in operation.body.items()}
        said["requestBody"] = {"required": True, "content": content}
    if operation.tokens:
        said["security"] = [{"token": []}]
    return {name: value for name, value in said.items() if value}


def _told(operation: Operation) -> str:
    kinds = [TOKENS[letter] for letter in operation.tokens]
    opened = f"Opened by: {'; '.join(kinds)}." if kinds else ""
    return " ".join(filter(None, (operation.description, opened)))


def _in_path(rule: Rule) -> Iterator[dict[str, Any]]:
    for name in _PLACE.findall(rule.rule):
        meaning = _MEANING.get(name) or f"The id of the {LETTERS.get(name, name)}."
        schema = _CODE if name == "code" else TEXT
        yield {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": parameter.schema,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    headers = {name: {"description": words, "schema": TEXT} for name, words in answer.headers.items()}
    content = {kind: {"schema": schema} for kind, schema in answer.content.items()}
    said = {"description": answer.meaning, "headers": headers, "content": content}
    return {name: value for name, value in said.items() if value}


def _refusal(status: int, has_pages: bool) -> dict[str, Any]:
    return (
        _problem(status, {"text/html": TEXT}) if has_pages else {"$ref": f"#/components/responses/{status}"}
    )


def _problem(status: int, more: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    headers = {"Retry-After": "Seconds to wait."} if status in _WAITING else {}
    content: Mapping[str, Schema] = {
        "application/problem+json": {"$ref": "#/components/schemas/Problem"},
        "application/problem+xml": TEXT,
        **(more or {}),
    }
    return _answer(Answer(_TITLES[status], content, headers))
