"""Who is who: phones, e-mails and names in the one form that can be compared."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

Kind = Literal["mobile", "landline", "service", "foreign", "local"]

BRAZIL = 55
# The 67 area codes (DDD) in use: first digit, second digits.
DDDS = frozenset(
    first + second
    for first, seconds in {
        "1": "123456789",
        "2": "12478",
        "3": "1234578",
        "4": "123456789",
        "5": "1345",
        "6": "123456789",
        "7": "134579",
        "8": "123456789",
        "9": "123456789",
    }.items()
    for second in seconds
)
LONGEST_PHONE_TEXT = 80

_SCHEME = re.compile(r"^(?:tel|whatsapp|fone|cel)\s*:\s*", re.IGNORECASE)
_FLOAT_TAIL = re.compile(r"^(\+?\d{8,15})\.0+$")
_CARRIER_BLANK = re.compile(r"(?<![^\W_])0\s*[xX]{2}\s*(?=[\s(]*\d{2})")
_DDD_SLASH = re.compile(r"^(\(?0?\d{2}\)?)\s*/\s*")
_EXTENSION = re.compile(
    r"(?<=\d)[\s,;)]*(?:ramal|ram\.?|r\.|extension|ext\.?|extn\.?|x|\#)\s*[:.=]?\s*(\d{1,6})$",
    re.IGNORECASE,
)
_ISO_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_PHONE_CHARACTERS = re.compile(r"^[+\d\s().\-]+$", re.ASCII)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\u00ad]")
_EMAIL = re.compile(
    r"^(?=.{3,254}$)(?=[^@]{1,64}@)"
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?\.)+"
    r"(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,63})$"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number that somebody could dial.

    `e164` is the number as it was given, never repaired. `match_key` is the same for every spelling
    of one line, with or without Brazil's ninth digit; compare only this. A number without area code
    and a short code are `local`: they have no E.164 and no key, and the caller keeps their text.
    """

    e164: str
    match_key: str | None
    kind: Kind
    extension: str = ""


def parse_phone(text: str, region: str = "BR") -> Phone | None:
    """Read one phone number out of a text, or return None if it is not one."""
    cleaned, extension = _clean_phone(text)
    if not _PHONE_CHARACTERS.match(cleaned) or _ISO_DATE.match(cleaned):
        return None
    if cleaned.rfind("+") > 0:
        return None
    # Exports write the international prefix as 00; in Brazil 00 could also be followed by a carrier.
    if cleaned.startswith("00") and (phone := _parse("+" + cleaned[2:], region, extension)):
        return phone
    return _parse(cleaned, region, extension)


def display_phone(e164: str) -> str:
    """Write a stored number as people in its country do; give back what is not E.164 as it is."""
    if not e164.startswith("+"):
        return e164
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    style = PhoneNumberFormat.NATIONAL if number.country_code == BRAZIL else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, style)


def normalize_email(text: str) -> str:
    """Return the address in the form that is stored and compared, or '' if it cannot be one."""
    address = _INVISIBLE.sub("", text[:1000]).strip().lower()
    address = address.removeprefix("mailto:").strip(" \t\r\n\u00a0<>,;")
    return address if _EMAIL.match(address) else ""


def fold(text: str) -> str:
    """Return the text without case, accents and doubled spaces, to compare names."""
    decomposed = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text)).casefold()
    # Casefolding can produce composed characters again.
    letters = (letter for letter in unicodedata.normalize("NFKD", decomposed) if not unicodedata.combining(letter))
    return " ".join("".join(letters).split())


def _clean_phone(text: str) -> tuple[str, str]:
    if len(text) > LONGEST_PHONE_TEXT:
        return "", ""
    cleaned = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_DASHES).strip()
    cleaned = _ascii_digits(cleaned)
    cleaned = _SCHEME.sub("", cleaned).lstrip("'")
    cleaned = _FLOAT_TAIL.sub(r"\1", cleaned)  # "11912345678.0": a number that went through a float
    cleaned = _CARRIER_BLANK.sub("0", cleaned)  # "0xx11": the carrier is left to the caller
    cleaned = _DDD_SLASH.sub(r"\1 ", cleaned)
    extension = ""
    if found := _EXTENSION.search(cleaned):
        extension = found[1]
        cleaned = cleaned[: found.start()].strip()
    return cleaned, extension


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)


def _parse(text: str, region: str, extension: str) -> Phone | None:
    digits = re.sub(r"\D", "", text)
    if not 3 <= len(digits) <= 20 or len(set(digits)) == 1:
        return None
    if region == "BR" and not text.startswith("+") and (phone := _local(digits, extension)):
        return phone
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    national = phonenumbers.national_significant_number(number)
    if number.country_code == BRAZIL:
        return _brazilian(number, national, extension)
    if not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return Phone(e164, e164, "foreign", extension)


def _local(digits: str, extension: str) -> Phone | None:
    """Recognise what can be dialled only from inside an area: no DDD, or a short code."""
    is_subscriber = re.fullmatch(r"9\d{8}|[2-9]\d{7}", digits) is not None
    is_nationwide = re.fullmatch(r"[34]00\d{5}", digits) is not None  # 4004-1234, 3003-1234
    is_short_code = re.fullmatch(r"1\d{2}|10[36]\d{1,2}", digits) is not None
    if is_short_code or (is_subscriber and not is_nationwide):
        return Phone("", None, "local", extension)
    return None


def _brazilian(number: phonenumbers.PhoneNumber, national: str, extension: str) -> Phone | None:
    e164 = f"+{BRAZIL}{national}"
    ddd, subscriber = national[:2], national[2:]
    if ddd in DDDS:
        if re.fullmatch(r"9\d{8}", subscriber):
            return Phone(e164, e164, "mobile", extension)
        if re.fullmatch(r"[6-9]\d{7}", subscriber):
            # A mobile written before the ninth digit came: today's form is the key of both.
            return Phone(e164, f"+{BRAZIL}{ddd}9{subscriber}", "mobile", extension)
        if re.fullmatch(r"[2-5]\d{7}", subscriber):
            return Phone(e164, e164, "landline", extension)
    is_service = len(national) < 10 or national[:3] in {"800", "300", "500", "900"}
    # Kept as a number, 0800 has lost nothing but its trunk zero, which E.164 does not write.
    if is_service and phonenumbers.is_valid_number(number):
        return Phone(e164, e164, "service", extension)
    return None
