"""How long a run of `decide` takes in a project of many answers, from reading them to the last row.

    DATABASE_URL=… python -m benchmarks.deciding [--answers 200000] [--annotators 200] [--overlap 5] [--methods mace,…]

Makes a project of its own in a database that is migrated, with five answers a pair by annotators of known quality, and
leaves it there. Says seconds of the processor, seconds by the clock and the most memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import uuid
from random import Random

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
django.setup()

from curation.models import (  # noqa: E402
    Annotation,
    Annotator,
    Decision,
    Item,
    Pair,
    Preference,
    Project,
    Protocol,
    Response,
    Task,
    queue_position,
)
from curation.services import running, starting  # noqa: E402

AT_ONCE = 5000


def fill(answers: int, annotators: int, overlap: int) -> tuple[Project, dict[int, int]]:
    """The project, and the true side of each task: -1 or 1."""
    chance, slug = Random(1), f"deciding-{uuid.uuid4().hex[:8]}"
    project = Project.objects.create(slug=slug, name=slug, overlap=overlap)
    project.protocol = Protocol.objects.create(project=project, version=1)
    project.save()
    people = Annotator.objects.bulk_create(
        Annotator(project=project, kind="person", name=f"p{n}") for n in range(annotators)
    )
    skill = {one.pk: chance.uniform(0.5, 0.95) for one in people}
    count = answers // overlap
    same = {"project": project, "prompt": [{"role": "user", "content": "?"}]}
    items = Item.objects.bulk_create(
        [Item(external_id=f"i{n}", prompt_hash=f"{n}", content_hash=f"{n}", **same) for n in range(count)], AT_ONCE
    )
    responses = Response.objects.bulk_create(
        [Response(item=item, position=n, text=f"{n}", text_hash=f"{n}") for item in items for n in (0, 1)], AT_ONCE
    )
    pairs = Pair.objects.bulk_create(
        [Pair(item=item, first=responses[2 * n], second=responses[2 * n + 1]) for n, item in enumerate(items)], AT_ONCE
    )
    tasks = Task.objects.bulk_create(
        [
            Task(project=project, pair=pair, position=queue_position(0, n), overlap=overlap)
            for n, pair in enumerate(pairs)
        ],
        AT_ONCE,
    )
    truth = {task.pk: chance.choice((-1, 1)) for task in tasks}
    said = [(task, who) for task in tasks for who in chance.sample(people, overlap)]
    for at in range(0, len(said), AT_ONCE):
        answer(project, said[at : at + AT_ONCE], truth, skill, chance)
    return project, truth


def answer(
    project: Project, said: list[tuple[Task, Annotator]], truth: dict[int, int], skill: dict[int, float], chance: Random
) -> None:
    made = Annotation.objects.bulk_create(
        Annotation(
            project=project,
            task=task,
            annotator=who,
            protocol=project.protocol,
            event="answer",
            source="api",
            idempotency_key=f"{task.pk}",
        )
        for task, who in said
    )
    Preference.objects.bulk_create(
        Preference(
            annotation=one,
            axis="overall",
            value=truth[task.pk] * (1 if chance.random() < skill[who.pk] else -1),
        )
        for one, (task, who) in zip(made, said, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200_000)
    parser.add_argument("--annotators", type=int, default=200)
    parser.add_argument("--overlap", type=int, default=5)
    parser.add_argument("--methods", default="majority,dawid_skene,mace,noisy_bt")
    told = parser.parse_args()
    project, truth = fill(told.answers, told.annotators, told.overlap)
    print("| method | decisions | right | processor, s | clock, s | most memory, MB |\n|---|---:|---:|---:|---:|---:|")
    for method in told.methods.split(","):
        began, clock = time.process_time(), time.monotonic()
        run = starting.start(project=project, method="decide", params={"method": method}, user=None)
        running.execute(str(run.pk))
        running.wait(str(run.pk))
        run.refresh_from_db()
        spent, passed = time.process_time() - began, time.monotonic() - clock
        rows = Decision.objects.filter(run=run).values_list("task_id", "outcome")
        right = [
            truth[task] == (-1 if outcome == "first" else 1) for task, outcome in rows.iterator(chunk_size=AT_ONCE)
        ]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        share = sum(right) / max(1, len(right))
        print(f"| {method} | {len(right):,} | {share:.3f} | {spent:.0f} | {passed:.0f} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
