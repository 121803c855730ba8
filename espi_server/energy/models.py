"""The rows of energy data: usage points, ESPI resources, interval blocks, and what changed when.

A small resource is one row: its content as JSON through the declaration, and rendered as XML beside it, so that
a feed renders nothing. Readings are one packed row per usage point, meter reading and local month (readings of a
day or longer: per local year). Blocks are a cut of the readings, not something the source owns.
Every unique key of a large table holds `usage_point_id`, so that the tables can be sharded by it.
"""

from __future__ import annotations

import uuid
from enum import IntEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Personal, PersonalJson, Sealed
from espi_server.db import NIL, PII, Base, Code, Id, Json, Name, Seconds


class Kind(IntEnum):
    """The kinds of ESPI resource we store; the numbers are the order of entries in a feed."""

    LocalTimeParameters = 10
    ReadingType = 20
    ProgramIdMappings = 30
    UsagePoint = 100
    MeterReading = 110
    IntervalBlock = 120
    UsageSummary = 130
    ElectricPowerQualitySummary = 140
    Customer = 200
    CustomerAccount = 210
    CustomerAgreement = 220
    ServiceLocation = 230
    ServiceSupplier = 240
    Meter = 250
    EndDevice = 260
    Statement = 270
    ProgramDateIdMappings = 280


class UsagePoint(Base):
    """Where energy is measured. `version` counts the imports that changed anything below it.

    `customer_since` is when it passed from an earlier customer to the present one, whose readings begin there;
    empty where no earlier customer is known.
    """

    __tablename__ = "usage_point"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    source_id: Mapped[str] = mapped_column(Personal("usage_point.source_id"), info=PII)
    kind: Mapped[Code] = mapped_column(default="utility")  # utility, sub-meter, grid asset, aggregate
    source: Mapped[Name | None]  # who delivers its data, where it is not the utility
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    agreement_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("service_agreement.id"), index=True)
    customer_since: Mapped[Seconds | None]
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[Seconds]

    __table_args__ = (Index(None, "utility_id", "source_id"),)


class UsagePointLink(Base):
    """What a usage point was joined to, from when to when: location, agreement, meter, or a place in the grid."""

    __tablename__ = "usage_point_link"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    usage_point_id: Mapped[Id] = mapped_column(ForeignKey("usage_point.id", ondelete="CASCADE"))
    kind: Mapped[Code]  # location, agreement, meter, node, section, circuit, transformer, substation
    target_id: Mapped[uuid.UUID | None]
    reference: Mapped[str | None] = mapped_column(Personal("usage_point_link.reference"), info=PII)
    starts_at: Mapped[Seconds | None]
    ends_at: Mapped[Seconds | None]

    __table_args__ = (Index(None, "usage_point_id", "kind"), Index(None, "target_id"))


class GridAsset(Base):
    """A node, section, circuit, transformer or substation a utility names."""

    __tablename__ = "grid_asset"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    kind: Mapped[Code]
    reference: Mapped[Name]

    __table_args__ = (UniqueConstraint("utility_id", "kind", "reference"),)


class TouBlock(Base):
    """What a time-of-use code is called in one version of a tariff."""

    __tablename__ = "tou_block"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    tariff_version: Mapped[Name]
    code: Mapped[int]
    name: Mapped[Name]

    __table_args__ = (UniqueConstraint("utility_id", "tariff_version", "code"),)


class Resource(Base):
    """One Atom entry other than an IntervalBlock.

    `related` lists its related links as [kind, id or null for a collection]; `shape` is the same without the ids,
    so that the length of a feed's links is one aggregate. `reference_id` is the one utility-wide resource among
    them: a UsagePoint's LocalTimeParameters, a MeterReading's ReadingType. `xml` is the content in full-rights
    form, and `names` its child elements (and `extension`, however deep it stands), so that a feed knows which rows
    need no filtering. `source_self` is the entry's self link at its source; `aside` keeps elements the standard
    does not know. A customer's resources are `sealed` instead (`energy.personal`).
    """

    __tablename__ = "resource"

    usage_point_id: Mapped[Id] = mapped_column(primary_key=True, default=NIL)
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"))
    up_id: Mapped[uuid.UUID | None]
    reference_id: Mapped[uuid.UUID | None]
    related: Mapped[Json] = mapped_column(default=list)
    shape: Mapped[Name] = mapped_column(default="")
    names: Mapped[str]
    starts_at: Mapped[Seconds] = mapped_column(default=0)
    duration: Mapped[int] = mapped_column(default=0)
    published: Mapped[Seconds]
    updated: Mapped[Seconds]
    source_self: Mapped[str | None] = mapped_column(Personal("resource.source_self"), info=PII)
    content: Mapped[Json]
    aside: Mapped[Any] = mapped_column(PersonalJson("resource.aside"), nullable=True, info=PII)
    xml: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes | None] = mapped_column(Sealed("utility_id", "customer_id", "kind", "id"), info=PII)

    __table_args__ = (
        UniqueConstraint("utility_id", "usage_point_id", "kind", "id"),
        Index(None, "usage_point_id", "kind", "starts_at", "id"),
        Index(None, "utility_id", "kind", "id"),
        Index(None, "customer_id", "kind", "id"),
        Index(None, "utility_id", "updated"),
    )


class IntervalBlock(Base):
    """The readings of one meter reading in one local month (`coarse`: one local year), packed and rendered.

    `packed`, `encoding` and `extra` are the truth; `body` and `day_index` are derived from them: the day
    segments end to end, and where each lies. `stamps` holds published and updated per day segment. `cuts`,
    `months` and the two `…_digits` let the exact length of a feed be one aggregate: how many daily and monthly
    blocks the row serves, and how many digits stand in their intervals. `has_cost` and `finest` (seconds of the
    shortest reading) tell whether the stored bytes may go to somebody with lesser rights, and `is_delta` (the
    reading type's accumulationBehaviour is deltaData or not stated) whether coarser readings are their sums.
    """

    __tablename__ = "interval_block"

    usage_point_id: Mapped[Id] = mapped_column(primary_key=True)
    meter_reading_id: Mapped[Id] = mapped_column(primary_key=True)
    starts_at: Mapped[Seconds] = mapped_column(primary_key=True)  # local start of the month or year
    utility_id: Mapped[Id]
    coarse: Mapped[bool] = mapped_column(Boolean, default=False)
    first_at: Mapped[Seconds]  # start of the first reading
    ends_at: Mapped[Seconds]  # end of the latest-ending reading
    count: Mapped[int]
    cuts: Mapped[int]
    months: Mapped[int]
    day_digits: Mapped[int]
    month_digits: Mapped[int]
    has_cost: Mapped[bool] = mapped_column(Boolean)
    finest: Mapped[int]
    is_delta: Mapped[bool] = mapped_column(Boolean)
    size: Mapped[int]  # bytes of `body`
    length: Mapped[int]  # bytes of the XML in it
    published: Mapped[Seconds]
    updated: Mapped[Seconds]
    render: Mapped[int] = mapped_column(SmallInteger)
    encoding: Mapped[int] = mapped_column(SmallInteger)
    extra: Mapped[Json | None]
    stamps: Mapped[bytes] = mapped_column(LargeBinary)
    day_index: Mapped[bytes] = mapped_column(LargeBinary)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    packed: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (Index(None, "utility_id", "updated"), {"sqlite_with_rowid": False})


class IntervalCorrection(Base):
    """Readings as they stood before a later delivery replaced them."""

    __tablename__ = "interval_correction"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    usage_point_id: Mapped[Id] = mapped_column(primary_key=True)
    meter_reading_id: Mapped[Id]
    starts_at: Mapped[Seconds]
    replaced_at: Mapped[Seconds]
    import_run_id: Mapped[uuid.UUID | None]
    encoding: Mapped[int] = mapped_column(SmallInteger)
    packed: Mapped[bytes] = mapped_column(LargeBinary)
    extra: Mapped[Json | None]

    __table_args__ = (Index(None, "usage_point_id", "meter_reading_id", "starts_at"),)


class Change(Base):
    """One line of the commit-ordered log of what changed.

    `sequence` is empty until the sweeper numbers committed rows under a lock: a database's own sequence is given
    out before the commit, so a later number can become visible first.
    """

    __tablename__ = "change"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    sequence: Mapped[int | None] = mapped_column(unique=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    usage_point_id: Mapped[Id] = mapped_column(default=NIL)
    entity: Mapped[Code]
    entity_id: Mapped[Id]
    verb: Mapped[Code]  # created, changed, ended
    at: Mapped[Seconds]
    starts_at: Mapped[Seconds | None]  # the window of readings touched, where there is one
    ends_at: Mapped[Seconds | None]

    __table_args__ = (Index(None, "utility_id", "sequence"),)


class ImportRun(Base):
    """One delivery taken in: when, by whom, and its report."""

    __tablename__ = "import_run"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), index=True)
    started_at: Mapped[Seconds]
    finished_at: Mapped[Seconds | None]
    profile: Mapped[Code]
    actor: Mapped[Name]
    report: Mapped[Any] = mapped_column(PersonalJson("import_run.report"), default=dict, info=PII)
