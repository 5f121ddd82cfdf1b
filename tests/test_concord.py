"""The sums of agreement keep up with answers, undos, edits and renamed labels: they are what they are from scratch."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from itertools import count
from random import Random
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from curation.errors import Invalid
from curation.models import (
    AgreementState,
    AgreementSum,
    Annotation,
    Annotator,
    Critique,
    Item,
    Preference,
    Project,
    Protocol,
    Rank,
    Task,
    Verdict,
)
from curation.services import changes, protocols
from curation.services.concord import keeping
from curation.services.concord.keeping import kept_up
from tests.cast import Cast, make_pairs

KEYS = count()
CRITIQUES = {"on": True, "types": [{"name": "wrong"}, {"name": "vague"}], "severities": [{"name": "major"}]}
QUESTIONS = [
    {"name": "true", "question": "Is it true?"},
    {"name": "grade", "question": "How good?", "kind": "rating", "low": 1, "high": 5},
    {"name": "why", "question": "Why?", "kind": "text"},
]


@pytest.fixture
def asking(cast: Cast) -> Project:
    """A project that asks preferences, questions and critiques of twelve pairs in two domains."""
    project = cast.project
    protocols.revise_protocol(project=project, critiques=CRITIQUES, questions=QUESTIONS)
    project.refresh_from_db()
    for n, task in enumerate(make_pairs(project, 12)):
        Item.objects.filter(pk=task.pair.item_id).update(metadata={"domain": "code" if n % 2 else "prose"})
    return project


def annotators(project: Project, *names: str) -> list[Annotator]:
    return [
        Annotator.objects.get_or_create(project=project, kind="model" if name == "bot" else "person", name=name)[0]
        for name in names
    ]


def say(task: Task, annotator: Annotator, chance: Random, over: Annotation | None = None, **fields: Any) -> Annotation:
    """An answer to everything that is asked, by chance."""
    project = task.project
    made = Annotation.objects.create(
        project=project,
        task=task,
        annotator=annotator,
        protocol=Protocol.objects.get(pk=Project.objects.get(pk=project.pk).protocol_id),
        event="answer",
        source="api",
        idempotency_key=f"k{next(KEYS)}",
        supersedes=over,
        created_at=timezone.now() - timedelta(days=chance.choice([0, 8, 15])),
        **fields,
    )
    axis = project.protocol.axis_names[0]
    bad = chance.random() < 0.1
    Preference.objects.create(
        annotation=made, axis=axis, value=None if bad else chance.choice([-2, -1, 0, 1, 2]), both_bad=bad
    )
    for response in (task.pair.first, task.pair.second):
        Verdict.objects.create(annotation=made, response=response, question="true", answer=chance.random() < 0.8)
        Verdict.objects.create(annotation=made, response=response, question="grade", answer=chance.randint(1, 5))
        Verdict.objects.create(annotation=made, response=response, question="why", answer=f"So {next(KEYS)}")
        for _ in range(chance.choice([0, 1, 2])):
            start = chance.randrange(0, 8)
            kind, severity = chance.choice(["wrong", "vague"]), chance.choice(["major", ""])
            Critique.objects.create(
                annotation=made, response=response, start=start, end=start + 4, type=kind, severity=severity
            )
    return made


def undo(answer: Annotation) -> Annotation:
    same = {name: getattr(answer, name) for name in ("project", "task", "annotator", "protocol")}
    return Annotation.objects.create(
        event="undo", source="api", supersedes=answer, idempotency_key=f"k{next(KEYS)}", **same
    )


def rows(project: Project, field: str = "") -> list[tuple[Any, ...]]:
    found = AgreementSum.objects.filter(state__project=project, state__field=field)
    return sorted((r.part, r.label, r.slice, r.key, r.n, sorted(r.sums.items())) for r in found)


def from_scratch(project: Project, field: str = "") -> list[tuple[Any, ...]]:
    AgreementState.objects.filter(project=project).delete()
    assert kept_up(project, field, 60).complete
    return rows(project, field)


@pytest.mark.parametrize("field", ["", "metadata.domain"])
def test_kept_up_is_what_it_is_from_scratch(asking: Project, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ROWS", 7)  # many small steps
    chance, tasks = Random(3), list(Task.objects.filter(project=asking).select_related("pair__first", "pair__second"))
    who = annotators(asking, "ann", "ben", "cat", "bot")
    said = [say(task, one, chance) for task in tasks[:8] for one in who if chance.random() < 0.8]
    assert kept_up(asking, field, 60).complete
    for answer in chance.sample(said, 6):
        undo(answer) if chance.random() < 0.5 else say(answer.task, answer.annotator, chance, over=answer)
    for task in tasks[6:]:
        say(task, who[0], chance, counted=chance.random() < 0.8)
    kept_up(asking, field, 60)
    kept = rows(asking, field)
    assert kept == from_scratch(asking, field) and len(kept) > 20
    labels = {row[1] for row in kept}
    assert labels == {"axis|overall", "question|true", "question|grade", "spans", "type|wrong", "type|vague"}


def test_what_is_undone_altogether_leaves_nothing_behind(asking: Project) -> None:
    chance, task = Random(4), Task.objects.filter(project=asking).first()
    assert task is not None
    said = [say(task, one, chance) for one in annotators(asking, "ann", "ben")]
    kept_up(asking)
    assert rows(asking)
    for answer in said:
        undo(answer)
    kept_up(asking)
    assert rows(asking) == []


def test_labels_renamed_by_the_protocol_are_counted_under_their_new_names(asking: Project) -> None:
    chance = Random(5)
    for task in Task.objects.filter(project=asking)[:4]:
        for one in annotators(asking, "ann", "ben"):
            say(task, one, chance)
    kept_up(asking)
    types = [{"name": "false"}, {"name": "vague"}]
    protocols.revise_protocol(
        project=asking, critiques={**CRITIQUES, "types": types}, relabelled={"types": {"wrong": "false"}}
    )
    asking.refresh_from_db()
    kept_up(asking)
    kept = rows(asking)
    assert {row[1] for row in kept} >= {"type|false"} and "type|wrong" not in {row[1] for row in kept}
    assert kept == from_scratch(asking)


def test_a_version_that_renames_nothing_leaves_the_sums_alone(asking: Project) -> None:
    chance = Random(6)
    for one in annotators(asking, "ann", "ben"):
        say(Task.objects.filter(project=asking)[0], one, chance)
    before = kept_up(asking).state
    protocols.revise_protocol(project=asking, guidelines="Look twice.")
    asking.refresh_from_db()
    ids = set(AgreementSum.objects.values_list("pk", flat=True))
    assert kept_up(asking).state.pk == before.pk
    assert set(AgreementSum.objects.values_list("pk", flat=True)) == ids


def test_what_is_committed_late_is_not_missed(asking: Project) -> None:
    chance, task = Random(7), Task.objects.filter(project=asking).first()
    assert task is not None
    ann, ben = annotators(asking, "ann", "ben")
    first = say(task, ann, chance)
    say(task, ben, chance, over=None, pk=first.pk + 20)
    kept_up(asking)
    say(task, annotators(asking, "cat")[0], chance, pk=first.pk + 10)  # its id was drawn before
    kept_up(asking)
    kept = rows(asking)
    assert kept == from_scratch(asking) and any(row[0] == "pairs" and row[4] == 2 for row in kept)


def test_metadata_that_is_corrected_moves_the_items_to_another_slice(asking: Project) -> None:
    chance = Random(8)
    for task in Task.objects.filter(project=asking)[:2]:
        for one in annotators(asking, "ann", "ben"):
            say(task, one, chance)
    kept_up(asking, "metadata.domain")
    assert {row[2] for row in rows(asking, "metadata.domain")} == {"code", "prose"}
    item = Item.objects.filter(project=asking, metadata={"domain": "prose"}).order_by("pk")[0]
    before = changes.states([item.pk])
    Item.objects.filter(pk=item.pk).update(metadata={"domain": "code"})
    changes.note(asking, before, user=None)
    kept_up(asking, "metadata.domain")
    assert {row[2] for row in rows(asking, "metadata.domain")} == {"code"}


def test_a_field_that_tells_everything_apart_is_refused(asking: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SLICES", 1)
    for task in Task.objects.filter(project=asking)[:2]:
        say(task, annotators(asking, "ann")[0], Random(9))
    with pytest.raises(Invalid, match="more than 1 slices"):
        kept_up(asking, "metadata.domain")
    with pytest.raises(Invalid, match="source, or metadata"):
        kept_up(asking, "domain")


def test_rankings_are_summed_too(cast: Cast) -> None:
    project = cast.project
    Project.objects.filter(pk=project.pk).update(kind="ranking")
    project.refresh_from_db()
    pair = make_pairs(project, 1)[0].pair
    task = Task.objects.create(project=project, kind="ranking", item=pair.item, position=0)
    for one, places in zip(annotators(project, "ann", "ben", "bot"), [(1, 2), (1, 2), (2, 1)], strict=True):
        made = Annotation.objects.create(
            project=project, task=task, annotator=one, protocol=project.protocol, event="answer", source="api",
            idempotency_key=f"k{next(KEYS)}",
        )  # fmt: skip
        for response, place in zip((pair.first, pair.second), places, strict=True):
            Rank.objects.create(annotation=made, response=response, rank=place)
    kept_up(project)
    sums = {(row.part, row.n): row.sums for row in AgreementSum.objects.exclude(part="pairs")}
    assert sums == {("people", 1): {"1.000000;1.000000": 1}, ("all", 1): {"0.111111;-0.333333": 1}}


def test_axes_that_an_import_brought_one_by_one_all_count(cast: Cast) -> None:
    (task,) = make_pairs(cast.project, 1)
    for who in annotators(cast.project, "p1", "p2"):
        for axis, value in (("deep", 1), ("clear", -1 if who.name == "p1" else 1)):
            made = Annotation.objects.create(
                project=cast.project, task=task, annotator=who, protocol=cast.project.protocol, event="answer",
                source="import", idempotency_key=f"{axis}{who.name}",
            )  # fmt: skip
            Preference.objects.create(annotation=made, axis=axis, value=value)
    kept_up(cast.project)
    found = AgreementSum.objects.filter(part="people").values_list("label", "sums")
    assert dict(found) == {"axis|deep": {"1=2": 1}, "axis|clear": {"-1=1|1=1": 1}}


def test_sums_from_before_are_forgotten_by_their_migration(asking: Project) -> None:
    say(Task.objects.order_by("pk")[0], *annotators(asking, "p1"), Random(1))
    kept_up(asking)
    import_module("curation.migrations.0025_agreement_anew").forget(apps, None)
    assert not AgreementSum.objects.exists() and not AgreementState.objects.exists()
    assert kept_up(asking).complete and AgreementSum.objects.exists()
