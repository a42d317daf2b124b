"""What the floor's board costs at the least: two statements and one Jinja2 template."""

from typing import Any

import jinja2

PER_COLUMN = 80

# The topmost cards of each column, with everything that a card shows.
CARDS = """
SELECT lead.id, lead.title, lead.stage_id, lead.value, lead.priority, lead.due, contact.name, contact.phone, owner.name,
       COALESCE((SELECT array_agg(tag.name ORDER BY tag.id) FROM {schema}.lead_tag JOIN {schema}.tag ON tag.id = tag_id
                 WHERE lead_id = lead.id), '{{}}')
FROM {schema}.stage
CROSS JOIN LATERAL (SELECT * FROM {schema}.lead WHERE stage_id = stage.id ORDER BY rank LIMIT %s) AS lead
JOIN {schema}.contact ON contact.id = lead.contact_id
JOIN {schema}.owner ON owner.id = lead.owner_id
ORDER BY stage.place, lead.rank
"""
TOTALS = """
SELECT stage.id, stage.name, count(*), sum(value)
FROM {schema}.stage JOIN {schema}.lead ON stage_id = stage.id GROUP BY stage.id ORDER BY place
"""
TEMPLATE = """<!doctype html><html><body>{% for column in columns %}
<section class="column" id="stage-{{ column.id }}">
<h2>{{ column.name }} <b>{{ column.count }}</b> <i>{{ column.total }}</i></h2>
{% for lead in column.cards %}<article class="card" id="lead-{{ lead.id }}" data-stage="{{ column.id }}">
<h3><a href="/leads/{{ lead.id }}/">{{ lead.title }}</a></h3><p class="value">{{ lead.value }}</p>
<p>{{ lead.contact }} <a href="tel:{{ lead.phone }}">{{ lead.phone }}</a></p>
<p class="tags">{% for tag in lead.tags %}<span class="tag">{{ tag }}</span>{% endfor %}</p>
<footer><span data-priority="{{ lead.priority }}">{{ lead.priority }}</span> <time>{{ lead.due }}</time>
<span>{{ lead.owner }}</span></footer>
</article>{% endfor %}</section>{% endfor %}</body></html>"""
FIELDS = ("id", "title", "stage", "value", "priority", "due", "contact", "phone", "owner", "tags")

template = jinja2.Environment(autoescape=True).from_string(TEMPLATE)


def raw_board(cursor: Any, schema: str) -> str:
    """Draw the board from bare SQL. The cursor may be psycopg's or Django's."""
    cursor.execute(CARDS.format(schema=schema), [PER_COLUMN])
    cards = [dict(zip(FIELDS, row, strict=True)) for row in cursor.fetchall()]
    cursor.execute(TOTALS.format(schema=schema))
    columns = {
        pk: {"id": pk, "name": name, "count": count, "total": total, "cards": []}
        for pk, name, count, total in cursor.fetchall()
    }
    for card in cards:
        columns[card["stage"]]["cards"].append(card)
    return render(list(columns.values()))


def render(columns: list[dict[str, Any]]) -> str:
    """Fill the template."""
    return template.render(columns=columns)
