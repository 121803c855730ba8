"""The words of the Statewide Standard Tool's resources. Reasons of a rate change are the utility's to extend."""

from enum import StrEnum

from .types import String32, String64, restriction_of, union_of


@restriction_of(String32)
class RinRole(StrEnum):
    """What a Rate Identification Number stands for: all of the rate, or one company's part."""

    BUNDLED = "bundled"
    DELIVERY = "delivery"
    GENERATION = "generation"


@restriction_of(String32)
class Eligibility(StrEnum):
    """Whether a customer may move to a rate."""

    ELIGIBLE = "ELIGIBLE"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    ATTESTATION_NEEDED = "ATTESTATION_NEEDED"


@union_of(String64)
class Attestation(StrEnum):
    """Equipment a customer declares to have, as some rates ask."""

    ELECTRIC_VEHICLE = "ELECTRIC_VEHICLE"
    STORAGE = "STORAGE"
    HEAT_PUMP_SPACE = "HEAT_PUMP_SPACE"
    HEAT_PUMP_WATER = "HEAT_PUMP_WATER"


@restriction_of(String32)
class ComparisonStatus(StrEnum):
    """Whether there is a comparison."""

    AVAILABLE = "AVAILABLE"
    PENDING = "PENDING"
    UNAVAILABLE = "UNAVAILABLE"


@union_of(String64)
class ComparisonReason(StrEnum):
    """Why there is no comparison, or none for one rate."""

    INSUFFICIENT_HISTORY = "INSUFFICIENT_HISTORY"
    NO_INTERVAL_DATA = "NO_INTERVAL_DATA"
    DATA_GAPS = "DATA_GAPS"
    RATE_NOT_MODELLED = "RATE_NOT_MODELLED"
    LSE_PRICE_MISSING = "LSE_PRICE_MISSING"
    NET_METERING_UNSUPPORTED = "NET_METERING_UNSUPPORTED"
    SERVICE_CHANGED = "SERVICE_CHANGED"


@union_of(String64)
class Exclusion(StrEnum):
    """What a comparison leaves out, as it does not depend on the rate or cannot be foreseen."""

    UTILITY_USERS_TAX = "UTILITY_USERS_TAX"
    FRANCHISE_FEE = "FRANCHISE_FEE"
    CLIMATE_CREDIT = "CLIMATE_CREDIT"
    DR_CREDITS = "DR_CREDITS"
    EVENT_ADDERS = "EVENT_ADDERS"
    ONE_TIME_CHARGES = "ONE_TIME_CHARGES"
    LATE_FEES = "LATE_FEES"


@restriction_of(String32)
class ConfidenceLevel(StrEnum):
    """How far calculated and billed amounts of the past agree."""

    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"


@restriction_of(String64)
class RateChangeStatus(StrEnum):
    """How far a rate change has come. From EFFECTIVE on they are final."""

    RECEIVED = "RECEIVED"
    VALIDATING = "VALIDATING"
    PENDING_ATTESTATION = "PENDING_ATTESTATION"
    PENDING_CUSTOMER_CONFIRMATION = "PENDING_CUSTOMER_CONFIRMATION"
    CONFIRMED = "CONFIRMED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    SCHEDULED = "SCHEDULED"
    PARTLY_EFFECTIVE = "PARTLY_EFFECTIVE"
    ON_HOLD = "ON_HOLD"
    EFFECTIVE = "EFFECTIVE"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
