"""The field names of URDB, version 8, in both spellings: that of the web API and that of the bulk download.

A record is normalised once to the API's names; everything after that knows one spelling only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# fmt: off
PRICED = frozenset(
    {
        "energyratestructure", "energyweekdayschedule", "energyweekendschedule", "demandratestructure",
        "demandweekdayschedule", "demandweekendschedule", "demandrateunit", "flatdemandstructure",
        "flatdemandmonths", "flatdemandunit", "fixedchargefirstmeter", "fixedchargeunits", "mincharge",
        "minchargeunits", "lookbackpercent", "lookbackmonths", "lookbackrange", "dgrules",
    }
)

DESCRIPTIVE = frozenset(
    {
        "label", "uri", "name", "utility", "eiaid", "sector", "servicetype", "startdate", "enddate",
        "supersedes", "approved", "is_default", "description", "source", "sourceparent",
        "basicinformationcomments", "energycomments", "demandcomments", "fixedcomments", "country",
        "revisions", "voltagecategory", "voltageminimum", "voltagemaximum", "phasewiring", "demandwindow",
        "demandunits", "peakkwcapacitymin", "peakkwcapacitymax", "peakkwcapacityhistory",
        "peakkwhusagemin", "peakkwhusagemax", "peakkwhusagehistory", "mindemand", "maxdemand",
        "servicemin", "servicemax", "latest_update", "usenetmetering", "energyattrs", "demandattrs",
        "fixedattrs", "enddateunknown", "rateno", "ratenumber", "latestupdate",
    }
)

# Money of the tariff that kilowatt hours in intervals cannot be charged for: kVAr, the system's peak, further meters.
UNPRICED = frozenset(
    {
        "demandreactivepowercharge", "coincidentratestructure", "coincidentrateschedule",
        "coincidentrateunit", "demandratchetpercentage", "fueladjustmentsmonthly", "energyfueladjustments",
        "fixedchargeeaaddl",
    }
)
# fmt: on

# Names before version 8, and those of the bulk download where they differ by more than capitals.
OTHER_SPELLINGS = {
    "supercedes": "supersedes",
    "flatdemandunits": "flatdemandunit",
    "flatdemandstrux": "flatdemandstructure",
    "demandrateunits": "demandrateunit",
    "demandratestrux": "demandratestructure",
    "demandweekdaysched": "demandweekdayschedule",
    "demandweekendsched": "demandweekendschedule",
    "energyratestrux": "energyratestructure",
    "energyweekdaysched": "energyweekdayschedule",
    "energyweekendsched": "energyweekendschedule",
    "coincidentratestrux": "coincidentratestructure",
    "coincidentsched": "coincidentrateschedule",
    "coincidentrateunits": "coincidentrateunit",
    "demandreactpwrcharge": "demandreactivepowercharge",
    "demandratchetpct": "demandratchetpercentage",
    "sourcereference": "source",
    "sourceparenturl": "sourceparent",
    "basiccomments": "basicinformationcomments",
    "ratename": "name",
    "utilityname": "utility",
    "effectivedate": "startdate",
    "isdefault": "is_default",
    "demandmin": "peakkwcapacitymin",
    "demandmax": "peakkwcapacitymax",
    "demandkeyvals": "demandattrs",
    "energykeyvals": "energyattrs",
    "fixedkeyvals": "fixedattrs",
    "_id": "label",
}

OLD_CHARGES = {
    "fixedmonthlycharge": ("fixedchargefirstmeter", "fixedchargeunits", "$/month"),
    "minmonthlycharge": ("mincharge", "minchargeunits", "$/month"),
    "annualmincharge": ("mincharge", "minchargeunits", "$/year"),
}
TIER_FIELDS = frozenset({"max", "unit", "rate", "adj", "sell"})
STRUCTURES = ("energyratestructure", "demandratestructure", "flatdemandstructure")
KNOWN = PRICED | DESCRIPTIVE | UNPRICED


def canonical(name: str) -> str:
    """The API's spelling of a field name; an unknown name comes back in lower case."""
    lower = name.lower()
    return OTHER_SPELLINGS.get(lower, lower)


def normalised(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record under the API's names, the bulk download's wrappings taken off. The input is not touched."""
    plain = {canonical(name): _unwrapped(value) for name, value in record.items() if value is not None}
    for name in STRUCTURES:
        if isinstance(plain.get(name), list):
            plain[name] = [_tiers(period) for period in plain[name]]
    return _with_old_charges(plain)


def respelled(record: Mapping[str, Any]) -> list[str]:
    """The fields of the record that are not in the API's spelling."""
    return sorted(name for name in record if name != canonical(name) and canonical(name) in KNOWN)


def _unwrapped(value: Any) -> Any:
    """MongoDB writes dates and ids of the bulk download as {"$date": …} and {"$oid": …}."""
    if isinstance(value, dict) and len(value) == 1:
        if "$oid" in value:
            return value["$oid"]
        if "$date" in value:
            return _seconds(value["$date"])
    return value


def _seconds(moment: Any) -> Any:
    if isinstance(moment, dict) and "$numberLong" in moment:
        return int(moment["$numberLong"]) // 1000
    if isinstance(moment, int):
        return moment // 1000
    try:
        read = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return moment
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())


def _tiers(period: Any) -> Any:
    """The bulk download has {"energyRateTiers": [tier, …]} where the API has the list alone."""
    if isinstance(period, dict) and len(period) == 1:
        (period,) = period.values()
    return [_without_nulls(tier) for tier in period] if isinstance(period, list) else period


def _without_nulls(tier: Any) -> Any:
    if not isinstance(tier, dict):
        return tier
    return {name: value for name, value in tier.items() if value is not None}


def _with_old_charges(plain: dict[str, Any]) -> dict[str, Any]:
    """Before version 8 the unit stood in the name of the charge."""
    for old, (value, units, unit) in OLD_CHARGES.items():
        amount = plain.pop(old, None)
        if amount is not None and value not in plain:
            plain[value], plain[units] = amount, unit
    return plain
