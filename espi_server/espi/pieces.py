"""Reading an element's children so that what does not fit is kept where it stood, with a word on why."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .fields import Field
from .raw import Element, Raw, escaped
from .types import BLANKS

if TYPE_CHECKING:
    from .content import Content

UNDECLARED = "is not declared in ESPI 4.0"
REPEATED = "stands more than once"
MISPLACED = "stands after an element it must precede"
STRAY = "text stands where only elements are expected"


class Piece(NamedTuple):
    """A child as it was read: the place of its field, or None where `raw` stands for itself."""

    position: int | None
    value: Any = None
    # Written instead of the value for as long as the value is this very object.
    raw: str | None = None
    note: str = ""
    path: str = ""


def read_into(instance: Content, element: Element) -> tuple[Piece, ...] | None:
    """Fill the instance; the children in their order where anything is unusual, else None."""
    pieces = _stray(element.text)
    usual, last = not pieces, 0
    for child in element:
        if isinstance(child.tag, str):
            piece = _piece(instance, child, last)
            usual = usual and piece.raw is None and not piece.note
            last = max(last, piece.position or 0)
            pieces.append(piece)
        if child.tail and (stray := _stray(child.tail)):
            usual = False
            pieces += stray
    return None if usual else tuple(pieces)


def _stray(text: str | None) -> list[Piece]:
    if not text or not text.strip(BLANKS):
        return []
    return [Piece(None, raw=escaped(text), note=STRAY, path="text()")]


def _piece(instance: Content, child: Element, last: int) -> Piece:
    position = instance.positions.get(str(child.tag))
    if position is None:
        return Piece(None, raw=Raw.of(child), note=UNDECLARED, path=str(child.tag))
    field = instance.fields[position]
    if not field.many and field.attribute in instance.__dict__:
        return Piece(None, raw=Raw.of(child), note=REPEATED, path=field.name)
    try:
        value = field.leaf.read_element(child) if field.content is None else field.content.read(child)
    except ValueError as error:
        return Piece(None, raw=Raw.of(child), note=str(error), path=field.name)
    _keep(instance, field, value)
    raw = field.leaf.verbatim(field.name, child, value) if field.content is None else None
    return Piece(position, value, raw, MISPLACED if position < last else "", field.name)


def _keep(instance: Content, field: Field, value: Any) -> None:
    if field.many:
        instance.__dict__[field.attribute].append(value)
    else:
        instance.__dict__[field.attribute] = value


def arranged(
    fields: tuple[Field, ...], pieces: tuple[Piece, ...], present: list[tuple[Field, Any]]
) -> Iterator[tuple[Field | None, Any, str | None]]:
    """What to write, in the order read, or in the schema's once elements came or went since."""
    waiting: dict[str, deque[Any]] = defaultdict(deque)
    for field, value in present:
        waiting[field.attribute].append(value)
    as_read = [fields[piece.position].attribute for piece in pieces if piece.position is not None]
    if sorted(as_read) != sorted(field.attribute for field, _ in present):
        yield from ((field, value, None) for field, value in present)
        yield from ((None, None, piece.raw) for piece in pieces if piece.position is None)
        return
    for piece in pieces:
        if piece.position is None:
            yield None, None, piece.raw
        else:
            field = fields[piece.position]
            value = waiting[field.attribute].popleft()
            yield field, value, piece.raw if value is piece.value else None
