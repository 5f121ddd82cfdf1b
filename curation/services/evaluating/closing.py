"""The end of an evaluation: its scores with intervals as a row, what they are made of as a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
from django.db import transaction

from curation.models import Evaluation, Run, Shard
from curation.services.evaluating.asking import EvaluateParams, benchmark_of
from curation.services.evaluating.gathering import gathered, keep
from curation.services.running import Report
from workers.benchmarking import Benchmark, Result, evaluated

RESULTS = "results.jsonl"


def close(run: Run, params: EvaluateParams, report: Report) -> dict[str, Any]:
    """Score what was judged. Of a run with shards set aside there is no score: what is left would not be a sample."""
    if Shard.objects.filter(run=run, state=Shard.State.FAILED).exists():
        return {"judged": sum(len(rows) for rows in judged(run))}
    benchmark = benchmark_of(params)
    made = Evaluation.objects.filter(run=run).first() or score(run, params, benchmark)
    figure = made.figure
    shown = {"benchmark": benchmark.title, made.main: figure["value"], "low": figure["low"], "high": figure["high"]}
    cut = sum(one["truncated"] for one in rows_of(made))
    return {**shown, "cases": made.n, "of": made.total, "cut off": cut, "evaluation": made.pk}


def judged(run: Run) -> Iterator[list[dict[str, Any]]]:
    """The rows of each shard, in the order of the cases."""
    shards = Shard.objects.filter(run=run, state=Shard.State.DONE).order_by("spec__from", "number")
    for result in shards.values_list("result", flat=True).iterator(chunk_size=20):
        yield result.get("rows", [])


def score(run: Run, params: EvaluateParams, benchmark: Benchmark) -> Evaluation:
    """The evaluation of a run, once; its rows go from the shards into a file of the run."""
    assert run.model is not None
    facts = gathered(run, params)
    rows = [row for some in judged(run) for row in some]
    scores = evaluated(benchmark, [Result(**row) for row in rows], run.seed)
    data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    keep(run.folder / RESULTS, data)
    source = {
        **facts["source"],
        "cases": facts["sha256"],
        "results": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
    with transaction.atomic():
        for pk, result in Shard.objects.filter(run=run, state=Shard.State.DONE).values_list("pk", "result"):
            kept = {name: value for name, value in result.items() if name != "rows"}
            Shard.objects.filter(pk=pk).update(result=kept)
        return Evaluation.objects.create(
            model=run.model,
            benchmark=benchmark.name,
            project=None if benchmark.read else run.home,
            axis="" if benchmark.read else params.axis,
            run=run,
            scores=scores,
            main=benchmark.main,
            value=scores[benchmark.main]["value"],
            n=len(rows),
            total=facts["total"],
            source=source,
        )


def rows_of(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """What the model said of each case; none where the run's folder is not on this machine."""
    path = evaluation.run.folder / RESULTS
    if path.exists():
        with path.open("rb") as lines:
            for line in lines:
                yield orjson.loads(line)
