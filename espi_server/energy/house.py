"""What every step of one import needs to know of the utility whose data come in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import tzinfo

from espi_server import clock
from espi_server.energy import identity, local_time
from espi_server.energy.models import Kind
from espi_server.energy.records import checked
from espi_server.energy.repair import Supplies
from espi_server.energy.store import Item
from espi_server.espi import usage


@dataclass(frozen=True)
class House:
    """One utility during one import. `qualities` are its own words for ESPI's quality codes."""

    utility_id: uuid.UUID
    namespace: uuid.UUID
    timezone: str
    zone: tzinfo
    profile: str
    supplies: Supplies
    qualities: dict[str, int]
    run_id: uuid.UUID
    started_at: int

    def zone_parameters(self) -> Item:
        """LocalTimeParameters made from the utility's time zone."""
        content, xml = checked(
            usage.LocalTimeParameters, dict(local_time.parameters(self.timezone, clock.now()))
        )
        id = identity.by_content(self.namespace, Kind.LocalTimeParameters.name, xml)
        return Item(Kind.LocalTimeParameters, id, content, xml, self.started_at)
