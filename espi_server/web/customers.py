"""Retail customer data: the chain from Customer to Meter, never in one feed with usage."""

from __future__ import annotations

import uuid

from flask import Response
from sqlalchemy import select

from espi_server.access import albums
from espi_server.access import resources as own
from espi_server.access.guard import closed
from espi_server.access.models import Authorization
from espi_server.accounts.models import Customer
from espi_server.energy.models import Kind
from espi_server.energy.people import Album
from espi_server.errors import NotFound
from espi_server.espi import paths
from espi_server.espi.rights import FULL
from espi_server.web import sending, small
from espi_server.web.asked import Asked, scope_rights
from espi_server.web.house import house


def answer(asked: Asked) -> Response:
    """One customer's data (a custodian's root forms: every customer's): the whole tree, a collection, or an entry."""
    kind, albums = asked.pattern.kind, _albums(asked)
    if kind == "RetailCustomer":
        return small.feed(asked, [entry for album in albums for entry in album.entries()])
    path = {int(Kind[name]): str(asked.id(name)) for name in asked.ids if name in Kind.__members__}
    if asked.pattern.is_collection:
        if path and not any(True for album in albums for _ in album.below(path)):
            raise NotFound()
        return small.feed(asked, [entry for album in albums for entry in album.entries(Kind[kind], path)])
    for album in albums:
        found = album.find(Kind[kind], path)
        if found is not None:
            entry = album.entry(found, alone=True)
            return sending.document(asked, entry.body, entry.updated)
    raise NotFound()


def bulk(asked: Asked) -> Response:
    """The customers of all live authorizations that name this bulk id."""
    with house().database.reading() as session:
        named = [
            row
            for row in own.authorizations(session, asked.grant.utility_id, asked.application)
            if row.bulk_id == asked.ids["BulkRetailCustomerInfo"]
        ]
    if not named:
        raise asked.nowhere()
    live = [row for row in named if own.is_live(row) and row.customer_id]
    return small.feed(asked, [entry for row in live for entry in _authorized_album(asked, row).entries()])


def _albums(asked: Asked) -> list[Album]:
    """What this request may see; `Forbidden` for a path outside the grant, `NotFound` for a custodian's mistake."""
    customer = asked.id("RetailCustomer") if "RetailCustomer" in asked.ids else None
    if asked.is_custodian:
        return _whole_albums(asked, customer)
    if customer is None or customer != asked.grant.customer_id or asked.grant.authorization_id is None:
        raise closed()
    with house().database.reading() as session:
        authorization = session.get_one(Authorization, asked.grant.authorization_id)
    if not scope_rights(authorization.scope, None).sees_customer or not _sees(asked, authorization):
        raise closed()
    return [_authorized_album(asked, authorization)]


def _sees(asked: Asked, authorization: Authorization) -> bool:
    kind = asked.pattern.kind
    return kind == "RetailCustomer" or scope_rights(authorization.scope, None).sees(kind)


def _authorized_album(asked: Asked, authorization: Authorization) -> Album:
    return albums.authorized(house().database, asked.base, authorization)


def _whole_albums(asked: Asked, customer: uuid.UUID | None) -> list[Album]:
    with house().database.reading() as session:
        chosen = select(Customer.id).where(Customer.utility_id == asked.grant.utility_id)
        ids = session.scalars(chosen if customer is None else chosen.where(Customer.id == customer)).all()
    if customer is not None and not ids:
        raise NotFound()
    base = asked.base
    return [
        albums.made(
            house().database, id, None, FULL,
            customer_base=paths.retail_customer(base, str(id)), points_base=base,
        )
        for id in ids
    ]  # fmt: skip
