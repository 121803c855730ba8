"""Rules on times: seconds since 1970, and what LocalTimeParameters say of local time."""

from __future__ import annotations

from collections.abc import Iterator

from .local_time import OFF, decoded, when
from .rule import Faults, Severity, rule
from .subjects import Resource
from .whole import MILLISECONDS

ERROR, WARNING, ADVICE = Severity
_EARLIEST = 315_532_800  # 1980: nothing metered or billed before is anywhere as Green Button
_DECADE = 10 * 366 * 86_400
_HOURS = 3_600
_YEARS_AHEAD = 3 * 366 * 86_400
_LATER_BY_NATURE = frozenset({"expires_at", "client_secret_expires_at", "effectiveDate", "endEffectiveDate"})


@rule(
    "TIME-01",
    ERROR,
    "A time is in seconds",
    why="Read as seconds, milliseconds lie fifty thousand years ahead. The schema does not notice.",
    breaks="<espi:statusTimeStamp>1436684400000</espi:statusTimeStamp>",
    lenient=WARNING,
)
def times_are_seconds(resource: Resource) -> Faults:
    for path, name, value in _times(resource):
        if abs(value) >= MILLISECONDS:
            yield resource.fault(f"{name} is {value}: that is milliseconds; ESPI has seconds.", path)


@rule(
    "TIME-02",
    WARNING,
    "A time is of our age",
    why="Zero and other times long ago are what a program writes that had none.",
    breaks="<espi:start>0</espi:start>",
    lenient=ADVICE,
)
def times_are_of_our_age(resource: Resource) -> Faults:
    for path, name, value in _times(resource):
        if value < _EARLIEST and not (value == 0 and name in _LATER_BY_NATURE):
            yield resource.fault(f"{name} is {value}, that is {when(value)}.", path)


@rule(
    "TIME-03",
    WARNING,
    "What was measured or billed lies behind",
    why="A bill or a status of next year is a projection or a slip of the keyboard.",
    breaks="a statusTimeStamp of the year 2150",
    lenient=ADVICE,
)
def times_have_come(resource: Resource) -> Faults:
    latest = resource.context.now + _YEARS_AHEAD
    for path, name, value in _times(resource):
        if latest < value < MILLISECONDS and name not in _LATER_BY_NATURE and "Period" not in path:
            yield resource.fault(f"{name} is in the future: {when(value)}.", path)


@rule(
    "TIME-04",
    WARNING,
    "A period is shorter than ten years",
    why="A duration is in seconds; one of decades is most often milliseconds.",
    breaks="<espi:duration>2505600000</espi:duration>",
    lenient=ADVICE,
)
def durations_are_seconds(resource: Resource) -> Faults:
    for path, field, value in resource.fields:
        if (
            field.name in ("duration", "intervalLength")
            and isinstance(value, int)
            and _DECADE < value < 2**32
        ):
            yield resource.fault(f"{field.name} is {value} seconds, {value // 86_400} days.", path)


@rule(
    "TIME-05",
    ERROR,
    "A DST rule is eight hexadecimal digits that say a moment of the year",
    why="Month, week, weekday, hour and second are packed in 32 bits. The schema only limits the length, so a rule "
    "cut to B40E passes it, and local time is wrong from spring to autumn.",
    breaks="<espi:dstEndRule>B40E</espi:dstEndRule>",
    kinds="LocalTimeParameters",
    lenient=WARNING,
)
def dst_rules_are_whole(resource: Resource) -> Faults:
    for name, value in _rules(resource):
        found = decoded(value)
        if found is None and value.upper() != OFF:
            yield resource.fault(f"{name} is {value!r}; it must have eight hexadecimal digits.", name)
        elif found is not None and found.complaint:
            yield resource.fault(f"{name} {value} is no moment of the year: {found.complaint}.", name)


@rule(
    "TIME-06",
    ERROR,
    "Both DST rules are on, or both are off",
    why="FFFFFFFF switches the correction off; one alone leaves summer without an end.",
    breaks="dstStartRule 360E2000, dstEndRule FFFFFFFF",
    kinds="LocalTimeParameters",
    lenient=WARNING,
)
def dst_rules_agree(resource: Resource) -> Faults:
    off = [name for name, value in _rules(resource) if value.upper() == OFF]
    if len(off) == 1:
        yield resource.fault(f"{off[0]} is off, and the other rule is not.", off[0])


@rule(
    "TIME-07",
    WARNING,
    "Summer starts and ends at different times",
    why="Two equal rules make a summer of no length or of a year.",
    breaks="dstStartRule and dstEndRule both 360E2000",
    kinds="LocalTimeParameters",
    lenient=ADVICE,
)
def summer_has_two_ends(resource: Resource) -> Faults:
    values = [value.upper() for _, value in _rules(resource)]
    if len(values) == 2 and values[0] == values[1] != OFF:
        yield resource.fault(f"Both rules are {values[0]}.", "dstStartRule")


@rule(
    "TIME-08",
    ERROR,
    "tzOffset is seconds from UTC, west negative",
    why="Time zones lie between -43200 and 50400 seconds; hours or minutes in their place move every local day.",
    breaks="<espi:tzOffset>-8</espi:tzOffset>",
    kinds="LocalTimeParameters",
    lenient=WARNING,
)
def zone_is_in_seconds(resource: Resource) -> Faults:
    offset = resource.instance.tz_offset
    if isinstance(offset, int) and (not -12 * _HOURS <= offset <= 14 * _HOURS or offset % 900):
        yield resource.fault(
            f"tzOffset is {offset}; it must be seconds, in quarter hours, such as -28800.", "tzOffset"
        )


@rule(
    "TIME-09",
    WARNING,
    "dstOffset is the seconds summer adds",
    why="Nearly everywhere 3600, somewhere 1800; zero beside two rules changes nothing, and 60 is minutes.",
    breaks="<espi:dstOffset>60</espi:dstOffset>",
    kinds="LocalTimeParameters",
    lenient=ADVICE,
)
def summer_is_in_seconds(resource: Resource) -> Faults:
    offset = resource.instance.dst_offset
    rules = any(decoded(value) for _, value in _rules(resource))
    if isinstance(offset, int) and (not 0 <= offset <= 2 * _HOURS or offset % 900 or (rules and not offset)):
        yield resource.fault(f"dstOffset is {offset}; it must be seconds, such as 3600.", "dstOffset")


def _times(resource: Resource) -> Iterator[tuple[str, str, int]]:
    """Path, name and value of every time, but those of readings."""
    for path, field, value in resource.fields:
        if (
            field.leaf.name == "TimeType"
            and isinstance(value, int)
            and field.name not in ("tzOffset", "dstOffset")
        ):
            yield path, field.name, value


def _rules(resource: Resource) -> list[tuple[str, str]]:
    instance = resource.instance
    given = (("dstStartRule", instance.dst_start_rule), ("dstEndRule", instance.dst_end_rule))
    return [(name, str(value)) for name, value in given if value]
