"""A registered student and a frozen data set never change; Postgres itself refuses."""

from django.db import migrations

FREEZE = """
CREATE FUNCTION row_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% rows are immutable; make a new one.', TG_TABLE_NAME; END $$;
CREATE TRIGGER immutable_version BEFORE UPDATE ON training_modelversion FOR EACH ROW EXECUTE FUNCTION row_is_immutable();
CREATE TRIGGER immutable_output BEFORE UPDATE ON training_modeloutput FOR EACH ROW EXECUTE FUNCTION row_is_immutable();
CREATE TRIGGER immutable_item BEFORE UPDATE ON training_datasetitem FOR EACH ROW EXECUTE FUNCTION row_is_immutable();
"""
THAW = """
DROP TRIGGER immutable_version ON training_modelversion;
DROP TRIGGER immutable_output ON training_modeloutput;
DROP TRIGGER immutable_item ON training_datasetitem;
DROP FUNCTION row_is_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
