"""Runs that are disturbed: their items, and what their rows must be at the end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.utils import timezone

from curation.models import Item, ModelVersion, Project, Response, Run, Score
from curation.services import starting


def fill(project: Project, count: int) -> None:
    """`count` items with two responses each, of other lengths."""
    items = Item.objects.bulk_create(
        Item(
            project=project,
            external_id=f"i{n}",
            prompt=[{"role": "user", "content": f"Question {n}?"}],
            prompt_hash=f"p{n}",
            content_hash=f"c{n}",
        )
        for n in range(count)
    )
    Response.objects.bulk_create(
        Response(item=item, position=i, text="word " * (1 + (7 * n + i) % 40), model=f"m{i}", text_hash=f"{n}.{i}")
        for n, item in enumerate(items)
        for i in range(2)
    )


def score(project: Project, program: str, **params: Any) -> Run:
    """A run that scores every response; waiting already so long that a sweeper takes it up without being told."""
    model = ModelVersion.objects.create(name=program, kind="reward", reference=f"program:{program}", state="ready")
    run = starting.start(project=project, method="score", params={"model": model.pk, **params}, user=None, queue="cpu")
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(seconds=10))
    return run


def scores(run: Run) -> Counter[tuple[int, float]]:
    """The rows of its model, each with how often it is there."""
    return Counter(Score.objects.filter(model=run.model).values_list("response_id", "value"))


def undisturbed(project: Project) -> Counter[tuple[int, float]]:
    """The rows of a run of the same program that nothing disturbs, done in this process."""
    from tests.sharded import through

    run = through(score(project, "length", items_per_shard=1000))
    assert run.state == "succeeded", run.error
    return scores(run)
