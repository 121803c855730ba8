"""The rows of people and places: utilities, premises, customers, agreements, and ways in.

Names and addresses of customers live in their ESPI resources (`energy`); the rows here hold the keys that join.
Premise, Program and some Login rows belong to the whole installation; everything else belongs to one utility.
"""

from __future__ import annotations

import uuid

from sqlalchemy import Boolean, Float, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Personal
from espi_server.db import PII, RESTRICTED, Base, Code, Digest, Id, Json, Name, Seconds

UTILITY_KINDS = ("iou", "pou", "cca", "gas", "source")
PROFILES = ("self", "atom-id", "meter")
NEVER_SHAREABLE = "wholesale"  # the customer class whose agreements no authorization opens


class Utility(Base):
    """A data custodian we serve: one tenant. `namespace` is random, fixed when added, and roots all its ids.

    Batches of so many entries or more are prepared by a worker instead of sent at once (0: all, none: never).
    """

    __tablename__ = "utility"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    kind: Mapped[Code] = mapped_column(default="iou")
    is_udc: Mapped[bool] = mapped_column(Boolean, default=True)
    is_lse: Mapped[bool] = mapped_column(Boolean, default=True)
    states: Mapped[Json] = mapped_column(default=list)
    commodities: Mapped[Json] = mapped_column(default=lambda: ["electricity"])
    timezone: Mapped[Name]
    currency: Mapped[str] = mapped_column(String(3), default="USD")
    base_url: Mapped[str | None]  # where set, this utility's own public address
    namespace: Mapped[Id] = mapped_column(default=uuid.uuid4)
    profile: Mapped[Code] = mapped_column(default="self")  # which key of a source names a usage point
    qualities: Mapped[Json] = mapped_column(default=dict)  # the source's own quality words → ESPI codes
    prepare_from: Mapped[int | None]
    prepare_bulk_from: Mapped[int | None]
    portal: Mapped[Json] = mapped_column(default=dict)  # its customers' pages (`accounts.portal`)
    created_at: Mapped[Seconds]


class Premise(Base):
    """A place as the whole installation knows it, whichever utilities serve it.

    `address` is number, street and unit in their one spelling, `position` latitude and longitude in degrees.
    """

    __tablename__ = "premise"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    address: Mapped[str] = mapped_column(Personal("premise.address"), info=PII)
    town: Mapped[Name | None]
    state: Mapped[str | None] = mapped_column(String(8))
    zip: Mapped[Code | None]
    municipality_code: Mapped[Code | None]
    county: Mapped[Name | None]
    position: Mapped[str | None] = mapped_column(Personal("premise.position"), info=PII)

    __table_args__ = (Index(None, "zip", "address"),)


class Program(Base):
    """Efficiency, weatherization, demand response, research or discount."""

    __tablename__ = "program"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    kind: Mapped[Code]
    name: Mapped[Name] = mapped_column(unique=True)


class Customer(Base):
    """A retail customer of one utility, by the utility's own reference."""

    __tablename__ = "customer"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    reference: Mapped[str] = mapped_column(Personal("customer.reference"), info=PII)
    version: Mapped[int] = mapped_column(default=0)  # counts imports that changed this customer's resources
    created_at: Mapped[Seconds]

    __table_args__ = (UniqueConstraint("utility_id", "reference"),)


class Account(Base):
    """A billing account of a customer."""

    __tablename__ = "account"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    customer_id: Mapped[Id] = mapped_column(ForeignKey("customer.id"), index=True)
    reference: Mapped[str] = mapped_column(Personal("account.reference"), info=PII)

    __table_args__ = (UniqueConstraint("utility_id", "reference"),)


class ServiceLocation(Base):
    """Where service is delivered, as the utility states it, and which premise we matched it to."""

    __tablename__ = "service_location"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    source_premise: Mapped[str] = mapped_column(Personal("service_location.source_premise"), info=PII)
    premise_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("premise.id"), index=True)
    match_method: Mapped[Code | None]
    match_confidence: Mapped[float | None] = mapped_column(Float)
    matched_from: Mapped[Seconds | None]
    matched_until: Mapped[Seconds | None]
    municipality: Mapped[Name | None]
    baseline_territory: Mapped[Code | None]

    __table_args__ = (UniqueConstraint("utility_id", "source_premise"),)


OPEN = text("closed_at IS NULL AND ends_at IS NOT NULL")


class ServiceAgreement(Base):
    """One contract for one commodity at one location. Bundled when `udc` and `lse` are the same company.

    `udc` and `lse` are utility codes where the company is served here, else the name its source uses. An
    agreement of class `wholesale` is never shareable. `closed_at` is when we noticed that it is over
    (`access.closing`).
    """

    __tablename__ = "service_agreement"

    id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    customer_id: Mapped[Id] = mapped_column(ForeignKey("customer.id"), index=True)
    account_id: Mapped[Id] = mapped_column(ForeignKey("account.id"), index=True)
    service_location_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("service_location.id"), index=True
    )
    reference: Mapped[str] = mapped_column(Personal("service_agreement.reference"), info=PII)
    commodity: Mapped[Code] = mapped_column(default="electricity")
    customer_class: Mapped[Code] = mapped_column(default="residential")
    source_class: Mapped[Name | None]
    udc: Mapped[Name | None]
    lse: Mapped[Name | None]
    read_cycle: Mapped[Code | None]
    net_metering: Mapped[Code | None]
    voltage_class: Mapped[Code | None]
    status: Mapped[Code] = mapped_column(default="active")
    starts_at: Mapped[Seconds | None]
    ends_at: Mapped[Seconds | None]
    closed_at: Mapped[Seconds | None]

    __table_args__ = (
        UniqueConstraint("utility_id", "reference"),
        Index("ix_service_agreement_open_ends_at", "ends_at", sqlite_where=OPEN, postgresql_where=OPEN),
    )


class AgreementRate(Base):
    """Which rate code, with which modifiers, an agreement had from when to when."""

    __tablename__ = "agreement_rate"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    agreement_id: Mapped[Id] = mapped_column(
        ForeignKey("service_agreement.id", ondelete="CASCADE"), index=True
    )
    rate_code: Mapped[Name]
    modifiers: Mapped[Json] = mapped_column(default=list, info=RESTRICTED)
    starts_at: Mapped[Seconds | None]
    ends_at: Mapped[Seconds | None]


class AgreementRin(Base):
    """A Rate Identification Number of an agreement, in its role: bundled, delivery or generation."""

    __tablename__ = "agreement_rin"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    agreement_id: Mapped[Id] = mapped_column(
        ForeignKey("service_agreement.id", ondelete="CASCADE"), index=True
    )
    rin: Mapped[Code] = mapped_column(info=RESTRICTED)
    role: Mapped[Code]
    starts_at: Mapped[Seconds | None]
    ends_at: Mapped[Seconds | None]


class Login(Base):
    """A person's way in: a customer, a utility's operator, an ASP's engineer, the central authority, our staff."""

    __tablename__ = "login"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    kind: Mapped[Code]
    utility_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("utility.id"))
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    asp_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("asp.id"))
    name: Mapped[str] = mapped_column(Personal("login.name"), info=PII)
    email: Mapped[str | None] = mapped_column(Personal("login.email"), info=PII)
    email_since: Mapped[Seconds | None]  # when it was shown to be hers; codes go to no other
    password_digest: Mapped[str | None] = mapped_column(info=RESTRICTED)
    password_alone: Mapped[bool] = mapped_column(
        Boolean, default=False
    )  # long enough without a second factor
    password_at: Mapped[Seconds | None]
    language: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[Code] = mapped_column(default="active")
    created_at: Mapped[Seconds]

    __table_args__ = (UniqueConstraint("kind", "utility_id", "name"),)


class LoginSession(Base):
    """One signed-in browser of a login at one utility; at another utility it is nothing."""

    __tablename__ = "login_session"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    login_id: Mapped[Id] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    utility_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("utility.id"))
    authenticated_at: Mapped[Seconds]
    amr: Mapped[Json] = mapped_column(default=list)
    acr: Mapped[Name | None]
    agent: Mapped[str | None] = mapped_column(
        Personal("login_session.agent"), info=PII
    )  # which browser it says it is
    seen_at: Mapped[Seconds]
    ends_at: Mapped[Seconds]
    revoked_at: Mapped[Seconds | None]
