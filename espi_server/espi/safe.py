"""XML from strangers: one small document at once, or entries one by one with flat memory.

Refused are a DOCTYPE (and with it every entity bomb and external entity), XInclude, and anything deeper,
longer or more than the `Limits`. The parser may fetch nothing and define nothing.

A line number is counted here: above 65,535 libxml2 only knows where the text after a tag ends.
"""

import io
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, cast
from xml.sax.saxutils import quoteattr

import numpy as np
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
    _check(root, _Bounds.unknown(len(data), data.count(b"="), limits), limits, None)
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
        self._open = b""  # the name of the element we are in
        name = _end_of_name(frozenset(tags))
        self._pieces = _pieces(after_prolog(utf8(file, limits)), name, limits, lambda: self._open)
        self._elements = self._walk()

    def __next__(self) -> Element:
        return next(self._elements)

    def _walk(self) -> Iterator[Element]:
        begun: list[tuple[int, int]] = []  # where each open element of ours began
        here = (1, 0)
        read = progress = tags = 0
        bounds = _Bounds(self._limits)
        for piece, line, offset, is_start in self._pieces:
            if is_start:
                here = (line, offset)
            if not begun:
                bounds.begin()
            read = offset + len(piece)
            tags += bounds.take(piece)
            if tags > self._limits.tags:
                raise HostileXml(f"One entry has more than {self._limits.tags:,} tags.", here[0])
            for event, element in self._fed(piece):
                if event == "start":
                    self._open = self._open or _written(element)
                    begun.append(here)
                    continue
                self.line, self.offset = begun.pop()
                if not begun:
                    _check(element, bounds, self._limits, self.line)
                    yield element
                    _forget(element)
                    progress, tags, self._open = read, 0, b""
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
                _check(found, _Bounds.unknown(read, read, limits), limits, None)
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


def _written(element: Element) -> bytes:
    """The name of an element as it stands in the document."""
    name = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{name}".encode() if element.prefix else name.encode()


def _starts(data: bytes, begin: int, end: int, name: re.Pattern[bytes]) -> Iterator[int]:
    """Where one of the names stands right after ``<`` or ``<prefix:``."""
    for match in name.finditer(data, begin, end):  # the name first: far quicker than trying every <
        start = data.rfind(b"<", max(begin, match.start() - 252), match.start())
        if start >= 0 and _PREFIX.fullmatch(data, start + 1, match.start()):
            yield start


def _pieces(
    chunks: Iterator[bytes], name: re.Pattern[bytes], limits: Limits, inside: Callable[[], bytes]
) -> Iterator[Piece]:
    """The document cut around everything that looks like the start tag of an element of ours, and behind its end tag.

    What merely looks so (in a comment or CDATA) makes no start event, so a start event belongs to the cut before it.
    `inside` tells which element is open: in it nothing but its end is looked for, which is most of the speed.
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
        begin = 0
        while begin < whole:
            end, is_start = _next_cut(data, begin, whole, name, inside())
            piece = data[begin:end]
            yield piece, line, offset, is_start
            line += piece.count(b"\n")
            offset += len(piece)
            begin = end
    yield held, line, offset, False


def _next_cut(
    data: bytes, begin: int, whole: int, name: re.Pattern[bytes], inside: bytes
) -> tuple[int, bool]:
    """Where the piece that begins here ends, and whether it begins like an element of ours."""
    if inside:
        return _behind_tag(data, data.find(b"</" + inside, begin, whole), whole), False
    start = next(_starts(data, begin, whole, name), whole)
    return (start, False) if start > begin else (_behind_tag(data, start, whole), True)


def _behind_tag(data: bytes, at: int, whole: int) -> int:
    closing = data.find(b">", at, whole) if at >= 0 else -1
    return closing + 1 if closing >= 0 else whole


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
_SHORT = 512  # bytes whose tags are counted without a look at their order


class _Bounds:
    """What the bytes of one element tell of its inside: upper bounds, which spare most elements most questions."""

    def __init__(self, limits: Limits) -> None:
        self.size = self.signs = self.depth = 0
        self.may_include = self.has_long_value = False
        self._long_value = _long_value(limits.attribute)
        self._open = 0
        self._is_loose = False

    @classmethod
    def unknown(cls, size: int, signs: int, limits: Limits) -> "_Bounds":
        """Of an element of which no more is known than its bytes, and its equals signs."""
        bounds = cls(limits)
        bounds.size = bounds.depth = size
        bounds.signs = signs
        bounds.may_include, bounds.has_long_value = True, size > limits.attribute
        return bounds

    def begin(self) -> None:
        """An element may begin with what is taken next."""
        self.size = self.signs = self.depth = self._open = 0
        self.has_long_value = self._is_loose = False

    def take(self, piece: bytes) -> int:
        """More bytes, whole tags all of them; how many tags."""
        self.size += len(piece)
        signs = piece.count(b"=")
        self.signs += signs
        self.has_long_value = self.has_long_value or bool(signs and self._long_value.search(piece))
        # Single bytes are found quickest. An address may be declared far above, its letters written as references.
        self.may_include = self.may_include or (b"&" in piece and b"&#" in piece) or b"XInclude" in piece
        # In comments and the like anything may look like a tag, so none is believed to close an element.
        self._is_loose = self._is_loose or b"!" in piece or b"?" in piece
        tags, highest, net = _levels(piece, self._is_loose)
        self.depth = max(self.depth, self._open + highest)
        self._open += net
        return tags


@lru_cache(maxsize=16)
def _long_value(most: int) -> re.Pattern[bytes]:
    return re.compile(rb"=\s*+(?:\"[^\"]{%d}|'[^']{%d})" % (most + 1, most + 1))


def _levels(piece: bytes, is_loose: bool) -> tuple[int, int, int]:
    """The tags of a piece, and the open elements at most and at its end over those open before; no fewer than true."""
    if is_loose or len(piece) < _SHORT:
        tags = piece.count(b"<")
        return tags, tags, tags if is_loose else tags - 2 * piece.count(b"</")
    cells = np.frombuffer(piece, np.uint8)
    at = np.flatnonzero(cells == ord("<"))
    if not len(at):
        return 0, 0, 0
    is_end = cells[np.minimum(at + 1, len(cells) - 1)] == ord("/")
    levels = np.cumsum(1 - 2 * is_end.view(np.int8), dtype=np.int32)
    return len(at), max(0, int(levels.max())), int(levels[-1])


def _check(element: Element, bounds: _Bounds, limits: Limits, line: int | None) -> None:
    """Raise HostileXml if an element's inside goes beyond the limits."""
    checks = _checks(limits)
    if bounds.may_include and checks.includes(element):
        raise HostileXml("XInclude is not taken; send the document whole.", line)
    if bounds.depth > limits.depth and checks.is_deep(element):
        raise HostileXml(f"Elements stand more than {limits.depth} deep.", line)
    if bounds.signs > limits.attributes and checks.has_many_attributes(element):
        raise HostileXml(f"An element has more than {limits.attributes} attributes.", line)
    if bounds.has_long_value and checks.has_long_attribute(element):
        raise HostileXml(f"An attribute is longer than {limits.attribute:,} characters.", line)
    if bounds.size > limits.text and checks.has_long_text(element):
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
    23: "This is not well-formed XML: here stands a bare &; write &amp; for it.",
    26: "An entity is not defined; write the character itself.",
    76: "An element is closed by the name of another.",
    68: "This is not well-formed XML: here stands a bare &, or a < that begins no tag; write &amp; or &lt; for it.",
    77: "The document ends in the middle; fetch it again.",
    81: "Here the bytes are not of the encoding the document says; send UTF-8.",
}
_UNCLOSED = {45: "A comment is opened and never closed.", 63: "A CDATA section is opened and never closed."}
_ENDS, _NO_NAME = 77, 68
_CUT_OFF = frozenset({35, 39, 40, 41, 47, 62, 65, 73, 74, 75, 77, 202})
"""What is missed at the end of a document that broke off: the rest of a name, a value, a tag."""
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
        raise _translated(parser, error, is_over=True) from None


def _errors(parser: etree.XMLParser) -> list[Any]:
    """The errors of this document; an error's own log is the thread's and holds those of others too."""
    return [one for one in cast(Any, parser).feed_error_log if one.level >= etree.ErrorLevels.ERROR]


def _translated(
    parser: etree.XMLParser, error: etree.XMLSyntaxError | None = None, *, is_over: bool = False
) -> DocumentError:
    log = _errors(parser)
    code, line, told = (log[0].type, log[0].line, log[0].message) if log else (0, 0, str(error))
    if is_over and code in _UNCLOSED:
        return UnreadableXml(_UNCLOSED[code], line or None)
    if code in _TOO_MUCH:
        return HostileXml(_TOO_MUCH[code], line or None)
    if is_over and (code in _CUT_OFF or (code == _NO_NAME and "StartTag" in told)):  # < is the last sign
        code = _ENDS
    words = _BROKEN.get(code, f"This is not well-formed XML ({_PLACE.sub('', told.strip())[:200]}).")
    return UnreadableXml(words, line or None)
