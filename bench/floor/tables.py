"""The floor's own tables, in a schema of their own for each size, beside the product's."""

import psycopg

from bench.data import OWNERS, SIZES, STAGES, TAGS, leads

DDL = """
CREATE SCHEMA {schema};
SET search_path = {schema};
CREATE TABLE stage (id serial PRIMARY KEY, name text NOT NULL, place int NOT NULL);
CREATE TABLE owner (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE tag (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE contact (id serial PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text NOT NULL);
CREATE TABLE lead (
    id serial PRIMARY KEY,
    title text NOT NULL,
    contact_id int NOT NULL REFERENCES contact,
    stage_id int NOT NULL REFERENCES stage,
    owner_id int NOT NULL REFERENCES owner,
    value numeric(12, 2) NOT NULL,
    priority int NOT NULL,
    due date NOT NULL,
    rank numeric(20, 10) NOT NULL,
    version int NOT NULL DEFAULT 1
);
CREATE TABLE lead_tag (lead_id int REFERENCES lead, tag_id int REFERENCES tag, PRIMARY KEY (lead_id, tag_id));
"""


def schema_of(size: str) -> str:
    """Name the floor's schema for a size of data."""
    return f"floor_{size}"


def make(connection: psycopg.Connection, size: str) -> None:
    """Make and fill the tables of one size."""
    connection.execute(DDL.format(schema=schema_of(size)))
    cursor = connection.cursor()
    cursor.executemany(
        "INSERT INTO stage (name, place) VALUES (%s, %s)", [(name, at) for at, name in enumerate(STAGES)]
    )
    cursor.executemany("INSERT INTO owner (name) VALUES (%s)", [(name,) for name in OWNERS])
    cursor.executemany("INSERT INTO tag (name) VALUES (%s)", [(name,) for name in TAGS])
    drawn = list(leads(SIZES[size]))
    with cursor.copy("COPY contact (name, email, phone) FROM STDIN") as rows:
        for lead in drawn:
            rows.write_row((lead.contact, lead.email, lead.phone))
    columns = "title, contact_id, stage_id, owner_id, value, priority, due, rank"
    with cursor.copy(f"COPY lead ({columns}) FROM STDIN") as rows:
        for at, lead in enumerate(drawn, 1):
            rows.write_row((lead.title, at, lead.stage + 1, lead.owner + 1, lead.value, lead.priority, lead.due, at))
    with cursor.copy("COPY lead_tag FROM STDIN") as rows:
        for at, lead in enumerate(drawn, 1):
            for tag in lead.tags:
                rows.write_row((at, tag + 1))
    connection.execute("CREATE INDEX ON lead (stage_id, rank)")
    connection.execute("RESET search_path")
