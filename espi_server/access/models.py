"""The rows of permission: companies, their applications, authorizations, tokens, and the record of use."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Personal, PersonalJson, Sealed
from espi_server.db import PII, RESTRICTED, Base, Code, Digest, Id, Json, Name, Seconds, ordered_id
from espi_server.jobs.leases import Leased


class Asp(Base):
    """A third party (automation service provider) with its people's evidence of qualification."""

    __tablename__ = "asp"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[Name] = mapped_column(unique=True)
    kind: Mapped[Code] = mapped_column(default="data-only")
    status: Mapped[Code] = mapped_column(default="applied")
    evidence: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[Seconds]


class Application(Base):
    """An ASP's OAuth client at one utility. `status` is ESPI's: 1 review, 2 production, 3 on hold, 4 revoked.

    `information` holds the fields of ApplicationInformation that the ASP or the utility stated. `policy` is the
    security policy it is held to (`oauth.policies`); `jwks` its public keys, `certificates` the SHA-256 thumbprints
    (hex) of its TLS certificates.
    """

    __tablename__ = "application"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    asp_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("asp.id"))
    client_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[Name]
    policy: Mapped[Code] = mapped_column(default="standard")
    status: Mapped[int] = mapped_column(SmallInteger, default=2)
    rin_form: Mapped[Code] = mapped_column(default="element")  # or `extension`
    notify_uri: Mapped[str | None]
    redirect_uris: Mapped[Json] = mapped_column(default=list)
    scope: Mapped[str] = mapped_column(default="")
    information: Mapped[Json] = mapped_column(default=dict)
    jwks: Mapped[Json] = mapped_column(default=dict)
    certificates: Mapped[Json] = mapped_column(default=list)
    retry_window: Mapped[int] = mapped_column(SmallInteger, default=0)  # seconds; only legacy may have one
    created_by: Mapped[Name]
    created_at: Mapped[Seconds]
    updated_at: Mapped[Seconds]

    __table_args__ = (UniqueConstraint("utility_id", "name"),)


class ApplicationSecret(Base):
    """The digest of a client secret; two may overlap while one is being replaced."""

    __tablename__ = "application_secret"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds | None]
    revoked_at: Mapped[Seconds | None]


class ClientAssertion(Base):
    """The `jti` of a client's signed assertion that was taken, so that it is taken once (RFC 7523 3)."""

    __tablename__ = "client_assertion"

    application_id: Mapped[Id] = mapped_column(
        ForeignKey("application.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[Digest] = mapped_column(primary_key=True)
    expires_at: Mapped[Seconds] = mapped_column(index=True)


class ConsentRecord(Base):
    """What the customer was shown when she agreed: the text itself, its language, version and digest."""

    __tablename__ = "consent_record"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    shown: Mapped[str] = mapped_column(Personal("consent_record.shown"), info=PII)
    language: Mapped[Code]
    version: Mapped[Code]
    digest: Mapped[Digest]
    shown_at: Mapped[Seconds]


LIVE = text("ended_at IS NULL")
BEGUN = text("ended_at IS NULL AND waits_until IS NULL")
WAITS = text("ended_at IS NULL AND waits_until IS NOT NULL")


class Authorization(Base):
    """A consent, and the subscription it opens: `id` is the `{s}` of its paths.

    `identified` tells how the customer was identified (when, method, amr, LSE found). `version` counts changes
    of what it opens. Without a customer it is an operator's grant over a utility's usage points, one per
    application. At most one is live per utility, application and customer; beside it others may wait.

    A consent given before its company asked has `waits_until`: it opens nothing until the company comes for it, and
    lapses then. `lasting` is how the customer chose its end (once, until, stopped), `reminded_at` when she was told
    last that it goes on.
    """

    __tablename__ = "authorization"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id"), index=True)
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    scope: Mapped[str] = mapped_column(String(256))
    bulk_id: Mapped[Name | None]  # the value of BR= in the scope
    history_from: Mapped[Seconds | None]
    starts_at: Mapped[Seconds]
    ends_at: Mapped[Seconds]
    ended_at: Mapped[Seconds | None]
    ended_reason: Mapped[Code | None]
    waits_until: Mapped[Seconds | None]
    lasting: Mapped[Code | None]
    reminded_at: Mapped[Seconds | None]
    version: Mapped[int] = mapped_column(default=0)
    identified: Mapped[Json] = mapped_column(default=dict)
    consent_record_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("consent_record.id"))
    created_by: Mapped[Name]
    created_at: Mapped[Seconds]
    updated_at: Mapped[Seconds]

    __table_args__ = (
        Index(
            "uq_authorization_live_customer",
            "utility_id",
            "application_id",
            "customer_id",
            unique=True,
            sqlite_where=BEGUN,
            postgresql_where=BEGUN,
        ),
        Index(
            "uq_authorization_live_operator",
            "utility_id",
            "application_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL AND waits_until IS NULL AND customer_id IS NULL"),
            postgresql_where=text("ended_at IS NULL AND waits_until IS NULL AND customer_id IS NULL"),
        ),
        Index(None, "application_id", "bulk_id", "id"),  # in the order of a bulk feed
        Index("ix_authorization_live_ends_at", "ends_at", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_authorization_waits_until", "waits_until", sqlite_where=WAITS, postgresql_where=WAITS),
    )


class AuthorizationAgreement(Base):
    """A service agreement that an authorization covers."""

    __tablename__ = "authorization_agreement"

    authorization_id: Mapped[Id] = mapped_column(
        ForeignKey("authorization.id", ondelete="CASCADE"), primary_key=True
    )
    agreement_id: Mapped[Id] = mapped_column(ForeignKey("service_agreement.id"), primary_key=True, index=True)


class AuthorizationUsagePoint(Base):
    """A usage point that an authorization opens."""

    __tablename__ = "authorization_usage_point"

    authorization_id: Mapped[Id] = mapped_column(
        ForeignKey("authorization.id", ondelete="CASCADE"), primary_key=True
    )
    usage_point_id: Mapped[Id] = mapped_column(ForeignKey("usage_point.id"), primary_key=True, index=True)


class ExpiryNotice(Base):
    """That the end of an authorization at `ends_at` was told of so many days ahead."""

    __tablename__ = "expiry_notice"

    authorization_id: Mapped[Id] = mapped_column(
        ForeignKey("authorization.id", ondelete="CASCADE"), primary_key=True
    )
    ends_at: Mapped[Seconds] = mapped_column(primary_key=True, autoincrement=False)
    days: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class PreparedBatch(Leased, Base):
    """A batch a company asked for that a worker prepares, or has prepared: the same request is the same row.

    `authorization_id` or `bulk_id` tells whose it is. `tag` is the state of the data it shows and `opened` that of the
    rights it was prepared under, both as of `measured_at`; the sizes are those of the feed, plain and as gzip.
    """

    __tablename__ = "prepared_batch"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"))
    authorization_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("authorization.id", ondelete="CASCADE"), index=True
    )
    bulk_id: Mapped[Name | None]
    fingerprint: Mapped[Digest] = mapped_column(unique=True)
    path: Mapped[str]
    query: Mapped[str]
    form: Mapped[Code]
    asked_at: Mapped[Seconds]
    measured_at: Mapped[Seconds] = mapped_column(default=0)
    finished_at: Mapped[Seconds | None]
    tag: Mapped[str] = mapped_column(String(64), default="")
    opened: Mapped[str] = mapped_column(String(64), default="")
    updated: Mapped[Seconds] = mapped_column(default=0)
    entries: Mapped[int] = mapped_column(default=0)
    plain_size: Mapped[int] = mapped_column(default=0)
    gzip_size: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index(None, "state", "next_attempt_at"), Index(None, "application_id", "state"))


class PreparedPart(Base):
    """A sealed piece of a prepared batch, of the attempt that wrote it; gone with the batch."""

    __tablename__ = "prepared_part"

    batch_id: Mapped[Id] = mapped_column(
        ForeignKey("prepared_batch.id", ondelete="CASCADE"), primary_key=True
    )
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LargeBinary, info=PII)


class AuthorizationRequest(Base):
    """What a company asks a customer for, waiting for her answer, or pushed by the company for its browser to name.

    `digest` is that of the secret (pending) or of the handle (pushed) it is found by; it works once. Where the company
    polls for the answer, `poll_digest` is that of what it polls with, `customer_id` the one who was found and may
    answer, `code_digest` her yes; `sealed` holds the profile, then the link, until either was of use. `pause` is how
    many seconds the company waits between two polls. Where a browser brought it, `browser` is the digest of what that
    browser can show.
    """

    __tablename__ = "authorization_request"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    stage: Mapped[Code]  # pushed or pending
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"), index=True)
    parameters: Mapped[Any] = mapped_column(PersonalJson("authorization_request.parameters"), info=PII)
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    used_at: Mapped[Seconds | None]
    poll_digest: Mapped[Digest | None] = mapped_column(index=True, unique=True)
    customer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("customer.id"), index=True)
    code_digest: Mapped[Digest | None] = mapped_column(
        ForeignKey("authorization_code.digest", ondelete="SET NULL")
    )
    sealed: Mapped[bytes | None] = mapped_column(Sealed("digest"), info=PII)
    pause: Mapped[int] = mapped_column(default=0)
    polled_at: Mapped[Seconds | None]
    browser: Mapped[Digest | None]


class AuthorizationCode(Base):
    """A customer's yes on its way to the company: the decision, and what the code is bound to.

    The authorization itself begins when the code is redeemed; `authorization_id` is that authorization. Where the
    customer had agreed before, `adopts_id` is the waiting one that begins. Used rows stay for a while, so that a replay
    is seen.
    """

    __tablename__ = "authorization_code"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"), index=True)
    customer_id: Mapped[Id] = mapped_column(ForeignKey("customer.id"), index=True)
    usage_points: Mapped[Json]
    scope: Mapped[str] = mapped_column(String(256))
    openid: Mapped[bool] = mapped_column(Boolean, default=False)
    until: Mapped[Seconds]
    lasting: Mapped[Code | None]
    adopts_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("authorization.id"))
    identified: Mapped[Json] = mapped_column(default=dict)
    consent_record_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("consent_record.id"))
    redirect_uri: Mapped[
        str | None
    ]  # as the request named it; where it named none, neither does the redemption
    challenge: Mapped[str | None] = mapped_column(String(64))
    nonce: Mapped[Name | None]
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds] = mapped_column(index=True)
    used_at: Mapped[Seconds | None]
    authorization_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("authorization.id"), index=True)


class SigningKey(Base):
    """A utility's key for one purpose: pending (published, not yet used), active (one), or retired.

    `private` is wrapped by a key derived from the installation's secret (`access.keys`).
    """

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    purpose: Mapped[Code]
    algorithm: Mapped[Code]
    state: Mapped[Code]
    public: Mapped[Json]
    private: Mapped[bytes] = mapped_column(LargeBinary, info=RESTRICTED)
    created_at: Mapped[Seconds]
    activated_at: Mapped[Seconds | None]
    retired_at: Mapped[Seconds | None]

    __table_args__ = (
        Index(
            "uq_signing_key_active",
            "utility_id",
            "purpose",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )


class TokenFamily(Base):
    """All tokens that descend from one grant; a replayed refresh token kills the whole family."""

    __tablename__ = "token_family"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    authorization_id: Mapped[Id] = mapped_column(ForeignKey("authorization.id"), index=True)
    openid: Mapped[bool] = mapped_column(Boolean, default=False)  # may ask who the customer is
    created_at: Mapped[Seconds]
    revoked_at: Mapped[Seconds | None]
    revoked_reason: Mapped[Code | None]


class Token(Base):
    """A token's digest and what it opens. The clear text is returned once and kept nowhere."""

    __tablename__ = "token"

    digest: Mapped[Digest] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("application.id"), index=True)
    authorization_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("authorization.id"), index=True)
    family_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("token_family.id"), index=True)
    scope: Mapped[str] = mapped_column(default="")
    confirmation: Mapped[Digest | None]  # the thumbprint it is bound to, where it is
    predecessor: Mapped[Digest | None]  # the refresh token this one replaced
    issued_by: Mapped[Name]
    issued_at: Mapped[Seconds]
    expires_at: Mapped[Seconds]
    used_at: Mapped[Seconds | None]  # refresh tokens and codes work once
    revoked_at: Mapped[Seconds | None]
    revoked_reason: Mapped[Code | None]


class AccessRight(Base):
    """What an application may do with a dataset of named utilities, why, and on what legal basis."""

    __tablename__ = "access_right"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id"), index=True)
    dataset: Mapped[Code]
    verbs: Mapped[Json] = mapped_column(default=lambda: ["read"])
    purpose: Mapped[Name]
    legal_basis: Mapped[Code]  # contract, order, consent
    starts_at: Mapped[Seconds]
    ends_at: Mapped[Seconds | None]


class AccessRightUtility(Base):
    """A utility whose data an access right reaches."""

    __tablename__ = "access_right_utility"

    access_right_id: Mapped[Id] = mapped_column(
        ForeignKey("access_right.id", ondelete="CASCADE"), primary_key=True
    )
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)


class FeatureState(Base):
    """Whether a utility offers a feature to a customer class: not offered, planned (from `planned_for`), on, halted."""

    __tablename__ = "feature_state"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    customer_class: Mapped[Code] = mapped_column(primary_key=True)
    feature: Mapped[Code] = mapped_column(primary_key=True)
    state: Mapped[Code]
    planned_for: Mapped[Seconds | None]


class FeatureOperation(Base):
    """Who operates a feature for customers of a pair of UDC and LSE."""

    __tablename__ = "feature_operation"

    udc: Mapped[Name] = mapped_column(primary_key=True)
    lse: Mapped[Name] = mapped_column(primary_key=True)
    customer_class: Mapped[Code] = mapped_column(primary_key=True)
    feature: Mapped[Code] = mapped_column(primary_key=True)
    operation: Mapped[Name]


class AuditEvent(Base):
    """An act, chained to its utility's act before it (`access.audit`). Append-only: the database refuses the rest.

    `key` names the key of the digest; another secret of the installation makes another one.
    """

    __tablename__ = "audit_event"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Seconds]
    act: Mapped[Code]
    actor: Mapped[Name]
    subject: Mapped[Name]
    detail: Mapped[Json] = mapped_column(info=RESTRICTED)
    key: Mapped[Code]
    previous: Mapped[Digest]
    digest: Mapped[Digest]

    __table_args__ = (Index(None, "utility_id", "at"),)


BULK = text("authorization_id IS NULL AND application_id IS NOT NULL")


class Disclosure(Base):
    """Data that left: what, when, to whom. Appended before the body, sealed in batches, and append-only too."""

    __tablename__ = "disclosure"

    id: Mapped[Id] = mapped_column(primary_key=True, default=ordered_id)
    utility_id: Mapped[Id]
    authorization_id: Mapped[uuid.UUID | None]
    access_right_id: Mapped[uuid.UUID | None]
    application_id: Mapped[uuid.UUID | None]
    token_kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[Seconds]
    path: Mapped[str]
    query: Mapped[str] = mapped_column(default="")
    entries: Mapped[int]
    size: Mapped[int]
    request_id: Mapped[Name]

    __table_args__ = (
        Index(None, "authorization_id", "at"),
        # What machines of a company fetched of many customers at once, for each of these to look up.
        Index("ix_disclosure_bulk", "application_id", "at", sqlite_where=BULK, postgresql_where=BULK),
    )


class DisclosureSeal(Base):
    """Which act of its utility's chain sealed a disclosure. A table of its own, so that no row is ever changed."""

    __tablename__ = "disclosure_seal"

    disclosure_id: Mapped[Id] = mapped_column(primary_key=True)
    utility_id: Mapped[Id]
    number: Mapped[int]

    __table_args__ = (Index(None, "utility_id", "number"),)


class ClientRefusal(Base):
    """How often somebody failed to show that they are an application, or (NIL) named none; by the hour."""

    __tablename__ = "client_refusal"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    application_id: Mapped[Id] = mapped_column(primary_key=True)
    hour: Mapped[Seconds] = mapped_column(primary_key=True)  # when it began
    times: Mapped[int]


class UsageLedger(Base):
    """Calls and authorizations counted per ASP, utility, feature and month. Append-only."""

    __tablename__ = "usage_ledger"

    id: Mapped[Id] = mapped_column(primary_key=True, default=uuid.uuid4)
    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"))
    application_id: Mapped[Id] = mapped_column(ForeignKey("application.id"))
    feature: Mapped[Code]
    month: Mapped[str] = mapped_column(String(7))
    quantity: Mapped[int]
    at: Mapped[Seconds]

    __table_args__ = (Index(None, "utility_id", "application_id", "month", "feature"),)
