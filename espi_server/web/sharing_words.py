"""What the pages of consent say: the classes of data with an example each, places, dates, and what is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from espi_server import clock
from espi_server.access import sellers, sharing
from espi_server.access.companies import Company
from espi_server.access.grants import ONCE, OPEN_END, STOPPED
from espi_server.access.sharing import ALL, KEPT, MONTHS, NEW, Decision, Problem, Question
from espi_server.access.sharing_places import CLOSED, EMPTY, MOVED, WHOLESALE, Place
from espi_server.espi.scope import Scope
from espi_server.espi.tables import DataClass
from espi_server.web import words
from espi_server.web.house import house
from espi_server.web.words import _

_HERE = Path(__file__).parent
SOURCES: Final = ("templates/sharing/_consent.html", "templates/sharing/_company.html", "sharing_words.py")
"""What the record of a consent is made of, beside facts."""
_HEADINGS: Final = (
    "Check before you share", "Check before you change this", "Places", "Data they see", "Not shared", "Readings",
    "Your rate", "History", "Ends", "Your energy seller", "Good to know", "The terms",
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A class of data as a customer reads it."""

    cls: DataClass
    name: str
    about: str
    example: str

    @property
    def term(self) -> str:
        """Its word in the scope, and in the form."""
        return self.cls.term


def classes() -> dict[DataClass, Shown]:
    """Every class, in the order of the page."""
    return {each.cls: each for each in _classes()}


def _classes() -> Iterator[Shown]:
    yield Shown(
        DataClass.BASIC,
        _("Basic Information"),
        _(
            "Your name, phone, and email. Your service and mailing address. Special needs we know of, such "
            "as a medical device."
        ),
        _("Ada Nowak, 12 Mill Lane, Alder Grove."),
    )
    yield Shown(
        DataClass.BILLING,
        _("Billing Information"),
        _(
            "Your bills, now and before, and what you used in each bill period. When we bill you and read "
            "your meter. Your rate and voltage class."
        ),
        _("Bill of June 3: $83.25 for 412 kWh on rate E-1."),
    )
    yield Shown(
        DataClass.ACCOUNT,
        _("Account Information"),
        _(
            "Your account number, your service agreement number, your meter number, and when service began. "
            "Who supplies you. If you pay ahead, and if a shut-off is planned."
        ),
        _("Account 7741, agreement 4471, since May 2, 2019."),
    )
    yield Shown(
        DataClass.USAGE,
        _("Usage Information"),
        _(
            "How much energy you use, and when, in steps of 15 minutes or an hour. This can show when "
            "people are home. How steady your power is, if we measure it."
        ),
        _("June 3, 6:00 to 6:15 p.m.: 0.42 kWh."),
    )
    yield Shown(
        DataClass.PROGRAM_ENROLLMENT,
        _("Program Enrollment"),
        _("The energy programs you are in, such as those that pay you to use less at busy times."),
        _("Summer Saver, since June 1, 2025."),
    )
    yield Shown(
        DataClass.RIN,
        _("Release RIN data"),
        _(
            "The ID codes of your rate and of the rates you can choose. A code like this is a RIN, or Rate"
            " Identification Number. It is printed on your bill. It lets devices look up prices."
        ),
        _("USCA-AVAV-E001-0000."),
    )
    yield Shown(
        DataClass.BILL_COMPARISON,
        _("Release Bill Comparison"),
        _("Our estimate of what your bills would be on the other rates you can choose."),
        _("Your rate: $2,140 a year. Time of use: $1,985 a year."),
    )


def class_name(cls: DataClass) -> str:
    """The name of a class, the rate question's too."""
    return _("Enable Rate Change") if cls == DataClass.RATE_CHANGE else classes()[cls].name


def services() -> dict[str, str]:
    """What companies do, as customers read it."""
    return {
        "battery": _("Home batteries"),
        "car": _("Charging cars"),
        "solar": _("Solar"),
        "devices": _("Devices that use power at low-price times"),
        "demand-response": _("Programs that pay you to use less"),
        "efficiency": _("Saving energy"),
        "rates": _("Choosing a rate"),
        "tracking": _("Keeping track of use and bills"),
        "research": _("Research"),
    }


# --- places ---------------------------------------------------------------------------------------------


def commodity(place: Place) -> str:
    """What is delivered there."""
    known = {"electricity": _("Electric"), "gas": _("Gas"), "water": _("Water")}
    return known.get(place.commodity, _("Service"))


def place(each: Place) -> str:
    """A place in one line: 12 Oak St, Oakland · Electric · agreement ending 4471."""
    return " · ".join(
        filter(None, (each.address, commodity(each), _("agreement ending %(ending)s", ending=each.ending)))
    )


def why_refused(each: Place) -> str:
    """What is behind it."""
    said = {
        CLOSED: _("You share only service that is open. You can still ask us for your own past data."),
        WHOLESALE: _(
            "A wholesale agreement is for firms that trade energy. It has no data of a home or shop."
        ),
        MOVED: _("Its data now belong to the person who has it. No one else can share them."),
        EMPTY: _("You can choose it here as soon as we get data of it."),
    }
    return said[each.refusal]


def refusal(question: Question, each: Place) -> str:
    """Why a place cannot be shared."""
    if each.refusal == CLOSED:
        if each.ended_at is None:
            return _("Cannot be shared. This service is closed.")
        day = words.day(datetime.fromtimestamp(each.ended_at, question.zone))
        return _("Cannot be shared. This service closed on %(day)s.", day=day)
    said = {
        WHOLESALE: _("Cannot be shared. This is a wholesale agreement, and those are never shared."),
        MOVED: _("Cannot be shared. Somebody else has this meter now."),
        EMPTY: _("Cannot be shared yet. We have no data of this meter."),
    }
    return said[each.refusal]


# --- history and end ------------------------------------------------------------------------------------


def history(question: Question, choice: str) -> str:
    """One answer to how much history."""
    if choice == KEPT:
        return _("As it is now: %(history)s", history=began(question, _present_from(question)))
    if choice == NEW:
        return _("None. Only new data from today")
    if choice == ALL:
        return span(question.most.history_length)
    return _months(MONTHS[int(choice)])


def span(seconds: int | None) -> str:
    """A stretch of history: Last 24 months, Last 395 days, All we have."""
    if seconds is None:
        return _("All we have")
    days = max(1, round(seconds / sharing.DAY))
    if days % 365 == 0:
        return _months(12 * days // 365)
    return words.ngettext("Last %(num)s day", "Last %(num)s days", days)


def _months(count: int) -> str:
    return words.ngettext("Last %(num)s month", "Last %(num)s months", count)


def _present_from(question: Question) -> int | None:
    return question.present.history_from if question.present else None


def began(question: Question, moment: int | None) -> str:
    """From when on data are shared."""
    if moment is None:
        return _("All we have")
    day = datetime.fromtimestamp(moment, question.zone)
    return _("From %(day)s", day=words.day(day))


def end(
    question: Question, until: int, lasting: str | None, *, waits: bool = False, begins: int | None = None
) -> str:
    """When it ends, and how long before that she is told, if it `begins` (epoch seconds) now or by then."""
    if lasting == ONCE:
        if waits:
            return _("One time. They have one day to get it, from when they first ask.")
        return _("One time. They have one day to get it.")
    if lasting == STOPPED or until >= OPEN_END:
        return _("When you stop it. We will remind you every year.")
    last = datetime.fromtimestamp(until - 1, question.zone)
    day, ahead = words.day(last), _told_ahead(until, clock.seconds() if begins is None else begins)
    if not ahead:
        return day
    return words.ngettext(
        "%(day)s. We will remind you %(num)s day before.", "%(day)s. We will remind you %(num)s days before.",
        ahead, day=day,
    )  # fmt: skip


def _told_ahead(until: int, begins: int) -> int:
    """How many days before she is told first; 0 for what is too short, or where nobody is told."""
    fitting = [each for each in house().settings.notice_days if begins < until - each * sharing.DAY]
    return max(fitting, default=0)


def steps(scope: Scope) -> str:
    """How fine readings are, where the scope says so."""
    if DataClass.USAGE not in scope.classes or scope.interval is None:
        return ""
    minutes = scope.interval // 60
    if minutes and minutes % 1440 == 0:
        return words.ngettext(
            "In steps of %(num)s day or more", "In steps of %(num)s days or more", minutes // 1440
        )
    if minutes and minutes % 60 == 0:
        return words.ngettext(
            "In steps of %(num)s hour or more", "In steps of %(num)s hours or more", minutes // 60
        )
    return words.ngettext(
        "In steps of %(num)s minute or more", "In steps of %(num)s minutes or more", minutes or 1
    )


# --- what is wrong --------------------------------------------------------------------------------------


def wrong(problem: Problem) -> str:
    """The sentence for a problem of an answer."""
    said = {
        "no_place": _("Choose at least one place to share."),
        "gone_place": _("A place you chose can no longer be shared. Look at the list again."),
        "no_class": _("Choose at least one kind of data they can see."),
        "gone_class": _("A kind of data you chose is not asked for. Look at the list again."),
        "not_there": _(
            "Some of the kinds of data you ticked are not there for all the places you ticked. Choose less."
        ),
        "no_rate": _("They did not ask to change your rate. Choose No."),
        "rate_needs": _("To let them ask to change your rate, also tick RIN data and Bill Comparison."),
        "no_history": _("Choose how much history they can see."),
        "no_end": _("Choose for how long you share."),
        "once_needs_history": _("To share one time, choose some history. With none there is nothing to get."),
        "no_date": _("Enter the last day as month, day, and year, such as 6 30 2027."),
        "past_date": _("The last day must be today or later."),
        "far_date": _("The last day must be before the year 2200."),
        "too_long": _("We cannot write down this mix. Choose more or fewer kinds of data."),
    }
    return said[problem.code]


# --- the record -----------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def version(language: str) -> str:
    """Which words a consent was shown in: a fingerprint of the page's own and of the catalog."""
    catalog = _HERE / "words" / language / "sharing.po"
    files = [*(_HERE / name for name in SOURCES), *([catalog] if catalog.exists() else [])]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()[:16]


def headings(language: str) -> frozenset[str]:
    """The lines of a record that head others: it is plain text, and is read more easily with these set apart."""
    return frozenset(words.translations(language).gettext(each) for each in _HEADINGS)


@dataclass(frozen=True)
class Facts:
    """Everything the record of a consent says that is not words."""

    question: Question
    company: Company
    decision: Decision
    is_ahead: bool
    waits_until: int | None
    mail: str
    onward: str  # the sellers of the energy she can say yes to on their own pages

    @property
    def place_lines(self) -> list[str]:
        """Her places, a line each."""
        return [place(each) for each in self.decision.places]

    @property
    def seen(self) -> str:
        """What they will see."""
        return " · ".join(class_name(cls) for cls in self.decision.classes)

    @property
    def hidden(self) -> str:
        """What is asked for and not shared."""
        return " · ".join(class_name(cls) for cls in self.decision.left_out)

    @property
    def missed(self) -> list[str]:
        """What the company says it cannot do without, and does not get."""
        return [class_name(cls) for cls in self.decision.left_out if cls in self.company.essential]

    @property
    def history(self) -> str:
        """From when on."""
        length = self.decision.scope.history_length
        if length == 0 and not self.decision.keeps_history:
            return _("None. Only new data from today, %(day)s", day=words.day(_today(self.question)))
        return began(self.question, self.decision.history_from)

    @property
    def end(self) -> str:
        """When it ends."""
        # What waits begins when its company comes, perhaps on the last day it can.
        return end(
            self.question, self.decision.until, self.decision.lasting, waits=self.is_ahead, begins=self._begins
        )  # fmt: skip

    @property
    def _begins(self) -> int | None:
        present = self.question.present
        return self.waits_until or (present.waits_until if self.is_ahead and present else None)

    @property
    def steps(self) -> str:
        """How fine."""
        return steps(self.decision.scope)

    @property
    def lapses(self) -> str:
        """Until when a company can come for a consent that waits."""
        if self.waits_until is None:
            return ""
        return words.day(datetime.fromtimestamp(self.waits_until, self.question.zone))

    @property
    def sellers(self) -> str:
        """Who sells the energy, where that is another company than the one that delivers."""
        return ", ".join(sellers.codes(self.question.utility, self.decision.places))


def _today(question: Question) -> datetime:
    return datetime.fromtimestamp(clock.seconds(), UTC).astimezone(question.zone)
