"""A spreadsheet of leads as a Brazilian company would export it: `python -m bench.sample 8000 leads.csv`.

The same count gives the same file everywhere. Some rows are doubles in another spelling and some are
wrong; `expected(count)` says what an import into an empty organization must report.
"""

import argparse
import csv
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

HEADER = [
    "ID", "Nome", "E-mail", "Celular", "Empresa", "Valor", "Origem", "Etapa", "Etiquetas", "Criado em",
    "Previsão de fechamento", "Observações", "Cidade",
]  # fmt: skip
# Of every hundred rows, these places (counted from 0) are doubles or wrong; the rest are good.
DOUBLES = {17: "id", 42: "email", 71: "phone"}
WRONG = {29: "email", 55: "value", 83: "date", 96: "nobody"}


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES = _words(
    "Ana Antônio Beatriz Bruno Caio Camila Carlos Cecília Daniel Débora Eduardo Elaine Fábio Fernanda Flávia Gabriel "
    "Giovana Gustavo Helena Henrique Igor Isabela Joana João José Júlia Larissa Leandro Letícia Lívia Lucas Luís "
    "Marcelo Márcia Maria Mariana Mateus Nathália Otávio Patrícia Paulo Rafael Raquel Renata Ricardo Rogério Sérgio "
    "Simone Thaís Tiago Vanessa Vinícius Vitória Wesley"
)
LAST_NAMES = _words(
    "Almeida Alves Araújo Barbosa Barros Batista Cardoso Carvalho Castro Conceição Correia Costa Dias Fernandes "
    "Ferreira Freitas Gomes Gonçalves Leão Lima Lopes Machado Magalhães Marques Martins Melo Mendes Monteiro Moraes "
    "Moreira Nascimento Nunes Oliveira Pereira Pinto Queirós Ramos Ribeiro Rocha Rodrigues Santos Silva Simões Soares "
    "Souza Teixeira Vieira"
)
TRADES = _words(
    "Padaria Clínica Escola Construtora Farmácia Transportadora Academia Imobiliária Restaurante Confecção Marcenaria "
    "Agropecuária Contabilidade Advocacia Distribuidora Gráfica Autopeças Ótica Pousada Laboratório"
)
ENDINGS = ["Ltda", "S.A.", "ME", "Eireli", "& Filhos", ""]
SOURCES = ["Google Ads", "Instagram", "Indicação", "Site", "WhatsApp", "Evento", "Facebook", "LinkedIn", ""]
STAGES = ["Lead", "Lead", "Lead", "Lead", "Contato", "Contato", "Proposta", "Negociação", ""]
TAGS = ["quente", "retorno", "site", "loja virtual", "tráfego pago", "redes sociais", "urgente"]
NOTES = [
    "Pediu orçamento; prefere contato à tarde.", "Já é cliente de um concorrente.", "Ligar depois do dia 10.",
    'Disse: "só decido com o sócio".', "", "", "", "",
]  # fmt: skip
CITIES = [
    ("11", "São Paulo"), ("21", "Rio de Janeiro"), ("31", "Belo Horizonte"), ("41", "Curitiba"), ("51", "Porto Alegre"),
    ("61", "Brasília"), ("71", "Salvador"), ("81", "Recife"), ("85", "Fortaleza"), ("92", "Manaus"), ("84", "Natal"),
]  # fmt: skip
FIRST_DAY = date(2023, 1, 2)


@dataclass(frozen=True)
class Expected:
    """What an import of a sample into an empty organization must report."""

    rows: int
    created: int
    skipped: int
    failed: int


def expected(count: int) -> Expected:
    """Count what a sample of this size holds."""
    places = [index % 100 for index in range(count)]
    skipped = sum(place in DOUBLES for place in places)
    failed = sum(place in WRONG for place in places)
    return Expected(count, count - skipped - failed, skipped, failed)


def write(path: Path, count: int, *, encoding: str = "utf-8-sig", delimiter: str = ";") -> Expected:
    """Write a sample of leads and return what it holds."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(HEADER)
        writer.writerows(sample(count))
    return expected(count)


def sample(count: int) -> Iterator[list[str]]:
    """Yield the rows of a sample."""
    chance = random.Random(42)
    first: list[str] = []
    for index in range(count):
        place = index % 100
        row = _row(chance, index)
        if place == 0:
            first = list(row)
        if place in DOUBLES:
            row = _double(row, first, DOUBLES[place])
        elif place in WRONG:
            row = _wrong(row, WRONG[place])
        yield row


def _row(chance: random.Random, index: int) -> list[str]:
    given, family = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
    middle = chance.choice(LAST_NAMES)
    ddd, city = chance.choice(CITIES)
    company = f"{chance.choice(TRADES)} {chance.choice(LAST_NAMES)} {chance.choice(ENDINGS)}".strip()
    created = FIRST_DAY + timedelta(days=chance.randrange(800))
    value = chance.choice(["", _money(chance.randrange(300, 90_000) * 100 + chance.choice([0, 0, 50, 90]))])
    closing = created + timedelta(days=chance.randrange(20, 200))
    return [
        f"BR-{index:06}",
        f"{given} {middle} {family}",
        f"{_plain(given)}.{_plain(family)}{index}@{_plain(company.split()[0])}{_plain(middle)}.com.br",
        _phone(chance, ddd, f"9{60_000_000 + index:08}"),
        company,
        value,
        chance.choice(SOURCES),
        chance.choice(STAGES),
        ", ".join(chance.sample(TAGS, chance.randrange(3))),
        f"{created:%d/%m/%Y} {chance.randrange(8, 19):02}:{chance.randrange(60):02}",
        chance.choice(["", f"{closing:%d/%m/%Y}"]),
        chance.choice(NOTES),
        city,
    ]


def _double(row: list[str], first: list[str], what: str) -> list[str]:
    """Repeat the id, e-mail or phone of the first row of the hundred, spelt in another way."""
    place = {"id": 0, "email": 2, "phone": 3}[what]
    changed = list(row)
    if what == "id":
        changed[place] = first[place]
    elif what == "email":
        changed[place] = f"  {first[place].upper()} "
    else:
        digits = "".join(letter for letter in first[place] if letter.isdigit())[-11:]
        changed[place] = f"0{digits[:2]} {digits[3:7]}-{digits[7:]}"  # as before the ninth digit
    return changed


def _wrong(row: list[str], what: str) -> list[str]:
    changed = list(row)
    if what == "email":
        changed[2] = changed[2].replace("@", " arroba ")
    elif what == "value":
        changed[5] = "-R$ 10,00"
    elif what == "date":
        changed[9] = "31/02/2024"
    else:
        changed = [""] * len(HEADER)
        changed[-1] = row[-1]
    return changed


def _phone(chance: random.Random, ddd: str, subscriber: str) -> str:
    first, last = subscriber[:5], subscriber[5:]
    return chance.choice(
        [
            f"({ddd}) {first}-{last}",
            f"{ddd} {first}-{last}",
            f"{ddd}{subscriber}",
            f"+55 {ddd} {first}-{last}",
            f"55{ddd}{subscriber}",
            f"0{ddd} {first}.{last}",
        ]
    )


def _money(cents: int) -> str:
    return "R$ " + f"{cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in letters if letter.isascii() and letter.isalnum())


def main() -> None:
    """Write the sample that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a spreadsheet of made-up leads.")
    parser.add_argument("count", type=int)
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    found = write(arguments.path, arguments.count)
    print(f"{found.rows} rows: {found.created} good, {found.skipped} doubles, {found.failed} wrong")


if __name__ == "__main__":
    main()
