"""Annotations and preferences refuse UPDATE in the database itself: a correction is a later annotation."""

from django.db import migrations

TABLES = ("curation_annotation", "curation_preference")
TEXT = "annotations are append-only"

POSTGRES = """
CREATE OR REPLACE FUNCTION touchstone_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{text}'; END $$;
""".format(text=TEXT)


def forwards(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor == "postgresql":
        schema_editor.execute(POSTGRES)
    for table in TABLES:
        if vendor == "postgresql":
            schema_editor.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION touchstone_append_only()"
            )
        else:
            schema_editor.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{TEXT}'); END"
            )


def backwards(apps, schema_editor):
    suffix = {"postgresql": " ON {table}"}.get(schema_editor.connection.vendor, "")
    for table in TABLES:
        schema_editor.execute(f"DROP TRIGGER {table}_append_only" + suffix.format(table=table))


class Migration(migrations.Migration):
    dependencies = [("curation", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
