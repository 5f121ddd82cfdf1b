"""Sums of agreement are made anew: what they were made from is read otherwise where an import brought axes one by one,
and what was added before must be what can be taken away."""

from __future__ import annotations

from typing import Any

from django.db import migrations


def forget(apps: Any, _schema: Any) -> None:
    """They are a cache: whoever looks at agreement next makes them again."""
    apps.get_model("curation", "AgreementSum").objects.all().delete()
    apps.get_model("curation", "AgreementState").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("curation", "0024_repeats")]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop, elidable=True)]
