"""Postgres itself refuses to change or remove an audit entry."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'Audit entries are never changed or removed.'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON common_auditentry
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
"""
ALLOW = "DROP TRIGGER audit_append_only ON common_auditentry; DROP FUNCTION audit_is_append_only();"


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
