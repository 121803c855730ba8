"""Routes that read their address once, and learn how addresses are built when one is built.

Werkzeug writes two functions for every route the moment it is added. We have hundreds of routes, nearly all of them
only ever matched: four fifths of an application's start went into functions that nobody called. What remained went
mostly into reading the same patterns again, for each method and for each application of a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.rules import RulePart

Build = Callable[..., tuple[str, str]]


class _Read(NamedTuple):
    """What a pattern says: how it is matched, how it is built, and its variables."""

    parts: list[RulePart]
    trace: list[tuple[bool, str]]
    converters: dict[str, BaseConverter]


_READ: dict[str, _Read] = {}


class Route(Rule):
    """A rule of Werkzeug's that matches at once and compiles its builders at their first use."""

    def _parse_rule(self, rule: str) -> Iterable[RulePart]:
        if rule not in _READ:
            behind = len(self._trace)
            parts = [*super()._parse_rule(rule)]
            _READ[rule] = _Read(parts, self._trace[behind:], self._converters)
            return parts
        parts, trace, converters = _READ[rule]
        self._trace += trace
        self._converters.update(converters)
        self.arguments.update(converters)
        return parts

    def _compile_builder(self, append_unknown: bool = True) -> Build:
        compiled: list[Build] = []

        def build(rule: Rule, **values: object) -> tuple[str, str]:
            if not compiled:
                compiled.append(Rule._compile_builder(rule, append_unknown))
            return compiled[0](rule, **values)

        return build
