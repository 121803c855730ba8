"""Readings of every legal shape, for property tests."""

from hypothesis import strategies as st

from espi_server.espi.readings import Readings
from espi_server.espi.readings.columns import OPTIONAL, RANGES

STARTS = st.one_of(
    st.integers(*RANGES["start"]),
    st.integers(0, 3000).map(lambda step: 1_700_000_000 // 900 * 900 + 900 * step),
)
EXTENSION = '<extension xmlns="http://naesb.org/espi">100 % sure</extension>'


def cells(name: str, count: int) -> st.SearchStrategy[list[int | None] | None]:
    """A column with extremes and gaps, or none."""
    low, high = RANGES[name]
    cell = st.one_of(st.none(), st.sampled_from([low, high, 0, 1]), st.integers(low, high))
    plain = st.lists(cell, min_size=count, max_size=count)
    same = cell.map(lambda value: [value] * count)
    return st.one_of(st.none(), plain, same)


@st.composite
def readings(draw: st.DrawFn, max_size: int = 40) -> Readings:
    """Any legal readings: irregular, overlapping, with missing cells, several qualities and extensions."""
    start = draw(st.lists(STARTS, max_size=max_size, unique=True))
    count = len(start)
    duration = draw(
        st.one_of(st.just([900] * count), st.lists(st.integers(0, 2**32 - 1), min_size=count, max_size=count))
    )
    columns = {name: draw(cells(name, count)) for name in OPTIONAL}
    quality = columns["quality"] or [None] * count
    extra: dict[int, dict[str, list[object]]] = {}
    for row in draw(st.sets(st.integers(0, count - 1), max_size=3)) if count else ():
        extra[row] = {"quality": [17, 8], "extension": [EXTENSION]}
        quality[row] = 13
    return Readings.of(start, duration, **columns | {"quality": quality}, extra=extra)
