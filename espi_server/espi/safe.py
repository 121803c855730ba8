"""XML from strangers: one small document at once, or entries one by one with flat memory.

Refused are a DOCTYPE (and with it every entity bomb and external entity), XInclude, and anything deeper,
longer or more than the `Limits`. The parser may fetch nothing and define nothing.

A line number is counted here: above 65,535 libxml2 only knows where the text after a tag ends.
"""

import io
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, BinaryIO, cast
from xml.sax.saxutils import quoteattr

from lxml import etree

from .incoming import (
    DEFAULT,
    KIB,
    DocumentError,
    HostileXml,
    Limits,
    UnreadableXml,
    after_prolog,
    open_document,
    utf8,
)

__all__ = [
    "DocumentError",
    "Entries",
    "HostileXml",
    "Limits",
    "UnreadableXml",
    "iterate",
    "open_document",
    "parse",
    "reread",
]

Element = etree._Element

_XINCLUDE = "http://www.w3.org/2001/XInclude"
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "no_network": True,
    "huge_tree": False,
    "recover": False,
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,
}


def parse(data: bytes, limits: Limits = DEFAULT) -> Element:
    """The root element of one small document; raises UnreadableXml or HostileXml."""
    if len(data) > limits.entry:
        raise HostileXml(f"The document is larger than {limits.entry:,} bytes.")
    parser = etree.XMLParser(**_SAFE)
    names: set[bytes] = set()
    for chunk in after_prolog(utf8(io.BytesIO(data), limits)):
        _watch_names(chunk, names, limits)
        _feed(parser, chunk)
    root: Element = _close(parser)
    _check(root, len(data), data.count(b"="), limits, None)
    return root


class Entries(Iterator[Element]):
    """Elements of a large document one by one; each is emptied when the next is asked for.

    `line` and `offset` tell where the last one began: the line of the file, and the byte of its UTF-8
    (the same byte as in the file that `open_document` gave).
    """

    line = 0
    offset = 0

    def __init__(self, file: BinaryIO, tags: Collection[str], limits: Limits) -> None:
        self._limits = limits
        self._parser = etree.XMLPullParser(events=("start", "end"), tag=list(tags), **_SAFE)
        self._pieces = _pieces(after_prolog(utf8(file, limits)), _end_of_name(frozenset(tags)), limits)
        self._elements = self._walk()

    def __next__(self) -> Element:
        return next(self._elements)

    def _walk(self) -> Iterator[Element]:
        begun: list[tuple[int, int]] = []  # where each open element of ours began
        here = (1, 0)
        read = progress = signs = tags = 0
        for piece, line, offset, is_start in self._pieces:
            if is_start:
                here = (line, offset)
            read = offset + len(piece)
            signs += piece.count(b"=")
            tags += piece.count(b"<")
            if tags > self._limits.tags:
                raise HostileXml(f"One entry has more than {self._limits.tags:,} tags.", here[0])
            for event, element in self._fed(piece):
                if event == "start":
                    begun.append(here)
                    continue
                self.line, self.offset = begun.pop()
                if not begun:
                    _check(element, read - self.offset, signs, self._limits, self.line)
                    yield element
                    _forget(element)
                    progress, signs, tags = read, 0, 0
            if read - progress > self._limits.entry:
                raise HostileXml(f"One entry is larger than {self._limits.entry:,} bytes.", here[0])
        _close(self._parser)

    def _fed(self, piece: bytes) -> Iterator[tuple[str, Element]]:
        _feed(self._parser, piece)
        events: Any = self._parser.read_events()
        return iter(events)


def iterate(file: BinaryIO, tags: Collection[str], limits: Limits = DEFAULT) -> Entries:
    """The outermost elements of these names (``{namespace}local``), in document order, with flat memory.

    Reads from where the file stands. Raises UnreadableXml or HostileXml at the place they are met: what was
    yielded before was sound in itself, but the document was not, so take nothing for good until the end.
    """
    return Entries(file, tags, limits)


def reread(
    file: BinaryIO, offset: int, tag: str, namespaces: Mapping[str | None, str], limits: Limits = DEFAULT
) -> Element:
    """The element that begins at an `offset` that `Entries` told, with the namespaces in force there.

    `file` is one that `open_document` gave; `namespaces` are the ``nsmap`` of the element when first met.
    """
    declared = "".join(
        f" xmlns{':' + prefix if prefix else ''}={quoteattr(uri)}" for prefix, uri in namespaces.items()
    )
    parser = etree.XMLPullParser(events=("start", "end"), tag=tag, **_SAFE)
    read = depth = 0
    whole = True
    file.seek(offset)
    chunk = f"<_{declared}>".encode()
    while chunk and whole and read <= limits.entry:
        try:
            _feed(parser, chunk)
        except DocumentError:  # of what follows our element, perhaps; it may be complete before that
            whole = False
        events: Any = parser.read_events()
        for event, element in events:
            depth += 1 if event == "start" else -1
            if not depth:
                found: Element = element
                _check(found, read, read, limits, None)
                return found
        chunk = file.read(16 * KIB)
        read += len(chunk)
    raise UnreadableXml(f"At byte {offset} begins no whole {tag}; the file has changed since it was read.")


# --- where an element begins --------------------------------------------------------------------------

Piece = tuple[bytes, int, int, bool]
"""Bytes, the line and offset they begin at, and whether they begin like an element of ours."""


_PREFIX = re.compile(rb"(?:[^\s<>/=:!?\"']{1,250}:)?")


@lru_cache(maxsize=64)
def _end_of_name(tags: frozenset[str]) -> re.Pattern[bytes]:
    names = "|".join(re.escape(tag.rpartition("}")[2]) for tag in sorted(tags))
    return re.compile(rf"(?:{names})(?=[\s/>])".encode())


def _starts(data: bytes, end: int, name: re.Pattern[bytes]) -> Iterator[int]:
    """Where one of the names stands right after ``<`` or ``<prefix:``."""
    for match in name.finditer(data, 0, end):  # the name first: far quicker than trying every <
        start = data.rfind(b"<", max(0, match.start() - 252), match.start())
        if start >= 0 and _PREFIX.fullmatch(data, start + 1, match.start()):
            yield start


def _pieces(chunks: Iterator[bytes], name: re.Pattern[bytes], limits: Limits) -> Iterator[Piece]:
    """The document cut before everything that looks like the start of an element of ours.

    What merely looks so (in a comment or CDATA) makes no start event, so a start event belongs to the cut
    before it.
    """
    held = b""
    line, offset = 1, 0
    names: set[bytes] = set()
    for chunk in chunks:
        _watch_names(chunk, names, limits)
        data = held + chunk
        whole = _whole_tags(data)
        held = data[whole:]
        if len(held) > limits.text:
            raise HostileXml(f"One tag, comment or CDATA section is larger than {limits.text:,} bytes.", line)
        starts = set(_starts(data, whole, name))
        for begin, end in pairwise(sorted({0, whole} | starts)):
            piece = data[begin:end]
            yield piece, line, offset, begin in starts
            line += piece.count(b"\n")
            offset += len(piece)
    yield held, line, offset, False


def _whole_tags(data: bytes) -> int:
    """How far the data may be cut without cutting a tag in two."""
    last = data.rfind(b"<")
    return last if last >= 0 and data.find(b">", last) < 0 else len(data)


# --- what is too much ---------------------------------------------------------------------------------

_ANY_NAME = re.compile(rb"<([^\s<>/=!?]+)|\s([^\s<>/=\"'&;]+)\s*=\s*[\"']")
_SAMPLE = 8 * KIB


def _watch_names(chunk: bytes, names: set[bytes], limits: Limits) -> None:
    """Look at a random part of each chunk for a flood of different names.

    libxml2 keeps every name it ever met for as long as the thread lives, so a file of invented names would
    eat memory for good. ESPI has some five hundred names, one file a few dozen.
    """
    start = secrets.randbelow(len(chunk) - _SAMPLE) if len(chunk) > _SAMPLE else 0
    for tag, attribute in _ANY_NAME.findall(chunk, start, start + _SAMPLE):
        names.add(tag or attribute)
    if len(names) > limits.names:
        raise HostileXml(f"The document uses more than {limits.names} different names.")


class _Checks:
    """The limits of one element's inside, as expressions that libxml2 runs."""

    def __init__(self, limits: Limits) -> None:
        below = "/*" * limits.depth
        self.includes = _question("descendant-or-self::x:*", x=_XINCLUDE)
        self.is_deep = _question(f".{below}")
        self.has_many_attributes = _question(f"descendant-or-self::*[@*[{limits.attributes + 1}]]")
        self.has_long_attribute = _question(f"descendant-or-self::*/@*[string-length() > {limits.attribute}]")
        self.has_long_text = _question(f"descendant::text()[string-length() > {limits.text}]")


def _question(path: str, **namespaces: str) -> etree.XPath:
    return etree.XPath(f"boolean({path})", namespaces=namespaces or None)


_checks = lru_cache(maxsize=16)(_Checks)


def _check(element: Element, size: int, signs: int, limits: Limits, line: int | None) -> None:
    """Raise HostileXml if an element's inside goes beyond the limits.

    `size` and `signs` (its bytes, its equals signs) are upper bounds that spare most elements most questions.
    """
    checks = _checks(limits)
    if checks.includes(element):
        raise HostileXml("XInclude is not taken; send the document whole.", line)
    if checks.is_deep(element):
        raise HostileXml(f"Elements stand more than {limits.depth} deep.", line)
    if signs > limits.attributes and checks.has_many_attributes(element):
        raise HostileXml(f"An element has more than {limits.attributes} attributes.", line)
    if signs and size > limits.attribute and checks.has_long_attribute(element):
        raise HostileXml(f"An attribute is longer than {limits.attribute:,} characters.", line)
    if size > limits.text and checks.has_long_text(element):
        raise HostileXml(f"A text is longer than {limits.text:,} characters.", line)


def _forget(element: Element) -> None:
    """Empty an element that was used, and let go of everything before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


# --- libxml2's errors in our words --------------------------------------------------------------------

_TOO_MUCH = {
    45: "A comment is too long.",
    63: "A CDATA section is too long.",
    110: "A name is too long.",
    114: "Elements stand too deep, or a text or attribute is too long.",
}
_BROKEN = {
    4: "This is no XML, or it is empty.",
    5: "After the end of the document follows something else.",
    9: "Here is a character that XML forbids.",
    26: "An entity is not defined; write the character itself.",
    76: "An element is closed by the name of another.",
    77: "The document ends in the middle; fetch it again.",
    81: "Here the bytes are not of the encoding the document says; send UTF-8.",
}
_PLACE = re.compile(r",? line \d+, column \d+\s*$")


def _feed(parser: etree.XMLParser, chunk: bytes) -> None:
    try:
        parser.feed(chunk)
    except etree.XMLSyntaxError as error:
        raise _translated(parser, error) from None
    if _errors(parser):  # some, an undefined entity for one, are raised a feed later, in words that mislead
        raise _translated(parser)


def _close(parser: etree.XMLParser) -> Any:
    try:
        return parser.close()
    except etree.XMLSyntaxError as error:
        raise _translated(parser, error) from None


def _errors(parser: etree.XMLParser) -> list[Any]:
    """The errors of this document; an error's own log is the thread's and holds those of others too."""
    return [one for one in cast(Any, parser).feed_error_log if one.level >= etree.ErrorLevels.ERROR]


def _translated(parser: etree.XMLParser, error: etree.XMLSyntaxError | None = None) -> DocumentError:
    log = _errors(parser)
    code, line, told = (log[0].type, log[0].line, log[0].message) if log else (0, 0, str(error))
    if code in _TOO_MUCH:
        return HostileXml(_TOO_MUCH[code], line or None)
    words = _BROKEN.get(code, f"This is not well-formed XML ({_PLACE.sub('', told.strip())[:200]}).")
    return UnreadableXml(words, line or None)
