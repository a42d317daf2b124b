"""Columns are understood by their names and by what is in them."""

import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.spreadsheet import TARGETS, Formats, Row, detect_formats, guess_mapping, inspect, rows

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OLIST = SHARED / "olist_marketing_funnel" / "olist_marketing_qualified_leads_dataset.csv"
EXPORTS = SHARED / "crm_export_headers" / "headers.json"

# What each export of another CRM should become; every other column is kept beside the lead.
EXPECTED = {
    "pipedrive_official_sample_import_en": {
        "Person - Name*": "name",
        "Person - Phone": "phone",
        "Person - Email (Work)": "email",
        "Person - Email (Home)": "email",
        "Organization - Name*": "company",
        "Deal - Title": "title",
        "Deal - Value": "value",
        "Note - Content*": "note",
    },
    "pipedrive_pt_export_reported": {
        "Negócio - ID": "external_id",
        "Negócio - Título": "title",
        "Negócio - Etiqueta": "tags",
        "Pessoa - Nome": "name",
        "Pessoa - Telefone": "phone",
        "Pessoa - Telefone - Celular": "phone",
        "Pessoa - E-mail - Trabalho": "email",
        "Negócio - Valor": "value",
        "Negócio - Etapa": "stage",
        "Negócio - Negócio criado em": "created_at",
        "Negócio - Proprietário": "owner_email",
    },
    "rdstation_pt_export_reported": {
        "Email": "email",
        "Nome": "name",
        "Telefone": "phone",
        "Celular": "phone",
        "Empresa": "company",
        "Estágio no funil": "stage",
        "Dono do Lead": "owner_email",
        "Tags": "tags",
        "Data da primeira conversão": "created_at",
        "Origem da primeira conversão": "source",
    },
    "hubspot_en_reported": {
        "Record ID": "external_id",
        "First Name": "name",
        "Last Name": "name",
        "Email": "email",
        "Phone Number": "phone",
        "Lead Status": "stage",
        "Create Date": "created_at",
        "Associated Company": "company",
        "Contact owner": "owner_email",
    },
    "kommo_pt_reported": {
        "ID": "external_id",
        "Nome": "name",
        "Empresa do contato": "company",
        "Telefone comercial": "phone",
        "Telefone celular": "phone",
        "Email comercial": "email",
        "Email pessoal": "email",
        "Etapa": "stage",
        "Usuário responsável": "owner_email",
        "Tags": "tags",
        "Criado em": "created_at",
    },
}


def guessed(header: list[str], *sample: list[str]) -> dict[str, str]:
    return {name: target for name, target in guess_mapping(header, sample).items() if target}


@pytest.mark.skipif(not EXPORTS.exists(), reason="the collected headers of other CRMs are not here")
@pytest.mark.parametrize("export", EXPECTED)
def test_exports_of_other_crms_are_understood(export: str) -> None:
    headers = json.loads(EXPORTS.read_text())
    assert guessed(headers[export]) == EXPECTED[export]


@pytest.mark.skipif(not OLIST.exists(), reason="the Olist file is not here")
def test_the_olist_file_is_understood() -> None:
    sheet = inspect(OLIST)
    assert sheet.row_count == 8000
    mapping = guess_mapping(sheet.header, sheet.sample)
    assert mapping == {
        "mql_id": "external_id",
        "first_contact_date": "created_at",
        "landing_page_id": "",
        "origin": "source",
    }


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("E-MAIL", "email"),
        ("e_mail", "email"),
        ("emailAddress", "email"),
        ("  Telefone  ", "phone"),
        ("WhatsApp", "phone"),
        ("RAZÃO SOCIAL", "company"),
        ("lead_source", "source"),
        ("Observações", "note"),
        ("createdAt", "created_at"),
        ("Data de Criação", "created_at"),
        ("Previsão de fechamento", "expected_close"),
        ("Valor do negócio", "value"),
        ("Valor (R$)", "value"),
        ("Responsável", "owner_email"),
        ("Moeda", "currency"),
        ("Job Title", ""),
        ("Data de nascimento", ""),
        ("Última atualização", ""),
        ("Status para comunicação por email", ""),
        ("Criado por", ""),
        ("landing_page_id", ""),
        ("Cidade", ""),
        ("", ""),
        ("???", ""),
    ],
)
def test_a_name_tells_what_a_column_is(name: str, target: str) -> None:
    assert guess_mapping([name], []) == {name: target}


def test_two_columns_do_not_become_the_same_single_thing() -> None:
    assert guessed(["Origem", "Fonte", "Empresa", "Company"]) == {
        "Origem": "source",
        "Empresa": "company",
    }


def test_a_full_name_is_not_joined_with_its_parts() -> None:
    assert guessed(["First name", "Name", "Last name"]) == {"Name": "name"}
    assert guessed(["Nome", "Sobrenome"]) == {"Nome": "name", "Sobrenome": "name"}


def test_cells_decide_where_names_say_nothing() -> None:
    header = ["a", "b", "c", "d", "e"]
    sample = [["ana@example.com", "(11) 91234-5678", "31/01/2024", f"{number:032x}", "Natal"] for number in range(5)]
    assert guessed(header, *sample) == {
        "a": "email",
        "b": "phone",
        "c": "created_at",
        "d": "external_id",
    }


def test_a_name_that_its_cells_contradict_is_not_believed() -> None:
    sample = [["sim", "comercial", "alto", "ontem"], ["não", "residencial", "baixo", "hoje"]]
    assert guessed(["Email", "Telefone", "Valor", "Criado em"], *sample) == {}


def test_repeated_ids_are_no_external_id() -> None:
    assert guessed(["campo"], ["a" * 32], ["a" * 32]) == {}


@given(
    st.lists(st.text(max_size=20), max_size=8, unique=True),
    st.lists(st.lists(st.text(max_size=20), max_size=8), max_size=4),
)
def test_every_column_gets_a_known_target(header: list[str], sample: list[list[str]]) -> None:
    mapping = guess_mapping(header, sample)
    assert list(mapping) == header
    assert set(mapping.values()) <= set(TARGETS)


def formats(column: str, *cells: str) -> Formats:
    lines = [Row(number, {"x": cell}) for number, cell in enumerate(cells, 2)]
    return detect_formats(lines, {"x": column})


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["03/04/2024", "31/01/2024"], "dmy"),
        (["03/04/2024", "01/31/2024"], "mdy"),
        (["03/04/2024"], "dmy"),
        (["2024-01-31"], "dmy"),
        (["01/31/2024", "31/01/2024", "30/01/2024"], "dmy"),
        ([], "dmy"),
    ],
)
def test_the_order_of_day_and_month_is_found(cells: list[str], order: str) -> None:
    assert formats("created_at", *cells).date_order == order


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["R$ 1.234,56"], ","),
        (["1,234.56"], "."),
        (["1.234"], ","),
        (["1,234"], "."),
        (["1.234", "10.5"], "."),
        (["1.234.567"], ","),
        (["1,234,567"], "."),
        (["100"], ","),
        ([], ","),
    ],
)
def test_the_decimal_mark_is_found(cells: list[str], decimal: str) -> None:
    assert formats("value", *cells).decimal == decimal


def test_formats_are_found_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text('nome,valor,criado em\nAna,"1,200.50",12/31/2023\n')
    sheet = inspect(path)
    mapping = guess_mapping(sheet.header, sheet.sample)
    found = detect_formats(islice(rows(path, sheet), 2000), mapping)
    assert (found.date_order, found.decimal) == ("mdy", ".")
