"""Numbers as pictures: rows in, an SVG out. Colours come from the stylesheet, words stand beside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from markupsafe import Markup

WIDTH, HEIGHT = 240, 64
BROAD = 640
_FEW = 14  # bars, so that three days are no towers
_AIR = 3  # pixels above the highest and below the lowest value


def day(values: Sequence[float]) -> Markup:
    """A day's hours as a line over a shaded ground, below zero shaded otherwise; `told` says the same beside it."""
    top, bottom = max(*values, 0.001), min(*values, 0)
    scale = (HEIGHT - 2 * _AIR) / (top - bottom)
    zero = _AIR + top * scale
    step = WIDTH / len(values)
    # Each hour is a step: what was measured is a mean over the hour, not a point in it.
    corners = [
        (place, _AIR + (top - value) * scale)
        for hour, value in enumerate(values)
        for place in (hour * step, (hour + 1) * step)
    ]
    line = " ".join(f"{x:.0f},{y:.1f}" for x, y in corners)
    above = " ".join(f"{x:.0f},{min(y, zero):.1f}" for x, y in corners)
    below = " ".join(f"{x:.0f},{max(y, zero):.1f}" for x, y in corners)
    shape = '<polygon class="{}" points="0,{zero:.1f} {} {width},{zero:.1f}"/>'
    parts = [
        shape.format("taken", above, zero=zero, width=WIDTH),
        shape.format("given", below, zero=zero, width=WIDTH) if bottom < 0 else "",
        f'<line class="zero" x1="0" x2="{WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}"/>',
        f'<polyline class="line" points="{line}"/>',
    ]
    opening = (
        f'<svg class="day" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
    )
    return Markup(opening + "".join(parts) + "</svg>")  # noqa: S704 - nothing in it but numbers of ours


def told(values: Sequence[float]) -> str:
    """The same in words: when most is taken, and when most is given back."""
    peak, low = (pick(_hours(values), key=itemgetter(0)) for pick in (max, min))
    words = f"{peak[0]:.1f} kW at {_clock(peak[1])}"
    return f"{words}, gives {-low[0]:.1f} at {_clock(low[1])}" if low[0] < 0 else words


def _hours(values: Sequence[float]) -> list[tuple[float, int]]:
    return [(value, hour) for hour, value in enumerate(values)]


def _clock(hour: int) -> str:
    return {0: "midnight", 12: "noon"}.get(hour, f"{hour % 12 or 12} {'am' if hour < 12 else 'pm'}")


def bars(values: Sequence[float]) -> Markup:
    """Amounts one after the other as bars, below zero the other way; a table beside it says the same."""
    top, bottom = max(*values, 0.001), min(*values, 0)
    scale = (HEIGHT - 2 * _AIR) / (top - bottom)
    zero = _AIR + top * scale
    step = BROAD / max(len(values), _FEW)
    shape = '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>'
    drawn = [
        shape.format(
            "taken" if value >= 0 else "given",
            at * step,
            zero - max(value, 0) * scale,
            step * 0.82,
            abs(value) * scale,
        )
        for at, value in enumerate(values)
    ]
    opening = (
        f'<svg class="bars" viewBox="0 0 {BROAD} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
    )
    line = f'<line class="zero" x1="0" x2="{BROAD}" y1="{zero:.2f}" y2="{zero:.2f}"/>'
    return Markup(opening + "".join(drawn) + line + "</svg>")  # noqa: S704 - nothing in it but numbers of ours
