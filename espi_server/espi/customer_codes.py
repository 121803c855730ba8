"""The retail customer schema's own code lists. All but ServiceKind are open: any other word is valid too."""

from enum import StrEnum

from .types import String64, Text, restriction_of, union_of


@union_of(Text)
class CustomerKind(StrEnum):
    """What sort of customer it is."""

    RESIDENTIAL = "residential"
    RESIDENTIAL_AND_COMMERCIAL = "residentialAndCommercial"
    RESIDENTIAL_AND_STREETLIGHT = "residentialAndStreetlight"
    RESIDENTIAL_STREETLIGHT_OTHERS = "residentialStreetlightOthers"
    RESIDENTIAL_FARM_SERVICE = "residentialFarmService"
    COMMERCIAL_INDUSTRIAL = "commercialIndustrial"
    PUMPING_LOAD = "pumpingLoad"
    WIND_MACHINE = "windMachine"
    ENERGY_SERVICE_SUPPLIER = "energyServiceSupplier"
    ENERGY_SERVICE_SCHEDULER = "energyServiceScheduler"
    ENTERPRISE = "enterprise"
    REGIONAL_OPERATOR = "regionalOperator"
    SUBSIDIARY = "subsidiary"
    INTERNAL_USE = "internalUse"
    OTHER = "other"


@union_of(Text)
class EnrollmentStatus(StrEnum):
    """Whether a customer takes part in a demand response programme."""

    UNENROLLED = "unenrolled"
    ENROLLED = "enrolled"
    ENROLLED_PENDING = "enrolledPending"


@union_of(Text)
class MediaType(StrEnum):
    """The form of a statement's file."""

    JSON = "application/json"
    PDF = "application/pdf"
    EXCEL = "application/vnd.ms-excel"
    OPENDOCUMENT_SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
    OPENDOCUMENT_TEXT = "application/vnd.oasis.opendocument.text"
    OPENXML_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ZIP = "application/zip"
    GIF = "image/gif"
    JPEG = "image/jpeg"
    PNG = "image/png"
    CSV = "text/csv"
    HTML = "text/html"
    PLAIN = "text/plain"
    RTF = "text/rtf"
    XML = "text/xml"


@union_of(Text)
class MeterMultiplierKind(StrEnum):
    """What a meter's multiplier stands for: a constant of the meter, its register, or its transformers."""

    KH = "kH"
    TRANSFORMER_RATIO = "transformerRatio"
    KR = "kR"
    KE = "kE"
    CT_RATIO = "ctRatio"
    PT_RATIO = "ptRatio"


@union_of(Text)
class NotificationMethodKind(StrEnum):
    """How a customer is to be told."""

    CALL = "call"
    EMAIL = "email"
    LETTER = "letter"
    OTHER = "other"
    IVR = "ivr"


@union_of(String64)
class ProgramDateKind(StrEnum):
    """Which date of a demand response enrollment is meant."""

    ENROLLMENT = "CUST_DR_PROGRAM_ENROLLMENT_DATE"
    DE_ENROLLMENT = "CUST_DR_PROGRAM_DE_ENROLLMENT_DATE"
    TERM_REGARDLESS_OF_FINANCIAL = "CUST_DR_PROGRAM_TERM_DATE_REGARDLESS_FINANCIAL"
    TERM_WITHOUT_FINANCIAL = "CUST_DR_PROGRAM_TERM_DATE_WITHOUT_FINANCIAL"


@union_of(Text)
class RevenueKind(StrEnum):
    """The class of revenue a customer brings. No element uses it."""

    RESIDENTIAL = "residential"
    NON_RESIDENTIAL = "nonResidential"
    COMMERCIAL = "commercial"
    INDUSTRIAL = "industrial"
    IRRIGATION = "irrigation"
    STREET_LIGHT = "streetLight"
    OTHER = "other"


@restriction_of(Text)
class ServiceKind(StrEnum):
    """A service, in words where the usage schema has numbers. No element uses it."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    TIME = "time"
    HEAT = "heat"
    REFUSE = "refuse"
    SEWERAGE = "sewerage"
    RATES = "rates"
    TV_LICENCE = "tvLicence"
    INTERNET = "internet"
    OTHER = "other"


@union_of(Text)
class SupplierKind(StrEnum):
    """What a supplier does: deliver, sell, serve load, read meters or own them."""

    UTILITY = "utility"
    RETAILER = "retailer"
    OTHER = "other"
    LSE = "lse"
    MDMA = "mdma"
    MSP = "msp"
