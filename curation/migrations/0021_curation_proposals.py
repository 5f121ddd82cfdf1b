
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('curation', '0020_adjudication_people'),
    ]

    operations = [
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(help_text='what it is about, in one text; once in a run', max_length=50)),
                ('action', models.CharField(choices=[('keep', 'Keep'), ('flip', 'Flip'), ('drop', 'Drop'), ('ask', 'Ask people again')], max_length=4)),
                ('score', models.FloatField(help_text='how sure the method is, or the figure that it looked at')),
                ('reason', models.CharField(help_text='in words, with the figures of this one', max_length=500)),
                ('cause', models.CharField(help_text='in few words: what the card of a version counts', max_length=60)),
                ('state', models.CharField(choices=[('open', 'Open'), ('accepted', 'Accepted'), ('refused', 'Refused')], default='open', max_length=8)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('chosen', models.ForeignKey(db_index=False, help_text='of two the one that was preferred when it was proposed', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='curation.response')),
                ('decided_by', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='proposals', to='curation.item')),
                ('pair', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='curation.pair')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='proposals', to='curation.project')),
                ('rejected', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='curation.response')),
                ('response', models.ForeignKey(db_index=False, help_text='where it is about one alone', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='curation.response')),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='proposals', to='curation.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', 'id'], name='proposal_of_run'), models.Index(fields=['run', 'item'], name='proposal_of_item'), models.Index(fields=['run', 'action', 'score', 'id'], name='proposal_by_score'), models.Index(fields=['run', 'state', 'action', 'score', 'id'], name='proposal_by_state')],
                'constraints': [models.UniqueConstraint(fields=('run', 'subject'), name='proposal_once_in_run'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at', None), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='proposal_decided_at_a_moment')],
            },
        ),
    ]
