"""What an authorization opens of the customer it is of: her record, her accounts and agreements, her places."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import select

from espi_server.access.models import Authorization, AuthorizationUsagePoint
from espi_server.db import NIL, Database
from espi_server.energy import people
from espi_server.energy.people import Album
from espi_server.espi import paths
from espi_server.espi.rights import Rights
from espi_server.espi.scope import Scope


def authorized(database: Database, base: str, authorization: Authorization) -> Album:
    """The album of one authorization below a resource base; the one way to it, whoever looks."""
    with database.reading() as session:
        opened = session.scalars(
            select(AuthorizationUsagePoint.usage_point_id).where(
                AuthorizationUsagePoint.authorization_id == authorization.id
            )
        ).all()
    customer = authorization.customer_id or NIL
    return made(
        database,
        customer,
        [str(each) for each in opened],
        Rights.of(Scope.parse(authorization.scope)),
        customer_base=paths.retail_customer(base, str(customer)),
        points_base=paths.subscription(base, str(authorization.id)),
    )


def made(
    database: Database,
    customer: uuid.UUID,
    opened: Collection[str] | None,
    rights: Rights,
    *,
    customer_base: str,
    points_base: str,
) -> Album:
    """A customer's album for a reader with these rights; `opened` None opens everything."""
    with database.driver() as driver:
        statements = people.statements(database.engine)
        found = people.read(database.keyring, statements.resources.rows(driver, customer=customer))
        owned = people.ids(statements.points.rows(driver, customer=customer))
    seen = owned if opened is None else list(opened)
    reached = people.reached(found, seen, whole=set(owned) <= set(seen))
    return Album(customer_base, points_base, reached, seen, rights)
