"""The rules by which a Green Button document is judged, one module a subject."""

# Importing the package declares every rule, in the order of the table.
from . import (  # isort: skip
    document,
    shells,
    ids,
    links,
    graph,
    schema,
    enumerations,
    times,
    units,
    intervals,
    summaries,
    function_blocks,
    customers,
    consents,
    statewide,
)

__all__ = [
    "consents",
    "customers",
    "document",
    "enumerations",
    "function_blocks",
    "graph",
    "ids",
    "intervals",
    "links",
    "schema",
    "shells",
    "statewide",
    "summaries",
    "times",
    "units",
]
