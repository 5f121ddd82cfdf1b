"""Who signs in and how: kinds of users, roles given by groups, crowd links, and the audit log, which refuses UPDATE."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

TABLE = "curation_auditevent"
TEXT = "the audit log is append-only"

POSTGRES = f"""
CREATE OR REPLACE FUNCTION touchstone_audit_only_added() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{TEXT}'; END $$;
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION touchstone_audit_only_added();
"""
# On SQLite a DELETE is how Django empties a table between tests, where PostgreSQL has TRUNCATE; so only UPDATE is refused.
SQLITE = f"CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE ON {TABLE} BEGIN SELECT RAISE(ABORT, '{TEXT}'); END"


def forwards(apps, schema_editor):
    schema_editor.execute(POSTGRES if schema_editor.connection.vendor == "postgresql" else SQLITE)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER {TABLE}_append_only ON {TABLE}")
        schema_editor.execute("DROP FUNCTION touchstone_audit_only_added()")
    else:
        schema_editor.execute(f"DROP TRIGGER {TABLE}_append_only")


class Migration(migrations.Migration):

    dependencies = [
        ('curation', '0015_decisions'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('act', models.CharField(help_text='one of Act', max_length=32)),
                ('who_name', models.CharField(blank=True, max_length=150)),
                ('via', models.CharField(choices=[('web', 'Browser'), ('api', 'API token'), ('system', 'Command, worker or schedule')], max_length=8)),
                ('token', models.CharField(blank=True, help_text='the first characters of the token that was used', max_length=12)),
                ('address', models.CharField(blank=True, max_length=49)),
                ('thing', models.CharField(blank=True, help_text="the object's id", max_length=64)),
                ('thing_name', models.CharField(blank=True, max_length=200)),
                ('details', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='CrowdLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('welcome', models.TextField(blank=True, help_text='Markdown, shown before somebody begins')),
                ('quota', models.PositiveIntegerField(help_text='answers of each person, after which the code is shown')),
                ('most_people', models.PositiveIntegerField()),
                ('person_count', models.PositiveIntegerField(default=0, editable=False)),
                ('parameter', models.CharField(blank=True, help_text='of the address, by which the platform names the person', max_length=40)),
                ('code', models.CharField(blank=True, help_text='for everybody; without one each person has their own', max_length=64)),
                ('return_url', models.CharField(blank=True, help_text='where people go afterwards; {code} is the code', max_length=500)),
                ('expires_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='CrowdPerson',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('platform_id', models.CharField(blank=True, max_length=64, null=True)),
                ('base', models.PositiveIntegerField(default=0, help_text='answers that count for earlier links of the project')),
                ('code', models.CharField(max_length=64)),
                ('address', models.CharField(blank=True, help_text='network from which they began; see AuditEvent', max_length=49)),
                ('excluded_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name='membership',
            name='given_by',
            field=models.CharField(blank=True, db_default='', default='', help_text='the sign-in provider whose groups gave the role', max_length=40),
        ),
        migrations.AddField(
            model_name='project',
            name='two_factor',
            field=models.BooleanField(db_default=False, default=False, help_text='managers and owners need a second step at sign-in to act as such'),
        ),
        migrations.AddField(
            model_name='user',
            name='kind',
            field=models.CharField(choices=[('person', 'Person'), ('service', 'Service account'), ('guest', 'Guest')], db_default='person', default='person', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['person', 'service', 'guest'])), name='user_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'person'), models.Q(('is_staff', False), ('is_superuser', False)), _connector='OR'), name='user_staff_is_person'),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='project',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='curation.project'),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='who',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='crowdlink',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='crowdlink',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='crowd_links', to='curation.project'),
        ),
        migrations.AddField(
            model_name='crowdperson',
            name='link',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='people', to='curation.crowdlink'),
        ),
        migrations.AddField(
            model_name='crowdperson',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='crowd', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='crowdlink',
            name='group',
            field=models.ForeignKey(blank=True, help_text='into which its people come', null=True, on_delete=django.db.models.deletion.SET_NULL, to='curation.group'),
        ),
        migrations.AddField(
            model_name='invite',
            name='group',
            field=models.ForeignKey(blank=True, help_text='into which its readers come', null=True, on_delete=django.db.models.deletion.SET_NULL, to='curation.group'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['project', 'id'], name='audit_project'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['project', 'act', 'id'], name='audit_project_act'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['project', 'who', 'id'], name='audit_project_who'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['act', 'id'], name='audit_act'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['who', 'id'], name='audit_who'),
        ),
        migrations.AddIndex(
            model_name='crowdperson',
            index=models.Index(fields=['link', 'address', 'created_at'], name='crowd_from_one_network'),
        ),
        migrations.AddConstraint(
            model_name='crowdperson',
            constraint=models.UniqueConstraint(fields=('link', 'user'), name='crowd_person_once'),
        ),
        migrations.AddConstraint(
            model_name='crowdperson',
            constraint=models.UniqueConstraint(fields=('link', 'platform_id'), name='crowd_platform_id_once'),
        ),
        migrations.AddConstraint(
            model_name='crowdlink',
            constraint=models.CheckConstraint(condition=models.Q(('quota__gte', 1)), name='crowd_quota_1'),
        ),
        migrations.AddConstraint(
            model_name='crowdlink',
            constraint=models.CheckConstraint(condition=models.Q(('person_count__lte', models.F('most_people'))), name='crowd_not_too_many'),
        ),
        migrations.RunPython(forwards, backwards),
    ]
