"""The simple types of the schema: what a value may be, and how it turns into text and back.

A type is used as an annotation, `start: TimeType`, which type checkers read as `int` or `str`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, TypeVar

from .errors import EspiError
from .raw import Element, Raw, escaped, plain_text

# XML knows four blanks; Python's strip() knows many more, and its int() more digits.
BLANKS = " \t\r\n"
_WHOLE = re.compile("[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Simple:
    """Text with limits. `facets` are those stated here; `limits` hold the inherited ones too."""

    python: type = str
    wanted = "text"

    def __init__(self, name: str, base: Simple | None = None, **facets: int | str) -> None:
        self.name = name
        self.base = base
        self.facets = facets
        self.limits: dict[str, Any] = {**(base.limits if base else {}), **facets}
        self.pattern = re.compile(str(facets["pattern"])) if "pattern" in facets else None

    @property
    def base_name(self) -> str:
        return self.base.name if self.base else "xs:anySimpleType"

    def read(self, text: str) -> Any:
        """The value of an element's text; ValueError where the text is not of this shape at all."""
        return text

    def text(self, value: Any) -> str:
        """The text of a value, in the one form we write."""
        return str(value)

    def read_element(self, element: Element) -> Any:
        """The value of an element; ValueError where it holds other elements instead."""
        text = plain_text(element)
        if text is None:
            raise ValueError(f"holds elements where {self.wanted} is expected")
        return self.read(text)

    def write_element(self, name: str, value: Any) -> str:
        text = escaped(self.text(value))
        return f"<{name}>{text}</{name}>" if text else f"<{name}/>"

    def verbatim(self, name: str, element: Element, value: Any) -> str | None:
        """How the element was written, where we would write its value otherwise ("+7", attributes)."""
        if element.attrib:
            return Raw.of(element)
        text = plain_text(element) or ""
        return None if text == self.text(value) else f"<{name}>{escaped(text)}</{name}>"

    def to_json(self, value: Any) -> Any:
        return value

    def from_json(self, value: Any) -> Any:
        """The value as it came in JSON; EspiError where it is of another kind."""
        if type(value) is not self.python:
            raise EspiError(f"must be {self.wanted}, got {value!r}")
        return value

    def complaint(self, value: Any) -> str | None:
        """What is wrong with the value, in words, or None. Starts with 'advice' where it is still valid."""
        if not isinstance(value, str):
            return f"must be {self.wanted}, got {value!r}"
        if self.pattern and not self.pattern.fullmatch(value):
            return f"must match {self.pattern.pattern}, got {value!r}"
        return self.too_long(value)

    def too_long(self, value: Any) -> str | None:
        most = self.limits.get("maxLength")
        if most is not None and len(value) > most:
            return f"must have at most {most} characters, has {len(value)}"
        return None


class Uri(Simple):
    """An address: blanks around it do not count."""

    wanted = "an address (URI)"

    def read(self, text: str) -> Any:
        return text.strip(BLANKS)


class Hex(Simple):
    """Bytes as hexadecimal digits, kept as text."""

    wanted = "an even number of hexadecimal digits"

    def read(self, text: str) -> Any:
        return text.strip(BLANKS)

    def complaint(self, value: Any) -> str | None:
        if not isinstance(value, str) or not re.fullmatch("([0-9A-Fa-f]{2})*", value):
            return f"must be {self.wanted}, got {value!r}"
        most = self.limits.get("maxLength")
        if most is not None and len(value) > 2 * most:
            return f"must have at most {2 * most} hexadecimal digits, has {len(value)}"
        return None


class Whole(Simple):
    """A whole number between two bounds."""

    python = int
    wanted = "a whole number"

    def read(self, text: str) -> Any:
        text = text.strip(BLANKS)
        if not _WHOLE.fullmatch(text):
            raise ValueError(f"must be {self.wanted}, got {text[:40]!r}")
        return int(text)

    def text(self, value: Any) -> str:
        return str(int(value))

    def complaint(self, value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be {self.wanted}, got {value!r}"
        low, high = self.limits.get("minInclusive", -math.inf), self.limits.get("maxInclusive", math.inf)
        if not low <= value <= high:
            return f"must be a whole number from {low} to {high}, got {value}"
        return None


class Truth(Simple):
    """Yes or no."""

    python = bool
    wanted = "true or false"

    def read(self, text: str) -> Any:
        if text.strip(BLANKS) not in _TRUTH:
            raise ValueError(f"must be {self.wanted}, got {text[:40]!r}")
        return _TRUTH[text.strip(BLANKS)]

    def text(self, value: Any) -> str:
        return "true" if value else "false"

    def complaint(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else f"must be {self.wanted}, got {value!r}"


class Decimal(Simple):
    """A finite number. The schema's INF and NaN are kept as text and reported, never calculated with."""

    python = float
    wanted = "a finite number"

    def read(self, text: str) -> Any:
        text = text.strip(BLANKS)
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise ValueError(f"must be {self.wanted}, got {text[:40]!r}")
        return float(text)

    def text(self, value: Any) -> str:
        return repr(float(value))

    def from_json(self, value: Any) -> Any:
        return super().from_json(float(value) if type(value) is int else value)

    def complaint(self, value: Any) -> str | None:
        ok = isinstance(value, float) and math.isfinite(value)
        return None if ok else f"must be {self.wanted}, got {value!r}"


class Anything(Simple):
    """Where the schema says nothing: text as text, anything else as `Raw` XML (in JSON: {"xml": …})."""

    def read_element(self, element: Element) -> Any:
        text = plain_text(element)
        return Raw.of(element) if text is None or element.attrib else text

    def write_element(self, name: str, value: Any) -> str:
        return value if isinstance(value, Raw) else super().write_element(name, value)

    def verbatim(self, name: str, element: Element, value: Any) -> str | None:
        return None

    def to_json(self, value: Any) -> Any:
        return {"xml": str(value)} if isinstance(value, Raw) else value

    def from_json(self, value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {"xml"} and isinstance(value["xml"], str):
            return Raw.parse(value["xml"])
        return super().from_json(value)


class SimpleContent(Uri):
    """A complex type of the schema that holds an address and nothing else."""


class Choice(Simple):
    """A list of values: numbers or words. `open` where the schema takes any other value of its base too."""

    def __init__(self, name: str, base: Simple, members: type[Enum], *, open_: bool) -> None:
        super().__init__(name, base)
        self.wanted, self.python = base.wanted, base.python
        self.members = members
        self.listed = {member.value: member for member in members}
        self.open = open_
        self._base = base

    def read(self, text: str) -> Any:
        value = self._base.read(text)
        return self.listed.get(value, value)

    def text(self, value: Any) -> str:
        return self._base.text(value.value if isinstance(value, Enum) else value)

    def to_json(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value

    def from_json(self, value: Any) -> Any:
        value = self._base.from_json(self.to_json(value))
        return self.listed.get(value, value)

    def complaint(self, value: Any) -> str | None:
        wrong = self._base.complaint(value)
        if wrong or value in self.listed:
            return wrong
        known = ", ".join(str(item) for item in self.listed)
        return f"{'advice: ' if self.open else ''}{value!r} is not one of {known}"


# Built into XML Schema.
_STRING = Simple("xs:string")
_HEX = Hex("xs:hexBinary")
_INTEGER = Whole("xs:integer")
_LONG = Whole("xs:long", minInclusive=-(2**63), maxInclusive=2**63 - 1)
_SHORT = Whole("xs:short", minInclusive=-(2**15), maxInclusive=2**15 - 1)
_UNSIGNED_LONG = Whole("xs:unsignedLong", minInclusive=0, maxInclusive=2**64 - 1)
_UNSIGNED_INT = Whole("xs:unsignedInt", minInclusive=0, maxInclusive=2**32 - 1)
_UNSIGNED_SHORT = Whole("xs:unsignedShort", minInclusive=0, maxInclusive=2**16 - 1)
_UNSIGNED_BYTE = Whole("xs:unsignedByte", minInclusive=0, maxInclusive=255)

Text = Annotated[str, _STRING]
Address = Annotated[str, Uri("xs:anyURI")]
Integer = Annotated[int, _INTEGER]
Boolean = Annotated[bool, Truth("xs:boolean")]
Float = Annotated[float, Decimal("xs:float")]
AnyType = Annotated[str, Anything("xs:anyType")]

# Of ESPI itself. The length of HexBinary is given in bits, that of String in characters.
HexBinary128 = Annotated[str, Hex("HexBinary128", _HEX, maxLength=16)]
_HEX32 = Hex("HexBinary32", _HEX, maxLength=4)
HexBinary32 = Annotated[str, _HEX32]
HexBinary16 = Annotated[str, Hex("HexBinary16", _HEX, maxLength=2)]
HexBinary8 = Annotated[str, Hex("HexBinary8", _HEX, maxLength=1)]

String512 = Annotated[str, Simple("String512", _STRING, maxLength=512)]
String256 = Annotated[str, Simple("String256", _STRING, maxLength=256)]
_STRING64 = Simple("String64", _STRING, maxLength=64)
String64 = Annotated[str, _STRING64]
String32 = Annotated[str, Simple("String32", _STRING, maxLength=32)]
String16 = Annotated[str, Simple("String16", _STRING, maxLength=16)]
String8 = Annotated[str, Simple("String8", _STRING, maxLength=8)]
String4 = Annotated[str, Simple("String4", _STRING, maxLength=4)]
Name = Annotated[str, Simple("name", _STRING64)]

UInt8 = Annotated[int, Whole("UInt8", _UNSIGNED_BYTE)]
UInt16 = Annotated[int, Whole("UInt16", _UNSIGNED_SHORT)]
UInt32 = Annotated[int, Whole("UInt32", _UNSIGNED_INT)]
UInt48 = Annotated[int, Whole("UInt48", _UNSIGNED_LONG, maxInclusive=2**48 - 1)]
Int16 = Annotated[int, Whole("Int16", _SHORT)]
# The published upper bound is 2^47 itself, one more than 48 bits hold.
Int48 = Annotated[int, Whole("Int48", _LONG, minInclusive=-(2**47), maxInclusive=2**47)]
PerCent = Annotated[int, Whole("PerCent", _INTEGER, minInclusive=0, maxInclusive=100)]

# Seconds since 1 January 1970 UTC, or an offset in seconds.
TimeType = Annotated[int, Whole("TimeType", _LONG)]
DstRuleType = Annotated[str, Hex("DstRuleType", _HEX32)]
_UUID = "[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"
UUIDType = Annotated[str, Simple("UUIDType", _STRING, pattern=_UUID)]

_CHOICES: dict[type[Enum], Choice] = {}
Members = TypeVar("Members", bound=type[IntEnum] | type[StrEnum])


def union_of(base: Any, name: str | None = None) -> Callable[[Members], Members]:
    """For an enumeration the schema keeps open: the listed values, or any other one of `base`."""
    return _choice(base, name, open_=True)


def restriction_of(base: Any, name: str | None = None) -> Callable[[Members], Members]:
    """For an enumeration that takes the listed values only."""
    return _choice(base, name, open_=False)


def _choice(base: Any, name: str | None, *, open_: bool) -> Callable[[Members], Members]:
    def declare(members: Members) -> Members:
        _CHOICES[members] = Choice(name or members.__name__, simple(base), members, open_=open_)
        return members

    return declare


def simple(annotation: Any) -> Simple:
    """The simple type behind an annotation: an enumeration, or an alias of this module."""
    if annotation in _CHOICES:
        return _CHOICES[annotation]
    found: Simple = annotation.__metadata__[0]
    return found
