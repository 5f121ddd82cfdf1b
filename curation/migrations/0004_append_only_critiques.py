"""Critiques, verdicts and ranks are append-only too; and SQLite, which rebuilt `annotation`, gets its trigger back."""

from django.db import migrations

TABLES = ("curation_critique", "curation_verdict", "curation_rank")


TEXT = "annotations are append-only"


def append_only(editor, *tables, drop_only=False):
    """Make the trigger of each table anew, or only take it away."""
    postgres = editor.connection.vendor == "postgresql"
    for table in tables:
        editor.execute(f"DROP TRIGGER IF EXISTS {table}_append_only" + (f" ON {table}" if postgres else ""))
        if drop_only:
            continue
        act = (
            "EXECUTE FUNCTION touchstone_append_only()" if postgres else f"BEGIN SELECT RAISE(ABORT, '{TEXT}'); END"
        )
        editor.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW {act}")


def forwards(apps, schema_editor):
    append_only(schema_editor, "curation_annotation", "curation_preference", *TABLES)


def backwards(apps, schema_editor):
    append_only(schema_editor, *TABLES, drop_only=True)


class Migration(migrations.Migration):
    dependencies = [("curation", "0003_critiques")]
    operations = [migrations.RunPython(forwards, backwards)]
