"""The standard: ESPI as published, declared once. Imports nothing from the other rooms."""

# Importing the room declares every kind, so that `content.kind` knows them all.
from . import authorization, customer, sst, usage

__all__ = ["authorization", "customer", "sst", "usage"]
