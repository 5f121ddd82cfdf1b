"""The pairs that gates are measured on, into a database and a Parquet file; and the runs over them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import connection, transaction
from django.utils import timezone

from benchmarks import data
from curation import bulk
from curation.models import (
    Annotation,
    Annotator,
    Embedding,
    Item,
    ModelVersion,
    Pair,
    Preference,
    Project,
    Proposal,
    Protocol,
    Response,
    Run,
    Score,
    Task,
)
from curation.services import freezing, running, starting

SLUG = "gates"
AT_ONCE = 5000
PROTECTED = 3000
EVERY = {"copied": (50, 7), "changed": (50, 13), "protected": (100, 29)}
"""Of every so many pairs the one at this place is planted."""
STREAM = 2_000_000
DIMENSIONS = 64
"""Of the vector of a response: drawn, and of a planted pair near those of the pair that it copies."""


class Made(NamedTuple):
    number: int
    prompt: str
    first: str
    second: str
    value: int
    scores: tuple[float, float, float, float]
    """Of the first and the second response by the gold model, then by the best."""
    planted: str
    vectors: Any
    """Of the first and the second response, float16."""


def pairs(count: int, guarded: Sequence[str], seed: int) -> Iterator[Made]:
    """Pairs one after the other; what is planted copies a pair a few places before."""
    dice = random.Random(seed)
    words = data.stream(dice, STREAM)
    numbers = np.random.default_rng(seed)
    drawn: list[Made] = []
    for number in range(count):
        kind = next((name for name, (every, place) in EVERY.items() if number % every == place), "")
        texts = tuple(data.text(dice, words, mean) for mean in (data.PROMPT_WORDS, *[data.RESPONSE_WORDS] * 2))
        if kind == "copied":
            texts = drawn[-5][1:4]
        elif kind == "changed":
            texts = tuple(changed(text, dice, words) for text in drawn[-5][1:4])
        elif kind == "protected":
            said = dice.choice(guarded).split()
            start = dice.randrange(max(1, len(said) - 20))
            texts = (f"{texts[0]} {' '.join(said[start : start + 20])}", *texts[1:])
        prompt, first, second = texts
        vectors = numbers.standard_normal((2, DIMENSIONS))
        if kind in ("copied", "changed"):
            vectors = drawn[-5].vectors + 0.1 * vectors
        value = drawn[-5].value if kind in ("copied", "changed") else dice.choice((-2, -1, 1, 2))
        truth = value if dice.random() < 0.85 else -value
        gaps = [truth + dice.gauss(0, 1.2) for _ in range(2)]
        scores = tuple(side for gap in gaps for side in (-gap / 2, gap / 2))
        drawn = [*drawn[-5:], Made(number, prompt, first, second, value, scores, kind, vectors.astype("<f2"))]  # type: ignore[arg-type]
        yield drawn[-1]


def changed(text: str, dice: random.Random, words: Sequence[str]) -> str:
    """One word of twenty is another."""
    said = text.split(" ")
    for place in dice.sample(range(len(said)), max(1, len(said) // 20)):
        said[place] = dice.choice(words)
    return " ".join(said)


def fill(folder: Path, count: int, seed: int) -> dict[str, int]:
    """A project of so many decided pairs, the same pairs as Parquet, and a protected set; how many were planted."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    dice = random.Random(seed + 1)
    others = data.stream(dice)
    guarded = [data.text(dice, others, data.PROMPT_WORDS) for _ in range(PROTECTED)]
    bench = folder / "benchmarks" / "planted"
    bench.mkdir(parents=True)
    (bench / "test.jsonl").write_bytes(b"\n".join(orjson.dumps({"prompt": text}) for text in guarded))
    project = Project.objects.create(slug=SLUG, name="Gates", item_count=count, task_count=count)
    project.protocol = Protocol.objects.create(project=project, version=1)
    project.save()
    person = Annotator.objects.create(project=project, kind="person", name="p")
    models = [
        ModelVersion.objects.create(name=name, kind="reward", reference="program:length", state="ready")
        for name in ("gold", "best")
    ]
    models.append(ModelVersion.objects.create(name="near", kind="embedder", reference="program:near", state="ready"))
    planted: Counter[str] = Counter()
    source = pairs(count, guarded, seed)
    schema = pa.schema([(name, pa.string()) for name in ("prompt", "first", "second")] + [("value", pa.int64())] + [
        (f"{model}_{side}", pa.float64()) for model in ("gold", "best") for side in ("chosen", "rejected")
    ])  # fmt: skip
    with pq.ParquetWriter(folder / "pairs.parquet", schema, compression="zstd", compression_level=1) as file:
        while some := list(islice(source, AT_ONCE)):
            planted.update(one.planted for one in some if one.planted)
            file.write_table(pa.Table.from_pylist([flat(one) for one in some], schema))
            with transaction.atomic():
                store(project, person, models, some)
    with connection.cursor() as cursor:
        for model in (Item, Response, Pair, Task, Annotation, Preference, Score, Embedding):
            table = model._meta.db_table
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))")
        cursor.execute("VACUUM ANALYZE")
    return dict(planted)


def flat(one: Made) -> dict[str, Any]:
    first, second, other, another = one.scores
    sides = (first, second, other, another) if one.value < 0 else (second, first, another, other)
    names = ("gold_chosen", "gold_rejected", "best_chosen", "best_rejected")
    return {"prompt": one.prompt, "first": one.first, "second": one.second, "value": one.value} | dict(
        zip(names, sides, strict=True)
    )


def store(project: Project, person: Annotator, models: Sequence[ModelVersion], some: Sequence[Made]) -> None:
    """Rows of a block; everything about pair n has the number n + 1, its responses 2 n + 1 and 2 n + 2."""
    copied(Item, {"project_id": project.pk}, (
        {"id": n + 1, "external_id": f"{planted or 'plain'}-{n}", "prompt": said(prompt), "prompt_hash": hashed(prompt),
         "content_hash": str(n)} for n, prompt, *_, planted, _ in some
    ))  # fmt: skip
    copied(Response, {}, (
        {"id": 2 * one.number + 1 + place, "item_id": one.number + 1, "position": place, "text": text,
         "text_hash": hashed(text)} for one in some for place, text in enumerate((one.first, one.second))
    ))  # fmt: skip
    copied(Pair, {}, (
        {"id": n + 1, "item_id": n + 1, "first_id": 2 * n + 1, "second_id": 2 * n + 2} for n, *_ in some
    ))  # fmt: skip
    task: dict[str, Any] = {"project_id": project.pk, "kind": "preference", "state": "complete", "taken": 1, "done": 1}
    copied(Task, task, ({"id": n + 1, "pair_id": n + 1, "position": n + 1} for n, *_ in some))
    answer: dict[str, Any] = {"project_id": project.pk, "annotator_id": person.pk, "protocol_id": project.protocol_id}
    answer |= {"event": "answer", "source": "api"}
    copied(Annotation, answer, ({"id": n + 1, "task_id": n + 1, "idempotency_key": str(n)} for n, *_ in some))
    copied(Preference, {"axis": "overall"}, (
        {"id": one.number + 1, "annotation_id": one.number + 1, "value": one.value} for one in some
    ))  # fmt: skip
    copied(Score, {}, (
        {"id": 4 * one.number + place + 1, "model_id": models[place // 2].pk,
         "response_id": 2 * one.number + 1 + place % 2, "value": value}
        for one in some for place, value in enumerate(one.scores)
    ))  # fmt: skip
    copied(Embedding, {"model_id": models[-1].pk}, (
        {"id": 2 * one.number + 1 + place, "item_id": one.number + 1, "response_id": 2 * one.number + 1 + place,
         "vector": vector.tobytes()} for one in some for place, vector in enumerate(one.vectors)
    ))  # fmt: skip


def copied(model: Any, fixed: dict[str, Any], rows: Iterator[dict[str, Any]]) -> None:
    """Rows by COPY, with the model's own defaults for what they do not say; what the database has a default for is
    left to it."""
    first = next(rows, None)
    if first is None:
        return
    now, rest = timezone.now(), dict[str, Any]()
    for field in model._meta.concrete_fields:
        if (field.has_db_default() or field.primary_key) and not {field.attname} & (fixed.keys() | first.keys()):
            continue
        value = fixed.get(field.attname, now if field.name == "created_at" else field.get_default())
        rest[field.attname] = orjson.dumps(value).decode() if isinstance(value, dict | list) else value
    names = list(rest)
    bulk.insert(model, names, ([{**rest, **row}[name] for name in names] for row in chain([first], rows)))


def said(prompt: str) -> str:
    return orjson.dumps([{"role": "user", "content": prompt}]).decode()


def hashed(text: str) -> str:
    from workers.duplicates import digest

    return digest(text).hex()


# --- The gates --------------------------------------------------------------------------------------


def curate(gate: str) -> dict[str, Any]:
    """A curator over all pairs, everything that it proposes accepted; how much it found, and how much was planted."""
    gold, best, near = ModelVersion.objects.order_by("pk")
    curator, settings, planted = {
        "exact": ("duplicates", {}, "copied"),
        "minhash": ("duplicates", {"by": "minhash"}, "changed"),
        "neighbours": ("neighbours", {"embedder": near.pk}, "changed"),
        "ngram": ("decontaminate", {"against": ["planted"], "containment": 0}, "protected"),
        "margin": ("margin", {"model": gold.pk, "below": 0.0, "action": "drop"}, ""),
        "consistency": ("consistency", {"model": gold.pk, "second": best.pk}, ""),
    }[gate]
    params = {"curator": curator, "settings": settings, "accept": True}
    run = done("curate", params)
    found = Proposal.objects.filter(run=run)
    right = found.filter(item__external_id__startswith=f"{planted}-").count() if planted else 0
    return {"found": found.count(), "right": right}


def freeze() -> dict[str, Any]:
    """A version that follows everything that was accepted."""
    project = Project.objects.get(slug=SLUG)
    runs = Run.objects.filter(project=project, method="curate", state="succeeded").order_by("created_at")
    curated = [str(run.pk) for run in runs if Proposal.objects.filter(run=run).exists()]
    version = freezing.request_version(project=project, dataset_name="gates", filters={"curated": curated})
    finish(str(version.run_id))
    version.refresh_from_db()
    return {"found": version.counts["total"], "right": 0}


def done(method: str, params: dict[str, Any]) -> Run:
    run = starting.start(project=Project.objects.get(slug=SLUG), method=method, params=params, user=None)
    finish(str(run.pk))
    return Run.objects.get(pk=run.pk)


def finish(run: str) -> None:
    running.execute(run)
    running.wait(run)
    found = Run.objects.get(pk=run)
    assert found.state == Run.State.SUCCEEDED, found.error
