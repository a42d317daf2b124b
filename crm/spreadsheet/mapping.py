"""Guess what the columns of a file mean, from their names and from what is in them."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC

from django.utils.translation import gettext_lazy as _

from core.errors import Sentence
from crm.identity import fold, normalize_email, parse_phone
from crm.spreadsheet.values import Refused, parse_moment, parse_money

# What a column can become, in the order of the page; '' keeps it beside the lead.
TARGETS: dict[str, Sentence] = {
    "": _("Additional information"),
    "skip": _("Leave out"),
    "title": _("Lead title"),
    "name": _("Contact name"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "company": _("Company"),
    "value": _("Value"),
    "currency": _("Currency"),
    "source": _("Source"),
    "stage": _("Stage"),
    "owner_email": _("Owner (e-mail)"),
    "tags": _("Tags"),
    "created_at": _("Created on"),
    "expected_close": _("Expected close"),
    "note": _("Note"),
    "external_id": _("Id in the other system"),
}
# Several columns may become one of these: the first usable phone, names joined, notes one below
# the other.
REPEATABLE = frozenset({"skip", "name", "email", "phone", "tags", "note"})
# The columns that we put before those of a file when we hand back its errors. A corrected file of
# errors is imported again without them.
ERROR_TITLES: list[Sentence] = [
    _("Import: line"),
    _("Import: result"),
    _("Import: column"),
    _("Import: reason"),
    _("Import: details"),
]

# Names of columns after `_words`, in Portuguese and English, the surest first.
_NAMES: dict[str, list[str]] = {
    "external_id": [
        "mql id", "external id", "id externo", "lead id", "id do lead", "record id", "deal id",
        "negocio id", "id", "identificador", "uuid", "codigo do lead", "codigo",
    ],
    "title": [
        "titulo", "title", "deal title", "deal name", "lead title", "negocio titulo",
        "titulo do negocio", "nome do negocio", "oportunidade", "opportunity name", "opportunity",
        "nome da oportunidade", "assunto",
    ],
    "name": [
        "nome", "name", "nome completo", "full name", "pessoa nome", "person name",
        "nome do contato", "contact name", "lead name", "nome do lead", "nome do cliente",
        "contato", "contact", "cliente", "customer", "pessoa de contato", "contact person",
        "responsavel pelo contato",
    ],
    "email": ["email", "e mail", "mail", "correio eletronico", "email address"],
    "phone": [
        "celular", "whatsapp", "whats app", "mobile", "telefone", "phone", "phone number", "fone", "tel",
        "mobile phone", "cell", "cell phone", "zap",
    ],
    "company": [
        "empresa", "company", "company name", "organizacao", "organization", "organization name",
        "organizacao nome", "nome da empresa", "razao social", "nome fantasia", "account name",
        "empresa do contato", "associated company", "organisation",
    ],
    "value": [
        "valor", "value", "amount", "valor do negocio", "deal value", "valor estimado", "montante",
        "valor total", "orcamento", "budget", "receita", "revenue", "preco",
    ],
    "currency": ["moeda", "currency"],
    "source": [
        "origem", "origin", "source", "fonte", "lead source", "origem do lead", "fonte do lead",
        "utm source", "canal", "channel", "canal de origem", "origem da primeira conversao",
        "como nos conheceu", "midia",
    ],
    "owner_email": [
        "dono", "owner", "responsavel", "proprietario", "vendedor", "dono do lead", "lead owner",
        "contact owner", "deal owner", "usuario responsavel", "owner email",
        "email do responsavel", "assigned to", "atribuido a", "salesperson", "sales agent",
    ],
    "stage": [
        "etapa", "estagio", "stage", "fase", "deal stage", "lead stage", "lead status",
        "estagio no funil", "etapa do funil", "status do lead", "pipeline stage",
    ],
    "tags": ["tags", "tag", "etiquetas", "etiqueta", "labels", "label", "marcadores", "marcador"],
    "created_at": [
        "criado em", "created at", "created", "data de criacao", "create date", "created on",
        "creation date", "data de cadastro", "cadastrado em", "negocio criado em",
        "first contact date", "data do primeiro contato", "primeiro contato", "data de entrada",
        "data da primeira conversao", "created time", "data do lead", "data", "date", "timestamp",
    ],
    "expected_close": [
        "data de fechamento", "fechamento previsto", "previsao de fechamento", "expected close",
        "expected close date", "close date", "data prevista de fechamento", "fechamento",
        "data esperada de fechamento",
    ],
    "note": [
        "nota", "notas", "note", "notes", "observacao", "observacoes", "obs", "comentario",
        "comentarios", "comments", "descricao", "description", "mensagem", "message",
        "note content", "anotacoes",
    ],
}  # fmt: skip
_GIVEN_NAMES = ["primeiro nome", "first name", "given name", "person first name"]
_FAMILY_NAMES = ["sobrenome", "last name", "surname", "family name", "person last name"]
# A column about one of these is not about the lead itself.
_OTHER_THINGS = {
    "activity", "address", "alteracao", "aniversario", "atividade", "atualizacao", "atualizada", "atualizado",
    "birth", "birthday", "by", "campaign", "campanha", "cargo", "comunicacao", "conta", "due", "endereco", "eventos",
    "form", "ganho", "job", "landing", "last", "lost", "modificado", "modified", "nascimento", "page", "pagina",
    "perda", "por", "publica", "score", "scoring", "sdr", "seller", "status", "total", "ultima", "ultimo", "updated",
    "url", "user", "won",
}  # fmt: skip
_HEX_ID = re.compile(r"^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)


def guess_mapping(header: Sequence[str], sample: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return a target for every column, '' where nothing is likely.

    A name must agree with what the cells hold; cells alone decide where a name says nothing.
    """
    values = {
        name: [row[index].strip() for row in sample if index < len(row) and row[index].strip()]
        for index, name in enumerate(header)
    }
    ours = {str(title) for title in ERROR_TITLES}
    mapping = {name: "skip" if name in ours else "" for name in header}
    for _score, _index, name, target in sorted(_candidates(header), key=lambda found: found[:2]):
        is_free = target in REPEATABLE - {"name"} or target not in mapping.values()
        if not mapping[name] and is_free and _fits(target, values[name]):
            mapping[name] = target
    _guess_name_parts(mapping)
    for name in header:
        if not mapping[name] and not _OTHER_THINGS & set(_words(name).split()):
            mapping[name] = _guess_from_cells(values[name], set(mapping.values()))
    return mapping


def _candidates(header: Sequence[str]) -> list[tuple[int, int, str, str]]:
    """List what each name could mean: (badness, column, name, target)."""
    found = []
    for index, name in enumerate(header):
        words = _words(name)
        if words in _GIVEN_NAMES + _FAMILY_NAMES:
            continue
        for target, phrases in _NAMES.items():
            if words in phrases:
                found.append((phrases.index(words), index, name, target))
                continue
            parts = words.split()
            if len(parts) > 4 or _OTHER_THINGS & set(parts):
                continue
            for rank, phrase in enumerate(phrases):
                if phrase != "id" and f" {phrase} " in f" {words} ":
                    found.append((100 + rank, index, name, target))
                    break
    return found


def _words(name: str) -> str:
    split = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", name)  # createdAt
    plain = " ".join(re.sub(r"[\W_]+", " ", fold(split)).split())
    # "Deal - Deal created" and "Email (2)" say no more than "Deal created" and "Email".
    return re.sub(r" \d+$", "", re.sub(r"^(\w+) (?=\1 )", "", plain))


def _guess_name_parts(mapping: dict[str, str]) -> None:
    """Join first and last name, unless a column holds both."""
    given = [name for name in mapping if _words(name) in _GIVEN_NAMES]
    family = [name for name in mapping if _words(name) in _FAMILY_NAMES]
    if "name" not in mapping.values():
        mapping.update(dict.fromkeys(given + family, "name"))
    elif not given:
        mapping.update(dict.fromkeys(family, "name"))


def _guess_from_cells(cells: list[str], taken: set[str]) -> str:
    if not cells:
        return ""
    if "email" not in taken and _share(cells, _is_email) >= 0.6:
        return "email"
    if "phone" not in taken and _share(cells, _is_full_phone) >= 0.6:
        return "phone"
    is_unique = len(set(cells)) == len(cells) > 1
    if "external_id" not in taken and is_unique and _share(cells, _is_hex_id) == 1:
        return "external_id"
    if "created_at" not in taken and _share(cells, _is_written_date) >= 0.8:
        return "created_at"
    return ""


def _fits(target: str, cells: list[str]) -> bool:
    if not cells:
        return True
    tests: dict[str, tuple[Callable[[str], bool], float]] = {
        "email": (_is_email, 0.3),
        "phone": (_is_phone, 0.3),
        "created_at": (_is_date, 0.5),
        "expected_close": (_is_date, 0.5),
        "value": (_is_amount, 0.5),
    }
    if target not in tests:
        return True
    test, least = tests[target]
    return _share(cells, test) >= least


def _share(cells: list[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, cells)) / len(cells)


def _is_email(text: str) -> bool:
    return bool(normalize_email(text))


def _is_phone(text: str) -> bool:
    return parse_phone(text) is not None


def _is_full_phone(text: str) -> bool:
    phone = parse_phone(text)
    return phone is not None and bool(phone.e164) and not _is_date(text)


def _is_hex_id(text: str) -> bool:
    return _HEX_ID.match(text) is not None


def _is_date(text: str) -> bool:
    try:
        parse_moment(text, order="dmy", zone=UTC)
    except Refused:
        return False
    return True


def _is_written_date(text: str) -> bool:
    return not text.isdigit() and _is_date(text)


def _is_amount(text: str) -> bool:
    try:
        parse_money(text.lstrip("-"), decimal=",")
    except Refused:
        return False
    return True
