"""What an element is: `explained("UsageSummary/tariffProfile")` says type, place, how often, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from .content import CUSTOMER, ESPI, SST, Content, declared
from .customer_meanings import CUSTOMER as CUSTOMER_MEANINGS
from .editions import EDITIONS, Edition
from .errors import EspiError
from .fields import Field
from .meanings import USAGE
from .types import Choice, Simple


class NoSuchElement(EspiError):
    """There is no such element."""


class Found(NamedTuple):
    """The type an element stands in, and the element; None for the type itself."""

    owner: type[Content]
    field: Field | None


def meaning(kind: type[Content], field: Field) -> str:
    """What the element says, in a sentence; empty where nobody has written one."""
    for each in kind.__mro__:
        if issubclass(each, Content) and field in each.own:
            own = CUSTOMER_MEANINGS if each.namespace == CUSTOMER else USAGE
            return own.get(each.name, {}).get(field.name) or USAGE.get(each.name, {}).get(field.name, "")
    return ""


def find(path: str) -> Found:
    """The element at a path such as `UsageSummary/billingPeriod/start`; NoSuchElement tells what there is."""
    first, *rest = [part.rpartition(":")[2] for part in path.strip("/").split("/")]
    sides = (SST, ESPI, CUSTOMER) if path.startswith("cust") else (SST, CUSTOMER, ESPI)  # the last one's wins
    kinds = {kind.name: kind for namespace in sides for kind in declared(namespace)}
    if first not in kinds:
        near = get_close_matches(first, kinds, n=3)
        raise NoSuchElement(f"There is no type {first!r}. {_perhaps(near)}")
    found = Found(kinds[first], None)
    for name in rest:
        owner = found.owner if found.field is None else found.field.content
        if owner is None:
            raise NoSuchElement(
                f"{found.field and found.field.name} holds no elements, so it has no {name!r}."
            )
        if name not in owner.by_name:
            near = get_close_matches(name, owner.by_name, n=3)
            raise NoSuchElement(
                f"{owner.name} has no element {name!r}. {_perhaps(near or list(owner.by_name))}"
            )
        found = Found(owner, owner.by_name[name])
    return found


@dataclass(frozen=True)
class About:
    """What is to be said of an element, or of a type: its facts by name, its values, and the elements below it."""

    title: str
    meaning: str
    facts: dict[str, str]
    values: dict[str, str]
    is_open: bool = False
    """Whether other values are valid too."""
    elements: tuple[tuple[str, str, str, str], ...] = ()
    """Name, type, cardinality and meaning of each element of a type, in order."""


def about(path: str, edition: Edition) -> About:
    """All about the element or type at a path; NoSuchElement tells what there is."""
    found = find(path)
    return (
        _of_type(found.owner, edition)
        if found.field is None
        else _of_element(found.owner, found.field, edition)
    )


def explained(path: str, edition: Edition) -> list[str]:
    """The same as lines of text."""
    return list(_lines(about(path, edition)))


def _lines(about: About) -> Iterator[str]:
    yield about.title
    if about.elements:
        yield f"  {about.meaning}"
        yield from (f"  {name:11}  {value}" for name, value in about.facts.items())
    else:
        facts = {"meaning": about.meaning or "see its type", **about.facts}
        yield from (f"  {name:11}  {value}" for name, value in facts.items())
    if about.values:
        yield f"  values       ({'any other value is valid too' if about.is_open else 'no other value is valid'})"
        yield from (f"    {value}  {word}" for value, word in about.values.items())
    for number, (name, type_, often, said) in enumerate(about.elements, 1):
        yield f"  {number:2}  {name} ({type_}, {often}){said and ': '}{said}"


def _of_element(owner: type[Content], field: Field, edition: Edition) -> About:
    facts = {
        "type": f"{type_name(field)}{_limits(field.leaf) if field.content is None else ''}",
        "place": _place(owner, field, edition),
        "cardinality": cardinality(owner, field, edition),
        "namespace": owner.namespace,
        "editions": ", ".join(each.name for each in EDITIONS.values() if each.has(owner, field)),
    }
    leaf = field.leaf if field.content is None else None
    listed = leaf.listed if isinstance(leaf, Choice) else {}
    values = {str(value): _word(member.name) for value, member in listed.items()}
    is_open = isinstance(leaf, Choice) and leaf.open
    return About(f"{owner.name}/{field.name}", meaning(owner, field), facts, values, is_open)


def _of_type(kind: type[Content], edition: Edition) -> About:
    facts = {
        "namespace": kind.namespace,
        "editions": ", ".join(each.name for each in EDITIONS.values() if each.has(kind)),
    }
    elements = tuple(
        (field.name, type_name(field), cardinality(kind, field, edition), meaning(kind, field))
        for field in _in(kind, edition)
    )
    return About(kind.name, " ".join((kind.__doc__ or "").split()), facts, {}, elements=elements)


def type_name(field: Field) -> str:
    """The schema's name of what the element holds."""
    return field.content.type_name if field.content else field.leaf.name


def cardinality(owner: type[Content], field: Field, edition: Edition) -> str:
    """How often the element stands there: 1, 0..1, 0..n, 1..n."""
    least = edition.at_least(owner, field)
    return f"{least}..n" if field.many else "1" if least else "0..1"


def _in(kind: type[Content], edition: Edition) -> list[Field]:
    return [field for field in kind.fields if edition.has(kind, field)]


def _place(owner: type[Content], field: Field, edition: Edition) -> str:
    fields = _in(owner, edition)
    if field not in fields:
        return f"not in {edition.title}"
    at = fields.index(field)
    after = f", after {fields[at - 1].name}" if at else ""
    before = f", before {fields[at + 1].name}" if at + 1 < len(fields) else ""
    return f"{at + 1} of {len(fields)}{after}{before}"


def _limits(leaf: Simple) -> str:
    shown = {"maxLength": "at most {} characters", "minInclusive": "from {}", "maxInclusive": "to {}"}
    limits = [shown[name].format(value) for name, value in leaf.limits.items() if name in shown]
    return f" ({' '.join(limits)})" if limits else ""


def _word(name: str) -> str:
    return name.lower().replace("_", " ")


def _perhaps(names: list[str]) -> str:
    return f"Perhaps {', '.join(names)}?" if names else "`espi-server schema print espi` shows them all."
