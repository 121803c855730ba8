"""One element of a type: what an annotation such as `start: TimeType | None` says about it."""

from __future__ import annotations

import types as python_types
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin

from .types import AnyType, Simple, simple

if TYPE_CHECKING:
    from .content import Content


class Given(NamedTuple):
    name: str | None = None
    at_least: int = 0
    ours: bool = False


def element(name: str | None = None, *, at_least: int = 0, ours: bool = False) -> Any:
    """What the annotation cannot say: another XML name, a least number of times, an addition of ours."""
    return Given(name, at_least, ours)


class Field:
    """Where an element stands, what it is called, what it holds, and how often."""

    def __init__(self, attribute: str, annotation: Any, given: Given) -> None:
        hint, self.many, optional = _unwrapped(annotation)
        self.attribute = attribute
        self.name = given.name or camel(attribute)
        self.ours = given.ours
        self.at_least = given.at_least if self.many else 0 if optional else 1
        self.content: type[Content] | None = hint if hasattr(hint, "from_json") else None
        self.leaf: Simple = simple(AnyType if self.content else hint)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def to_json(self, value: Any) -> Any:
        return self.leaf.to_json(value) if self.content is None else value.to_json()

    def from_json(self, value: Any) -> Any:
        return self.leaf.from_json(value) if self.content is None else self.content.from_json(value)

    def complaint(self, value: Any) -> str | None:
        """What is wrong with the value itself, in words; what is below it speaks for itself."""
        if self.content is None:
            return self.leaf.complaint(value)
        return None if isinstance(value, self.content) else f"must be a {self.content.name}, got {value!r}"


def _unwrapped(annotation: Any) -> tuple[Any, bool, bool]:
    """What is held, whether many times, whether it may be absent."""
    if get_origin(annotation) is list:
        return get_args(annotation)[0], True, True
    if get_origin(annotation) in (Union, python_types.UnionType):
        return next(item for item in get_args(annotation) if item is not type(None)), False, True
    return annotation, False, False


def camel(attribute: str) -> str:
    """The standard's spelling of a name of ours: `status_time_stamp` is statusTimeStamp."""
    first, *rest = attribute.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
