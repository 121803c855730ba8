"""How a route tells what it takes and answers: once, right above its view.

    @blueprint.post("/<code>/upload")
    @describes(
        "Deliver a file",
        method="POST",
        tag="deliveries",
        tokens="U",
        body={"application/atom+xml": {"type": "string"}},
        answers={202: Answer("Taken; `Location` is where its state is told.", {"application/json": STATE})},
        problems=(400, 413),
    )
    def upload(code: str) -> Response: ...

`/openapi.json` is made from these words and from the routes themselves (`openapi`), so a path, its parameters and
its methods are never said twice. A view that takes several methods is described once for each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Schema = Mapping[str, Any]
"""A JSON Schema 2020-12; `{}` is anything, `{"type": "string"}` a text of any form."""

View = TypeVar("View", bound=Callable[..., Any])

TEXT: Schema = {"type": "string"}
OBJECT: Schema = {"type": "object"}

_DESCRIBED: dict[Callable[..., Any], dict[str, Operation]] = {}


@dataclass(frozen=True)
class Answer:
    """One status: what it means, the schema of its body by media type, and its headers with what they say."""

    meaning: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """One parameter that is not in the path; `place` is `query` or `header`."""

    name: str
    meaning: str
    schema: Schema = field(default_factory=lambda: TEXT)
    place: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One method of a route, in words.

    `tokens` are the letters of the tokens that open it (Access, Client, Upload, Datacustodian, Registration; empty:
    it needs none), `problems` the statuses it answers with a problem document. 401, 403 and 404 come with a token.
    """

    summary: str
    tag: str
    answers: Mapping[int, Answer]
    description: str = ""
    tokens: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    name: str = ""  # the operation's own; the endpoint's where not given
    more: str = ""  # the address of more words
    has_pages: bool = False  # whoever does not ask for JSON or XML gets its problems as pages


def describes(
    summary: str, *, tag: str, answers: Mapping[int, Answer], method: str = "GET", **more: Any
) -> Callable[[View], View]:
    """Say of the view below what this method of it takes and answers: see `Operation`."""
    operation = Operation(summary, tag, answers, **more)

    def remember(view: View) -> View:
        _DESCRIBED.setdefault(inspect.unwrap(view), {})[method.upper()] = operation
        return view

    return remember


def described(view: Callable[..., Any]) -> Mapping[str, Operation]:
    """What was said of a view, by method; nothing where nobody said anything."""
    return _DESCRIBED.get(inspect.unwrap(view), {})
