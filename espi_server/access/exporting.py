"""A subscription's feed as a file: what its company would get, in any of its forms."""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from espi_server import clock
from espi_server.access import audit, opening
from espi_server.access.addresses import resource_base
from espi_server.access.models import Authorization
from espi_server.accounts.models import Utility
from espi_server.energy import identity
from espi_server.energy.asking import Asking
from espi_server.energy.feed import Feed
from espi_server.energy.translated import Csv, Json, Translated
from espi_server.errors import Forbidden, NotFound
from espi_server.espi import paths
from espi_server.espi.query import Query
from espi_server.espi.rights import Rights
from espi_server.espi.rows import ReadingRows
from espi_server.espi.scope import Scope

FORMS = ("xml", "json", "csv")


def asking(
    session: Session, utility: Utility, subscription: uuid.UUID, query: Query, installation: str
) -> Asking:
    """The request that `GET Batch/Subscription/{s}` makes; `NotFound` where the authorization is not live."""
    now = clock.seconds()
    live = select(Authorization.id).where(
        Authorization.id == subscription,
        Authorization.utility_id == utility.id,
        Authorization.ended_at.is_(None),
        Authorization.starts_at <= now,
        Authorization.ends_at > now,
        Authorization.waits_until.is_(None),
    )
    if session.scalar(live) is None:
        raise NotFound(f"{utility.name} has no live authorization {subscription}.")
    base = resource_base(utility.base_url, utility.code, installation)
    href = paths.batch_subscription(base, str(subscription))
    return Asking(
        opening=opening.exported(utility.id, subscription),
        base=base,
        href=f"{href}?{query}" if str(query) else href,
        link_type=paths.entry_type("Subscription"),
        title="Subscription",
        id=identity.made(utility.namespace, "Feed", href.removeprefix(base + "/")),
        at=lambda each: paths.subscription(base, each),
        rights=lambda scope, history_from: Rights.of(Scope.parse(scope or ""), history_from),
        zone=ZoneInfo(utility.timezone),
        digest=b"",
        now=now,
        query=query,
    )


def record(session: Session, utility: Utility, subscription: uuid.UUID, by: str, **detail: Any) -> None:
    """Write down, before it is written, that a subscription's data leave as a file."""
    subject = f"authorization:{subscription}"
    audit.record(session, utility.id, "data.exported", actor=by, subject=subject, **detail)


def written_as(form: str, feed: Feed) -> Feed | Translated:
    """The feed in one of `FORMS`; `Forbidden` for a table where the authorization opens no readings."""
    if form == "xml":
        return feed
    if form == "json":
        return Translated(feed, Json())
    if not all(point.rights.sees("IntervalBlock") for point in feed.measured.points):
        raise Forbidden(
            "This authorization opens no readings, so there is no table of them. Take xml or json."
        )
    return Translated(feed, Csv(ReadingRows(feed.asking.zone)))
