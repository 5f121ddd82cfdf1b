"""The cases of an evaluation as a file of its run: written once, so that all shards and attempts see the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import orjson
from django.conf import settings

from curation.errors import Conflict
from curation.models import ModelVersion, Run
from curation.services.evaluating import own
from curation.services.evaluating.asking import EvaluateParams, benchmark_of
from curation.services.method import Piece
from workers import benchmark_files
from workers.benchmark_files import Table
from workers.benchmarking import Benchmark, Case
from workers.judging import Unusable

CASES, FACTS = "cases.jsonl", "cases.json"
RESPONSES = {"cpu": 256, "gpu": 2048}
"""Responses in a shard, by queue: about a minute of work."""
QUESTIONS = 16
"""Cases in a shard of a critic."""


def plan(run: Run, params: EvaluateParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Ranges of lines of the file of cases, from where the last one ended. Raises Conflict where there are none."""
    facts = gathered(run, params)
    size = params.cases_per_shard or size_of(run, facts["responses"])
    for first in range(after["to"] if after else 0, facts["n"], size):
        to = min(first + size, facts["n"])
        yield Piece({"from": first, "to": to}, to - first)


def size_of(run: Run, responses: int) -> int:
    if run.model is not None and run.model.kind == ModelVersion.Kind.CRITIC:
        return QUESTIONS
    return max(1, RESPONSES.get(run.queue, RESPONSES["cpu"]) // responses)


def gathered(run: Run, params: EvaluateParams) -> dict[str, Any]:
    """What there is to judge: n cases of total, the most responses of one, where they are from, their digest."""
    facts = run.folder / FACTS
    if facts.exists():
        found: dict[str, Any] = orjson.loads(facts.read_bytes())
        return found
    run.folder.mkdir(parents=True, exist_ok=True)
    benchmark = benchmark_of(params)
    try:
        cases, source = found_cases(run, params, benchmark)
        told = written(run.folder / CASES, drawn(cases, params.limit, run.seed))
    except Unusable as error:
        raise Conflict(str(error)) from None
    if not told["n"]:
        own_words = "no pair is gold here yet" if params.labels == "gold" else "people have decided no pair here yet"
        raise Conflict(own_words if benchmark.read is None else "there is no case")
    told["source"] = source
    keep(facts, orjson.dumps(told))
    return told


def found_cases(run: Run, params: EvaluateParams, benchmark: Benchmark) -> tuple[Iterable[Case], dict[str, Any]]:
    if benchmark.read is None:
        if params.labels == "gold":
            return own.golden(run, params.axis), {"from": "project", "labels": "gold"}
        return own.pairs(run, params.axis), {"from": "project"}
    tables, source = tables_for(benchmark, params.source)
    return benchmark_files.cases(benchmark, tables), source


def tables_for(benchmark: Benchmark, wanted: str) -> tuple[list[Table], dict[str, Any]]:
    where = Path(settings.BENCHMARKS) if settings.BENCHMARKS and wanted != "hub" else None
    if wanted == "files" and (where is None or not (where / benchmark.name).is_dir()):
        raise Conflict(f"there is no folder {benchmark.name} in TOUCHSTONE_BENCHMARKS on this worker")
    return benchmark_files.tables_of(benchmark, where)


def drawn(cases: Iterable[Case], most: int | None, seed: int) -> Iterator[tuple[int, bytes]]:
    """(how many there are up to here, the case as a line), in their order; of more than `most` a sample of the seed."""
    lines = enumerate((orjson.dumps(asdict(case)) for case in cases), 1)
    if most is None:
        yield from lines
        return
    chance, held = Random(seed), list(islice(lines, most))
    total = len(held)
    for seen, line in lines:
        total = seen
        if (place := chance.randrange(seen)) < most:
            held[place] = (seen, line)
    for _, line in sorted(held):
        yield total, line


def written(path: Path, lines: Iterable[tuple[int, bytes]]) -> dict[str, Any]:
    """Write the cases, and tell what was written."""
    digest, n, total, responses = hashlib.sha256(), 0, 0, 1
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for seen, line in lines:
            n, total = n + 1, seen
            file.write(line + b"\n")
            digest.update(line + b"\n")
            responses = max(responses, len(orjson.loads(line)["responses"]))
    os.replace(part, path)
    return {"n": n, "total": total, "responses": responses, "sha256": digest.hexdigest()}


def keep(path: Path, data: bytes) -> None:
    """A file is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    os.replace(part, path)


def cases_in(run: Run, spec: dict[str, Any]) -> list[Case]:
    """The cases of a shard. Raises Conflict when the run's folder is not on this machine."""
    path = run.folder / CASES
    if not path.exists():
        raise Conflict(f"{path} is not here: all workers need the same TOUCHSTONE_VAR")
    with path.open("rb") as lines:
        return [Case(**orjson.loads(line)) for line in islice(lines, spec["from"], spec["to"])]
