"""What the Statewide Standard Tool adds: rates one may move to, what they would cost, and moving.

ESPI has no such resources, so they have a namespace and a schema of their own. Conventions are ESPI's: times
in seconds since 1970 UTC, durations in seconds, money in 10⁻⁵ of the currency.
"""

from .codes import Currency
from .content import SST, Content
from .fields import element
from .sst_codes import (
    Attestation,
    ComparisonReason,
    ComparisonStatus,
    ConfidenceLevel,
    Eligibility,
    Exclusion,
    RateChangeStatus,
    RinRole,
)
from .types import Address, Boolean, Int48, String32, String64, String256, String512, TimeType, UInt16, UInt32


class Interval(Content, namespace=SST, roots=()):
    """A stretch of time: seconds it lasts, and the second it starts."""

    duration: UInt32
    start: TimeType


class Rin(Content, namespace=SST, roots=()):
    """A Rate Identification Number, and whether it stands for the whole rate or one company's part."""

    role: RinRole
    value: String256


class Rate(Content, namespace=SST, roots=()):
    """A rate as the tariff book has it; tariffVersion and tariffEffective say which edition is meant."""

    rate_code: String64
    rate_name: String256 | None
    modifier: list[String64]
    rin: list[Rin]
    tariff_version: String64 | None
    tariff_effective: TimeType | None


# Eligible rates


class EligibleRate(Rate, resource=True):
    """A rate this service agreement may move to, may not, or may after an attestation, and why."""

    is_current: Boolean
    eligibility: Eligibility
    reason: list[String64]
    attestation: list[Attestation]
    eligible_on: TimeType | None
    tariff_document: Address | None


# Bill comparison


class DataQuality(Content, namespace=SST, roots=()):
    """How many intervals a comparison rests on, and what was done about the gaps."""

    intervals_expected: UInt32
    intervals_present: UInt32
    intervals_estimated: UInt32
    gap_treatment: String256 | None


class Components(Content, namespace=SST, roots=()):
    """What an annual total is made of; a discount is negative."""

    energy: Int48 | None
    fixed: Int48 | None
    demand: Int48 | None
    minimum: Int48 | None
    discount: Int48 | None
    generation: Int48 | None


class ComparedRate(Rate, roots=()):
    """What the year would have cost on this rate. savings = current rate minus this one: positive is cheaper.

    Without a total, reason says why there is none.
    """

    eligibility: Eligibility
    attestation: list[Attestation]
    reason: ComparisonReason | None
    annual_total: Int48 | None
    monthly_average: Int48 | None
    savings: Int48 | None
    components: Components | None


class CurrentRate(ComparedRate, roots=()):
    """The rate in force, calculated by the same method, and beside it what was really billed."""

    billed_total: Int48 | None


class Method(Content, namespace=SST, roots=()):
    """How it was calculated: by what, with prices of which day, tiers and leap days treated how."""

    engine: String64
    price_date: TimeType
    tier_allocation: String256 | None
    period_scaling: String256 | None


class CycleCheck(Content, namespace=SST, roots=()):
    """One past bill, calculated again: the difference is how far the method can be trusted."""

    period: Interval
    billed: Int48
    calculated: Int48


class Confidence(Content, namespace=SST, roots=()):
    """How close the method came to the bills of the past."""

    level: ConfidenceLevel
    cycle: list[CycleCheck]


class BillComparison(Content, namespace=SST, resource=True):
    """A year's cost on every rate, constant until the next billing cycle closes.

    An estimate: past use at the prices of one day, without what `excluded` lists.
    """

    status: ComparisonStatus
    reason: list[ComparisonReason]
    currency: Currency | None
    basis_period: Interval | None
    billing_cycles: UInt16 | None
    billing_cycle_id: String64 | None
    valid_until: TimeType | None
    data_quality: DataQuality | None
    current: CurrentRate | None
    rate: list[ComparedRate]
    method: Method | None
    excluded: list[Exclusion]
    confidence: Confidence | None
    notice: list[String512]


# Rate change


class RateChangeRequest(Content, namespace=SST):
    """What a third party posts: the rate, by its RINs or code, what the customer attests, on which comparison."""

    rate_code: String64 | None
    rin: list[Rin]
    attestation: list[Attestation]
    comparison: Address | None


class RateChangeConfirmation(Content, namespace=SST):
    """The passcode the customer got from the utility, handed back by the third party."""

    passcode: String32


class RateChangeLeg(Content, namespace=SST, roots=()):
    """One company's part of a change where two companies serve."""

    role: RinRole
    status: RateChangeStatus
    reason: String64 | None
    effective_date: TimeType | None


class RateChangeStep(Content, namespace=SST, roots=()):
    """One step of a change: what it became, when, by whom, and why."""

    status: RateChangeStatus
    time: TimeType
    actor: String256
    reason: String64 | None


class RateChange(Content, namespace=SST, resource=True):
    """A request to move to another rate, and how far it has come.

    estimatedDate is told at once, effectiveDate once the billing system has accepted; confirmBy is when
    the passcode ends, cancelBy the last moment to withdraw before the billing cycle.
    """

    status: RateChangeStatus
    reason: String64 | None
    message: String512 | None
    from_rate: Rate | None
    to_rate: Rate
    attestation: list[Attestation]
    comparison: Address | None
    requested: TimeType
    confirm_by: TimeType | None
    tries_left: UInt16 | None
    sent_to: String64 | None
    cancel_by: TimeType | None
    estimated_date: TimeType | None
    effective_date: TimeType | None
    eligible_on: TimeType | None
    leg: list[RateChangeLeg]
    step: list[RateChangeStep] = element(at_least=1)
