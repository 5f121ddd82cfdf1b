"""One shard of an evaluation: what the model says of some cases, through the engine that scores, or asked in words."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, cast

from curation.errors import Conflict
from curation.models import ModelVersion, Run, Shard
from curation.protocols import Question
from curation.services import candidates, completions, prelabelling, scoring
from curation.services.completions import Done
from curation.services.evaluating import own
from curation.services.evaluating.asking import EvaluateParams, benchmark_of
from curation.services.evaluating.gathering import cases_in
from curation.services.sharding import ShardReport
from workers.asking import Reply
from workers.benchmarking import Benchmark, Case, Result
from workers.criticising import Critic, Subject, Wanted, Way, request, ways
from workers.judging import Candidate, Given, Judged

BETTER = Wanted(
    axes=[{"name": "overall", "question": "Which response is better?"}], strengths=1, tie=False, both_bad=False
)
RIGHT = Question(
    name="right", question="Is this step right?", kind="yesno", scope="unit", comment="required", stop=False
)
FIRST_WRONG = Wanted(unit="step", questions=[RIGHT.model_dump()])


def work(run: Run, shard: Shard, params: EvaluateParams, report: ShardReport) -> None:
    """Judge the cases of a shard; its results are kept with it until the run is closed."""
    benchmark, model, cases = benchmark_of(params), run.model, cases_in(run, shard.spec)
    assert model is not None
    if model.kind == ModelVersion.Kind.CRITIC:
        results = asked(model, benchmark, cases, report)
    else:
        results = scored(run, params, benchmark, cases, report)
    report.progress(max(0, shard.size - report.rows))
    rows = [asdict(one) for one in results]
    with report.committing(judged=len(rows), truncated=sum(one.truncated for one in results), rows=rows):
        pass


# --- Models that score ------------------------------------------------------------------------------


def scored(
    run: Run, params: EvaluateParams, benchmark: Benchmark, cases: Sequence[Case], report: ShardReport
) -> list[Result]:
    model = run.model
    assert model is not None
    keys = keys_of(benchmark, cases)
    rows = given(cases, keys) if benchmark.read else own.given(run, cases)
    found = {one.key: one for one in scoring.judged(model, rows, report)}
    head = prelabelling.head_of(model, params.axis, params.head)
    return [result(model, one, [found[key] for key in mine], head) for one, mine in zip(cases, keys, strict=True)]


def keys_of(benchmark: Benchmark, cases: Sequence[Case]) -> list[list[int]]:
    """A number for every response of every case; of a project's own pairs the responses' ids."""
    if benchmark.read is None:
        return [list(one.truth["responses"]) for one in cases]
    keys, last = [], 0
    for one in cases:
        keys.append(list(range(last, last + len(one.responses))))
        last += len(one.responses)
    return keys


def given(cases: Sequence[Case], keys: Sequence[Sequence[int]]) -> Iterator[Given]:
    for number, (one, mine) in enumerate(zip(cases, keys, strict=True)):
        units = [(start, end) for start, end in one.units]
        sides = [Candidate(key, text, units=units) for key, text in zip(mine, one.responses, strict=True)]
        yield Given(key=number, prompt=one.prompt, candidates=sides)


def result(model: ModelVersion, case: Case, judged: Sequence[Judged], head: str) -> Result:
    sign = -1 if model.kind == ModelVersion.Kind.COST else 1
    numbers = [number(scoring.numbers(one), head) for one in judged]
    truth = {**case.truth, **threshold_of(model)} if case.units else case.truth
    return Result(
        id=case.id,
        subset=case.subset,
        truth=truth,
        scores=[None if one is None else sign * one for one in numbers],
        steps=steps_of(case, judged[0]) if case.units else (),
        words=words_of(case),
        truncated=any(one.truncated for one in judged),
    )


def number(scores: dict[str, float], head: str) -> float | None:
    """The score of a head; of a model that was asked for none in particular its only one."""
    found = scores.get(head) if head else next(iter(scores.values()), None)
    return found if found is not None and math.isfinite(found) else None


def threshold_of(model: ModelVersion) -> dict[str, float]:
    told = model.config.get("threshold")
    return {"threshold": float(told)} if told else {}


def steps_of(case: Case, judged: Judged) -> list[float | None]:
    found = {
        (start, end): value
        for mapped in judged.maps
        for (start, end), value in zip(mapped.offsets, mapped.values, strict=True)
    }
    return [found.get((start, end)) for start, end in case.units]


def words_of(case: Case) -> list[int]:
    return [len(text.split()) for text in case.responses]


# --- Critics ----------------------------------------------------------------------------------------


def asked(model: ModelVersion, benchmark: Benchmark, cases: Sequence[Case], report: ShardReport) -> list[Result]:
    """Each case in so many orders, or once of its steps. What was answered is kept, and asked no second time."""
    critic = cast(Critic, candidates.opened(model))
    report.device = critic.device
    of_steps = bool(cases and cases[0].units)
    wanted, name = (FIRST_WRONG, "steps") if of_steps else (BETTER, "pairwise")
    way = ways.get(name)
    if way not in critic.fits(wanted):
        raise Conflict(f"this critic was made for another kind of question than {way.title.lower()}")
    subjects = [subject for one in cases for subject in subjects_of(one, 1 if of_steps else benchmark.orders)]
    how = {"temperature": critic.temperature, "max_tokens": critic.max_tokens}

    def told(reply: Reply | None) -> None:
        report.progress(0, tokens=reply.tokens if reply else 0, tokens_out=reply.tokens_out if reply else 0)

    done = completions.completed(model, critic, [request(way, wanted, one, **how) for one in subjects], told)
    if unread := sum(one.parsed is None for one in done):
        report.log(f"{unread} of {len(done)} answers could not be read")
    each = len(subjects) // max(1, len(cases))
    grouped = [slice(n * each, (n + 1) * each) for n in range(len(cases))]
    return [heard(way, wanted, one, subjects[part], done[part]) for one, part in zip(cases, grouped, strict=True)]


def subjects_of(case: Case, orders: int) -> Iterator[Subject]:
    """The question's material, first in an order that falls as by a coin, then in the other."""
    if case.units:
        yield Subject(case.prompt, [list(case.responses)], units=[(start, end) for start, end in case.units])
        return
    coin = bool(hashlib.md5(case.id.encode()).digest()[0] & 1)
    texts = [[text] for text in case.responses]
    for turned in (coin, not coin)[:orders]:
        yield Subject(case.prompt, texts[::-1] if turned else texts, turned=turned)


def heard(way: Way, wanted: Wanted, case: Case, subjects: Sequence[Subject], done: Sequence[Done]) -> Result:
    said = [
        way.read(wanted, subject, one.parsed) if one.parsed is not None else None
        for subject, one in zip(subjects, done, strict=True)
    ]
    kept: dict[str, Any] = {"id": case.id, "subset": case.subset, "truth": case.truth, "words": words_of(case)}
    if case.units:
        verdicts = {(one["start"], one["end"]): float(one["answer"]) for one in (said[0].verdicts if said[0] else ())}
        return Result(**kept, steps=[verdicts.get((start, end)) for start, end in case.units])
    choices = [int(one.preferences[0]["value"] > 0) if one and one.preferences else None for one in said]
    return Result(**kept, choices=choices)
