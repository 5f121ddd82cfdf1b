"""Foreign keys whose column begins another index lose their own: it was written with every row and read by nobody.

By the statement that drops an index: altering the fields would have SQLite make the tables anew, without the triggers
that keep answers as they were given.
"""

from django.db import migrations, models

DROPPED = (
    ("annotation", "annotator_id"), ("annotation", "project_id"), ("assignment", "task_id"), ("draft", "task_id"),
    ("item", "project_id"), ("pair", "first_id"), ("preference", "annotation_id"), ("rank", "annotation_id"),
    ("response", "item_id"), ("score", "response_id"), ("scoremap", "response_id"), ("shard", "run_id"),
    ("tally", "annotator_id"), ("tally", "project_id"), ("task", "item_id"), ("task", "pair_id"),
    ("task", "response_id"),
)  # fmt: skip


def forwards(apps, schema_editor):
    for table, column in DROPPED:
        for name in own_indexes(schema_editor.connection, f"curation_{table}", column):
            schema_editor.execute(f'DROP INDEX "{name}"')


def own_indexes(connection, table, column):
    """The names of the plain indexes of one column."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    plain = (name for name, one in found.items() if one["index"] and not one["unique"] and not one["primary_key"])
    return [name for name in plain if found[name]["columns"] == [column]]


def backwards(apps, schema_editor):
    for table, column in DROPPED:
        schema_editor.execute(f'CREATE INDEX "{table}_{column}_again" ON "curation_{table}" ("{column}")')


FIELDS = [
    migrations.AlterField(
        "annotation",
        "annotator",
        models.ForeignKey(
            db_index=False, on_delete=models.PROTECT, related_name="annotations", to="curation.annotator"
        ),
    ),
    migrations.AlterField(
        "annotation",
        "project",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="annotations", to="curation.project"),
    ),
    migrations.AlterField(
        "assignment",
        "task",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="assignments", to="curation.task"),
    ),
    migrations.AlterField(
        "draft",
        "task",
        models.ForeignKey(db_index=False, on_delete=models.CASCADE, related_name="drafts", to="curation.task"),
    ),
    migrations.AlterField(
        "item",
        "project",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="items", to="curation.project"),
    ),
    migrations.AlterField(
        "pair",
        "first",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="+", to="curation.response"),
    ),
    migrations.AlterField(
        "preference",
        "annotation",
        models.ForeignKey(
            db_index=False, on_delete=models.PROTECT, related_name="preferences", to="curation.annotation"
        ),
    ),
    migrations.AlterField(
        "rank",
        "annotation",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="ranks", to="curation.annotation"),
    ),
    migrations.AlterField(
        "response",
        "item",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="responses", to="curation.item"),
    ),
    migrations.AlterField(
        "score",
        "response",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="scores", to="curation.response"),
    ),
    migrations.AlterField(
        "scoremap",
        "response",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="maps", to="curation.response"),
    ),
    migrations.AlterField(
        "shard",
        "run",
        models.ForeignKey(db_index=False, on_delete=models.CASCADE, related_name="shards", to="curation.run"),
    ),
    migrations.AlterField(
        "tally", "annotator", models.ForeignKey(db_index=False, on_delete=models.PROTECT, to="curation.annotator")
    ),
    migrations.AlterField(
        "tally",
        "project",
        models.ForeignKey(db_index=False, on_delete=models.PROTECT, related_name="tallies", to="curation.project"),
    ),
    migrations.AlterField(
        "task",
        "item",
        models.ForeignKey(
            blank=True, db_index=False, null=True, on_delete=models.PROTECT, related_name="tasks", to="curation.item"
        ),
    ),
    migrations.AlterField(
        "task",
        "pair",
        models.ForeignKey(
            blank=True, db_index=False, null=True, on_delete=models.PROTECT, related_name="tasks", to="curation.pair"
        ),
    ),
    migrations.AlterField(
        "task",
        "response",
        models.ForeignKey(
            blank=True,
            db_index=False,
            null=True,
            on_delete=models.PROTECT,
            related_name="tasks",
            to="curation.response",
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("curation", "0025_agreement_anew")]
    operations = [
        migrations.SeparateDatabaseAndState([migrations.RunPython(forwards, backwards)], FIELDS),
    ]
