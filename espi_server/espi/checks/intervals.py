"""Rules on readings: when each starts and ends, whether they follow each other, what their values can be."""

from __future__ import annotations

import numpy as np

from .columns import MISSING, SAID, Mask
from .local_time import DAY, when
from .rule import Faults, Severity, rule
from .whole import FORWARD, MILLISECONDS, NET, REGISTERS, REVERSE, Block, Series

ERROR, WARNING, ADVICE = Severity
_HOUR = 3_600
_LONG = 27 * DAY  # from here a length stands for a month, which is 28 to 31 days, or a meter reader's round
_MONTH_VARIES = 7 * DAY
_FUTURE = DAY
_EARLIEST = 315_532_800  # 1980


@rule(
    "READ-01",
    ERROR,
    "A block says its interval",
    why="IntervalBlocks are asked for and filtered by it.",
    breaks="an IntervalBlock without <interval>",
    lenient=ADVICE,
)
def block_says_its_interval(block: Block) -> Faults:
    if MISSING in (block.start, block.duration):
        yield block.fault("The IntervalBlock has no interval with start and duration.")


@rule(
    "READ-02",
    WARNING,
    "A block has readings",
    why="FB_04: a block is there for what was measured in it.",
    breaks="an IntervalBlock with nothing but its interval",
    lenient=ADVICE,
)
def block_has_readings(block: Block) -> Faults:
    if not len(block.columns):
        yield block.fault("The IntervalBlock has no IntervalReading.")


@rule(
    "READ-03",
    ERROR,
    "It is known when each reading starts",
    why="A reading without timePeriod follows its predecessor by the type's intervalLength; without both it is lost.",
    breaks="readings without timePeriod, and a ReadingType without intervalLength",
)
def readings_have_a_time(block: Block) -> Faults:
    unknown = (block.columns["start"] == MISSING) | (block.columns["duration"] == MISSING)
    for row in _first(unknown):
        yield block.fault(f"{_many(unknown)} without a time, and a type without intervalLength.", row)


@rule(
    "READ-04",
    ERROR,
    "A block's first reading starts with the block",
    why="FB_04 tests this very thing.",
    breaks="interval starts at 1793516400, first reading at 1793517300",
    lenient=WARNING,
)
def first_starts_with_the_block(block: Block) -> Faults:
    if block.end is not None and block.order is not None:
        row = int(block.order[0])
        first = int(block.columns["start"][row])
        if first > block.start:
            yield block.fault(
                f"The first reading starts at {first}, {first - block.start} s after the block.", row
            )


@rule(
    "READ-05",
    ERROR,
    "A block's duration is what its readings add up to",
    why="The interval says what is covered. Where it says more, readings are missing; where less, some lie outside.",
    breaks="a duration of 82800 s around 24 hourly readings",
    lenient=WARNING,
)
def block_adds_up(block: Block) -> Faults:
    if block.end is not None and block.is_even:
        lasts = int(block.columns.end.max()) - block.start
        if lasts != block.duration:
            words = f"interval/duration is {block.duration} s, and the readings add up to {lasts} s."
            yield block.fault(words, path="interval/duration")


@rule(
    "READ-06",
    ERROR,
    "No reading lies outside its block",
    why="Whoever asks for the block's time does not expect others' readings in it.",
    breaks="a reading that starts an hour before the block",
    lenient=WARNING,
)
def readings_lie_inside(block: Block) -> Faults:
    if (
        block.end is None or block.order is None or block.is_even
    ):  # an even one has the wrong duration, if anything
        return
    outside = (block.columns["start"] < block.start) | (block.columns["start"] >= block.end)
    for row in _first(outside):
        yield block.fault(f"{_many(outside)} outside the block's interval.", row)


@rule(
    "READ-07",
    ERROR,
    "Readings stand in order of time",
    why="Without timePeriod their order is their time, and readers that stream count on it.",
    breaks="the reading of 10:00 before that of 09:00",
    lenient=ADVICE,
)
def readings_are_in_order(block: Block) -> Faults:
    if block.order is not None:
        for row in _first(np.append(False, np.diff(block.columns["start"]) < 0)):
            yield block.fault("The reading starts before the one that stands before it.", row)


@rule(
    "READ-08",
    ERROR,
    "No two readings of a block start at the same time",
    why="FB_04: starts are unique. In the doubled hour of autumn the second one is an hour later in UTC.",
    breaks="two readings that start at 1793516400",
)
def starts_are_unique(block: Block) -> Faults:
    if block.order is not None:
        starts = block.columns["start"][block.order]
        for at in _first(np.append(False, starts[1:] == starts[:-1])):
            words = f"A reading that starts at {int(starts[at])} was there before."
            yield block.fault(words, int(block.order[at]))


@rule(
    "READ-09",
    ERROR,
    "Readings do not overlap",
    why="Energy counted in two readings is counted twice.",
    breaks="a reading of 3600 s, and the next 1800 s later",
    lenient=WARNING,
)
def readings_do_not_overlap(block: Block) -> Faults:
    if block.order is not None and block.steps is not None and not _is_register(block):
        starts = block.columns["start"][block.order]
        for at in _first(np.append(False, (block.steps < 0) & (np.diff(starts) > 0))):
            yield block.fault("The reading starts before the one before it ends.", int(block.order[at]))


@rule(
    "READ-10",
    WARNING,
    "A block has no gaps",
    why="A missing reading is not zero; a total over it is too small. Estimated readings say so by their quality.",
    breaks="a day of 95 quarter-hours",
    lenient=ADVICE,
)
def block_has_no_gaps(block: Block) -> Faults:
    if block.order is not None and block.steps is not None and not _is_register(block):
        missing = int(block.steps[block.steps > 0].sum())
        for at in _first(np.append(False, block.steps > 0)):
            words = f"{missing} s are missing in the block, the first of them before this reading."
            yield block.fault(words, int(block.order[at]))


@rule(
    "READ-11",
    ERROR,
    "The blocks of a meter reading do not overlap",
    why="Energy counted in two blocks is counted twice.",
    breaks="two blocks of the same day",
    lenient=WARNING,
)
def blocks_do_not_overlap(block: Block) -> Faults:
    if block.before is None or block.order is None or _is_register(block):
        return
    start = int(block.columns["start"][block.order[0]])
    if start < block.before:
        yield block.fault(
            f"The block before it ends at {when(block.before)}, {block.before - start} s later."
        )


@rule(
    "READ-12",
    WARNING,
    "Nothing is missing between the blocks of a meter reading",
    why="A missing block is not zero; a total over it is too small.",
    breaks="Monday, Tuesday, Thursday",
    lenient=ADVICE,
)
def no_gaps_between_blocks(block: Block) -> Faults:
    if block.before is None or block.end is None or _is_register(block):
        return
    if block.start > block.before:
        yield block.fault(f"{block.start - block.before} s are missing since the block before it.")


@rule(
    "READ-13",
    ERROR,
    "A reading lasts as long as its type's intervalLength",
    why="Whoever reads intervalLength alone divides by it. A day of 23 or 25 hours and a month may differ.",
    breaks="intervalLength 3600, and readings of 900 s",
    lenient=WARNING,
)
def readings_are_as_long_as_said(block: Block) -> Faults:
    length, durations = block.length, block.columns["duration"]
    if not length or not len(durations) or not block.is_delta:
        return
    slack = _MONTH_VARIES if length >= _LONG else 2 * _HOUR if length >= DAY else 0
    wrong = (np.abs(durations - length) > slack) & (durations != MISSING)
    for row in _first(wrong):
        if length < _LONG:
            words = f"The reading lasts {int(durations[row])} s; its type's intervalLength is {length} s."
            yield block.fault(words, row)


@rule(
    "READ-14",
    WARNING,
    "A reading has a value",
    why="A cost, a quality or a period alone says nothing of what was used.",
    breaks="an IntervalReading without <value>",
    lenient=ADVICE,
)
def readings_have_values(block: Block) -> Faults:
    missing = block.columns[SAID] == MISSING  # one that cannot be read is told by XSD-07
    for row in _first(missing):
        yield block.fault(f"{_many(missing)} without a value.", row)


@rule(
    "READ-15",
    WARNING,
    "Amounts that flow one way are not negative",
    why="Forward and reverse are directions; what flows back is a series of its own, or the flow is net (4).",
    breaks="<espi:value>-12</espi:value> with flowDirection 1",
    lenient=ADVICE,
)
def amounts_are_positive(block: Block) -> Faults:
    if block.type is None or block.type.flow_direction not in (FORWARD, REVERSE):
        return
    negative = (block.columns["value"] < 0) & (block.columns["value"] != MISSING)
    for row in _first(negative):
        words = (
            f"{_many(negative)} with a negative value, and flowDirection {int(block.type.flow_direction)}."
        )
        yield block.fault(f"{words} Net is {NET}.", row)


@rule(
    "READ-16",
    WARNING,
    "Not all values are zero",
    why="Certification asks for data that shows something; a meter that reads zero for months is most often dead.",
    breaks="a month of readings, each 0",
    lenient=ADVICE,
)
def values_say_something(series: Series) -> Faults:
    if series.valued and not series.nonzero and getattr(series.type, "flow_direction", None) != REVERSE:
        yield series.fault(f"All {series.valued} values are zero.")


@rule(
    "READ-17",
    WARNING,
    "A register does not run backwards",
    why="A counter only grows; where it falls, the meter was changed or turned over, and that is another series.",
    breaks="register values 5120, 5098",
    lenient=ADVICE,
)
def registers_grow(block: Block) -> Faults:
    if not _is_register(block) or getattr(block.type, "flow_direction", None) == NET:
        return
    values = block.columns["value"]
    falls = np.append(False, np.diff(values) < 0) & (values != MISSING)
    for row in _first(falls):
        yield block.fault("The register reads less than before.", row)


@rule(
    "READ-18",
    ADVICE,
    "Readings start on the clock",
    why="Quarter-hours start at :00, :15, :30, :45; seven minutes past is a clock that was never set.",
    breaks="quarter-hours that start at :07",
    lenient=ADVICE,
)
def readings_start_on_the_clock(block: Block) -> Faults:
    length, starts = block.length, block.columns["start"]
    if not length or length > _HOUR or _HOUR % length or block.order is None:
        return
    for row in _first(starts % length != 0):
        yield block.fault(f"The reading starts {int(starts[row]) % length} s past a step of {length} s.", row)


@rule(
    "READ-19",
    WARNING,
    "A block of a day on which the clock changes has 23 or 25 hours",
    why="Days are local. One cut to 24 hours loses the hour that autumn doubles, or borrows one of the next day.",
    breaks="1 November from midnight, 86400 s, in Pacific time",
    lenient=ADVICE,
)
def days_are_local(block: Block) -> Faults:
    if block.time is None or block.duration != DAY or not 0 < block.start < MILLISECONDS:
        return
    if block.time.is_midnight(block.start):
        lasts = block.time.day_after(block.start) - block.start
        if lasts != DAY:
            words = f"The local day has {lasts} s, and the block that starts with it {DAY} s."
            yield block.fault(words, path="interval/duration")


@rule(
    "READ-20",
    WARNING,
    "Readings are not of the future",
    why="What has not been measured yet is a forecast, and says so by its quality (12, projected).",
    breaks="a reading of the year 2150",
    lenient=ADVICE,
)
def readings_have_come(block: Block) -> Faults:
    projected = 12
    late = (block.columns["start"] > block.context.now + _FUTURE) & (block.columns["start"] < MILLISECONDS)
    for row in _first(late & (block.columns["quality"] != projected)):
        yield block.fault(f"The reading is in the future: {when(int(block.columns['start'][row]))}.", row)


@rule(
    "READ-21",
    ERROR,
    "Readings' times are in seconds",
    why="Read as seconds, milliseconds lie fifty thousand years ahead. The schema does not notice.",
    breaks="<espi:start>1793516400000</espi:start>",
    lenient=WARNING,
)
def readings_are_in_seconds(block: Block) -> Faults:
    if block.start != MISSING and abs(block.start) >= MILLISECONDS:
        yield block.fault(f"interval/start is {block.start}: that is milliseconds.", path="interval/start")
    starts = block.columns["start"]
    late = (np.abs(starts) >= MILLISECONDS) & (starts != MISSING)
    for row in _first(late):
        yield block.fault(f"{_many(late)} with a start in milliseconds.", row, "timePeriod/start")


@rule(
    "READ-22",
    WARNING,
    "A reading's quality is one of the list",
    why="0, 7 to 19 have a meaning; a reader that trusts only what it knows drops the others.",
    breaks="<espi:quality>5</espi:quality>",
    lenient=ADVICE,
)
def qualities_are_known(block: Block) -> Faults:
    quality = block.columns["quality"]
    unknown = ~np.isin(quality, (MISSING, 0, *range(7, 20)))
    for row in _first(unknown):
        yield block.fault(
            f"{_many(unknown)} with a quality that is not in the list, such as {int(quality[row])}.", row
        )


@rule(
    "READ-23",
    WARNING,
    "A time-of-use or tier number has a name",
    why="tou, cpp and consumptionTier are plain numbers; where ProgramIdMappings names some of one sort, it names all.",
    breaks="<espi:tou>7</espi:tou>, and mappings for 1 to 3",
    lenient=ADVICE,
)
def periods_have_names(block: Block) -> Faults:
    names = block.names or frozenset()
    for name in ("tou", "cpp", "consumptionTier") if names else ():
        named = [number for sort, number in names if sort == name.lower()]
        for row in _first(~np.isin(block.columns[name], [MISSING, 0, *named])) if named else ():
            number = int(block.columns[name][row])
            yield block.fault(f"{name} {number} has no name in ProgramIdMappings.", row, name)


@rule(
    "READ-24",
    WARNING,
    "Readings are of our age",
    why="Zero and other times long ago are what a program writes that had none.",
    breaks="<espi:start>0</espi:start>",
    lenient=ADVICE,
)
def readings_are_of_our_age(block: Block) -> Faults:
    starts = block.columns["start"]
    for row in _first((starts < _EARLIEST) & (starts != MISSING)):
        yield block.fault(
            f"The reading starts at {int(starts[row])}, long before there were such meters.", row
        )


@rule(
    "READ-25",
    ERROR,
    "A cost has a currency",
    why="FB_12: money is 10⁻⁵ of the ReadingType's currency, and without one of nothing.",
    breaks="readings with <cost>, and a ReadingType without currency",
    lenient=WARNING,
)
def costs_have_a_currency(block: Block) -> Faults:
    if block.type is not None and block.type.currency is None:
        for row in _first(block.columns["cost"] != MISSING):
            yield block.fault("The reading has a cost, and its ReadingType no currency.", row)


def _first(rows: Mask) -> list[int]:
    """The first of the rows, if there is one: a fault of a thousand readings is told once."""
    return [int(np.argmax(rows))] if len(rows) and rows.any() else []


def _many(rows: Mask) -> str:
    count = int(rows.sum())
    return f"{count:,} reading{'' if count == 1 else 's'}"


def _is_register(block: Block) -> bool:
    return block.type is not None and block.type.accumulation_behaviour in REGISTERS
