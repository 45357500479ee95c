"""What Django's constraints can't say: scores lie in 0–10, and a labelled rubric never changes."""

from django.db import migrations

SCORES = """
ALTER TABLE labeling_{table} ADD CONSTRAINT {table}_scores_in_range
CHECK (0 <= ALL(scores) AND 10 >= ALL(scores) AND cardinality(scores) > 0);
"""
FREEZE = """
CREATE FUNCTION labelled_rubric_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.dimensions, OLD.prompt, OLD.view, OLD.rubric_hash, OLD.filter_id, OLD.number)
     IS DISTINCT FROM (NEW.dimensions, NEW.prompt, NEW.view, NEW.rubric_hash, NEW.filter_id, NEW.number)
     AND EXISTS (SELECT 1 FROM labeling_oraclelabel WHERE version_id = OLD.id) THEN
    RAISE EXCEPTION 'This rubric has labels and can no longer change; make a new version of it.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER labelled_rubric BEFORE UPDATE ON labeling_filterversion
FOR EACH ROW EXECUTE FUNCTION labelled_rubric_is_immutable();
"""
THAW = "DROP TRIGGER labelled_rubric ON labeling_filterversion; DROP FUNCTION labelled_rubric_is_immutable();"


def in_range(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(SCORES.format(table=table), f"ALTER TABLE labeling_{table} DROP CONSTRAINT {table}_scores_in_range;")


class Migration(migrations.Migration):
    dependencies = [("labeling", "0001_initial")]
    operations = [in_range("oraclelabel"), in_range("review"), migrations.RunSQL(FREEZE, THAW)]
