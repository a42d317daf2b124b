"""Refuse to change or delete seals, as entries are guarded."""

from django.db import migrations

GUARD = """
CREATE TRIGGER members_auditseal_no_change BEFORE UPDATE OR DELETE ON members_auditseal
    FOR EACH ROW EXECUTE FUNCTION members_audit_refuse();
CREATE TRIGGER members_auditseal_no_truncate BEFORE TRUNCATE ON members_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION members_audit_refuse();
"""
UNGUARD = """
DROP TRIGGER members_auditseal_no_truncate ON members_auditseal;
DROP TRIGGER members_auditseal_no_change ON members_auditseal;
"""


class Migration(migrations.Migration):
    dependencies = [("members", "0003_auditseal")]
    operations = [migrations.RunSQL(GUARD, UNGUARD)]
