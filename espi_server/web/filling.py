"""A page with one of its forms filled in as somebody had filled it in before. Everything else stays as it was written.

What only the page knows (hidden fields), and what is typed anew each time (passwords, codes, files), is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_TICKED: Final = ("checkbox", "radio")
_TYPED: Final = ("text", "email", "tel", "search", "url", "number", "date")
_ANEW: Final = ("one-time-code", "current-password", "new-password", "username")
_Attributes = list[tuple[str, str | None]]


def filled(page: str, action: str, fields: Sequence[tuple[str, str]], note: str) -> str | None:
    """The page with its form to this address filled in, and a note where its main part begins; None without it."""
    writer = _Writer(action, fields, note)
    writer.feed(page)
    writer.close()
    return "".join(writer.written) if writer.found else None


def beside(page: str, fields: Sequence[tuple[str, str]], note: str) -> str:
    """The page as it is, and where its main part begins a note with what was written in more than a word."""
    words = [value.strip() for _, value in fields if len(value.split()) > 1]
    writer = _Writer(None, (), note, words)
    writer.feed(page)
    writer.close()
    return "".join(writer.written) if words else page


class _Writer(HTMLParser):
    """Writes down what it reads, but for the fields of one form."""

    def __init__(
        self, action: str | None, fields: Sequence[tuple[str, str]], note: str, words: Sequence[str] = ()
    ) -> None:
        super().__init__(convert_charrefs=False)
        self.written: list[str] = []
        self.found = False
        self._action = None if action is None else _address(action)
        quoted = [f"<pre>{escape(each)}</pre>" for each in words]
        self._note = "\n".join((f'\n<p class="said" role="status">{escape(note)}</p>', *quoted))
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name, []).append(value)
        self._is_inside = self._is_silent = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        """A tag as it stands, or as it was filled in."""
        given = dict(attrs)
        if tag == "form":
            self._is_inside = _address(given.get("action") or "") == self._action
            self.found = self.found or self._is_inside
        whole = self.get_starttag_text() or ""
        self.written.append(self._field(tag, given, attrs) or whole if self._is_inside else whole)
        if tag == "main" and "id" in given:
            self.written.append(self._note)
        self._is_silent = self._is_silent or (tag == "textarea" and self.written[-1] != whole)

    def handle_endtag(self, tag: str) -> None:
        """Where a form ends, nothing is filled in any more."""
        if tag == "form":
            self._is_inside = False
        if tag == "textarea":
            self._is_silent = False
        self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Words, but for those that stood in a field that is filled in."""
        self._say(data)

    def handle_entityref(self, name: str) -> None:
        """`&amp;`."""
        self._say(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """`&#39;`."""
        self._say(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        """A comment."""
        self._say(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        """The doctype."""
        self._say(f"<!{decl}>")

    def _say(self, text: str) -> None:
        if not self._is_silent:
            self.written.append(text)

    def _field(self, tag: str, given: dict[str, str | None], attrs: _Attributes) -> str:
        """A field as it was filled in; empty for what is no field to fill in."""
        name = given.get("name") or ""
        values = self._fields.get(name, [])
        if tag == "select":
            self._select = name
        if tag == "option" and self._select in self._fields:
            return _marked(tag, attrs, "selected", given.get("value") in self._fields[self._select])
        if tag == "textarea" and values:
            # A parser drops a newline that comes first, so one is given to be dropped.
            return f"{_tag(tag, attrs)}\n{escape(values[0])}"
        kind = given.get("type") or "text"
        if tag != "input" or given.get("autocomplete") in _ANEW:
            return ""
        if kind in _TICKED:
            return _marked(tag, attrs, "checked", given.get("value") in values)
        if kind in _TYPED and values:
            return _tag(tag, [*(each for each in attrs if each[0] != "value"), ("value", values[0])])
        return ""


def _marked(tag: str, attrs: _Attributes, word: str, is_so: bool) -> str:
    return _tag(tag, [*(each for each in attrs if each[0] != word), *([(word, None)] if is_so else [])])


def _tag(tag: str, attrs: _Attributes) -> str:
    told = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in attrs)
    return f"<{tag}{told}>"


def _address(address: str) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(address)
    return parts.path, parse_qsl(parts.query)
