"""Telling how far something is that a worker does: a small document in JSON, or in plain XML for who prefers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from flask import Response, json, request

from espi_server.web.answers import prefers_xml


def written(told: Mapping[str, Any], root: str) -> Response:
    """An answer that tells of work under way, as XML with this root or as JSON."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if prefers_xml(request.accept_mimetypes):
        document = f'<?xml version="1.0" encoding="UTF-8"?>{_element(root, told)}'
        return Response(document, content_type="application/xml", headers=headers)
    return Response(json.dumps(told), content_type="application/json", headers=headers)


def _element(name: str, value: Any) -> str:
    """Plain XML: a table is an element with children, a list repeats its singular."""
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(key, each) for key, each in value.items())}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(_item(name, each) for each in value)}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>" if value is not None else ""


def _item(name: str, value: Mapping[str, Any]) -> str:
    attributes = "".join(f" {key}={quoteattr(str(each))}" for key, each in value.items() if each is not None)
    return f"<entry{attributes}/>"
