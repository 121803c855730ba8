"""One resource, or any other declared element, to JSON and back."""

from __future__ import annotations

from typing import Any

from lxml import etree

from espi_server.espi.content import Content
from espi_server.espi.errors import EspiError
from espi_server.espi.fields import Field
from espi_server.espi.mapping.shape import ATTRIBUTES, CHILDREN, Data, attributes, children, loose, spelled
from espi_server.espi.raw import parser


def plain(content: Content) -> Data:
    """The element as an object; nothing of it is lost."""
    data: Data = {}
    order: list[Any] = []
    for field, value, raw in content.arranged():
        if field is None:
            order.append(loose(raw or ""))
            continue
        told = field.leaf.to_json(value) if field.content is None else plain(value)
        if field.many:
            data.setdefault(field.name, []).append(told)
        else:
            data[field.name] = told
        order.append(field.name if raw is None else spelled(field.name, raw))
    if content.is_odd:
        data[CHILDREN] = order
    if content.attributes:
        data[ATTRIBUTES] = content.attributes
    return data


def written(kind: type[Content], data: Any, name: str, path: str, opening: str = "") -> str:
    """The object as an element called `name`; EspiError names the member that does not fit."""
    if not isinstance(data, dict):
        raise EspiError(f"{path} must be an object with element names as keys, got {data!r}.")
    inside = "".join(
        _child(kind, name, value, xml, f"{path}/{name}")
        for name, value, xml in children(data, kind.many, path)
    )
    start = f"<{name}{opening}{attributes(data, path)}"
    return f"{start}>{inside}</{name}>" if inside else f"{start}/>"


def _child(kind: type[Content], name: str, value: Any, xml: str, path: str) -> str:
    if not name:
        return xml
    field = kind.by_name[name]
    if field.content is not None:
        return written(field.content, value, name, path)
    try:
        held = field.leaf.from_json(value)
        return xml if xml and _says(kind, field, xml, held) else field.leaf.write_element(name, held)
    except EspiError as error:
        raise EspiError(f"{path} {error}.") from error


def _says(kind: type[Content], field: Field, xml: str, value: Any) -> bool:
    """Is this spelling still that of the value beside it?"""
    try:
        element = etree.fromstring(f'<x xmlns="{kind.namespace}">{xml}</x>', parser())
        return bool(field.leaf.read_element(element[0]) == value)
    except (etree.XMLSyntaxError, ValueError, IndexError):
        return False
