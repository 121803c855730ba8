"""Authorizations and applications as the standard's own resources."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import grants
from espi_server.access.models import Application, Authorization
from espi_server.accounts.models import Customer, Utility
from espi_server.energy import identity
from espi_server.energy.single import Found
from espi_server.espi import atom, paths
from espi_server.espi import authorization as espi
from espi_server.espi.atom import Link
from espi_server.espi.codes import (
    AuthorizationStatus,
    DataCustodianApplicationStatus,
    GrantType,
    ResponseType,
    ThirdPartyApplicationStatus,
    TokenEndPointMethod,
    TokenType,
)
from espi_server.espi.content import Content
from espi_server.espi.rights import Rights
from espi_server.espi.scope import Scope
from espi_server.espi.usage import DateTimeInterval

_LONGEST = 2**32 - 1


@dataclass(frozen=True)
class Addresses:
    """The utility's public base, and the resource base below it."""

    public: str
    base: str


def authorizations(
    session: Session, utility_id: uuid.UUID, application_id: uuid.UUID | None
) -> list[Authorization]:
    """A utility's authorizations, of one application or of all, the oldest first."""
    chosen = select(Authorization).where(Authorization.utility_id == utility_id)
    if application_id is not None:
        chosen = chosen.where(Authorization.application_id == application_id)
    return list(session.scalars(chosen.order_by(Authorization.created_at, Authorization.id)))


def names_bulk(session: Session, utility_id: uuid.UUID, application_id: uuid.UUID | None, bulk: str) -> bool:
    """Has any authorization, live or ended, of an application (None: of any) named this bulk id?"""
    named = select(Authorization.id).where(
        Authorization.utility_id == utility_id, Authorization.bulk_id == bulk
    )
    if application_id is not None:
        named = named.where(Authorization.application_id == application_id)
    return session.scalar(named.limit(1)) is not None


def is_there(session: Session, utility_id: uuid.UUID, customer_id: uuid.UUID) -> bool:
    """Has the utility such a customer?"""
    chosen = select(Customer.id).where(Customer.utility_id == utility_id, Customer.id == customer_id)
    return session.scalar(chosen) is not None


def applications(session: Session, utility_id: uuid.UUID) -> list[Application]:
    """A utility's applications, the oldest first."""
    chosen = select(Application).where(Application.utility_id == utility_id)
    return list(session.scalars(chosen.order_by(Application.created_at, Application.id)))


def authorization_entry(row: Authorization, addresses: Addresses, *, alone: bool = False) -> Found:
    """An Authorization entry: what was granted, until when, and where the data are.

    One that waits for its company is active, but names no data: nothing can be read before the company has sent the
    customer here. It expires when it lapses.
    """
    base, id, waits = addresses.base, str(row.id), grants.is_waiting(row)
    rights = Rights.of(Scope.parse(row.scope))
    personal = row.customer_id is not None and rights.sees_customer and not waits
    content = espi.Authorization(
        authorized_period=_period(row.starts_at, row.ends_at),
        published_period=None if row.history_from is None else _period(row.history_from, row.ends_at),
        status=AuthorizationStatus.ACTIVE if waits or is_live(row) else AuthorizationStatus.REVOKED,
        expires_at=row.waits_until if waits else row.ends_at,
        grant_type=GrantType("authorization_code"),
        scope=row.scope,
        token_type=TokenType("Bearer"),
        resource_uri="" if waits else paths.batch_subscription(base, id),
        authorization_uri=paths.authorization(base, id),
        customer_resource_uri=paths.batch_retail_customer(base, str(row.customer_id)) if personal else "",
    )
    return _entry(content, base, id, row.created_at, _changed_at(row), alone)


def _changed_at(row: Authorization) -> int:
    """When the entry last changed; beginning and end change its status too, though nobody writes the row."""
    now = clock.seconds()
    moments = (row.starts_at, row.ends_at, row.waits_until or 0)
    return max(row.updated_at, *(at for at in moments if at <= now), 0)


def is_live(row: Authorization) -> bool:
    """Does it open anything: begun, neither ended nor expired?"""
    return row.ended_at is None and row.waits_until is None and row.starts_at <= clock.seconds() < row.ends_at


def application_entry(
    row: Application, utility: Utility, addresses: Addresses, *, alone: bool = False
) -> Found:
    """An ApplicationInformation entry. Secrets are shown at registration only; here their elements are empty."""
    stated = row.information
    content = espi.ApplicationInformation(
        data_custodian_id=utility.code,
        data_custodian_application_status=DataCustodianApplicationStatus(row.status),
        third_party_application_description=stated.get("description"),
        third_party_application_status=ThirdPartyApplicationStatus(stated.get("third_party_status", 3)),
        third_party_notify_uri=row.notify_uri or "",
        authorization_server_uri=addresses.public,
        authorization_server_authorization_endpoint=f"{addresses.public}/oauth/authorize",
        authorization_server_registration_endpoint=f"{addresses.public}/oauth/register",
        authorization_server_token_endpoint=f"{addresses.public}/oauth/token",
        data_custodian_bulk_request_uri=f"{addresses.base}/Batch/Bulk",
        data_custodian_resource_endpoint=addresses.base,
        client_secret="",
        logo_uri=stated.get("logo_uri"),
        client_name=row.name,
        client_uri=stated.get("client_uri"),
        redirect_uri=row.redirect_uris or [""],
        client_id=row.client_id,
        tos_uri=stated.get("tos_uri"),
        policy_uri=stated.get("policy_uri"),
        software_id=stated.get("software_id", row.name),
        software_version=stated.get("software_version", "1"),
        client_id_issued_at=row.created_at,
        client_secret_expires_at=0,
        contacts=stated.get("contacts", []),
        token_endpoint_auth_method=TokenEndPointMethod("client_secret_basic"),
        scope=[row.scope],
        grant_types=[
            GrantType(each) for each in ("authorization_code", "client_credentials", "refresh_token")
        ],
        response_types=ResponseType("code"),
        registration_client_uri=paths.application_information(addresses.base, str(row.id)),
        registration_access_token="",
    )
    return _entry(content, addresses.base, str(row.id), row.created_at, row.updated_at, alone)


def service_status() -> bytes:
    """A bare ServiceStatus: normal."""
    status: bytes = espi.ServiceStatus(current_status=1).write()
    return b'<?xml version="1.0" encoding="UTF-8"?>' + status


def _entry(content: Content, base: str, id: str, published: int, updated: int, alone: bool) -> Found:
    links = [Link(*each) for each in paths.links(base, content.name, id)]
    name = identity.made(
        uuid.UUID(id), content.name
    )  # of version 5, as every entry's; the row's own is chance
    head = atom.entry_head(id=f"urn:uuid:{name}", title=content.name, links=links, alone=alone)
    body = head + content.write() + atom.entry_tail(published=published, updated=updated)
    return Found(body, published, updated)


def _period(start: int, end: int) -> DateTimeInterval:
    return DateTimeInterval(duration=min(end - start, _LONGEST), start=start)
