"""Resources with a value of its own in every element, so that whatever is served can be told by its bytes.

planter = Planter(random.Random(7))
planter.resource(usage.UsagePoint)     # every element the standard has, each filled
planter.sparse(usage.UsagePoint)       # a few of them
"""

from __future__ import annotations

import random
from itertools import count
from typing import Any

from espi_server.espi.content import Content
from espi_server.espi.fields import Field
from espi_server.espi.types import Anything, Choice, Decimal, Hex, Simple, SimpleContent, Truth, Uri, Whole


class Planter:
    """Makes contents; every text and every number wide enough is there once."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._numbers = count(1)

    def any(self, cls: type[Content], **given: Any) -> Content:
        """A whole resource or a sparse one."""
        return self._chance.choice((self.resource, self.sparse))(cls, **given)

    def resource(self, cls: type[Content], **given: Any) -> Content:
        """An instance with every element filled, two of whatever may come more than once; `given` as it is."""
        values = {
            field.attribute: self._values(field) for field in cls.fields if field.attribute not in given
        }
        return cls(**values, **given)

    def sparse(self, cls: type[Content], **given: Any) -> Content:
        """An instance with some of its elements, each of them whole."""
        left_out = {
            field.attribute: [] if field.many else None
            for field in cls.fields
            if not field.at_least and field.attribute not in given and self._chance.random() < 0.7
        }
        return self.resource(cls, **left_out, **given)

    def _values(self, field: Field) -> Any:
        return [self._value(field), self._value(field)] if field.many else self._value(field)

    def _value(self, field: Field) -> Any:
        return self._leaf(field.leaf) if field.content is None else self.resource(field.content)

    def _leaf(self, leaf: Simple) -> Any:
        number = next(self._numbers)
        if isinstance(leaf, Choice):
            return list(leaf.members)[number % len(leaf.members)]
        if isinstance(leaf, Truth):
            return bool(number % 2)
        if isinstance(leaf, Hex):
            return f"{number % 256:02X}" * leaf.limits.get("maxLength", 1)
        if isinstance(leaf, Decimal):
            return number + 0.5
        if isinstance(leaf, Whole):
            return _whole(leaf, number)
        if isinstance(leaf, Uri | SimpleContent):
            return f"https://planted.example/{number:06}"
        text = f"S{number:06}Z"
        return text if isinstance(leaf, Anything) or leaf.limits.get("maxLength", 99) >= len(text) else "x"


def _whole(leaf: Whole, number: int) -> int:
    """A number nobody else has where the type is wide enough; a time stays a time in seconds."""
    if leaf.name == "TimeType":
        return 3_100_000_000 + number
    most = leaf.limits.get("maxInclusive", 2**63)
    if most >= 2**47:
        return 71_000_000_000_000 + number
    return 3_000_000_000 + number if most >= 2**32 - 1 else number % 100
