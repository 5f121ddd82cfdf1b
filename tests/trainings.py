"""A training that has ended, as its run leaves it: parameters, curves, held-out rows; without training anything."""

from __future__ import annotations

from typing import Any

from curation.models import Item, ModelVersion, Project, Run, Task, TrainingPoint, User
from workers.held_out import Ranked, keep, summed


def a_training(project: Project, user: User, *, name: str = "liked", seed: int = 0, steps: int = 30) -> Run:
    """Every second held-out row is ranked right, the first the most wrongly."""
    params = {"dataset": "prefs@1", "base": None, "name": name, "epochs": 1.0, "learning_rate": 3e-5}
    run = Run.objects.create(
        project=project, method="train-bradley-terry", params=params, created_by=user, seed=seed, unit="steps",
        state="succeeded", done=steps, total=steps,
    )  # fmt: skip
    TrainingPoint.objects.bulk_create(
        TrainingPoint(run=run, step=step, values=values(step, steps)) for step in range(1, steps + 1)
    )
    tasks = Task.objects.filter(project=project, pair__isnull=False).select_related("pair__item").order_by("pk")
    rows = [row(n, task.pair.item, task) for n, task in enumerate(tasks) if task.pair]
    run.folder.mkdir(parents=True, exist_ok=True)
    keep(run.folder, rows)
    made = ModelVersion.objects.create(
        name="liked", number=seed + 1, kind="reward", reference=f"run:{run.pk}", state="ready", project=project,
        made_by=run,
    )  # fmt: skip
    run.result = {"model": made.pk, "name": str(made), "steps": steps, "loss": 0.41, "pairs": 90, **summed(rows)}
    run.save()
    return run


def values(step: int, steps: int) -> dict[str, Any]:
    told = {"loss": 0.7 - 0.4 * step / steps, "accuracy": 0.5 + 0.4 * step / steps, "margin": step / 10}
    told |= {"learning_rate": 3e-5 * (1 - step / steps), "gradient_layer_0": 1.0, "gradient_layer_1": 2.0}
    return told | ({"held_out_accuracy": 0.7} if step % 10 == 0 else {})


def row(number: int, item: Item, task: Task) -> Ranked:
    margin = 1.0 if number % 2 else -3.0 + number / 10
    return Ranked(
        "test", number, item.external_id, margin, 0.0, (8 + 3 * number, 12), strength=1 + number % 3,
        confidence=(1.0, 0.8)[number % 2], task=task.pk,
    )  # fmt: skip
