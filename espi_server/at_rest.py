"""How personal fields stand in the database: closed, and said so once, beside the field.

Two kinds of column. `Personal` is for what is short or looked for (a reference, an address, words): Python sees it
in clear, the database never does, and equal values can be found. `Sealed` is for whole records (a customer's
resource, an upload, a verdict): closed and opened by hand, because they are bound to their very row.

A dialect, of which each engine has its own, is what SQLAlchemy hands to a type; so it is what a keyring is lent to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Dialect, Engine, LargeBinary, Text
from sqlalchemy.orm import Session
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator

from espi_server.keyring import DEVELOPMENT, Keyring, is_sealed
from espi_server.settings import OLDER_SECRETS

_LENT: WeakKeyDictionary[Dialect, Keyring] = WeakKeyDictionary()
_EQUAL = {
    operators.eq: operators.in_op, operators.ne: operators.not_in_op,
    operators.in_op: operators.in_op, operators.not_in_op: operators.not_in_op,
}  # fmt: skip
_SQL = (ClauseElement, operators.Operators, type(None))
_HARMLESS = {operators.is_, operators.is_not, operators.asc_op, operators.desc_op}


def lend(engine: Engine, keys: Keyring) -> None:
    """Let everything that runs on this engine close and open with these keys."""
    _LENT[engine.dialect] = keys


def lent(dialect: Dialect) -> Keyring:
    """The keys of an engine's dialect."""
    return _LENT.get(dialect, DEVELOPMENT)


def keyring(session: Session) -> Keyring:
    """The keys of the database a session works on."""
    return lent(session.get_bind().dialect)


class _Wanted(str):
    """A value to be looked for as it was closed so many secrets ago."""

    __slots__ = ("age",)
    age: int

    @classmethod
    def forms(cls, value: str) -> list[_Wanted]:
        made = [cls(value) for _ in range(1 + OLDER_SECRETS)]
        for age, each in enumerate(made):
            each.age = age
        return made


class Personal(TypeDecorator[Any]):
    """Text that stands in the database closed for its `place`, such as `customer.reference`; it knows only equality."""

    impl = Text
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator[Any]):
        """Values are equal if one is what the other was closed as, under the present secret or an older one."""

        def operate(self, op: Any, *other: Any, **more: Any) -> Any:
            """SQL for a comparison; NotImplementedError where it would compare what is closed."""
            given: Any = other[0] if other else None
            if op in _HARMLESS or (op in _EQUAL and isinstance(given, _SQL)):
                return super().operate(op, *other, **more)
            if op not in _EQUAL:
                raise NotImplementedError(f"A personal field can be compared for equality only, not by {op}.")
            wanted = [given] if isinstance(given, str) else list(given)
            forms = [form for each in wanted for form in _Wanted.forms(each)]
            return super().operate(_EQUAL[op], forms, **more)

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """What goes into the database."""
        if value is None:
            return None
        return lent(dialect).cover(self.said(value), self.place, getattr(value, "age", 0))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """What comes out of it; CannotOpen where it was tampered with."""
        return None if value is None else self.meant(lent(dialect).uncover(value, self.place))

    def said(self, value: Any) -> str:
        """A value as the text that is closed."""
        return str(value)

    def meant(self, text: str) -> Any:
        """The text that was closed as a value."""
        return text


class PersonalJson(Personal):
    """The same for anything JSON can say."""

    cache_ok = True

    def said(self, value: Any) -> str:
        """A value as JSON."""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    def meant(self, text: str) -> Any:
        """The value JSON says."""
        return json.loads(text)


class Sealed(TypeDecorator[bytes]):
    """A record closed for its own row: `row` names the columns that say which row that is."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, *row: str) -> None:
        super().__init__()
        self.row = row

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """What is closed passes; what is in clear does not enter the database."""
        if value is not None and not is_sealed(value):
            raise TypeError("This column takes what at_rest.seal() has closed.")
        return value


def place(column: Any, row: Mapping[str, Any]) -> str:
    """Where a sealed column of a row stands: its table and name, and what its type says tells the row."""
    told = ":".join(str(row[name]) for name in column.type.row)
    return f"{column.table.name}.{column.name}:{told}"


def seal(keys: Keyring, column: Any, row: Mapping[str, Any], record: bytes) -> bytes:
    """Close a record for a column of one row; `row` gives the columns its type names."""
    return keys.seal(record, place(column, row))


def opened(keys: Keyring, column: Any, row: Mapping[str, Any], sealed: bytes) -> bytes:
    """The record that was closed for this column of this row; CannotOpen for any other."""
    return keys.open(sealed, place(column, row))
