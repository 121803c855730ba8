"""`/openapi.json` tells of every route, and of no other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from espi_server.db import Database
from espi_server.espi.paths import PATTERNS, SST_KINDS
from espi_server.web import openapi
from tests import make

HOW = """Nobody has described these routes. Above each view, below its route, write

    @describes("What it does", method="POST", tag="…", tokens="…", answers={…}, problems=(…))

as espi_server/web/described.py shows; pages for people belong to a blueprint named in openapi.FOR_PEOPLE."""


@pytest.fixture
def app(sqlite_url: str) -> Any:
    return make.app(Database(sqlite_url))


@pytest.fixture
def document(app: Any) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document: dict[str, Any] = answer.json
    return document


def test_every_route_is_described(app: Any) -> None:
    assert openapi.silent(app) == [], HOW


def test_every_described_path_is_routed(app: Any, document: dict[str, Any]) -> None:
    routed = {
        (re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }

    told = {(path, method) for path, methods in document["paths"].items() for method in methods}

    assert told <= routed


def test_every_resource_of_the_standard_is_described(document: dict[str, Any]) -> None:
    below = "/{code}/espi/1_1/resource/"
    told = {path.removeprefix(below) for path in document["paths"] if path.startswith(below)}

    assert told == {pattern.path for pattern in PATTERNS if pattern.kind not in SST_KINDS}


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_names_of_operations_are_unique_and_every_tag_is_told(document: dict[str, Any]) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]

    names = [each["operationId"] for each in operations]

    assert len({*names}) == len(names)
    assert {each["name"] for each in document["tags"]} == {tag for each in operations for tag in each["tags"]}


def test_tokens_are_asked_for_where_they_are_needed(document: dict[str, Any]) -> None:
    assert "security" not in document["paths"]["/healthz"]["get"]
    data = document["paths"]["/{code}/espi/1_1/resource/Batch/Subscription/{s}"]["get"]
    assert data["security"] == [{"token": []}]
    assert "access token" in data["description"]
    assert {"401", "403", "404"} <= data["responses"].keys()
