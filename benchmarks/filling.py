"""Run beside the product: fill a project as years of work would, and print where its lists are deep, as JSON.

python -m benchmarks.filling SLUG PAIRS

On each tenth pair a model said something: a critique, a verdict and two scores. For each hundred pairs there is a run
and a delivery of a webhook, for each thousand a member with a month of answers counted and a model version, for each
ten thousand a dataset with ten versions.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
django.setup()

from django.apps import apps  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import Max, Min  # noqa: E402
from django.utils import timezone  # noqa: E402

from curation import bulk  # noqa: E402
from curation.models import (  # noqa: E402
    Annotation,
    Annotator,
    Critique,
    CrowdLink,
    Dataset,
    DatasetVersion,
    Delivery,
    Item,
    Membership,
    ModelVersion,
    Progress,
    Project,
    Reliability,
    Role,
    Run,
    RunLine,
    Score,
    Tally,
    User,
    Verdict,
    Webhook,
)
from curation.services import fits  # noqa: E402
from curation.services.reading import stream  # noqa: E402

DAYS, OUTCOMES = 30, ("-2", "-1", "0", "1", "2")
DEEP = 0.9
"""How far into a list its deep page begins."""
VERSIONS = 10
SAID = "SELECT t.id, p.first_id, p.second_id FROM curation_task t JOIN curation_pair p ON p.id = t.pair_id"
ANSWER = (
    "id", "project_id", "task_id", "annotator_id", "protocol_id", "event", "source", "order", "rationale", "reason",
    "counted", "idempotency_key", "created_at",
)  # fmt: skip
CRITIQUE = (
    "annotation_id", "response_id", "message", "unit", "quote", "type", "severity", "comment", "omission", "review",
)  # fmt: skip
VERDICT = ("annotation_id", "response_id", "question", "answer", "comment", "review")
SCORE = ("model_id", "response_id", "head", "value", "tokens", "truncated", "created_at")


def fill(slug: str, pairs: int) -> dict[str, str]:
    """Everything; the cursors and keys of deep pages."""
    project = Project.objects.get(slug=slug)
    with transaction.atomic():
        models = versions_of_models(max(60, pairs // 1000))
        said(project, models[0])
        people(project, max(60, pairs // 1000))
        fitted(project)
        run = work(project, max(60, pairs // 100))
        webhook = told(project, max(60, pairs // 100))
        datasets(project, max(2, pairs // 10_000), run)
        link = CrowdLink.objects.create(
            project=project, name="crowd", digest=uuid.uuid4().hex, quota=10, most_people=10, expires_at=timezone.now()
        )
    bulk.refresh_statistics(Annotation, Critique, Verdict, Score, Run, RunLine, Delivery, Tally, Membership, Progress)
    return deep(project, webhook, link)


def versions_of_models(count: int) -> list[int]:
    made = ModelVersion.objects.bulk_create(
        ModelVersion(name=f"length-{uuid.uuid4().hex[:12]}", kind="reward", reference="program:length", state="ready")
        for _ in range(count)
    )
    return [one.pk for one in made]


def said(project: Project, model: int) -> None:
    """What a model said of every tenth pair, as a suggestion, and its scores of both responses."""
    now: Any = bulk.moment(timezone.now())
    critic = Annotator.objects.create(project=project, kind=Annotator.Kind.MODEL, name="critic")
    on = list(stream(f"{SAID} WHERE t.project_id = %s AND t.id %% 10 = 0 ORDER BY t.id", [project.pk]))
    ids = bulk.allocate_ids(Annotation, len(on))
    common = (critic.pk, project.protocol_id, "answer", "api", "", "", "", True)
    answers = ((pk, project.pk, task, *common, f"said-{task}", now) for pk, (task, _, _) in zip(ids, on, strict=True))
    bulk.insert(Annotation, ANSWER, answers)
    firsts = [(pk, first) for pk, (_, first, _) in zip(ids, on, strict=True)]
    words = "Says the same thing twice; the second half can go."
    bulk.insert(
        Critique, CRITIQUE, ((pk, one, 0, "response", "", "style", "minor", words, False, "") for pk, one in firsts)
    )
    bulk.insert(Verdict, VERDICT, ((pk, one, "correct", "true", "", "") for pk, one in firsts))
    both: Iterator[int] = (one for _, *pair in on for one in pair)
    bulk.insert(Score, SCORE, ((model, one, "", (one % 97) / 97, 200, False, now) for one in both))


def people(project: Project, count: int) -> None:
    """Members with a month of counted answers."""
    today, started = timezone.now().date(), project.pk
    users = [User(username=f"member-{started}-{n:05d}", password="!") for n in range(count)]
    users = User.objects.bulk_create(users)
    Membership.objects.bulk_create(Membership(user=user, project=project, role=Role.ANNOTATOR) for user in users)
    annotators = Annotator.objects.bulk_create(
        Annotator(project=project, kind="person", name=f"@{user.username}", user=user) for user in users
    )
    Progress.objects.bulk_create(
        Progress(project=project, annotator=one, done=10 + n % 500, last_at=timezone.now())
        for n, one in enumerate(annotators)
    )
    bulk.insert(
        Tally,
        ("project_id", "annotator_id", "day", "axis", "outcome", "count"),
        (
            (project.pk, one.pk, (today - timedelta(days=day)).isoformat(), "overall", outcome, 1 + one.pk % 7)
            for one in annotators
            for day in range(DAYS)
            for outcome in OUTCOMES
        ),
    )


def fitted(project: Project) -> None:
    """A fit in use that says of every member how reliable they are."""
    now = timezone.now()
    run = Run.objects.create(project=project, method="decide", state=Run.State.SUCCEEDED, started_at=now, ended_at=now)
    rows = Annotator.objects.filter(project=project, kind=Annotator.Kind.PERSON)
    Reliability.objects.bulk_create(
        (Reliability(project=project, run=run, annotator=one, value=0.8, low=0.7, high=0.9, n=100) for one in rows),
        batch_size=1000,
    )
    fits.adopt(project, run)


def work(project: Project, count: int) -> Run:
    """Runs that ended, the latest, which is given back, with a long log."""
    now = timezone.now()
    runs = Run.objects.bulk_create(
        [
            Run(
                project=project,
                method="calibrate",
                state=Run.State.SUCCEEDED,
                created_at=now - timedelta(minutes=n + 1),
                started_at=now - timedelta(minutes=n + 1),
                ended_at=now - timedelta(minutes=n),
            )
            for n in range(count)
        ],
        batch_size=1000,
    )
    RunLine.objects.bulk_create([RunLine(run=runs[0], text=f"line {n}") for n in range(count)], batch_size=1000)
    return runs[0]


def told(project: Project, count: int) -> Webhook:
    """A webhook with deliveries that arrived; it is paused, so that nothing goes out."""
    webhook = Webhook.objects.create(
        project=project, url="https://example.org/", events=["task.completed"], secret="whsec_none", active=False
    )
    Delivery.objects.bulk_create(
        (
            Delivery(
                webhook=webhook, event="task.completed", payload={"task": n}, state="delivered", attempts=1, status=200
            )
            for n in range(count)
        ),
        batch_size=1000,
    )
    return webhook


def datasets(project: Project, count: int, run: Run) -> None:
    """Datasets with versions that failed: none has files."""
    made = Dataset.objects.bulk_create(
        Dataset(project=project, name=f"old-{n:04d}", last_number=VERSIONS) for n in range(count)
    )
    DatasetVersion.objects.bulk_create(
        DatasetVersion(dataset=one, number=n + 1, target="trl-preference", state="failed", run=run)
        for one in made
        for n in range(VERSIONS)
    )


def deep(project: Project, webhook: Webhook, link: CrowdLink) -> dict[str, str]:
    """By list of the API or page, the query of a page far behind the first; what the addresses need."""
    item = far(Item.objects.filter(project=project))
    annotation = far(Annotation.objects.filter(project=project))
    critique = far(Critique.objects.filter(annotation__project=project))
    verdict = far(Verdict.objects.filter(annotation__project=project))
    delivery = far(Delivery.objects.filter(webhook=webhook))
    model, member = far(ModelVersion.objects.all()), far(Membership.objects.filter(project=project))
    task = far(project.tasks.all())
    runs = Run.objects.filter(project=project).order_by("-created_at")
    run = runs[int(DEEP * runs.count())]
    said_at = Critique.objects.filter(pk__gte=critique, annotation__project=project).order_by("pk")[0].annotation_id
    judged_at = Verdict.objects.filter(pk__gte=verdict, annotation__project=project).order_by("pk")[0].annotation_id
    micros = int(run.created_at.timestamp() * 1_000_000)
    first = DatasetVersion.objects.filter(dataset__project=project, state="ready").select_related("dataset").first()
    name, number = (first.dataset.name, first.number) if first else ("old-0000", 1)
    return {
        "webhook": str(webhook.pk),
        "item": str(Item.objects.filter(project=project, pk__gte=item).order_by("pk")[0].pk),
        "run": str(runs[0].pk),
        "task": str(project.tasks.filter(pk__gte=task).order_by("pk")[0].pk),
        "link": str(link.pk),
        "dataset": name,
        "number": str(number),
        "list_items": f"cursor={item}",
        "list_scores": f"cursor={item}",
        "list_annotations": f"cursor={annotation}",
        "list_decisions": f"cursor={task}",
        "list_critiques": f"cursor={said_at}-{critique}",
        "list_verdicts": f"cursor={judged_at}-{verdict}",
        "list_runs": f"cursor={micros}-{run.pk}",
        "list_deliveries": f"cursor={delivery}",
        "list_models": f"cursor={model}",
        "list_members": f"cursor={member}",
        "items": f"after={item}",
        "runs": f"before={run.created_at.isoformat().replace('+', '%2B')}",
        "model": str(model),
        "models": f"before={ModelVersion.objects.aggregate(n=Max('pk'))['n'] - model + 1}",
        "webhook page": f"before={delivery}",
    }


def far(rows: Any) -> int:
    """An id nine tenths into those of the rows: the rows themselves are not counted."""
    ends = rows.aggregate(first=Min("pk"), last=Max("pk"))
    return int(ends["first"] + DEEP * (ends["last"] - ends["first"]))


if __name__ == "__main__":
    deep_places = fill(sys.argv[1], int(sys.argv[2]))
    bulk.refresh_statistics(*apps.get_app_config("curation").get_models())  # as autovacuum does where it is on
    print(json.dumps(deep_places))
    connection.close()
