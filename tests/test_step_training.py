"""A step judge learns which steps are wrong, reads what its judge reads, and does not learn where texts end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from curation.models import ModelVersion, Run
from curation.services import inspecting, running, starting
from tests.cast import Cast
from tests.critics import STEP, ask, frozen, item, land
from tests.test_span_training import BERT, LLAMA, PLAIN, POOR, QUICK, base
from workers.held_out import kept
from workers.judging import Candidate, Given, Spec, judges
from workers.stepped import stepped_in, stepwise
from workers.trainers.step_judge import StepJudge
from workers.training import Job, Settings, trainers

pytest.importorskip("torch", reason="NOT RUN: torch is not installed")
pytestmark = pytest.mark.training


def solution(chance: Random) -> tuple[list[str], int | None]:
    """Four steps and the first wrong one, which holds a poor word."""
    wrong = chance.choice([0, 1, 2, 3, None, None, None])
    steps = []
    for number in range(4):
        words = [chance.choice(PLAIN) for _ in range(3)]
        if number == wrong:
            words[chance.randrange(3)] = chance.choice(POOR)
        steps.append(" ".join(words))
    return steps, wrong


def row_of(number: int, steps: list[str], wrong: int | None) -> dict[str, Any]:
    count = len(steps) if wrong is None else wrong + 1
    parts = [step + ("\n" if n < len(steps) - 1 else "") for n, step in enumerate(steps)]
    labels = [n != wrong for n in range(count)]
    return {"prompt": f"word{number % 20} word{number // 20} ?", "completions": parts[:count], "labels": labels}


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    chance = Random(seed)
    return [row_of(number, *solution(chance)) for number in range(count)]


def trained(folder: Path, name: str, **settings: Any) -> tuple[Job, dict[str, Any]]:
    for split, given in (("train", rows(200, 1)), ("test", rows(60, 2))):
        (folder / f"{split}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in given))
    job = Job(
        folder=folder,
        target="trl-stepwise",
        lines={"train": "train.jsonl", "test": "test.jsonl"},
        base=base(folder / "base", name),
        out=folder,
        settings=StepJudge(**{**QUICK, "epochs": 10, **settings}),
    )
    return job, trainers.get("step-judge").train(job)


def judged(job: Job, metrics: dict[str, Any], given: list[Given]) -> list[Any]:
    config = {**metrics.get("config", {}), "dtype": "fp32", "max_length": 64}
    return list(judges.get("step").open(Spec(1, "step", f"hf:{job.model}", config=config)).judge(given))


def test_a_causal_model_is_judged_as_it_was_trained(tmp_path: Path) -> None:
    job, metrics = trained(tmp_path, LLAMA)
    assert metrics["first_errors"]["f1"] > 0.9 and metrics["steps"]["balanced_accuracy"] > 0.9
    assert metrics["held_out"]["accuracy"] > 0.9 > metrics["held_out"]["always_right"]
    given = []
    for n, row in enumerate(stepped_in(job, "test")):
        more = row.response + (" word1 word2" if row.wrong is not None else "")  # the judge also sees what follows
        given.append(Given(n, row.prompt, [Candidate(n, more, units=row.units)]))
    for one, told in zip(kept(tmp_path), judged(job, metrics, given), strict=True):
        assert told.maps[0].values == pytest.approx(one["values"], abs=1e-3)


def test_a_model_that_reads_both_ways_is_asked_of_each_step_with_what_came_before(tmp_path: Path) -> None:
    job, metrics = trained(tmp_path, BERT)
    assert metrics["first_errors"]["f1"] > 0.8
    found = kept(tmp_path)
    for n, row in enumerate(stepped_in(job, "test")):
        until = [
            Given(k, row.prompt, [Candidate(k, row.until(k + 1).response, units=[row.units[k]])])
            for k in range(len(row.units))
        ]
        values = [told.maps[0].values[0] for told in judged(job, metrics, until)]
        assert values == pytest.approx(found[n]["values"], abs=1e-3)
        if n == 5:
            break


def test_where_a_text_ends_says_nothing_to_a_model_that_sees_it(tmp_path: Path) -> None:
    """A row ends with its first wrong step: read as it is, its last step would be known to be wrong."""
    from workers.nn.tokens import Reader
    from workers.trainers.step_judge import LABELS, Asked, readings

    job = Job(tmp_path, "trl-stepwise", {}, base(tmp_path / "base", BERT), tmp_path, StepJudge(**QUICK))
    row = next(stepwise("train", enumerate([row_of(0, *TOLD)])))
    assert row.wrong == 2 == len(row.units) - 1 and not row.whole
    both, chance = set(), Random(0)
    for _ in range(20):
        whole, cut = readings(row, False, chance)
        assert whole is row and row.response.startswith(cut.response) and cut.wrong is None
        both.add(len(cut.units))
    assert both == {1, 2} and readings(row, True, chance) == [row]
    assert len(readings(replace(row, whole=True), False, chance)) == 1
    reader = Reader(job, LABELS)
    asked = Asked(reader, [row]).examples[0]
    assert [seen for _, seen in asked] == [[0], [1], [2]]
    for one, [n] in asked:  # each text ends with the step that is asked about: one token after it, the closing one
        assert len(one.text.ids) - 2 == one.groups[0][0]
        assert one.text.offsets[one.groups[0][0]][1] == row.units[n][1]


TOLD = ["word1 word2", "word3", "poor1 word4", "word5"], 2


def test_raw_answers_give_whole_responses_with_what_people_say_of_each_step(tmp_path: Path) -> None:
    text = "One.\nTwo.\nThree."
    places = [(0, 4), (5, 9), (10, 16)]

    def verdict(place: int, answer: Any, response: int = 1) -> dict[str, Any]:
        start, end = places[place]
        return {"question": "step", "answer": answer, "start": start, "end": end, "response": response}

    told = {
        "item": "q", "prompt": [{"role": "user", "content": "?"}],
        "responses": [{"id": 1, "text": text}, {"id": 2, "text": text}],
        "verdicts": [verdict(0, 1), verdict(1, -1), verdict(2, "no number"), {**verdict(2, True), "question": "other"}],
    }  # fmt: skip
    more = {**told, "verdicts": [verdict(0, True), verdict(1, 0)]}
    (tmp_path / "train.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in (told, more)))
    job = Job(tmp_path, "annotations", {"train": "train.jsonl"}, None, tmp_path, Settings())
    [found] = stepped_in(job, "train")
    assert (found.response, found.units, found.labels) == (text, places[:2], [1.0, 0.5])
    assert found.wrong is None and found.whole


def test_from_judged_steps_to_scores(cast: Cast, tmp_path: Path) -> None:
    ask(cast.project, "response", unit="step", questions=[STEP], critiques={"on": False})
    chance, items = Random(3), []
    for number in range(60):
        steps, wrong = solution(chance)
        text = "\n".join(steps)
        ends = [len("\n".join(steps[: n + 1])) for n in range(4)]
        units = [(end - len(step), end) for step, end in zip(steps, ends, strict=True)]
        verdicts = [
            {"question": "step", "answer": -1 if n == wrong else 1, "start": start, "end": end}
            for n, (start, end) in enumerate(units)
            if wrong is None or n <= wrong
        ]
        response = {"text": text, "units": units, "unit": "step"}
        items.append(item(f"word{number}", response, answers=[{"annotator": "w1", "verdicts": verdicts}]))
    land(cast.project, *items)
    frozen(cast.project, "trl-stepwise", "steps", splits={"train": 0.8, "test": 0.2})
    encoder = ModelVersion.objects.create(
        name="tiny", kind="embedder", reference=f"hf:{base(tmp_path / 'base', BERT)}", state="ready"
    )
    inspecting.keep(encoder, inspecting.look(encoder, lambda line: None))
    encoder.save()
    params = {**QUICK, "base": encoder.pk, "epochs": 8, "name": "steps"}
    run = starting.start(project=cast.project, method="train-step-judge", params=params, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert (made.kind, made.state) == ("step", "ready") and made.facts["labels"] == ["wrong", "right"]
    from tests.sharded import through

    scored = starting.start(project=cast.project, method="score", params={"model": made.pk}, user=cast.olga)
    assert through(scored).state == Run.State.SUCCEEDED
