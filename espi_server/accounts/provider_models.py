"""The row of a utility's own OpenID provider, apart from what is done with it: that takes a while to load."""

from __future__ import annotations

from sqlalchemy import Boolean, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from espi_server.at_rest import Sealed
from espi_server.db import PII, Base, Id, Name, Seconds


class LoginProvider(Base):
    """A utility's own OpenID provider. `claim` names the customer by the utility's own reference.

    `only`: there are no passwords here. `second` is what is asked for (`acr_values`) where two factors are wanted.
    """

    __tablename__ = "login_provider"

    utility_id: Mapped[Id] = mapped_column(ForeignKey("utility.id"), primary_key=True)
    issuer: Mapped[Name]
    client_id: Mapped[Name]
    sealed: Mapped[bytes | None] = mapped_column(Sealed("utility_id"), info=PII)
    scopes: Mapped[Name]
    claim: Mapped[Name]
    second: Mapped[Name]
    only: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[Seconds]
