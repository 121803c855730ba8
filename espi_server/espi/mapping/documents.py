"""Whole documents: feeds and entries with everything Atom says about them, or one resource alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from espi_server.espi.atom import ATOM
from espi_server.espi.content import CUSTOMER, ESPI, SST, Content, kind
from espi_server.espi.errors import EspiError
from espi_server.espi.mapping.resources import plain, written
from espi_server.espi.mapping.shape import (
    ATTRIBUTES,
    CHILDREN,
    Data,
    attributes,
    children,
    loose,
    parsed,
    spelled,
    stray,
)
from espi_server.espi.raw import Element, escaped, outer, plain_text, quoted, split
from espi_server.espi.raw import attributes as attributes_of

_NAMESPACES = (ESPI, CUSTOMER, SST)


def to_json(root: Element) -> Data:
    """A feed, an entry, or a resource alone, as an object with one member; EspiError for anything else."""
    namespace, local = split(str(root.tag))
    if namespace == ATOM and local in _SHELLS:
        return {local: _shell(root, _SHELLS[local])}
    found = kind(namespace, local)
    if found is None:
        raise EspiError(
            f"The document starts with {root.tag!r}; an Atom feed or entry, or a resource, is expected."
        )
    return {named(namespace, local): plain(found.read(root))}


def from_json(data: Any) -> bytes:
    """The XML of such an object, without an XML declaration; EspiError names what does not fit."""
    if not isinstance(data, dict) or len(data) != 1:
        raise EspiError(
            'The document must be an object with one member: "feed", "entry", or a resource by its name.'
        )
    ((name, value),) = data.items()
    if name in _SHELLS:
        text = _written_shell(name, value, name, f" xmlns={quoted(ATOM)}")
    else:
        text = _resource(name, value, name)
    parsed(text)
    return text.encode()


def named(namespace: str, local: str) -> str:
    """How an element is called in JSON: its name, but `{namespace}name` where that is another namespace's already."""
    first = next((each for each in _NAMESPACES if kind(each, local)), namespace)
    return local if namespace == first else f"{{{namespace}}}{local}"


def _declared(name: str, path: str) -> tuple[type[Content], str]:
    """The class and the plain name of what `named` called so."""
    namespace, local = split(name)
    for each in (namespace,) if namespace else _NAMESPACES:
        found = kind(each, local)
        if found is not None:
            return found, local
    raise EspiError(f"{path} has no resource {name!r}; there are UsagePoint, Customer and so on.")


def _resource(name: str, value: Any, path: str) -> str:
    found, local = _declared(name, path)
    return written(found, value, local, path, f" xmlns={quoted(found.namespace)}")


# --- the shell ----------------------------------------------------------------------------------------


class _Slot(NamedTuple):
    """One kind of child: how it is read (None where it is of another shape) and written."""

    read: Callable[[Element], Any]
    write: Callable[[str, Any, str], str]
    many: bool = False


_Slots = Mapping[str, _Slot]


def _shell(element: Element, slots: _Slots) -> Data:
    data: Data = {}
    order: list[Any] = stray(element.text)
    for child in element:
        if isinstance(child.tag, str):
            order.append(_taken(data, child, slots))
        order += stray(child.tail)
    names = [each for each in order if isinstance(each, str)]
    if len(names) < len(order) or names != sorted(names, key=list(slots).index):
        data[CHILDREN] = order
    if element.attrib:
        data[ATTRIBUTES] = attributes_of(element)
    return data


def _taken(data: Data, child: Element, slots: _Slots) -> Any:
    """Put a child into its member; its name, or what it was, for the order."""
    namespace, local = split(str(child.tag))
    slot = slots.get(local) if namespace == ATOM else None
    value = slot.read(child) if slot and (slot.many or local not in data) else None
    if slot is None or value is None:
        return loose(outer(child, ATOM, {}))
    if slot.many:
        data.setdefault(local, []).append(value)
    else:
        data[local] = value
    # An object tells its attributes itself, a text cannot.
    return spelled(local, outer(child, ATOM, {})) if isinstance(value, str) and child.attrib else local


def _written_shell(local: str, data: Any, path: str, opening: str = "") -> str:
    if not isinstance(data, dict):
        raise EspiError(f"{path} must be an object with element names as keys, got {data!r}.")
    slots = _SHELLS[local]
    inside = "".join(
        _written(slots, name, value, xml, f"{path}/{name}")
        for name, value, xml in children(data, {name: slot.many for name, slot in slots.items()}, path)
    )
    return f"<{local}{opening}{attributes(data, path)}>{inside}</{local}>"


def _written(slots: _Slots, name: str, value: Any, xml: str, path: str) -> str:
    if not name:
        return xml
    return xml if xml and _says(xml, value) else slots[name].write(name, value, path)


def _says(xml: str, value: Any) -> bool:
    """Is this spelling still that of the text beside it?"""
    try:
        return bool(plain_text(parsed(f"<x xmlns={quoted(ATOM)}>{xml}</x>")[0]) == value)
    except (EspiError, IndexError):
        return False


def _write_text(name: str, value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise EspiError(f"{path} must be text, got {value!r}.")
    return f"<{name}>{escaped(value)}</{name}>" if value else f"<{name}/>"


def _read_link(element: Element) -> dict[str, str] | None:
    plainly = (
        not len(element)
        and not element.text
        and not any(str(name).startswith("{") for name in element.attrib)
    )
    return {str(name): str(value) for name, value in element.attrib.items()} if plainly else None


def _write_link(name: str, value: Any, path: str) -> str:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise EspiError(
            f'{path} must be an object of texts such as {{"rel": "self", "href": …}}, got {value!r}.'
        )
    return f"<{name}{''.join(f' {key}={quoted(text)}' for key, text in value.items())}/>"


def _read_entry(element: Element) -> Data:
    return _shell(element, _ENTRY)


def _write_entry(name: str, value: Any, path: str) -> str:
    return _written_shell(name, value, path)


def _read_content(element: Element) -> Data:
    """What is in it by name: an object, or a list where there are several of a name."""
    data: dict[str, list[Data]] = {}
    order: list[Any] = stray(element.text)
    for child in element:
        if isinstance(child.tag, str):
            namespace, local = split(child.tag)
            found = kind(namespace, local)
            name = named(namespace, local)
            order.append(name if found else loose(outer(child, ATOM, {})))
            if found:
                data.setdefault(name, []).append(plain(found.read(child)))
        order += stray(child.tail)
    told: Data = {name: each[0] if len(each) == 1 else each for name, each in data.items()}
    if len(data) > 1 or not all(isinstance(each, str) for each in order):
        told[CHILDREN] = order
    if element.attrib:
        told[ATTRIBUTES] = attributes_of(element)
    return told


def _write_content(name: str, value: Any, path: str) -> str:
    if not isinstance(value, dict):
        raise EspiError(f"{path} must be an object with one resource by its name, got {value!r}.")
    listed = {
        key: each if isinstance(each, list) or key == ATTRIBUTES else [each] for key, each in value.items()
    }
    many = {key: True for key in listed if key not in (CHILDREN, ATTRIBUTES)}
    inside = "".join(
        _resource(key, each, f"{path}/{key}") if key else xml
        for key, each, xml in children(listed, many, path)
    )
    return f"<{name}{attributes(listed, path)}>{inside}</{name}>"


_TEXT = _Slot(plain_text, _write_text)
_LINK = _Slot(_read_link, _write_link, many=True)
_ENTRY: _Slots = {
    "id": _TEXT,
    "link": _LINK,
    "title": _TEXT,
    "content": _Slot(_read_content, _write_content),
    "published": _TEXT,
    "updated": _TEXT,
}
_FEED: _Slots = {
    "id": _TEXT,
    "title": _TEXT,
    "updated": _TEXT,
    "link": _LINK,
    "entry": _Slot(_read_entry, _write_entry, many=True),
}
_SHELLS: Mapping[str, _Slots] = {"feed": _FEED, "entry": _ENTRY}
