"""ESPI in JSON: a mapping that loses nothing, in both directions.

    data = mapping.to_json(root)      # {"feed": {"id": …, "entry": [{"content": {"UsagePoint": {…}}, …}]}}
    xml = mapping.from_json(data)     # the same tree again

An element is a member with its name in XML, a whole number a number, a repeatable element always a list. What JSON
has no place for (see `shape`) stands in `#children` and `#attributes`, and nobody meets those in what we serve.
"""

from .documents import from_json, named, to_json
from .shape import ATTRIBUTES, CHILDREN

MEDIA_TYPE = "application/vnd.espi+json"
VERSION = 1
"""Of the mapping: it goes into every ETag."""

__all__ = ["ATTRIBUTES", "CHILDREN", "MEDIA_TYPE", "VERSION", "from_json", "named", "to_json"]
