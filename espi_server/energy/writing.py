"""The entries of one feed out of the rows that hold them, as its reader may see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from espi_server.db import loaded, text_id
from espi_server.energy.asking import Asking
from espi_server.energy.entries import Writer, block_opening, block_tail, visible
from espi_server.energy.measure import Content, Point
from espi_server.energy.served import Cutter, Row
from espi_server.espi.rights import Rights
from espi_server.espi.stream import Piece

Entry = tuple[Piece, ...]


class Writing:
    """Writes what a request asks for."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._writer = Writer(asking.base)

    def shared(self, row: Content, rights: Rights) -> Entry:
        """A resource of the whole utility."""
        times = (row.published, row.updated)
        return (self._writer.entry("", row.kind, text_id(row.id), "", (), row.xml, times, rights),)

    def small(self, point: Point, rows: Iterable[Content]) -> Iterator[Entry]:
        """The small resources of a usage point that are asked for and may be seen."""
        at = self._asking.at(point.subscription)
        for row in rows:
            if not self._asking.wants(row.kind, point.rights):
                continue
            xml = visible(row.kind, row.content, row.xml, point.rights)
            yield (
                self._writer.entry(
                    at, row.kind, text_id(row.id), point.id, loaded(row.related), xml, (row.published, row.updated),
                    point.rights,
                ),
            )  # fmt: skip

    def blocks(self, point: Point, rows: Iterable[Row], *, rendered: bool = False) -> Iterator[Entry]:
        """The interval blocks that rows of one usage point serve; `rendered` where nothing goes as it is stored."""
        asking = self._asking
        at = asking.at(point.subscription)
        cutter = Cutter(point.rights, asking.query, asking.zone, rendered)
        for together in cutter.together(rows):
            heads = self._writer.block_heads(at, point.id, str(together[0].meter_reading))
            for id, start, duration, published, updated, segments in cutter.blocks(*together):
                head = id.encode().join(heads) + block_opening(start, duration)
                yield (head, *segments, block_tail(published, updated))
