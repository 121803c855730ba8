"""Reads the structure out of an XML Schema; run with ESPI_REFERENCE set, it makes the facts anew.

    ESPI_REFERENCE=… python -m tests.facts.make

The facts are types, order, cardinality and values only: no documentation, nothing of the text.
"""

import json
import os
from pathlib import Path

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
FOLDER = Path(__file__).parent
SCHEMAS = ("espi", "customer")
UNBOUNDED = "unbounded"


def structure(root):
    """The structure of a schema's root element: its root elements, complex types and simple types."""
    complex_types = {}
    for element in root.iter(f"{XS}complexType"):
        complex_types[type_name(element)] = complex_type(element)
    simple_types = {item.get("name"): simple_type(item) for item in root.findall(f"{XS}simpleType")}
    elements = {item.get("name"): item.get("type") for item in root.findall(f"{XS}element")}
    return {"elements": elements, "complex": complex_types, "simple": simple_types}


def type_name(element):
    """Its own name, or the path of the element whose nameless type it is."""
    if element.get("name"):
        return element.get("name")
    owner = element.getparent()
    holder = next(item for item in owner.iterancestors(f"{XS}complexType"))
    return f"{holder.get('name')}/{owner.get('name')}"


def complex_type(element):
    derived = element.find(f"{XS}complexContent/{XS}extension")
    if derived is None:
        derived = element.find(f"{XS}simpleContent/{XS}extension")
    where = element if derived is None else derived
    return {
        "base": None if derived is None else derived.get("base"),
        "derivation": None if derived is None else etree.QName(derived.getparent()).localname,
        "particles": particles(where),
    }


def particles(where):
    """Name, type, least and most. A repeated sequence of one element is that element repeated."""
    sequence = where.find(f"{XS}sequence")
    if sequence is None:
        return []
    elements = sequence.findall(f"{XS}element")
    if len(elements) > 1 and occurs(sequence) != [1, 1]:
        raise ValueError("a repeated sequence of several elements has no counterpart in the declarations")
    return [particle(element, occurs(sequence)) for element in elements]


def particle(element, around):
    if element.get("ref"):
        name = kind = element.get("ref")
    elif element.find(f"{XS}complexType") is not None:
        name, kind = element.get("name"), type_name(element.find(f"{XS}complexType"))
    else:
        name, kind = element.get("name"), element.get("type", "xs:anyType")
    least, most = occurs(element)
    unbounded = UNBOUNDED in (most, around[1])
    return [name, kind, least * around[0], UNBOUNDED if unbounded else most * around[1]]


def occurs(element):
    most = element.get("maxOccurs", "1")
    return [int(element.get("minOccurs", "1")), most if most == UNBOUNDED else int(most)]


def simple_type(element):
    restriction = element.find(f".//{XS}restriction")
    union = element.find(f"{XS}union")
    values = {item.get("value") for item in restriction.findall(f"{XS}enumeration")}
    facets = {
        etree.QName(item).localname: item.get("value")
        for item in restriction
        if isinstance(item.tag, str) and etree.QName(item).localname not in ("enumeration", "annotation")
    }
    return {
        "base": restriction.get("base"),
        "facets": facets,
        "values": sorted(values),
        "union": None if union is None else union.get("memberTypes").split(),
    }


def main():
    official = Path(os.environ["ESPI_REFERENCE"]) / "official" / "espi-4.0"
    for name in SCHEMAS:
        facts = structure(etree.parse(official / f"{name}.xsd").getroot())
        text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
