"""What the database itself refuses, whoever writes."""

import pytest
from django.db import IntegrityError, connection, transaction

from crm.services.leads import create_lead

# The constraint, and a statement with the lead's id.
REFUSALS = [
    ("lead_value_not_negative", "UPDATE crm_lead SET value = -1 WHERE id = %s"),
    ("lead_has_title", "UPDATE crm_lead SET title = '' WHERE id = %s"),
    ("lead_has_position", "UPDATE crm_lead SET position = '' WHERE id = %s"),
    ("lead_closed_has_date", "UPDATE crm_lead SET outcome = 'won' WHERE id = %s"),
    ("lead_closed_has_date", "UPDATE crm_lead SET outcome = 'what' WHERE id = %s"),
    ("lead_closed_has_date", "UPDATE crm_lead SET closed_at = now() WHERE id = %s"),
    ("lead_loss_reason_when_lost", "UPDATE crm_lead SET loss_reason = 'x' WHERE id = %s"),
    ("lead_position_once", "UPDATE crm_lead SET position = (SELECT max(position) FROM crm_lead) WHERE id = %s"),
    ("lead_external_id_once", "UPDATE crm_lead SET external_id = 'taken' WHERE id = %s"),
    ("contact_email_lower", "UPDATE crm_contact SET email = 'A@B.TEST' FROM crm_lead l WHERE l.id = %s"),
    ("contact_is_somebody", "UPDATE crm_contact SET name = '', email = '', phone = '' FROM crm_lead l WHERE l.id = %s"),
    (
        "crm_company_name_key",
        "UPDATE crm_company c SET name_key = 'taken' FROM crm_lead l WHERE l.id = %s AND l.company_id = c.id",
    ),
    ("tag_name_any_case", "INSERT INTO crm_tag (name, color) SELECT 'TAKEN', 'red' FROM crm_lead WHERE id = %s"),
    ("stage_kind_known", "UPDATE crm_stage SET kind = 'lost' FROM crm_lead l WHERE l.id = %s"),
]


@pytest.mark.parametrize(("constraint", "statement"), REFUSALS)
def test_the_database_refuses_what_no_service_would_write(owner, stages, constraint, statement):
    taken = {"external_id": "taken", "company_name": "taken", "tags": ["taken"]}
    create_lead(actor=owner.member, stage=stages[0], title="first", email="a@b.test", **taken)
    lead = create_lead(actor=owner.member, stage=stages[0], title="second", company_name="other")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [lead.pk])
