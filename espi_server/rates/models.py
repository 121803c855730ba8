"""The rows of rates: tariff records with what was found in them, and the cells of each usage point.

A record is kept as it came; its sidecar, its findings and who accepted which of them stand beside it. Cells are one
row per usage point and billing cycle, so a comparison reads some kilobytes and no interval.
"""

from __future__ import annotations

import uuid

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.db import Base, Code, Id, Json, Name, Seconds


class TariffRecord(Base):
    """One version of a tariff: a URDB record, valid from `starts_at` up to `ends_at`."""

    __tablename__ = "tariff"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    label: Mapped[Name]
    name: Mapped[Name]
    starts_at: Mapped[Seconds | None]
    ends_at: Mapped[Seconds | None]
    supersedes: Mapped[Name | None]
    record: Mapped[Json]
    sidecar: Mapped[Json] = mapped_column(default=dict)
    findings: Mapped[Json] = mapped_column(default=list)
    accepted: Mapped[Json] = mapped_column(default=dict)  # finding code → who accepted it, and when
    status: Mapped[Code]  # waiting: a finding that changes money is not accepted; usable
    created_at: Mapped[Seconds]
    changed_at: Mapped[Seconds]

    __table_args__ = (
        UniqueConstraint("utility_id", "label"),
        Index(None, "utility_id", "name", "starts_at"),
    )


class UsageCells(Base):
    """The sums of one usage point in one billing cycle: kWh and highest kW by month, kind of day and hour.

    `layout` names zone, holidays, slots and netting. Arrays are float64 (kWh, kW) or int64 (counts), one row of cells
    per month of the cycle; `until` is the UTC second up to which readings are in them.
    """

    __tablename__ = "usage_cells"

    usage_point_id: Mapped[Id] = mapped_column(
        ForeignKey("usage_point.id", ondelete="CASCADE"), primary_key=True
    )
    layout: Mapped[Code] = mapped_column(primary_key=True)
    starts_at: Mapped[Seconds] = mapped_column(primary_key=True)
    ends_at: Mapped[Seconds]
    until: Mapped[Seconds]
    step: Mapped[int]
    imports: Mapped[bytes] = mapped_column(LargeBinary)
    exports: Mapped[bytes | None] = mapped_column(LargeBinary)
    peaks: Mapped[bytes | None] = mapped_column(LargeBinary)
    missing: Mapped[bytes | None] = mapped_column(LargeBinary)
    expected: Mapped[bytes] = mapped_column(LargeBinary)
