"""XML as self-contained text: how content the schema does not foresee is kept word for word."""

from __future__ import annotations

import re

from lxml import etree

from .errors import EspiError

Element = etree._Element
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"

_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\r": "&#13;",
    "\n": "&#10;",
    "\t": "&#9;",
}
_FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_IN_TEXT = re.compile(f"[&<>\r{_FORBIDDEN}]")
_IN_ATTRIBUTE = re.compile(f'[&<>"\r\n\t{_FORBIDDEN}]')


def parser() -> etree.XMLParser:
    """A parser of its own for every call, so that no setting of lxml elsewhere changes what we read."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def escaped(text: str) -> str:
    """Text as it stands between tags; characters XML cannot carry raise EspiError."""
    return _IN_TEXT.sub(_entity, text)


def quoted(text: str) -> str:
    """An attribute's value with its quotes."""
    return f'"{_IN_ATTRIBUTE.sub(_entity, text)}"'


def _entity(match: re.Match[str]) -> str:
    character = match.group()
    if character not in _ENTITIES:
        raise EspiError(f"The character U+{ord(character):04X} cannot be written in XML. Remove it.")
    return _ENTITIES[character]


def split(tag: str) -> tuple[str, str]:
    """Namespace (empty where there is none) and local name of an lxml tag."""
    namespace, closing, local = tag.rpartition("}")
    return (namespace[1:], local) if closing else ("", tag)


def plain_text(element: Element) -> str | None:
    """The element's text, comments left out; None where it holds other elements."""
    if not len(element):
        return element.text or ""
    if any(isinstance(child.tag, str) for child in element):
        return None
    return (element.text or "") + "".join(child.tail or "" for child in element)


class Raw(str):
    """One element as text that needs nothing around it: every namespace it uses is declared on it."""

    __slots__ = ()

    @classmethod
    def of(cls, element: Element) -> Raw:
        return cls(outer(element, None, {}))

    @property
    def tag(self) -> str:
        """Namespace and name of the element, as lxml writes them."""
        return str(etree.fromstring(self.encode(), parser()).tag)

    @classmethod
    def parse(cls, text: str) -> Raw:
        """From somebody's text, read and written anew; EspiError where it is not one plain XML element."""
        if "<!DOCTYPE" in text:
            raise EspiError("A DOCTYPE is not accepted here. Send the element alone.")
        try:
            return cls.of(etree.fromstring(text.encode(), parser()))
        except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
            raise EspiError(f"This is not one well-formed XML element: {error}") from error


def attributes(element: Element, scope: dict[str, str] | None = None) -> str:
    """The element's attributes as text, with the prefixes they (and QNames in them) rely on."""
    if not element.attrib:
        return ""
    scope = dict(scope or {})
    return _declared(element, scope) + _attributes(element, scope)


def outer(element: Element, default: str | None, scope: dict[str, str]) -> str:
    """The element as text; `default` and `scope` are the namespaces already declared around it."""
    namespace, local = split(str(element.tag))
    scope = dict(scope)
    opening = local if namespace == default else f"{local} xmlns={quoted(namespace)}"
    opening += _declared(element, scope) + _attributes(element, scope)
    inner = escaped(element.text or "")
    for child in element:
        if isinstance(child.tag, str):
            inner += outer(child, namespace, scope)
        inner += escaped(child.tail or "")
    return f"<{opening}>{inner}</{local}>" if inner else f"<{opening}/>"


def _declared(element: Element, scope: dict[str, str]) -> str:
    # All prefixes in force are declared, used or not: text and xsi:type may hold QNames.
    text = ""
    for prefix, namespace in element.nsmap.items():
        if prefix and scope.get(prefix) != namespace:
            scope[prefix] = namespace
            text += f" xmlns:{prefix}={quoted(namespace)}"
    return text


def _attributes(element: Element, scope: dict[str, str]) -> str:
    prefixes = {namespace: prefix for prefix, namespace in scope.items()} | {XML_NAMESPACE: "xml"}
    text = ""
    for tag, value in element.attrib.items():
        namespace, local = split(str(tag))
        name = f"{prefixes[namespace]}:{local}" if namespace else local
        text += f" {name}={quoted(str(value))}"
    return text
