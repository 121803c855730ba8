"""Words in the reader's language: plain gettext catalogs, one file per room and language, read as they are.

`_("…")` and `ngettext("…", "…", n)` in Python and in templates; the language is the one of this request (`language`).
Numbers of money and energy keep one form in all languages, or a bill would be read a thousand times too small.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, request
from markupsafe import Markup

LANGUAGES: Final = {"en": "English", "es": "Español"}
DEFAULT: Final = "en"
COOKIE: Final = "lang"
_CATALOGS = Path(__file__).parent / "words"
_LOCALES = {"en": "en_US", "es": "es_US"}


def prepare(app: Flask) -> None:
    """Let the templates of `app` speak."""
    environment: Any = app.jinja_env
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)
    environment.filters.update(day=day, moment=moment, hour=hour, money=money, energy=energy)
    environment.globals.update(language=language, languages=LANGUAGES)


def _gettext(text: str) -> str:
    return str(translations(language()).gettext(text))


def _ngettext(one: str, many: str, number: int) -> str:
    return str(translations(language()).ngettext(one, many, number))


def _(text: str, **values: Any) -> str:
    """A sentence in the language of this request, with `%(name)s` filled in."""
    said = _gettext(text)
    return said % values if values else said


def ngettext(one: str, many: str, number: int, **values: Any) -> str:
    """The sentence for this number; `%(num)s` is the number itself."""
    return _ngettext(one, many, number) % {"num": number, **values}


def language() -> str:
    """The language of this request: chosen on the page, else the account's, else the browser's."""
    if not has_request_context():
        return DEFAULT
    if "language" not in g:
        g.language = _preferred()
    return str(g.language)


def speak(account: str | None = None, asked: str = "") -> None:
    """Settle the language once more is known: the account's, or what a company asks for (`ui_locales`)."""
    chosen = (request.args.get("lang"), account, request.cookies.get(COOKIE), *asked.split())
    g.language = next(filter(None, map(known, chosen)), None) or _preferred()


def known(tag: str | None) -> str | None:
    """The language we speak that a tag such as `es-MX` means."""
    first = (tag or "").replace("_", "-").partition("-")[0].lower()
    return first if first in LANGUAGES else None


def _preferred() -> str:
    chosen = known(request.args.get("lang")) or known(request.cookies.get(COOKIE))
    return chosen or request.accept_languages.best_match(list(LANGUAGES)) or DEFAULT


@lru_cache(maxsize=8)
def translations(code: str) -> NullTranslations:
    """Everything said in a language."""
    whole = Catalog(locale=code, domain="messages")
    for path in sorted((_CATALOGS / code).glob("*.po")):
        for message in read_po(BytesIO(path.read_bytes()), locale=code):
            if message.id and message.string and not message.fuzzy:
                whole.add(message.id, message.string, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, whole)
    compiled.seek(0)
    return Translations(compiled) if len(whole) else NullTranslations()


# --- dates and numbers ----------------------------------------------------------------------------------


def day(value: date | datetime) -> str:
    """A day written out: June 30, 2027; 30 de junio de 2027."""
    return format_date(value, "long", locale=_locale())


def moment(value: datetime) -> str:
    """A day and the time of it, as its own zone has them."""
    return f"{day(value)}, {hour(value)}"


def hour(value: datetime) -> str:
    """The time of a day alone, as its own zone has it."""
    return format_time(value, "short", locale=_locale())


def money(amount: Decimal | int, currency: str = "USD") -> Markup:
    """An amount, written alike in every language: $1,234.50."""
    sign = "$" if currency == "USD" else f"{currency} "
    return Markup("<bdi>{}{}{:,.2f}</bdi>").format("-" if amount < 0 else "", sign, abs(amount))


def energy(amount: Decimal | float | int, unit: str = "kWh") -> Markup:
    """An amount of energy, written alike in every language: 1,234.5 kWh."""
    return Markup("<bdi>{} {}</bdi>").format(f"{amount:,.1f}".removesuffix(".0"), unit)


def language_name(code: str) -> str:
    """What a language is called in the language of the page: Spanish; español."""
    return str(_locale().languages.get(code.replace("-", "_"), code))


def _locale() -> Locale:
    return Locale.parse(_LOCALES[language()])
