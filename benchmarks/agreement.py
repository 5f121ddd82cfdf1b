"""How long the page of agreement takes: at first, afterwards, and after new answers.

    python -m benchmarks.agreement [--sizes 2000,20000,200000] [--database postgres|sqlite] [--publish]

For each size a database of its own: a fifth as many pairs, each answered by five of 200 annotators (ten of them models)
on an axis and a question, over forty weeks and eight domains. Calls go through Django's test client, so without a
web server: what is timed is the view, its statements and its template. Processor time, in brackets, is that of the
process, without the database; on a busy machine it says more than the clock. `--publish` puts the table into the docs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import databases
from benchmarks.processes import finish

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "agreement.md"
NAME = "touchstone_bench_agreement"
OVERLAP, ANNOTATORS, MODELS, WEEKS = 5, 200, 10, 40
DOMAINS = ("code", "law", "maths", "medicine", "news", "poetry", "talk", "travel")
CALLS = 10
FIELD = "?field=metadata.domain"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--sizes", default="2000,20000,200000", help="annotations, by commas")
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--publish", action="store_true", help="put the table into docs/agreement.md")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.measure)))
        return
    rows = [apart(int(size), asked.database) for size in asked.sizes.split(",")]
    told = table(rows)
    print(told)
    if asked.publish:
        publish(told)


def apart(size: int, kind: str) -> dict[str, Any]:
    """One size in a process and a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = databases.create(kind, Path(folder), NAME)
        try:
            env = {**os.environ, "DATABASE_URL": database.url, "TOUCHSTONE_VAR": folder, "TOUCHSTONE_DEBUG": "0"}
            finish([sys.executable, "manage.py", "migrate", "-v", "0"], log=Path(folder) / "log", env=env)
            command = [sys.executable, "-m", "benchmarks.agreement", "--measure", str(size)]
            done = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
            return {**json.loads(done.stdout.splitlines()[-1]), "database": database.version()}
        finally:
            databases.drop(database)


def measured(size: int) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client

    from curation.models import User

    settings.ALLOWED_HOSTS = ["*"]
    began = spent()
    tasks, annotators = fill(size)
    filled = since(began)
    client = Client()
    client.force_login(User.objects.get(), backend="django.contrib.auth.backends.ModelBackend")

    def call(query: str = "") -> Spent:
        began = spent()
        answer = client.get(f"/projects/bench/agreement/{query}")
        assert answer.status_code == 200, answer.content[:300]
        return since(began)

    def counting(query: str = "") -> list[Spent]:
        from curation.models import AgreementState

        field = query.partition("=")[2]
        found = [call(query)]
        while AgreementState.objects.get(field=field).task is not None:
            found.append(call(query))
        return found

    def after(count: int, seed: int) -> Spent:
        add(tasks, annotators, seed, count)
        return call()

    cold, cold_field = counting(), counting(FIELD)
    warm = [call() for _ in range(CALLS)]
    sliced = [call(f"{FIELD}&slice=law") for _ in range(CALLS)]
    one = [after(1, n) for n in range(CALLS)]
    return {
        "size": size,
        "filled": filled,
        "cold": total(cold),
        "calls": len(cold),
        "slowest": max(cold),
        "cold_field": total(cold_field),
        "warm": median(warm),
        "warm_worst": max(warm),
        "sliced": median(sliced),
        "one": median(one),
        "one_worst": max(one),
        "thousand": after(1000, 99),
        "items": call("items/"),
        "memory": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "load": os.getloadavg()[0] / (os.cpu_count() or 1),
    }


Spent = tuple[float, float]
"""Seconds by the clock, and of the processor."""


def spent() -> Spent:
    return time.monotonic(), time.process_time()


def since(began: Spent) -> Spent:
    now = spent()
    return now[0] - began[0], now[1] - began[1]


def total(some: list[Spent]) -> Spent:
    return sum(one[0] for one in some), sum(one[1] for one in some)


def median(some: list[Spent]) -> Spent:
    return statistics.median(one[0] for one in some), statistics.median(one[1] for one in some)


def fill(size: int) -> tuple[list[Any], list[Any]]:
    from django.utils import timezone

    from curation.models import Annotator, Item, Membership, Pair, Project, Protocol, Response, Task, User

    project = Project.objects.create(slug="bench", name="Bench", overlap=OVERLAP)
    questions = [{"name": "true", "question": "Is it true?"}]
    project.protocol = Protocol.objects.create(project=project, version=1, questions=questions)
    project.save()
    Membership.objects.create(user=User.objects.create_user("olga"), project=project, role="owner")
    kinds = ["model" if n < MODELS else "person" for n in range(ANNOTATORS)]
    annotators = Annotator.objects.bulk_create(
        Annotator(project=project, kind=kind, name=f"a{n:03}") for n, kind in enumerate(kinds)
    )
    chance, now, pairs = Random(1), timezone.now(), size // OVERLAP
    items = Item.objects.bulk_create(
        (
            Item(
                project=project,
                external_id=f"i{n}",
                prompt=[{"role": "user", "content": f"Question {n}?"}],
                metadata={"domain": DOMAINS[n % len(DOMAINS)]},
                prompt_hash=f"{n}",
                content_hash=f"{n}",
            )
            for n in range(pairs)
        ),
        batch_size=5000,
    )
    responses = Response.objects.bulk_create(
        (Response(item=item, position=i, text=f"Answer {i}", text_hash=f"{i}") for item in items for i in range(2)),
        batch_size=5000,
    )
    made = Pair.objects.bulk_create(
        (Pair(item=item, first=responses[2 * n], second=responses[2 * n + 1]) for n, item in enumerate(items)),
        batch_size=5000,
    )
    tasks = Task.objects.bulk_create(
        (Task(project=project, pair=pair, position=n, overlap=OVERLAP) for n, pair in enumerate(made)), batch_size=5000
    )
    answer(project, spread(tasks, annotators, chance, now), chance)
    from curation import bulk
    from curation.models import Annotation, Preference, Verdict

    bulk.refresh_statistics(Annotation, Preference, Verdict, Item, Task, Pair, Response)
    return tasks, annotators


def spread(tasks: list[Any], annotators: list[Any], chance: Random, now: Any) -> Iterator[tuple[Any, Any, Any]]:
    for n, task in enumerate(tasks):
        at = now - timedelta(weeks=WEEKS * (1 - n / len(tasks)))
        for annotator in chance.sample(annotators, OVERLAP):
            yield task, annotator, at


def add(tasks: list[Any], annotators: list[Any], seed: int, count: int) -> None:
    """New answers to some tasks, by annotators at random."""
    from django.utils import timezone

    chance = Random(seed)
    chosen = [(task, chance.choice(annotators), timezone.now()) for task in chance.choices(tasks, k=count)]
    answer(tasks[0].project, iter(chosen), chance)


def answer(project: Any, said: Iterator[tuple[Any, Any, Any]], chance: Random) -> None:
    from curation.models import Annotation, Preference, Verdict

    while chunk := list(islice(said, 10_000)):
        rows = Annotation.objects.bulk_create(
            Annotation(
                project=project,
                task=task,
                annotator=annotator,
                protocol=project.protocol,
                event="answer",
                source="api",
                idempotency_key=str(chance.getrandbits(64)),
                created_at=at,
            )
            for task, annotator, at in chunk
        )
        truths = [Random(task.pk).choice([-2, -1, 0, 1, 2]) for task, _, _ in chunk]
        Preference.objects.bulk_create(
            Preference(
                annotation=row,
                axis="overall",
                value=truth if chance.random() < 0.7 else chance.choice([-2, -1, 0, 1, 2]),
            )
            for row, truth in zip(rows, truths, strict=True)
        )
        Verdict.objects.bulk_create(
            Verdict(
                annotation=row,
                response_id=task.pair.first_id,
                question="true",
                answer=truth > 0 or chance.random() < 0.8,
            )
            for row, truth, (task, _, _) in zip(rows, truths, chunk, strict=True)
        )


def table(rows: list[dict[str, Any]]) -> str:
    lines = {
        "Counted at first, all calls together": "cold",
        "… in so many calls": "calls",
        "… the slowest of them": "slowest",
        "Counted at first by a field": "cold_field",
        "Page, nothing new: median of ten": "warm",
        "… the slowest": "warm_worst",
        "Page of one slice: median of ten": "sliced",
        "Page after one new answer: median of ten": "one",
        "… the slowest ": "one_worst",
        "Page after 1 000 new answers": "thousand",
        "Disputed items": "items",
        "Peak memory of the process, MB": "memory",
    }
    head = ["Annotations", *(f"{row['size']:,}".replace(",", " ") for row in rows)]
    load = max(row["load"] for row in rows)
    told = [
        f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores, {rows[0]['database']}, Python "
        f"{sys.version.split()[0]}; {load:.1f} processes a core wanted to run. Seconds (of the processor).",
        "",
    ]
    told += ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(rows)]
    for name, key in lines.items():
        told.append("| " + " | ".join([name.strip(), *(cell(row[key]) for row in rows)]) + " |")
    return "\n".join(told)


def cell(value: Any) -> str:
    return f"{value[0]:.2f} ({value[1]:.2f})" if isinstance(value, list) else str(value)


def publish(told: str) -> None:
    begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"
    text = DOCS.read_text()
    before, _, rest = text.partition(begin)
    DOCS.write_text(f"{before}{begin}\n\n{told}\n\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
