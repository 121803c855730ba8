"""Feeds that know their exact length before the first byte, and are read in short pages.

What fits one page is read once (`onepage`). A longer feed is first measured (`measure`), then written page by page.
Each page is a short read of its own that joins what is still authorized and each usage point's version: a
revocation or an import in mid-download is noticed at the next page. What no longer agrees with the measure raises,
so the connection breaks before the promised length and the client knows to ask again; a feed never ends early and
looks whole.

Where readings must be rendered for this reader, or only some entries are wanted, nothing can be measured from
outside; the feed is then written to a temporary file first, and sent from there.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from tempfile import SpooledTemporaryFile

from espi_server.db import NIL, Database, text_id
from espi_server.energy import find, onepage
from espi_server.energy.asking import Asking
from espi_server.energy.find import FIRST, PAGE
from espi_server.energy.measure import Content, Measure, Point
from espi_server.energy.models import Kind
from espi_server.energy.paging import pages
from espi_server.energy.served import Row
from espi_server.energy.writing import Entry, Writing
from espi_server.errors import Unavailable
from espi_server.espi import atom
from espi_server.espi.atom import Link
from espi_server.espi.stream import Piece, gzip, identity, promised

GROUP = 64  # usage points whose small resources are read by one statement
IN_MEMORY = 1 << 20  # bytes of a feed kept in memory when it is written before it is sent
CHUNK = 1 << 16
CHECK_EVERY = 8  # chunks of a feed sent from a file between two looks at the authorization

_SINKS = {"gzip": gzip, "identity": identity}


class FeedChanged(Unavailable):
    """What this feed holds changed, or its authorization ended, while it was being sent. Ask for it again."""


class Feed:
    """One feed for one reader. Of a long one nothing is held between two pages."""

    def __init__(self, database: Database, asking: Asking) -> None:
        self._database = database
        self._asking = asking
        self._writing = Writing(asking)
        self._statements = find.statements(asking.opening.members, database.engine)
        self._written = 0
        with database.driver() as driver:
            self._whole = onepage.read(asking, self._statements, driver)
            self.measured = self._whole or Measure(asking, self._statements, driver)

    @property
    def updated(self) -> int:
        """When anything in the feed last changed, epoch seconds; 0 for an empty one."""
        return self.measured.updated

    @property
    def state(self) -> str:
        """A digest that differs wherever a byte of the feed could."""
        return self.measured.state

    @property
    def entries(self) -> int:
        """How many entries go out: of a feed that is written first, those of its page once `body` was asked for."""
        if self._whole is not None:
            return len(self._whole.chosen)
        return self._written if self._must_be_written else self.measured.entries

    def body(self, encoding: str) -> tuple[int, Generator[bytes, None, None]]:
        """The exact length in bytes, and the bytes, as `gzip` or `identity`."""
        if self._must_be_written:
            return self.kept(self.parts(encoding))
        if self._whole is not None and encoding == "gzip":
            # Its segments are in memory already: quicker put together than counted first.
            parts = list(gzip(self._pieces()))
            return sum(map(len, parts)), (part for part in parts)
        length = self.length(encoding)
        return length, promised(self.parts(encoding), length)

    def parts(self, encoding: str) -> Iterator[bytes]:
        """The bytes as they are written, whatever their length comes to."""
        return _SINKS[encoding](self._pieces())

    def length(self, encoding: str) -> int:
        """The exact length alone, for whoever asks for the headers only."""
        if self._must_be_written:
            return sum(map(len, self.parts(encoding)))
        return self.measured.size(encoding, (self._head, atom.FEED_TAIL))

    @property
    def _must_be_written(self) -> bool:
        query = self._asking.query
        is_page = query.limit is not None or query.offset > 0
        return self._whole is None and (self.measured.rendered or self.measured.outsized or is_page)

    def write(self, encoding: str = "identity") -> Iterator[bytes]:
        """The bytes alone."""
        return self.body(encoding)[1]

    def _pieces(self) -> Iterator[Piece]:
        yield self._head
        part = self._asking.query.part
        for entry in islice(self._entries(), part.start, part.stop):
            self._written += 1
            yield from entry
        yield atom.FEED_TAIL

    def documents(self, part: slice) -> Iterator[bytes]:
        """These entries of all there are before paging, each in plain form, for whoever says it in another form."""
        for entry in islice(self._entries(), part.start, part.stop):
            yield b"".join(identity(entry))

    @property
    def asking(self) -> Asking:
        """What was asked."""
        return self._asking

    @property
    def head(self) -> bytes:
        """Everything before the entries."""
        return self._head

    @cached_property
    def links(self) -> list[Link]:
        """To the pages around this one."""
        asking = self._asking
        return pages(asking.href.partition("?")[0], asking.query, self._total(), asking.link_type)

    @cached_property
    def _head(self) -> bytes:
        asking = self._asking
        return atom.feed_head(
            id=f"urn:uuid:{asking.id}",
            title=asking.title,
            updated=self.updated,
            href=asking.href,
            type=asking.link_type,
            links=self.links,
        )

    def _total(self) -> int:
        """How many entries there are before paging; readings rendered for this reader must be cut to be counted."""
        if self._asking.query.limit is None or not self.measured.rendered:
            return self.measured.entries
        return sum(1 for _ in self._entries())

    # --- a feed from a file ---------------------------------------------------------------------------

    def kept(self, parts: Iterable[bytes]) -> tuple[int, Generator[bytes, None, None]]:
        """Any form of this feed, written to a file first: its length, and the bytes for as long as it is open."""
        file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
        sent = self._sent(file)
        next(sent)  # from here on whoever closes the bytes closes the file, read or not
        try:
            for part in parts:
                file.write(part)
        except BaseException:
            sent.close()
            raise
        length = file.tell()
        file.seek(0)
        return length, sent

    def _sent(self, file: SpooledTemporaryFile[bytes]) -> Generator[bytes, None, None]:
        with file:
            yield b""
            parts = iter(lambda: file.read(CHUNK), b"")
            for number, part in enumerate(parts, 1):
                yield part
                if number % CHECK_EVERY == 0:
                    self.check_still_open()

    def check_still_open(self) -> None:
        """Raises FeedChanged where an authorization in this feed has ended since it was measured."""
        with self._database.driver() as driver:
            rows = self._statements.members.rows(driver, only=self._asking.usage_point, **self._asking.who)
        still_open = {text_id(subscription): count for subscription, count in rows}
        measured = Counter(point.subscription for point in self.measured.points)
        # Subscription by subscription: one that is replaced opens as many usage points under other rights.
        if any(still_open.get(subscription, 0) < count for subscription, count in measured.items()):
            raise FeedChanged()

    # --- entries, in feed order -----------------------------------------------------------------------

    def _entries(self) -> Iterator[Entry]:
        if self._whole is not None:
            yield from self._whole.all
            return
        for content in self.measured.shared:
            yield self._writing.shared(content, self.measured.points[0].rights)
        for group in self._groups():
            yield from self._group_entries(group)

    def _groups(self) -> Iterator[list[Point]]:
        """Usage points that share a page: one alone where it has more rows than a page."""
        group: list[Point] = []
        rows = 0
        # Two subscriptions may open the same usage point, and a page has its rows once for each.
        apart = len({point.id for point in self.measured.points}) < len(self.measured.points)
        for point in self.measured.points:
            if not point.chosen:
                continue
            is_foreign = apart and bool(group) and group[0].subscription != point.subscription
            if is_foreign or (group and (rows + point.rows > PAGE or len(group) == GROUP)):
                yield group
                group, rows = [], 0
            group.append(point)
            rows += point.rows
        if group:
            yield group

    def _group_entries(self, group: Sequence[Point]) -> Iterator[Entry]:
        resources = self._resources(group)
        blocks = groupby(self._block_rows(group), key=itemgetter(0))
        waiting = next(blocks, None)
        for point in group:
            small = resources[point.key]
            yield from self._writing.small(point, (row for row in small if row.kind < Kind.IntervalBlock))
            if waiting is not None and waiting[0] == point.key:
                yield from self._writing.blocks(
                    point, (row for _, row in waiting[1]), rendered=self.measured.rendered
                )
                waiting = next(blocks, None)
            yield from self._writing.small(point, (row for row in small if row.kind > Kind.IntervalBlock))

    # --- pages ----------------------------------------------------------------------------------------

    def _resources(self, group: Sequence[Point]) -> dict[tuple[str, str], list[Content]]:
        """The small resources of a group by usage point, as they were measured; else `FeedChanged`."""
        found: dict[tuple[str, str], list[Content]] = defaultdict(list)
        points = {point.key: point for point in group}
        if any(point.resources for point in group):
            with self._database.driver() as driver:
                rows = self._statements.page_resources.rows(
                    driver,
                    subscriptions=_subscriptions(group),
                    usage_points=_ids(group),
                    **self._asking.who,
                    **self._asking.times,
                )
            for subscription, version, *rest in rows:
                content = Content(*rest)
                key = text_id(subscription), text_id(content.usage_point)
                _check_version(points.get(key), version)
                found[key].append(content)
        if any(len(found[point.key]) != point.resources for point in group):
            raise FeedChanged()
        return found

    def _block_rows(self, group: Sequence[Point]) -> Iterator[tuple[tuple[str, str], Row]]:
        """The block rows of a group, a page at a time; as many as were measured, else `FeedChanged`."""
        group = [point for point in group if point.rows]
        expected = sum(point.rows for point in group)
        points = {point.key: point for point in group}
        after, starts = NIL, FIRST
        while expected > 0:
            page = deque(each for each in self._page(group, after, starts) if each[0] in points)
            expected -= len(page)
            if not page or expected < 0:
                raise FeedChanged()
            # What was sent is let go at once: dozens of slow readers hold a page each.
            while page:
                key, version, row = page.popleft()
                _check_version(points[key], version)
                after, starts = row.meter_reading, row.starts_at
                yield key, row

    def _page(
        self, group: Sequence[Point], after: uuid.UUID, starts: int
    ) -> Iterator[tuple[tuple[str, str], int, Row]]:
        with self._database.driver() as driver:
            rows = self._statements.page_blocks.rows(
                driver,
                subscriptions=_subscriptions(group),
                usage_points=_ids(group),
                meter_reading_after=after,
                starts_after=starts,
                rendered=1 if self.measured.rendered else 0,
                most=PAGE,
                **self._asking.who,
                **self._asking.window,
            )
        for subscription, version, usage_point, _, _, meter_reading, *rest in rows:
            key = text_id(subscription), text_id(usage_point)
            yield key, version, Row(uuid.UUID(text_id(meter_reading)), *rest)


def _ids(group: Sequence[Point]) -> list[uuid.UUID]:
    return [uuid.UUID(point.id) for point in group]


def _subscriptions(group: Sequence[Point]) -> list[uuid.UUID]:
    return [uuid.UUID(each) for each in sorted({point.subscription for point in group})]


def _check_version(point: Point | None, version: int) -> None:
    """An import that changed a usage point still to be sent cuts the feed."""
    if point is not None and point.version != version:
        raise FeedChanged()
