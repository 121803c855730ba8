"""A picture of days: bars upwards for what was taken, downwards for what was given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

_WIDTH, _HEIGHT, _AIR = 700, 200, 4


class Bar(NamedTuple):
    """A day or a month: its name, what was taken, and what was given back."""

    name: str
    taken: float
    given: float


def bars(rows: Sequence[Bar], unit: str) -> Markup:
    """An SVG that says in its title what it shows; the table beside it says the same in numbers."""
    top, bottom = max(row.taken for row in rows), max(row.given for row in rows)
    scale = (_HEIGHT - 2 * _AIR) / max(top + bottom, 0.001)
    zero, step = _AIR + top * scale, _WIDTH / max(len(rows), 14)
    drawn = [Markup('<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title>').format(
        _WIDTH, _HEIGHT, told(rows, unit)
    )]  # fmt: skip
    for place, row in enumerate(rows):
        words = Markup("<title>{}: {:.1f} {}</title>").format(row.name, row.taken, unit)
        for kind, amount, y in (("taken", row.taken, zero - row.taken * scale), ("given", row.given, zero)):
            drawn.append(
                Markup(
                    '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">{}</rect>'
                ).format(kind, place * step, y, step * 0.8, amount * scale, words)
            )
    drawn.append(Markup('<line x1="0" x2="{}" y1="{:.1f}" y2="{:.1f}"/></svg>').format(_WIDTH, zero, zero))
    return Markup("").join(drawn)


def told(rows: Sequence[Bar], unit: str) -> str:
    """The finding in words."""
    most = max(rows, key=lambda row: row.taken)
    words = f"Most was used on {most.name}: {most.taken:.1f} {unit}"
    given = max(rows, key=lambda row: row.given)
    return words + (f"; most was given back on {given.name}: {given.given:.1f} {unit}" if given.given else "")
