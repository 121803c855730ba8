"""Rules on what the schema says of a resource: its elements, their order and number, and their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from espi_server.espi.content import SST, Content, kind
from espi_server.espi.pieces import MISPLACED, REPEATED, STRAY, UNDECLARED
from espi_server.espi.raw import split

from .rule import Faults, Severity, rule
from .subjects import NAMESPACES, Resource, Shell, shown, steps, walk

ERROR, WARNING, ADVICE = Severity
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_WITH_ATTRIBUTES = etree.XPath("descendant-or-self::*[@*]")
_STATUS = ("status", "docStatus", "futureStatus")


@rule(
    "XSD-01",
    ERROR,
    "A content is a resource of the edition",
    why="A name the schema does not know is read by nobody; Statement, for one, came with 4.0.",
    breaks="<espi:MeterReadings/>",
)
def resource_is_known(entry: Shell) -> Faults:
    edition = entry.context.edition
    for content in entry.contents:
        namespace, local = split(str(content.tag))
        cls = kind(namespace, local)
        if namespace not in NAMESPACES or namespace == SST:
            continue
        if cls is None:
            yield entry.fault(f"{local} is no element of {namespace}.", content, local)
        elif not edition.has(cls):
            yield entry.fault(f"{local} is not in {edition.title}.", content, local)


@rule(
    "XSD-02",
    ERROR,
    "Every element is declared",
    why="The schema has no room for elements of one's own but extension, and refuses the resource with them.",
    breaks="<espi:UsagePoint><espi:pricingNode/></espi:UsagePoint>",
    lenient=WARNING,
)
def elements_are_declared(resource: Resource) -> Faults:
    for path, _ in _found(resource, UNDECLARED):
        name, (cls, field) = _last(path), _in_another_case(resource, path)
        if field is None and not _is_ours(resource, path) and not _is_nested_type(resource, path):
            yield resource.fault(f"{name} is no element of {cls.name}.", path)
    for path, name, owner in _lacking(resource):
        yield resource.fault(f"{owner}/{name} is not in {resource.context.edition.title}.", path)


@rule(
    "XSD-03",
    ERROR,
    "Elements are spelled with the schema's capitals",
    why="XML knows capitals: ServiceDeliveryPoint is not serviceDeliveryPoint, and readers skip it.",
    breaks="<espi:ServiceDeliveryPoint/>",
    lenient=WARNING,
)
def elements_are_spelled_right(resource: Resource) -> Faults:
    for path, _ in _found(resource, UNDECLARED):
        _, field = _in_another_case(resource, path)
        if field:
            yield resource.fault(f"{_last(path)} is written {field} in the schema.", path)


@rule(
    "XSD-04",
    ERROR,
    "Elements stand in the schema's order",
    why="All types are sequences; a validator stops at the first element that comes too late.",
    breaks="uom before powerOfTenMultiplier in a ReadingType",
    lenient=ADVICE,
)
def elements_are_in_order(resource: Resource) -> Faults:
    for path, _ in _found(resource, MISPLACED):
        yield resource.fault(f"{_last(path)} stands after an element it must precede.", path)


@rule(
    "XSD-05",
    ERROR,
    "What may stand once stands once",
    why="Of two, nobody knows which is meant.",
    breaks="two <espi:uom> in a ReadingType",
)
def elements_stand_once(resource: Resource) -> Faults:
    for path, _ in _found(resource, REPEATED):
        yield resource.fault(f"{_last(path)} stands more than once.", path)


@rule(
    "XSD-06",
    ERROR,
    "What is required is there",
    why="A reader counts on it; a UsageSummary, for one, must say when it was made up.",
    breaks="a UsageSummary without statusTimeStamp",
    lenient=WARNING,
)
def required_is_there(resource: Resource) -> Faults:
    for finding in resource.findings:
        if finding.message.startswith("is required") and not _is_there(resource, finding.path):
            how = "is missing" if finding.message.endswith("found 0") else finding.message
            yield resource.fault(f"{_last(finding.path)} {how}.", finding.path)
    edition = resource.context.edition
    for path, instance in _instances(resource) if edition.requires else ():
        for field in instance.fields:
            wanted = edition.at_least(type(instance), field)
            if field.at_least < wanted and not getattr(instance, field.attribute):
                yield resource.fault(f"{field.name} is required in {edition.title}.", path)


@rule(
    "XSD-07",
    ERROR,
    "A value is of its type",
    why="A number that is none, or that its bits do not hold, makes the whole resource invalid.",
    breaks="<espi:value>12.5</espi:value>",
)
def values_are_of_their_type(resource: Resource) -> Faults:
    for finding in resource.findings:
        if finding.message.startswith(("must be", "must match", "holds elements")):
            yield resource.fault(f"{_last(finding.path)} {finding.message}.", finding.path)


@rule(
    "XSD-08",
    ERROR,
    "A text is no longer than its type",
    why="String256 is 256 characters; a longer one is cut or refused.",
    breaks="a tariffProfile of 300 characters",
    lenient=WARNING,
)
def texts_are_short_enough(resource: Resource) -> Faults:
    for finding in resource.findings:
        if finding.message.startswith("must have at most"):
            yield resource.fault(f"{_last(finding.path)} {finding.message}.", finding.path)


@rule(
    "XSD-09",
    ERROR,
    "A closed list's value is one of the list",
    why="Here the schema takes the listed values and no other: Bearer, code, AuthorizationStatus …",
    breaks="<espi:token_type>bearer</espi:token_type>",
)
def closed_codes_are_listed(resource: Resource) -> Faults:
    for finding in resource.findings:
        if "is not one of" in finding.message and not finding.is_advice:
            yield resource.fault(f"{_last(finding.path)}: {finding.message}.", finding.path)


@rule(
    "XSD-10",
    ERROR,
    "No text stands between elements",
    why="A type made of elements holds no text of its own.",
    breaks="<espi:UsagePoint>my house</espi:UsagePoint>",
    lenient=WARNING,
)
def no_text_between_elements(resource: Resource) -> Faults:
    for path, above in _found(resource, STRAY):
        if _last(above) not in _STATUS:
            yield resource.fault("Text stands where only elements are expected.", path)


@rule(
    "XSD-11",
    ERROR,
    "A status of the customer side is a structure",
    why="value, dateTime, remark and reason stand in it; plain text does not, even in published samples.",
    breaks="<cust:status>active</cust:status>",
    lenient=WARNING,
)
def status_is_a_structure(resource: Resource) -> Faults:
    for path, above in _found(resource, STRAY):
        if _last(above) in _STATUS:
            name = _last(above)
            yield resource.fault(f"{name} holds text; it must be <{name}><value>…</value></{name}>.", path)


@rule(
    "XSD-12",
    ERROR,
    "Resources have no attributes",
    why="The schema declares none; only those of XML Schema itself, such as xsi:type, are taken.",
    breaks='<espi:value unit="Wh">12</espi:value>',
    lenient=ADVICE,
)
def no_attributes(resource: Resource) -> Faults:
    elements: Any = _WITH_ATTRIBUTES(resource.element)
    for element in elements:
        namespace, local = split(str(element.tag))
        for name in element.attrib:
            if namespace in NAMESPACES and split(str(name))[0] != _XSI:
                yield resource.fault(f"{local} has an attribute, {split(str(name))[1]}.", at=element)


@rule(
    "XSD-13",
    ERROR,
    "A MeterReading is empty",
    why="Its ReadingType and IntervalBlocks are resources of their own that its links lead to.",
    breaks="<espi:MeterReading><espi:ReadingType>…",
    kinds="MeterReading",
    lenient=WARNING,
)
def meter_reading_is_empty(resource: Resource) -> Faults:
    for path, _ in _found(resource, UNDECLARED):
        if _is_nested_type(resource, path):
            yield resource.fault(
                f"{_last(path)} stands inside a MeterReading; it is an entry of its own.", path
            )


def _found(resource: Resource, note: str) -> Iterator[tuple[str, str]]:
    """The paths of findings with this note, and the path above each."""
    met: Counter[str] = Counter()
    for finding in resource.findings:
        if finding.message == note:
            above = finding.path.removesuffix("text()").rstrip("/")
            met[finding.path] += 1
            number = met[finding.path] + (note == REPEATED)  # the first of what is repeated is in order
            yield (above if note == STRAY else f"{finding.path}[{number}]"), above


def _last(path: str) -> str:
    return shown(path).rpartition("/")[2].partition("[")[0]


def _is_there(resource: Resource, path: str) -> bool:
    """Whether the element stands there after all, with a value that is not of its type."""
    return split(str(resource.find(path).tag))[1] == _last(path)


def _above(resource: Resource, path: str) -> type[Content]:
    """The type of what stands above the last step of a path."""
    cls: type[Content] = type(resource.instance)
    for name, _ in list(steps(path))[:-1]:
        field = cls.by_name.get(name)
        if field is None or field.content is None:
            break
        cls = field.content
    return cls


def _in_another_case(resource: Resource, path: str) -> tuple[type[Content], str | None]:
    cls, name = _above(resource, path), _last(path)
    return cls, next((each for each in cls.by_name if each.lower() == name.lower()), None)


def _is_ours(resource: Resource, path: str) -> bool:
    return path.startswith(f"{{{SST}}}") and resource.kind == "UsageSummary"


def _is_nested_type(resource: Resource, path: str) -> bool:
    return resource.kind == "MeterReading" and _last(path) in ("ReadingType", "IntervalBlock")


def _instances(resource: Resource) -> Iterator[tuple[str, Content]]:
    """The resource and every structure in it."""
    yield "", resource.instance
    for path, _, value in walk(resource.instance):
        if isinstance(value, Content):
            yield path, value


def _lacking(resource: Resource) -> Iterator[tuple[str, str, str]]:
    """What is declared by us and not in the edition; the tool's own elements have a rule of their own."""
    edition = resource.context.edition
    for path, instance in _instances(resource) if edition.lacks else ():
        cls = type(instance)
        for field in instance.fields if edition.has(cls) else ():
            if not edition.has(cls, field) and not field.ours and getattr(instance, field.attribute):
                yield f"{path}/{field.name}".lstrip("/"), field.name, instance.name
