"""The rows of a custodian's table, by its layout, as rows of our own table of readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from espi_server.energy import written
from espi_server.energy.heading import BadTable, Heading, Place, recognised
from espi_server.energy.layout import NO_READING, Layout, fits, plain
from espi_server.energy.meter_table import BadRow, MeterTable
from espi_server.energy.report import Report
from espi_server.espi.errors import EspiError

_DAY = 86_400
_Span = tuple[datetime, datetime]


class LayoutTable:
    """Takes the lines of one file, header and all, and gives each reading to our own table."""

    def __init__(
        self,
        layout: Layout,
        meters: MeterTable,
        report: Report,
        name: str,
        zone: tzinfo,
        usage_point: str | None,
    ) -> None:
        self._layout = layout
        self._meters = meters
        self._report = report
        self._name = name
        self._zone = zone
        self._usage_point = usage_point
        self._told: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._heading: Heading | None = None
        self._finest = 0
        self._wall = lru_cache(maxsize=512)(self._read_wall)

    def row(self, line: int, cells: Sequence[str]) -> None:
        """One line of the file: a header, something around the tables, or readings."""
        heading = recognised(self._layout, cells)
        if heading:
            self._begin(line, heading)
        elif any(fits(cells[0], each) for each in self._layout.totals):
            self._report.ignore(self._name, line, "a line of totals; totals are no readings")
        elif not self._is_around(cells):
            self._report.entries += 1
            self._take(line, cells)

    def finish(self) -> None:
        """There are no more rows."""
        if self._heading is None:
            raise BadTable(
                f"None of its lines is a header of the layout {self._layout.name} ({self._layout.title})."
            )
        self._meters.finish()

    def _begin(self, line: int, heading: Heading) -> None:
        if heading != self._heading:
            for name in heading.left_alone:
                self._report.ignore(self._name, line, f"the layout leaves the column {name!r} alone")
        self._heading = heading

    # What stands around the tables

    def _is_around(self, cells: Sequence[str]) -> bool:
        text = self._layout.delimiter.join(cell.strip() for cell in cells if cell.strip())
        return self._is_preamble(cells) or any(fits(text, each) for each in self._layout.lines)

    def _is_preamble(self, cells: Sequence[str]) -> bool:
        label, _, rest = cells[0].partition(":")
        for known, meaning in self._layout.preamble.items():
            if plain(label) == plain(known):
                value = " ".join(cell.strip() for cell in (rest, *cells[1:]) if cell.strip())
                # Several labels make the usage point, such as account and service.
                told = self._keys if meaning == "usage_point" else self._told
                told[known if meaning == "usage_point" else meaning] = value
                return True
        return False

    # Readings

    def _take(self, line: int, cells: Sequence[str]) -> None:
        heading = self._heading
        try:
            if heading is None:
                raise BadRow(
                    f"{self._layout.delimiter.join(cells).strip()[:80]!r} stands before the first header; if it may "
                    "be left alone, name it under lines in a layout of your own"
                )
            found = self._filled(heading, cells)
        except BadRow as error:
            self._report.error(self._name, line, f"{error}.")
            return
        self._readings(heading, line, found)

    def _readings(self, heading: Heading, line: int, cells: Sequence[str]) -> None:
        """Each reading of a row fails alone; the same words about many are said once."""
        wrong: dict[str, list[str]] = {}
        taken = False
        for place in heading.places:
            try:
                taken |= self._reading(heading, place, line, cells)
            except (BadRow, EspiError) as error:
                wrong.setdefault(f"{error}.".replace("..", "."), []).append(place.name)
        for words, names in wrong.items():
            beside = f"{names[0]}: " if len(heading.places) > 1 else ""
            more = f" ({len(names) - 1} more of its columns fail so.)" if len(names) > 1 else ""
            self._report.error(self._name, line, f"{beside}{words}{more}")
        if not taken and not wrong:
            self._report.ignore(self._name, line, "there is no reading in the row")

    def _filled(self, heading: Heading, cells: Sequence[str]) -> list[str]:
        found = [cell.strip() for cell in cells]
        if any("\0" in cell for cell in found):
            raise BadRow("the row holds a NUL character")
        if self._layout.ragged:
            found += [""] * (heading.width - len(found))
        if len(found) < heading.width or any(found[heading.width :]):
            raise BadRow(f"the row has {len(cells)} cells, the header {heading.width}")
        return found

    def _reading(self, heading: Heading, place: Place, line: int, cells: Sequence[str]) -> bool:
        layout, value = self._layout, cells[place.value]
        said = {name: layout.word(name, cells[at]) for name, at in heading.at.items()}
        if value in layout.nothing or said.get("quality") == NO_READING:
            return False
        interval = self._interval(heading, place, said, cells)
        if layout.repeated and not self._is_finest(heading, interval, line, cells):
            return True
        start, end = self._span(heading, place, said, interval)
        duration = written.lasting(start, end, self._zone if layout.zone == "local" else None)
        shown = int((end - start).total_seconds())
        cost = "" if place.cost_at is None else cells[place.cost_at]
        self._meters.row(
            line,
            {
                "usage_point": self._key(said),
                "start": self._start(heading, place, start),
                "duration": str(duration),
                # A day on which clocks change is a day like others: one series, not three.
                "length": str(shown if shown >= _DAY else duration),
                "value": written.number(value, layout.decimal, place.name),
                "unit": self._unit(place, said, cells),
                "flow": place.flow or said.get("flow", ""),
                "commodity": said.get("commodity")
                or layout.word("commodity", self._told.get("commodity", "")),
                "quality": said.get("quality", ""),
                "cost": written.number(cost, layout.decimal, "cost") if cost else "",
                "currency": "",
            },
        )
        return True

    def _key(self, said: Mapping[str, str]) -> str:
        told = "-".join(each for each in self._keys.values() if each)
        key = self._usage_point or said.get("usage_point") or told
        if not key:
            raise BadRow("nothing in the file names its usage point; give it with --usage-point")
        return key

    def _unit(self, place: Place, said: Mapping[str, str], cells: Sequence[str]) -> str:
        beside = cells[place.unit_at] if place.unit_at is not None else ""
        return place.unit or self._layout.word(
            "unit", beside or said.get("unit") or self._told.get("unit", "")
        )

    def _is_finest(self, heading: Heading, interval: int, line: int, cells: Sequence[str]) -> bool:
        """The same energy by the hour and by the quarter: once is enough, and the finer says more."""
        finest = self._finest or min(self._intervals(heading, cells), default=interval)
        if interval < finest:
            raise BadRow(f"readings of {interval} s begin here; cut the file in two before this line")
        if interval > finest:
            self._report.ignore(
                self._name, line, f"readings of {interval} s say again what those of {finest} s say"
            )
        self._finest = finest
        return interval == finest

    def _intervals(self, heading: Heading, cells: Sequence[str]) -> Iterator[int]:
        for place in heading.places:
            if place.interval_at is not None and cells[place.value] not in self._layout.nothing:
                yield written.interval(cells[place.interval_at])

    # When

    def _interval(self, heading: Heading, place: Place, said: Mapping[str, str], cells: Sequence[str]) -> int:
        """Seconds, where the row, the header or the layout says so; else 0."""
        text = cells[place.interval_at] if place.interval_at is not None else said.get("interval", "")
        return written.interval(text) if text else heading.step or self._layout.interval

    def _span(self, heading: Heading, place: Place, said: Mapping[str, str], interval: int) -> _Span:
        """What clocks on the wall showed when the reading began and ended."""
        if "period" in said:
            first, between, second = said["period"].replace("\xa0", " ").partition(self._layout.between)
            if not between:
                raise BadRow(
                    f"{said['period']!r} is no period: two times with {self._layout.between!r} between"
                )
            return self._ordered(self._wall(first), self._wall(second))
        if place.clock is not None:
            start = self._midnight(said) + timedelta(seconds=place.clock)
        elif "start" in said:
            start = self._wall(said["start"])
        elif said.get("time"):
            start = self._wall(f"{said['date']} {said['time']}")
        else:
            start, interval = self._midnight(said), interval or _DAY
        return start, self._end(start, said, interval)

    def _end(self, start: datetime, said: Mapping[str, str], interval: int) -> datetime:
        if said.get("end"):
            minute = timedelta(minutes=self._layout.inclusive)
            end = self._wall(f"{start:{self._layout.dates[0]}} {said['end']}") + minute
            return end if end > start else end + timedelta(days=1)
        if not interval:
            raise BadRow(
                "nothing says how long the reading takes; name a column for it, or interval, in the layout"
            )
        return start + timedelta(seconds=interval)

    def _midnight(self, said: Mapping[str, str]) -> datetime:
        return written.date(self._layout, said.get("date", ""))

    def _read_wall(self, text: str) -> datetime:
        return written.wall(self._layout, text)

    def _ordered(self, start: datetime, end: datetime) -> _Span:
        if end <= start:
            raise BadRow(f"the period ends at {end}, before it begins")
        return start, end

    def _start(self, heading: Heading, place: Place, start: datetime) -> str:
        """The start as our own table takes it."""
        if self._layout.zone == "utc":
            return start.replace(tzinfo=UTC).isoformat()
        if self._layout.zone == "standard":
            return start.replace(tzinfo=written.standard(self._zone, start.year)).isoformat()
        stands = sum(each.clock == place.clock for each in heading.places) if place.clock is not None else 1
        if stands > written.occurs(start, self._zone) > 0 and self._is_second(heading, place):
            raise BadRow("the column stands twice, and this day has the hour once")
        return start.isoformat()

    def _is_second(self, heading: Heading, place: Place) -> bool:
        return next(each for each in heading.places if each.clock == place.clock) is not place
