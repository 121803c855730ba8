"""The base of every ESPI type: one annotation per element says how it is read, written and stored.

    class IntervalBlock(IdentifiedObject, resource=True):
        interval: DateTimeInterval | None                                      # at most one
        interval_reading: list[IntervalReading] = element("IntervalReading")   # any number

`X` is exactly one, `X | None` at most one, `list[X]` any number. The attribute's name in camelCase is
the element's name unless `element(…)` gives another. Order is the schema's order, inherited elements first.

Reading is patient: whatever does not fit (unknown, misplaced, repeated, not of its type) is kept where it
stood and reported, so writing what was read gives back the same tree.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

from lxml import etree

from .errors import EspiError
from .fields import Field, Given
from .pieces import UNDECLARED, Piece, arranged, read_into
from .raw import Element, Raw, attributes, parser

ESPI = "http://naesb.org/espi"
CUSTOMER = "http://naesb.org/espi/customer"
SST = "urn:espi-server:sst:1"
LINK_PREFIXES = {ESPI: "espi", CUSTOMER: "cust", SST: "sst"}

KINDS: dict[str, type[Content]] = {}
"""Every resource kind by name. LocalTimeParameters, which both schemas have, is the usage side's."""

_ROOTS: dict[tuple[str, str], type[Content]] = {}
_DECLARED: dict[str, list[type[Content]]] = {}


def kind(namespace: str, local: str) -> type[Content] | None:
    """The class of a root element, None where the schemas have no such element."""
    return _ROOTS.get((namespace, local))


def declared(namespace: str) -> list[type[Content]]:
    """Every type of a namespace, in the order of declaration."""
    return list(_DECLARED.get(namespace, ()))


class Finding(NamedTuple):
    """What is wrong, and where. Advice is about something that is still valid against the schema."""

    path: str
    message: str

    @property
    def is_advice(self) -> bool:
        return self.message.startswith("advice")


class Content:
    """A complex type of the schema. Its subclasses declare the elements."""

    namespace: ClassVar[str] = ESPI
    name: ClassVar[str] = ""
    type_name: ClassVar[str] = ""
    link_prefix: ClassVar[str] = ""
    roots: ClassVar[tuple[str, ...]] = ()
    anonymous: ClassVar[bool] = False
    personal: ClassVar[bool] = False
    own: ClassVar[tuple[Field, ...]] = ()
    fields: ClassVar[tuple[Field, ...]] = ()
    by_name: ClassVar[dict[str, Field]] = {}
    many: ClassVar[dict[str, bool]] = {}
    positions: ClassVar[dict[str, int]] = {}
    # Set on instances read from XML that had something unusual, or attributes.
    _kept: tuple[Piece, ...] | None = None
    _attributes: str = ""

    def __init_subclass__(
        cls,
        *,
        namespace: str | None = None,
        type_name: str | None = None,
        roots: tuple[str, ...] | None = None,
        resource: bool = False,
        anonymous: bool = False,
        personal: bool | None = None,
    ) -> None:
        """`type_name` where the schema's type is called otherwise; `roots` where the root elements are.

        `personal` says, of a type and all made from it, that it tells of a person: it is never stored in clear.
        """
        cls.namespace = namespace or cls.namespace
        cls.link_prefix = LINK_PREFIXES[cls.namespace]
        cls.personal = cls.personal if personal is None else personal
        cls.name, cls.type_name, cls.anonymous = cls.__name__, type_name or cls.__name__, anonymous
        cls.roots = (cls.name,) if roots is None else roots
        _declare(cls)
        _DECLARED.setdefault(cls.namespace, []).append(cls)
        _ROOTS.update({(cls.namespace, root): cls for root in cls.roots})
        if resource:
            KINDS.setdefault(cls.name, cls)

    def __init__(self, **values: Any) -> None:
        for field in self.fields:
            value = values.pop(field.attribute, None)
            if field.many:
                self.__dict__[field.attribute] = list(value or ())
            elif value is not None:
                self.__dict__[field.attribute] = value
        if values:
            raise TypeError(f"{self.name} has no element for {', '.join(sorted(values))}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and type(other) is type(self) and self.write() == other.write()

    def __repr__(self) -> str:
        values = ", ".join(f"{field.attribute}={value!r}" for field, value in self._present())
        return f"{self.name}({values})"

    # XML

    @classmethod
    def read(cls, element: Element) -> Self:
        """From an lxml element, by namespace. Nothing is lost and nothing is refused: see `problems`."""
        instance = cls()
        instance._kept = read_into(instance, element)
        if element.attrib:
            instance._attributes = attributes(element)
        return instance

    def write(self, name: str | None = None) -> bytes:
        """XML as bytes: compact, default namespace on the root, no prefixes, no XML declaration."""
        out: list[str] = []
        self._write(out, name or self.name, f' xmlns="{self.namespace}"')
        return "".join(out).encode()

    def element(self) -> Element:
        """The same as an lxml element."""
        return etree.fromstring(self.write(), parser())

    def _write(self, out: list[str], name: str, opening: str = "") -> None:
        start = len(out)
        out.append("")
        for field, value, raw in self.arranged():
            if field is None or raw is not None:
                out.append(raw or "")
            elif field.content is None:
                out.append(field.leaf.write_element(field.name, value))
            else:
                value._write(out, field.name)
        empty = len(out) == start + 1
        out[start] = f"<{name}{opening}{self._attributes}{'/>' if empty else '>'}"
        if not empty:
            out.append(f"</{name}>")

    def _present(self) -> Iterator[tuple[Field, Any]]:
        """Every field with a value, once per value, in the schema's order."""
        values = self.__dict__
        for field in self.fields:
            value = values.get(field.attribute)
            if field.many:
                for item in value or ():
                    yield field, item
            elif value is not None:
                yield field, value

    @property
    def is_odd(self) -> bool:
        """Was there anything in what was read that members in the schema's order cannot say?"""
        return self._kept is not None

    @property
    def attributes(self) -> str:
        """The attributes that were read, as they stand in a start tag; none belong on an element of ESPI."""
        return self._attributes

    def arranged(self) -> Iterator[tuple[Field | None, Any, str | None]]:
        """What will be written, in order: a field with its value, or XML; both where it was spelled unusually."""
        if self._kept is None:
            return ((field, value, None) for field, value in self._present())
        return arranged(self.fields, self._kept, list(self._present()))

    # JSON

    def to_json(self) -> dict[str, Any]:
        """Names as in XML, whole numbers as such, lists as lists, only what is present and declared."""
        data: dict[str, Any] = {}
        for field, value in self._present():
            if field.many:
                data.setdefault(field.name, []).append(field.to_json(value))
            else:
                data[field.name] = field.to_json(value)
        return data

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The reverse of `to_json`; EspiError names what does not fit."""
        if not isinstance(data, dict):
            raise EspiError(f"{cls.name} must be an object with element names as keys, got {data!r}.")
        instance = cls()
        for name, value in data.items():
            if name not in cls.by_name:
                raise EspiError(f"{cls.name} has no element {name!r}. It has: {', '.join(cls.by_name)}.")
            field = cls.by_name[name]
            instance.__dict__[field.attribute] = _from_json(cls, field, value)
        return instance

    # What is in it

    def only(self, names: frozenset[str]) -> Self:
        """A copy with these child elements and nothing else; `Organisation.postalAddress` reaches deeper.

        An element named whole comes with everything declared below it except `extension`: that may hold
        anything, so it is kept only where it is named itself. EspiError for a name that is not declared.
        """
        return self._picked(_branches(self.fields, names))

    def _picked(self, branches: dict[str, Any] | None) -> Self:
        copy = type(self)()
        for field, value in self._present():
            if (field.name == "extension") if branches is None else (field.name not in branches):
                continue
            kept = value
            if field.content:
                kept = value._picked(None if branches is None else branches[field.name])
            if field.many:
                copy.__dict__[field.attribute].append(kept)
            else:
                copy.__dict__[field.attribute] = kept
        return copy

    def unknown(self) -> list[str]:
        """Paths of elements that are not declared, such as `serviceDeliveryPoint/{namespace}name`."""
        own = [piece.path for piece in self._kept or () if piece.note == UNDECLARED]
        return own + [f"{path}/{deeper}" for path, child in self._children() for deeper in child.unknown()]

    def problems(self) -> list[Finding]:
        """Elements missing, misplaced or not declared, values outside their type; advice for unlisted codes."""
        found = [Finding(piece.path, piece.note) for piece in self._kept or () if piece.note]
        counts = Counter(field.name for field, _ in self._present())
        for field in self.fields:
            if counts[field.name] < field.at_least:
                message = f"is required {field.at_least} time(s), found {counts[field.name]}"
                found.append(Finding(field.name, message))
        for path, field, value in self._paths():
            if message := field.complaint(value) or "":
                found.append(Finding(path, message))
        for path, child in self._children():
            found += [Finding(f"{path}/{deeper}", message) for deeper, message in child.problems()]
        return found

    def _paths(self) -> Iterator[tuple[str, Field, Any]]:
        seen: Counter[str] = Counter()
        for field, value in self._present():
            seen[field.name] += 1
            yield f"{field.name}[{seen[field.name]}]" if field.many else field.name, field, value

    def _children(self) -> Iterator[tuple[str, Content]]:
        return ((path, value) for path, _, value in self._paths() if isinstance(value, Content))


def _declare(cls: type[Content]) -> None:
    """Turn the annotations a class states itself into fields, after those it inherits."""
    own = []
    for attribute, annotation in inspect.get_annotations(cls, eval_str=True).items():
        given = cls.__dict__.get(attribute, Given())
        own.append(Field(attribute, annotation, given))
        setattr(cls, attribute, None)
    cls.own = tuple(own)
    cls.fields = cls.fields + cls.own
    cls.by_name = {field.name: field for field in cls.fields}
    cls.many = {field.name: field.many for field in cls.fields}
    cls.positions = {f"{{{cls.namespace}}}{field.name}": at for at, field in enumerate(cls.fields)}


def _from_json(cls: type[Content], field: Field, value: Any) -> Any:
    path = f"{cls.name}/{field.name}"
    if field.many and not isinstance(value, list):
        raise EspiError(f"{path} must be a list, got {value!r}.")
    try:
        values = [field.from_json(item) for item in value] if field.many else [field.from_json(value)]
    except EspiError as error:
        # Deeper errors already name their own path.
        raise error if field.content else EspiError(f"{path} {error}.") from error
    for item in values:
        if isinstance(item, Raw) and item.tag != f"{{{cls.namespace}}}{field.name}":
            raise EspiError(f"{path} must hold an element of its own name, got {item.tag}.")
    return values if field.many else values[0]


@lru_cache(maxsize=1024)
def _branches(fields: tuple[Field, ...], names: frozenset[str]) -> dict[str, Any]:
    """The names as a tree: element name to what is wanted below it, None for all of it."""
    known = {field.name: field for field in fields}
    deeper: dict[str, set[str]] = {}
    for name in names:
        first, _, rest = name.partition(".")
        if first not in known or (rest and known[first].content is None):
            raise EspiError(f"There is no element {name!r} here. There are: {', '.join(known)}.")
        deeper.setdefault(first, set()).add(rest)
    return {first: _below(known[first], rests) for first, rests in deeper.items()}


def _below(field: Field, rests: set[str]) -> dict[str, Any] | None:
    if field.content is None or "" in rests:
        return None
    return _branches(field.content.fields, frozenset(rests))
