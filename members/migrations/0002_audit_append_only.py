"""Refuse to change or delete audit entries, whoever asks.

Function and triggers live in the organization's own schema, so that it can be dumped and moved alone.
"""

from django.db import migrations

GUARD = """
CREATE FUNCTION members_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER members_auditentry_no_change BEFORE UPDATE OR DELETE ON members_auditentry
    FOR EACH ROW EXECUTE FUNCTION members_audit_refuse();
CREATE TRIGGER members_auditentry_no_truncate BEFORE TRUNCATE ON members_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION members_audit_refuse();
"""
UNGUARD = """
DROP TRIGGER members_auditentry_no_truncate ON members_auditentry;
DROP TRIGGER members_auditentry_no_change ON members_auditentry;
DROP FUNCTION members_audit_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
