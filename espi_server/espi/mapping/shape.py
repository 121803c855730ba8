"""What JSON objects have no place for: attributes, strange elements, an unusual order, an unusual spelling.

    "#attributes": " xmlns:xsi=\\"…\\" xsi:type=\\"…\\""       the attributes as they stand in the start tag
    "#children":   ["kind", {"xml": "<odd xmlns=\\"…\\"/>"}, {"name": "status", "xml": "<status>+1</status>"}]

`#children` lists everything an element holds, in its order. A name is the next value of the member of that name; an
`xml` alone is an element, or text between elements, without a member of its own; a `name` with an `xml` is a member
and how it was spelled, which holds for as long as it says the same value.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lxml import etree

from espi_server.espi.errors import EspiError
from espi_server.espi.raw import Element, escaped, parser
from espi_server.espi.types import BLANKS

CHILDREN = "#children"
ATTRIBUTES = "#attributes"
Data = dict[str, Any]


def loose(xml: str) -> Data:
    """A piece of XML that has no member."""
    return {"xml": xml}


def spelled(name: str, xml: str) -> Data:
    """A member that was spelled unlike we would."""
    return {"name": name, "xml": xml}


def stray(text: str | None) -> list[Data]:
    """Text between elements; blanks do not count."""
    return [loose(escaped(text))] if text and text.strip(BLANKS) else []


def attributes(data: Mapping[str, Any], path: str) -> str:
    """The attributes of a start tag, with a blank in front."""
    text = data.get(ATTRIBUTES, "")
    if not isinstance(text, str):
        raise EspiError(f"{path}/{ATTRIBUTES} must be the attributes as text, got {text!r}.")
    return f" {text.strip(BLANKS)}" if text else ""


def children(data: Mapping[str, Any], many: Mapping[str, bool], path: str) -> Iterator[tuple[str, Any, str]]:
    """What an object holds, in the order to be written: name, value and spelling, either of which may be ''.

    `many` tells the names there may be, in their usual order, and which of them hold a list.
    """
    values = {
        name: _values(data, name, many.get(name), path) for name in data if name not in (CHILDREN, ATTRIBUTES)
    }
    if unknown := values.keys() - many.keys():
        raise EspiError(f"{path} has no element {min(unknown)!r}. It has: {', '.join(many) or 'none'}.")
    if CHILDREN not in data:
        yield from ((name, value, "") for name in many for value in values.get(name, ()))
        return
    waiting = defaultdict(deque[Any], {name: deque(each) for name, each in values.items()})
    for item in _items(data[CHILDREN], path):
        name, xml = item.get("name", ""), item.get("xml", "")
        if name and not waiting[name]:
            raise EspiError(f"{path}/{CHILDREN} names {name!r} more often than there are values of it.")
        yield name, waiting[name].popleft() if name else None, xml
    if left := sorted(name for name, each in waiting.items() if each):
        raise EspiError(f"{path}/{CHILDREN} does not say where {', '.join(left)} stands.")


def _values(data: Mapping[str, Any], name: str, is_many: bool | None, path: str) -> list[Any]:
    value = data[name]
    if is_many and not isinstance(value, list):
        raise EspiError(f"{path}/{name} must be a list, got {value!r}.")
    return value if is_many else [value]


def _items(items: Any, path: str) -> Iterable[Mapping[str, str]]:
    listed = [{"name": each} if isinstance(each, str) else each for each in _list(items)]
    for each in listed:
        is_item = isinstance(each, dict) and each and each.keys() <= {"name", "xml"}
        if not is_item or not all(isinstance(text, str) and text for text in each.values()):
            raise EspiError(f'{path}/{CHILDREN} must list names and {{"xml": …}}, got {each!r}.')
    return listed


def _list(items: Any) -> list[Any]:
    return items if isinstance(items, list) else [items]


def parsed(text: str) -> Element:
    """XML made of somebody's pieces; EspiError where they do not fit together."""
    try:
        return etree.fromstring(text.encode(), parser())
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        raise EspiError(f"What stands as XML in this document is not well-formed: {error}") from error
