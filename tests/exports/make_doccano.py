"""Writes the exports of `tests/exports/doccano/` with doccano 1.8.4 itself: `python make_doccano.py`.

In an environment of its own (`pip install doccano==1.8.4 "marshmallow<4" "numpy<2"`). Its Django application makes
projects in a fresh SQLite file; its task `export_dataset` writes the ZIP that people download, its label list the
`label_config.json`. The texts are invented.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent / "doccano"
HOME = tempfile.mkdtemp()
os.environ |= {
    "DATABASE_URL": f"sqlite:///{HOME}/db.sqlite3",
    "MEDIA_ROOT": f"{HOME}/media",
    "STANDALONE": "True",
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
}
sys.path.append(str(Path(find_spec("backend").origin).parent))  # type: ignore[union-attr, arg-type]

import django  # noqa: E402

django.setup()

from data_export.celery_tasks import export_dataset  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from examples.models import Comment, Example  # noqa: E402
from label_types.models import CategoryType, RelationType, SpanType  # noqa: E402
from label_types.serializers import CategoryTypeSerializer, SpanTypeSerializer  # noqa: E402
from labels.models import Category, Relation, Span, TextLabel  # noqa: E402
from projects.models import (  # noqa: E402
    IntentDetectionAndSlotFillingProject,
    Member,
    Seq2seqProject,
    SequenceLabelingProject,
    TextClassificationProject,
)
from roles.models import Role  # noqa: E402

ULM = "👩‍🚀 Ulm lies on the Danube 🌊."


def named(name: str) -> User:
    return User.objects.get_or_create(username=name)[0]


def make(kind: type, project_type: str, *people: str, **more: object) -> object:
    project = kind.objects.create(
        name="p",
        project_type=project_type,
        description="d",
        guideline="Mark *places*.",
        created_by=named("ann"),
        **more,
    )
    for name in people:
        Member.objects.create(project=project, user=named(name), role=Role.objects.get(name="annotator"))
    return project


def export(name: str, project: object, labels: list[dict] | None = None) -> None:
    """The ZIP as it is downloaded, and the labels as their page exports them."""
    HERE.mkdir(exist_ok=True)
    shutil.move(export_dataset(project.pk, "JSONL"), HERE / f"{name}.zip")
    if labels is not None:
        (HERE / f"{name}_label_config.json").write_text(json.dumps(labels, ensure_ascii=False))


def spans() -> None:
    """Two people, each with a file of their own; spans with emoji before them; comments."""
    project = make(SequenceLabelingProject, "SequenceLabeling", "ann", "bob", allow_overlapping=True)
    river = SpanType.objects.create(project=project, text="river", background_color="#1565c0", suffix_key="r")
    place = SpanType.objects.create(project=project, text="place", background_color="#c62828")
    first = Example.objects.create(project=project, text=ULM, meta={"lot": 1})
    second = Example.objects.create(project=project, text="Nothing here.", meta={"lot": 2})
    for who, label, quote in (("ann", place, "Ulm"), ("ann", river, "Danube 🌊"), ("bob", river, "🌊")):
        at = ULM.index(quote)
        Span.objects.create(example=first, user=named(who), label=label, start_offset=at, end_offset=at + len(quote))
    Comment.objects.create(example=first, user=named("ann"), text="Which bank?")
    Comment.objects.create(example=second, user=named("bob"), text="Truly nothing.")
    export("spans", project, SpanTypeSerializer(SpanType.objects.filter(project=project), many=True).data)


def relations() -> None:
    project = make(SequenceLabelingProject, "SequenceLabeling", "ann", use_relation=True, collaborative_annotation=True)
    place = SpanType.objects.create(project=project, text="place")
    on = RelationType.objects.create(project=project, text="lies on")
    example = Example.objects.create(project=project, text="Ulm, Danube", meta={})
    ends = [
        Span.objects.create(example=example, user=named("ann"), label=place, start_offset=start, end_offset=end)
        for start, end in ((0, 3), (5, 11))
    ]
    Relation.objects.create(example=example, user=named("ann"), type=on, from_id=ends[0], to_id=ends[1])
    Comment.objects.create(example=example, user=named("ann"), text="A pair.")
    export("relations", project)


def categories() -> None:
    """Several people on one set of labels, which their project shares."""
    project = make(TextClassificationProject, "DocumentClassification", "ann", collaborative_annotation=True)
    good, bad = (CategoryType.objects.create(project=project, text=text) for text in ("good", "bad"))
    CategoryType.objects.create(project=project, text="never used")
    for text, labels in (("Fine weather 🌞", [good]), ("So so", [good, bad]), ("Not looked at", [])):
        example = Example.objects.create(project=project, text=text, meta={"stars": 3})
        for label in labels:
            Category.objects.create(example=example, user=named("ann"), label=label)
    export("categories", project, CategoryTypeSerializer(CategoryType.objects.filter(project=project), many=True).data)


def texts() -> None:
    project = make(Seq2seqProject, "Seq2seq", "ann")
    for text, answers in (("Guten Tag", ["Good day", "Hello"]), ("Gute Nacht", ["Good night"])):
        example = Example.objects.create(project=project, text=text, meta={})
        for answer in answers:
            TextLabel.objects.create(example=example, user=named("ann"), text=answer)
    export("texts", project)


def intents() -> None:
    project = make(IntentDetectionAndSlotFillingProject, "IntentDetectionAndSlotFilling", "ann")
    city = SpanType.objects.create(project=project, text="City")
    flight = CategoryType.objects.create(project=project, text="Flight")
    example = Example.objects.create(project=project, text="To Ulm ✈", meta={})
    Span.objects.create(example=example, user=named("ann"), label=city, start_offset=3, end_offset=6)
    Category.objects.create(example=example, user=named("ann"), label=flight)
    export("intents", project)


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    call_command("create_roles")
    spans()
    relations()
    categories()
    texts()
    intents()
    shutil.rmtree(HOME)
