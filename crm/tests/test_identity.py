"""Phones, e-mails and names are compared in one form, and never repaired into another person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.identity import DDDS, display_phone, fold, normalize_email, parse_phone

MOBILE = "+5511912345678"


@pytest.mark.parametrize(
    "text",
    [
        "11912345678",
        "11 91234-5678",
        "(11) 91234-5678",
        "(11)91234.5678",
        "11 9 1234 5678",
        "011 91234-5678",
        "0 15 11 91234-5678",
        "01511912345678",
        "0xx11 91234-5678",
        "0XX(11) 91234-5678",
        "11/91234-5678",
        "5511912345678",
        "+5511912345678",
        "+55 11 91234-5678",
        "+55 (11) 91234-5678",
        "+55 011 91234-5678",
        "+55 015 11 91234-5678",
        "005511912345678",
        "tel:+55-11-91234-5678",
        "whatsapp:+5511912345678",
        "１１９１２３４５６７８",
        "١١٩١٢٣٤٥٦٧٨",
        "11\u00a091234\u20115678",
        "\u200b11 91234\u20135678\ufeff",
        "'11912345678",
        "11912345678.0",
        "  11 91234-5678\n",
    ],
)
def test_every_spelling_of_one_mobile_is_one_number(text: str) -> None:
    phone = parse_phone(text)
    assert phone is not None
    assert (phone.e164, phone.match_key, phone.kind) == (MOBILE, MOBILE, "mobile")


@pytest.mark.parametrize("first", "6789")
@pytest.mark.parametrize("ddd", sorted(DDDS))
def test_mobile_with_and_without_the_ninth_digit_have_one_key(ddd: str, first: str) -> None:
    old, new = parse_phone(f"({ddd}) {first}123-4567"), parse_phone(f"({ddd}) 9{first}123-4567")
    assert old is not None
    assert new is not None
    assert old.match_key == new.match_key == f"+55{ddd}9{first}1234567"
    assert old.e164 == f"+55{ddd}{first}1234567", "the number itself is kept as it was given"


@pytest.mark.parametrize("first", "2345")
@pytest.mark.parametrize("ddd", sorted(DDDS))
def test_a_landline_never_gains_a_ninth_digit(ddd: str, first: str) -> None:
    landline, mobile = f"{ddd}{first}1234567", f"{ddd}9{first}1234567"
    for spelling in (landline, f"+55{landline}", f"55{landline}", f"0{landline}"):
        phone = parse_phone(spelling)
        assert phone is not None
        assert (phone.match_key, phone.kind) == (f"+55{landline}", "landline")
    other = parse_phone(mobile)
    assert other is not None
    assert other.match_key == f"+55{mobile}", "a mobile of the same eight digits is somebody else"


def test_there_are_67_area_codes_and_no_other_is_accepted() -> None:
    assert len(DDDS) == 67
    for ddd in {f"{number:02}" for number in range(100)} - DDDS:
        phone = parse_phone(f"+55{ddd}912345678")
        assert phone is None or phone.kind == "service", ddd


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0800 123 4567", "+558001234567"),
        ("0800 123456", "+55800123456"),
        ("+55 800 123 4567", "+558001234567"),
        ("0300 123 4567", "+553001234567"),
        ("4004-1234", "+5540041234"),
        ("3003 1234", "+5530031234"),
    ],
)
def test_service_numbers_are_numbers(text: str, e164: str) -> None:
    phone = parse_phone(text)
    assert phone is not None
    assert (phone.e164, phone.match_key, phone.kind) == (e164, e164, "service")


@pytest.mark.parametrize("text", ["91234-5678", "8123-4567", "3456-7890", "190", "188", "10315"])
def test_a_number_without_area_code_identifies_nobody(text: str) -> None:
    phone = parse_phone(text)
    assert phone is not None
    assert (phone.e164, phone.match_key, phone.kind) == ("", None, "local")


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("+1 415 555 2671", "+14155552671"),
        ("00 1 415 555 2671", "+14155552671"),
        ("+351 912 345 678", "+351912345678"),
        ("+54 9 11 2345-6789", "+5491123456789"),
        ("+44 20 7946 0958", "+442079460958"),
    ],
)
def test_foreign_numbers_are_kept(text: str, e164: str) -> None:
    phone = parse_phone(text)
    assert phone is not None
    assert (phone.e164, phone.match_key, phone.kind) == (e164, e164, "foreign")


def test_another_region_reads_its_own_national_numbers() -> None:
    phone = parse_phone("912 345 678", "PT")
    assert phone is not None
    assert phone.e164 == "+351912345678"


@pytest.mark.parametrize(
    "text",
    [
        "11 91234-5678 ramal 12",
        "11 91234-5678, ramal: 12",
        "11 91234-5678 r. 12",
        "11 91234-5678 ext. 12",
        "11 91234-5678 x12",
        "11 91234-5678 #12",
        "+5511912345678;ext=12",
    ],
)
def test_an_extension_is_told_apart(text: str) -> None:
    phone = parse_phone(text)
    assert phone is not None
    assert (phone.e164, phone.extension) == (MOBILE, "12")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "-",
        "+",
        "João",
        "1-800-FLOWERS",
        "(11) 91234-5678 - João",
        "11 91234-5678 / 11 3456-7890",
        "3333-4444/55",
        "(11) 1234-5678",
        "11 0234-5678",
        "+55 20 91234-5678",
        "+55 11 91234-56789",
        "00000000000",
        "12",
        "5,51199E+12",
        "12.345.678/0001-90",
        "123.456.789-09",
        "5511912345678@c.us",
        "2024-01-31",
        "31/01/2024",
        "+1 123",
        "9" * 5000,
        "\x00\x01",
    ],
)
def test_what_is_not_a_phone_is_none(text: str) -> None:
    assert parse_phone(text) is None


phone_like = st.text(alphabet="0123456789+-() ./xXrameltf:#'９٣\u200b", max_size=30)


@given(st.one_of(st.text(), phone_like))
def test_any_text_is_read_without_an_error_and_reading_twice_changes_nothing(text: str) -> None:
    phone = parse_phone(text)
    if phone is None or not phone.e164:
        return
    again = parse_phone(phone.e164)
    assert again is not None
    assert (again.e164, again.match_key, again.kind) == (phone.e164, phone.match_key, phone.kind)
    assert phone.match_key is not None
    by_key = parse_phone(phone.match_key)
    assert by_key is not None
    assert by_key.match_key == phone.match_key
    assert display_phone(phone.e164)


@given(st.sampled_from(sorted(DDDS)), st.from_regex(r"[2-5][0-9]{7}", fullmatch=True))
def test_no_landline_key_is_a_mobile(ddd: str, subscriber: str) -> None:
    phone = parse_phone(f"({ddd}) {subscriber}")
    assert phone is not None
    assert phone.match_key == f"+55{ddd}{subscriber}"


@pytest.mark.parametrize(
    ("e164", "shown"),
    [
        (MOBILE, "(11) 91234-5678"),
        ("+551134567890", "(11) 3456-7890"),
        ("+14155552671", "+1 415-555-2671"),
        ("3456-7890", "3456-7890"),
        ("+", "+"),
        ("", ""),
    ],
)
def test_a_number_is_shown_as_people_write_it(e164: str, shown: str) -> None:
    assert display_phone(e164) == shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("  Ana@Example.COM ", "ana@example.com"),
        ("mailto:ana@example.com", "ana@example.com"),
        ("<ana@example.com>;", "ana@example.com"),
        ("\ufeffana@example.com\u00a0", "ana@example.com"),
        ("ana+crm@sub.example.com.br", "ana+crm@sub.example.com.br"),
        ("ana@exämple.com", "ana@exämple.com"),
        ("ana@xn--exmple-cua.com", "ana@xn--exmple-cua.com"),
        ("", ""),
        ("ana", ""),
        ("ana@", ""),
        ("@example.com", ""),
        ("ana@example", ""),
        ("ana@@example.com", ""),
        ("ana@example..com", ""),
        (".ana@example.com", ""),
        ("ana silva@example.com", ""),
        ("ana@example.com, bia@example.com", ""),
        ("joão@example.com", ""),
        ("ana@-example.com", ""),
        ("ana@example.c", ""),
        ("ana@123.456", ""),
        ("a" * 65 + "@example.com", ""),
        ("ana@" + "a." * 200 + "com", ""),
        ("ana@example.com\r\nBcc: x@example.com", ""),
    ],
)
def test_an_address_is_plausible_or_empty(text: str, address: str) -> None:
    assert normalize_email(text) == address


@given(st.one_of(st.text(), st.emails()))
def test_normalising_an_address_twice_changes_nothing(text: str) -> None:
    once = normalize_email(text)
    assert normalize_email(once) == once


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("João  da Conceição", "joao da conceicao"),
        ("JOA\u0303O", "joao"),
        (" Straße ", "strasse"),
        ("ﬁm", "fim"),
        ("", ""),
    ],
)
def test_names_are_compared_without_accents_and_case(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
