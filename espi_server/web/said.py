"""What a piece of a page says, as plain text: line for line what a reader sees, without what is only for pressing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import html

CONTROL = "control"
"""The class of what belongs to the page and not to what it says: a link back, a button."""
_BLOCKS = frozenset(
    {
        "address", "article", "blockquote", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "header", "hr", "li", "main", "nav", "ol",
        "p", "pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
    }
)  # fmt: skip


def text(fragment: str) -> str:
    """The text of a piece of HTML, a line for each block."""
    pieces = _pieces(html.fragment_fromstring(fragment, create_parent="div"))
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return "\n".join(filter(None, lines))


def _pieces(element: Any) -> Iterator[str]:
    if not isinstance(element.tag, str) or CONTROL in element.get("class", "").split():
        return
    is_block = element.tag in _BLOCKS or element.tag == "br"
    if is_block:
        yield "\n"
    yield _flat(element.text)
    for child in element:
        yield from _pieces(child)
        yield _flat(child.tail)
    if is_block:
        yield "\n"


def _flat(text: str | None) -> str:
    return (text or "").replace("\n", " ")
