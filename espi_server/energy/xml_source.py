"""Pass one for XML: feeds, single entries and bare contents into the spool, each once and in its stored form."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, cast

from lxml import etree

from espi_server.energy import identity, records
from espi_server.energy.block_xml import needs_its_type, readings_of, set_aside, unknown_in
from espi_server.energy.house import House
from espi_server.energy.models import Kind
from espi_server.energy.records import LONGEST_KEY, BadContent, Record, Told, checked, understood
from espi_server.energy.report import Report
from espi_server.energy.skeleton import NotPlain, Skeleton
from espi_server.energy.spool import Spool, unit_of
from espi_server.espi import authorization, safe, usage
from espi_server.espi.atom import ATOM, Entry, read_entry
from espi_server.espi.content import CUSTOMER, ESPI, Content
from espi_server.espi.errors import EspiError
from espi_server.espi.raw import Element, split
from espi_server.espi.readings import Readings, read_alike

SHARED = (Kind.ReadingType, Kind.LocalTimeParameters)
"""Kinds whose content is their identity."""

_ENTRY = f"{{{ATOM}}}entry"
_REFUSED = (authorization.ApplicationInformation, authorization.Authorization)
_READING_TYPE = f"{{{ESPI}}}ReadingType"
_OUTERMOST = (_ENTRY, *(
    f"{{{namespace}}}{kind.name}" for namespace in (ESPI, CUSTOMER) for kind in Kind
), f"{{{ESPI}}}ElectricPowerUsageSummary", f"{{{CUSTOMER}}}TimeConfiguration", *(
    f"{{{ESPI}}}{cls.name}" for cls in _REFUSED
))  # fmt: skip


class Misfit(EspiError):
    """This file does not fit the profile it is imported with."""


class XmlSource:
    """Reads one XML file into the spool."""

    def __init__(self, spool: Spool, house: House, *, limits: safe.Limits | None = None) -> None:
        self._spool = spool
        self._report = Report()
        self._namespace = house.namespace
        self._profile = house.profile
        self._supplies = house.supplies
        self._qualities = house.qualities
        # Where a number is a source's own word for another code, each quality is looked up.
        self._means_other_codes = any(word.strip().isdecimal() for word in house.qualities)
        self._limits = limits or safe.Limits()
        self._skeleton: Skeleton | None = None
        self._file = 0
        self._name = ""
        self._line: int | None = None
        self._meter_reading_before: int | None = None

    def read(self, path: str | os.PathLike[str], name: str, progress: Callable[[int], None]) -> Report:
        """Spool a file and report on it. Raises EspiError or OSError where it cannot be taken as a whole.

        `progress` hears how many bytes of its XML are behind.
        """
        self._file, self._name = self._spool.add_file(name), name
        with safe.open_document(path, self._limits) as document:
            try:
                return self._taken_in(document, self._thin(document), progress)
            except (NotPlain, safe.DocumentError):
                # What is wrong with a document is said of the document itself.
                document.seek(0)
                return self._taken_in(document, None, progress)

    def _thin(self, document: BinaryIO) -> Skeleton | None:
        return None if self._means_other_codes else Skeleton(document, self._limits.entry)

    def _taken_in(
        self, document: BinaryIO, skeleton: Skeleton | None, progress: Callable[[int], None]
    ) -> Report:
        self._report, self._skeleton = Report(files=1), skeleton
        self._meter_reading_before = None
        try:
            entries = safe.iterate(cast(BinaryIO, skeleton or document), _OUTERMOST, self._limits)
            for element in entries:
                self._line = entries.line
                self._entry(element)
                progress(document.tell())
            if skeleton:
                skeleton.finish()
            if not self._report.entries:
                _refuse_foreign(document)
        except (EspiError, NotPlain):
            # What stood before the break is sound in itself, but whether it is whole nobody knows.
            self._spool.forget(self._file)
            raise
        return self._report

    def _entry(self, element: Element) -> None:
        self._report.entries += 1
        entry = read_entry(element) if element.tag == _ENTRY else Entry(contents=[element])
        entry.line = self._line
        if not entry.contents:
            self._report.error(self._name, self._line, "This entry has no content.")
        record = records.of_entry(entry, self._file)
        for content in entry.contents:
            try:
                self._content(content, record)
            except Misfit:
                raise
            except EspiError as error:
                self._report.error(self._name, self._line, f"{split(str(content.tag))[1]}: {error}")

    def _content(self, element: Element, shell: Record) -> None:
        cls = records.declared(element)
        if cls is usage.IntervalBlock:
            self._block(element, shell)
        elif cls in _REFUSED:
            self._ignore(f"{cls.name}: a file grants nothing; it was left alone")
        elif cls is None:
            self._tell().unknown(split(str(element.tag))[1])
            self._ignore(f"{split(str(element.tag))[1]} is not known to the standard; it was left alone")
        else:
            self._resource(element, cls, shell)

    def _ignore(self, words: str) -> None:
        self._report.ignore(self._name, self._line, words)

    def _tell(self) -> Told:
        return Told(
            lambda words: self._report.repair(self._name, self._line, words),
            lambda words: self._report.supply(self._name, self._line, words),
            lambda words: self._report.unknown_element(self._name, self._line, words),
        )

    # Blocks

    def _block(self, block: Element, shell: Record) -> None:
        record = replace(shell, kind=Kind.IntervalBlock)
        notes: list[str] = []
        readings = self._plain_readings(block, notes)
        if readings is None:
            for words in unknown_in(block):
                self._report.unknown_element(self._name, self._line, words)
            if needs_its_type(block):
                self._spool.add_block(record, None, set_aside(block), before=self._meter_reading_before)
                return
            readings = readings_of(block, notes=notes, qualities=self._qualities)
        for words in notes:
            sort = self._report.unknown_element if words.endswith("left out.") else self._report.repair
            sort(self._name, self._line, f"IntervalBlock: {words}")
        self._spool.add_block(record, readings, before=self._meter_reading_before)

    def _plain_readings(self, block: Element, notes: list[str]) -> Readings | None:
        """The readings of a block in which nothing is odd; None where it has to be read one by one."""
        readings = self._skeleton.readings(block, notes) if self._skeleton else None
        if readings is not None:
            for words in unknown_in(block):
                self._report.unknown_element(self._name, self._line, words)
            return readings
        return None if self._means_other_codes else read_alike(block, notes)

    # Everything else

    def _resource(self, element: Element, cls: type[Content], shell: Record) -> None:
        nested = element.find(_READING_TYPE) if cls is usage.MeterReading else None
        cls, content, aside = understood(element, self._tell())
        if cls.name not in Kind.__members__:
            self._ignore(f"{cls.name} has no place in an import; it was left alone")
            return
        record = replace(shell, kind=Kind[cls.name], content=content, aside=aside)
        if nested is not None:
            record.related = [*record.related, self._nested(nested, shell)]
        if record.kind == Kind.UsagePoint:
            self._usage_point(record)
        elif record.kind in SHARED:
            self._shared(record, cls)
        elif record.kind == Kind.ProgramIdMappings:
            record.content, _ = checked(cls, content)
            id = identity.made(self._namespace, cls.name, record.last)
            self._spool.add(record, id=str(id))
        else:
            seq = self._spool.add(record)
            if record.kind == Kind.MeterReading:
                self._meter_reading_before = seq

    def _nested(self, element: Element, shell: Record) -> str:
        """A ReadingType inside a MeterReading (as in GBA's own sample) is its reading type; the link to it."""
        href = f"{shell.self or self._line}/ReadingType"
        self._report.repair(
            self._name,
            self._line,
            "MeterReading: the ReadingType inside it was taken as the one it relates to",
        )
        cls, content, aside = understood(element, self._tell())
        self._shared(
            replace(shell, kind=Kind.ReadingType, self=href, related=[], content=content, aside=aside), cls
        )
        return href

    def _shared(self, record: Record, cls: type[Content]) -> None:
        if record.kind == Kind.ReadingType:
            for words in self._supplies.reading_type(record.content):
                self._report.supply(self._name, self._line, words)
        record.content, xml = checked(cls, record.content)
        self._spool.add(record, id=str(identity.by_content(self._namespace, cls.name, xml)))

    def _usage_point(self, record: Record) -> None:
        key = self._key(record)
        if len(key) > LONGEST_KEY:
            raise BadContent(f"Its id has {len(key)} characters; at most {LONGEST_KEY} are taken.")
        checked(usage.UsagePoint, record.content)
        id = identity.usage_point(self._namespace, key)
        self._spool.add(record, unit=unit_of("usage", id), id=key)

    def _key(self, record: Record) -> str:
        """What this profile calls the usage point; a file that does not say it is refused."""
        if self._profile == "atom-id":
            return record.atom_id or self._refuse("an Atom id")
        if self._profile == "meter":
            point = record.content.get("serviceDeliveryPoint", {})
            return str(point.get("name") or "") or self._refuse("a serviceDeliveryPoint/name")
        path = records.parsed(record.self)
        if path is None or path.kind != Kind.UsagePoint.name or not path.id:
            return self._refuse("a self link that ends in UsagePoint/ and its id")
        return path.id

    def _refuse(self, what: str) -> str:
        raise Misfit(
            f"Line {self._line}: this UsagePoint has not {what}, by which the profile {self._profile!r} knows it. "
            "Import the file with another --profile (self, atom-id or meter)."
        )


def _refuse_foreign(document: BinaryIO) -> None:
    """A document without entries is fine if it is a feed."""
    document.seek(0)
    _, root = next(iter(etree.iterparse(document, events=("start",))))
    if root.tag != f"{{{ATOM}}}feed":
        raise safe.UnreadableXml(
            f"This XML is no Green Button data: it begins with {split(str(root.tag))[1]!r}."
        )
