"""The tables behind scope and rights: function blocks, data classes, and which elements each opens.

Element names are those of the published schemas, in their order. A dotted name reaches into a structure.
``extension`` and ``batchItemInfo`` stand in no list: what a source put there is nobody's class, so they go
only with a resource that may be seen whole.
"""

from collections.abc import Mapping
from enum import Enum


class DataClass(Enum):
    """What a customer can release, as one line of the scope page; `term` is its word in AdditionalScope."""

    USAGE = ("Usage", "Usage Information")
    BILLING = ("Billing", "Billing Information")
    BASIC = ("Basic", "Basic Information")
    ACCOUNT = ("Account", "Account Information")
    PROGRAM_ENROLLMENT = ("ProgramEnrollment", "Program Enrollment")
    RIN = ("RIN", "Release RIN data")
    BILL_COMPARISON = ("BillComparison", "Release Bill Comparison")
    RATE_CHANGE = ("RateChange", "Enable Rate Change")

    def __init__(self, term: str, page: str) -> None:
        self.term, self.page = term, page

    @property
    def is_standard(self) -> bool:
        """Is it one of the five that function blocks imply (PG&E's own terms)?"""
        return self in CLASS_BLOCKS


CLASS_BLOCKS: Mapping[DataClass, frozenset[int]] = {
    DataClass.USAGE: frozenset({4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 17, 27, 29}),
    DataClass.BILLING: frozenset({16, 26, 28, 56, 71}),
    DataClass.BASIC: frozenset({54, 55, 58}),
    DataClass.ACCOUNT: frozenset({56, 57, 59, 60, 61}),
    DataClass.PROGRAM_ENROLLMENT: frozenset({62}),
}
"""The function blocks of each standard class. 56 is the CustomerAccount: its bills and its number."""

DATA_BLOCKS = frozenset[int]().union(*CLASS_BLOCKS.values())
"""The blocks that open data; all others are about how the data travel."""

REPLACED: Mapping[int, frozenset[int]] = {
    46: frozenset(range(54, 62)),
    50: frozenset(range(54, 62)),
    47: frozenset({67}),
}
"""Old numbers still met in scopes, and what they read as."""

FUNCTION_BLOCKS: Mapping[int, str] = {
    1: "Common",
    2: "Download My Data",
    3: "Connect My Data",
    4: "Interval metering",
    5: "Interval electricity",
    6: "Demand",
    7: "Net metering",
    8: "Forward and reverse metering",
    9: "Register values",
    10: "Gas",
    11: "Water",
    12: "Interval cost",
    13: "Security and privacy",
    14: "Authorization with pre-negotiated scope",
    15: "Usage summary",
    16: "Usage summary with cost",
    17: "Power quality summary",
    18: "Multiple usage points",
    19: "Partial update",
    26: "Usage summary billing details",
    27: "Usage summary demands and previous day",
    28: "Usage summary costs of the current period",
    29: "Temperature",
    30: "Common user experience",
    31: "Authorization, scope not pre-negotiated",
    32: "Resource-level access",
    33: "Management access",
    34: "Bulk by SFTP",
    35: "Bulk",
    36: "Dynamic registration",
    37: "Query parameters",
    38: "On demand",
    39: "Notification",
    40: "Offline authorization",
    41: "Manage ApplicationInformation",
    44: "Manage Authorization",
    46: "Retail customer",
    47: "Retail customer bulk",
    49: "Retail customer management access",
    50: "Retail customer resource-level access",
    51: "Retail customer common",
    52: "Retail customer Download My Data",
    53: "Retail customer Connect My Data",
    54: "Retail customer basic",
    55: "Retail customer demographic",
    56: "Retail customer billing",
    57: "Retail customer account agreement",
    58: "Retail customer service location",
    59: "Retail customer service supplier",
    60: "Retail customer meter",
    61: "Retail customer end device",
    62: "Retail customer program-date mappings",
    63: "Retail customer user experience",
    64: "Retail customer security",
    65: "Retail customer authorization",
    66: "Retail customer bulk by SFTP",
    67: "Retail customer bulk",
    69: "Retail customer notification",
    70: "Retail customer offline authorization",
    71: "Billing statement",
}
"""Number and name of every block we know, old ones included."""


def _names(text: str, below: str = "") -> frozenset[str]:
    return frozenset(below + name for name in text.split())


_ALL = None
"""The whole resource."""

_RINS = _names("bundledRin deliveryRin generationRin")
_SUMMARY_15 = _names(
    "billingPeriod overallConsumptionLastPeriod currentBillingPeriodOverAllConsumption"
    " qualityOfReading statusTimeStamp commodity"
)
# statusTimeStamp is required by the schema, so it comes with every part of a UsageSummary.
_SUMMARY_27 = _names(
    "currentDayLastYearNetConsumption currentDayNetConsumption currentDayOverallConsumption peakDemand"
    " previousDayLastYearOverallConsumption previousDayNetConsumption previousDayOverallConsumption"
    " ratchetDemand ratchetDemandPeriod statusTimeStamp"
)
_SUMMARY_BILL = (
    _SUMMARY_15
    | _SUMMARY_27
    | _names(
        "billLastPeriod billToDate costAdditionalLastPeriod costAdditionalDetailLastPeriod currency"
        " tariffProfile readCycle tariffRiderRefs billingChargeSource"
    )
)
_SUMMARY_RIN = _RINS | _names("statusTimeStamp commodity tariffProfile billingChargeSource")

_POINT_FRAME = _names("ServiceCategory status")
_POINT_USAGE = _POINT_FRAME | _names(
    "roleFlags amiBillingReady checkBilling connectionState estimatedLoad grounded isSdp isVirtual"
    " minimalUsageExpected nominalServiceVoltage outageRegion phaseCode ratedCurrent ratedPower readCycle"
    " readRoute serviceDeliveryRemark servicePriority pnodeRefs aggregateNodeRefs"
)
_POINT_BILL = _names("serviceDeliveryPoint")

_READING = "IntervalReading."
_BLOCK = _names("interval") | _names("ReadingQuality timePeriod value consumptionTier tou cpp", _READING)
READING_COST = _READING + "cost"

_DOCUMENT = _names(
    "name type authorName createdDateTime lastModifiedDateTime revisionNumber subject title docStatus"
    " status comment"
)
_CONTACT = "name organisationName phone1 phone2 electronicAddress"
_ADDRESS = "streetAddress postalAddress"
_CUSTOMER_54 = _names("name customerName kind pucNumber status locale") | _names(_CONTACT, "Organisation.")
_CUSTOMER_55 = _names("specialNeed vip priority") | _names(_ADDRESS, "Organisation.")
_ACCOUNT_54 = _names("electronicAddress") | _names(_CONTACT, "contactInfo.")
_ACCOUNT_55 = _names(_ADDRESS, "contactInfo.")
_ACCOUNT_BILL = _names("billingCycle budgetBill lastBillAmount")
_ACCOUNT_56 = _DOCUMENT | _names("notifications accountId")
_AGREEMENT_57 = _DOCUMENT | _names(
    "signDate validityInterval loadMgmt isPrePay shutOffDateTime currency futureStatus agreementId"
)

# A comparison without RIN data names rates by their codes; RIN and modifiers tell of CARE or illness.
_COMPARED = (
    "rateCode rateName tariffVersion tariffEffective eligibility attestation reason annualTotal"
    " monthlyAverage savings components"
)
_COMPARISON = (
    _names(
        "status reason currency basisPeriod billingCycles billingCycleId validUntil dataQuality method"
        " excluded confidence notice current.billedTotal"
    )
    | _names(_COMPARED, "current.")
    | _names(_COMPARED, "rate.")
)
COMPARISON_RINS = _names("modifier rin", "current.") | _names("modifier rin", "rate.")

Opened = Mapping[str, frozenset[str] | None]
"""Kind → its visible elements; None is the whole resource."""

USAGE_FRAME: Opened = {"UsagePoint": _POINT_FRAME, "LocalTimeParameters": _ALL}
"""What any usage-side opening brings with it."""

CUSTOMER_FRAME: Opened = {
    "Customer": frozenset(),
    "CustomerAccount": frozenset(),
    "CustomerAgreement": frozenset(),
    "ServiceLocation": frozenset(),
}
"""What any customer-side opening brings with it: the chain of entries and links, empty otherwise."""

_INTERVALS: Opened = {
    "UsagePoint": _POINT_USAGE,
    "MeterReading": _ALL,
    "ReadingType": _ALL,
    "IntervalBlock": _BLOCK,
    "ProgramIdMappings": _ALL,
}
_BILL: Opened = {"UsagePoint": _POINT_BILL, "UsageSummary": _SUMMARY_BILL}

OPENS: Mapping[tuple[DataClass, int], Opened] = {
    **{(DataClass.USAGE, block): _INTERVALS for block in (4, 5, 6, 7, 8, 9, 10, 11, 12, 29)},
    (DataClass.USAGE, 15): {"UsagePoint": _POINT_USAGE, "UsageSummary": _SUMMARY_15},
    (DataClass.USAGE, 17): {"UsagePoint": _POINT_USAGE, "ElectricPowerQualitySummary": _ALL},
    (DataClass.USAGE, 27): {"UsagePoint": _POINT_USAGE, "UsageSummary": _SUMMARY_27},
    (DataClass.BILLING, 16): _BILL,
    (DataClass.BILLING, 26): _BILL,
    (DataClass.BILLING, 28): _BILL,
    (DataClass.BILLING, 56): {
        "CustomerAccount": _ACCOUNT_BILL,
        "CustomerAgreement": _names("PricingStructures currency"),
    },
    (DataClass.BILLING, 71): {"Statement": _ALL},
    (DataClass.BASIC, 54): {
        "Customer": _CUSTOMER_54,
        "CustomerAccount": _ACCOUNT_54,
        "CustomerAgreement": _names("electronicAddress"),
    },
    (DataClass.BASIC, 55): {"Customer": _CUSTOMER_55, "CustomerAccount": _ACCOUNT_55},
    (DataClass.BASIC, 58): {"ServiceLocation": _ALL},
    (DataClass.ACCOUNT, 56): {"CustomerAccount": _ACCOUNT_56},
    (DataClass.ACCOUNT, 57): {"CustomerAccount": _names("accountId"), "CustomerAgreement": _AGREEMENT_57},
    (DataClass.ACCOUNT, 59): {"ServiceSupplier": _ALL},
    (DataClass.ACCOUNT, 60): {"Meter": _ALL},
    (DataClass.ACCOUNT, 61): {"EndDevice": _ALL},
    (DataClass.PROGRAM_ENROLLMENT, 62): {
        "CustomerAgreement": _names("DemandResponseProgram"),
        "ProgramDateIdMappings": _ALL,
    },
    # Ours come from their terms alone; 0 is no block.
    (DataClass.RIN, 0): {"UsageSummary": _SUMMARY_RIN, "EligibleRate": _ALL},
    (DataClass.BILL_COMPARISON, 0): {"BillComparison": _COMPARISON},
    (DataClass.RATE_CHANGE, 0): {"RateChange": _ALL},
}
"""What one class, by one of its blocks, opens: the table every answer of ours is filtered by."""

ELEMENTS: Mapping[str, frozenset[str]] = {
    "UsagePoint": _POINT_USAGE | _POINT_BILL,
    "IntervalBlock": _BLOCK | {READING_COST},
    "UsageSummary": _SUMMARY_BILL | _RINS,
    "Customer": _CUSTOMER_54 | _CUSTOMER_55,
    "CustomerAccount": _ACCOUNT_54 | _ACCOUNT_55 | _ACCOUNT_BILL | _ACCOUNT_56,
    "CustomerAgreement": _AGREEMENT_57
    | _names("electronicAddress DemandResponseProgram PricingStructures currency"),
    "BillComparison": _COMPARISON | COMPARISON_RINS,
}
"""All elements of the kinds that can be seen in part; who sees all of them sees the whole resource."""

CUSTOMER_SIDE = frozenset(CUSTOMER_FRAME) | {
    "ServiceSupplier",
    "Meter",
    "EndDevice",
    "Statement",
    "ProgramDateIdMappings",
}
