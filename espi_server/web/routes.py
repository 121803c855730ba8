"""Routes that learn how their addresses are built when one is built.

Werkzeug writes two functions for every route the moment it is added. We have hundreds of routes, nearly all of them
only ever matched: four fifths of an application's start went into functions that nobody called.
"""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.routing import Rule

Build = Callable[..., tuple[str, str]]


class Route(Rule):
    """A rule of Werkzeug's that matches at once and compiles its builders at their first use."""

    def _compile_builder(self, append_unknown: bool = True) -> Build:
        compiled: list[Build] = []

        def build(rule: Rule, **values: object) -> tuple[str, str]:
            if not compiled:
                compiled.append(Rule._compile_builder(rule, append_unknown))
            return compiled[0](rule, **values)

        return build
