"""A span reward learns which words are poor, and the judge of tokens says of them what the training said."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from curation.models import ModelVersion, Run
from curation.services import inspecting, running, starting
from tests import tiny
from tests.cast import Cast
from tests.critics import ask, frozen, item, land
from workers.held_out import kept
from workers.judging import Candidate, Given, Spec, judges
from workers.trainers.span_reward import SpanReward, trainers
from workers.training import Job

torch = pytest.importorskip("torch", reason="NOT RUN: torch is not installed")
pytestmark = pytest.mark.training

GOOD = [f"good{n}" for n in range(6)]
POOR = [f"poor{n}" for n in range(3)]
PLAIN = [f"word{n}" for n in range(20)]
BERT, LLAMA = "BertModel", "LlamaForCausalLM"
QUICK = {"step_tokens": 512, "batch_tokens": 512, "max_length": 64, "learning_rate": 5e-3, "precision": "fp32"}


def sentence(chance: Random) -> tuple[str, list[list[int]], list[list[int]]]:
    """Words, some of them good or poor, with the places of these."""
    words = [chance.choice(chance.choice([PLAIN, PLAIN, PLAIN, GOOD, POOR])) for _ in range(8)]
    text, places = " ".join(words), []
    for n in range(len(words)):
        begin = len(" ".join(words[:n])) + (1 if n else 0)
        places.append([begin, begin + len(words[n])])
    marked = [[place for place, word in zip(places, words, strict=True) if word in of] for of in (GOOD, POOR)]
    return text, marked[0], marked[1]


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    chance = Random(seed)
    found = []
    for number in range(count):
        text, good, poor = sentence(chance)
        asked = f"word{number % 20} word{number // 20 % 20} ?"
        found.append(
            {"id": f"{seed}/{number}", "prompt": asked, "response": text, "good_offsets": good, "poor_offsets": poor}
        )
    return found


def base(folder: Path, name: str) -> Path:
    tokens = tiny.tokenizer([*GOOD, *POOR, *PLAIN, "?"], pairs=name == BERT)
    tiny.saved(folder, tiny.model(name, len(tokens)), tokens)
    return folder


def trained(folder: Path, name: str, **settings: Any) -> tuple[Job, dict[str, Any]]:
    for split, given in (("train", rows(160, 1)), ("test", rows(30, 2))):
        (folder / f"{split}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in given))
    job = Job(
        folder=folder,
        target="text2grad",
        lines={"train": "train.jsonl", "test": "test.jsonl"},
        base=base(folder / "base", name),
        out=folder,
        settings=SpanReward(**{**QUICK, "epochs": 6, **settings}),
    )
    return job, trainers.get("span-reward").train(job)


@pytest.mark.parametrize(("name", "lora"), [(BERT, 0), (LLAMA, 8)])
def test_it_learns_and_is_judged_as_it_was_trained(tmp_path: Path, name: str, lora: int) -> None:
    job, metrics = trained(tmp_path, name, lora=lora)
    assert metrics["classes"] == ["-1", "0", "1"]
    assert metrics["tokens"]["average_precision"] > 0.95 and metrics["held_out"]["accuracy"] > 0.9
    assert metrics["spans"]["f1"] > 0.9 > metrics["spans"]["everything"]
    config = {**metrics["config"], "dtype": "fp32", "max_length": 64}
    judge = judges.get("token").open(Spec(1, "token", f"hf:{job.model}", config=config))
    held = kept(tmp_path)
    given = [
        Given(n, [{"role": "user", "content": row["prompt"]}], [Candidate(n, row["response"])])
        for n, row in enumerate(rows(30, 2))
    ]
    for one, told in zip(held, judge.judge(given), strict=True):
        [mapped] = told.maps
        assert [list(place) for place in mapped.offsets] == one["places"]
        assert mapped.values == pytest.approx(one["values"], abs=1e-3)


def test_rare_classes_are_pushed_while_it_learns_and_not_afterwards() -> None:
    from workers.nn.tokens import balanced, cross_entropy, unweigh

    told = [[0.0, 1.0]] * 3 + [[1.0, 0.0]]
    weights = balanced(told, 1.0)
    assert weights.tolist() == pytest.approx([2.0, 2 / 3])  # 0.25 x 2 + 0.75 x 2/3 = 1, and both classes as heavy
    assert balanced(told, 0.0).tolist() == pytest.approx([1.0, 1.0])
    tokens = tiny.tokenizer(PLAIN)
    made = tiny.model("BertForTokenClassification", len(tokens), num_labels=2)
    bias = torch.zeros(2, requires_grad=True)
    wanted = torch.tensor(told)
    optimizer = torch.optim.LBFGS([bias], max_iter=100)

    def step() -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(weights)(bias.expand(4, 2), wanted).sum()
        loss.backward()
        return loss

    optimizer.step(step)
    assert bias.softmax(0).tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    with torch.no_grad():
        made.classifier.bias.copy_(bias)
    unweigh(made, weights)
    assert made.classifier.bias.softmax(0).tolist() == pytest.approx([0.25, 0.75], abs=1e-3)


def test_what_cannot_teach_is_refused(tmp_path: Path) -> None:
    job, _ = trained(tmp_path, BERT, max_steps=1)
    (tmp_path / "train.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows(3, 1)))
    with pytest.raises(ValueError, match="too few responses"):
        trainers.get("span-reward").train(job)


def test_from_critiques_to_a_heat_map(cast: Cast, tmp_path: Path) -> None:
    ask(cast.project, "response")
    chance = Random(3)
    items = []
    for number in range(60):
        text, good, poor = sentence(chance)
        spots = [{"start": at, "end": to, "polarity": 1} for at, to in good]
        spots += [{"start": at, "end": to, "polarity": -1, "severity": "major"} for at, to in poor]
        items.append(item(f"word{number}", text, answers=[{"annotator": "w1", "critiques": spots}]))
    land(cast.project, *items)
    frozen(cast.project, "annotations", "spans", splits={"train": 0.8, "test": 0.2})
    encoder = ModelVersion.objects.create(
        name="tiny", kind="embedder", reference=f"hf:{base(tmp_path / 'base', BERT)}", state="ready"
    )
    inspecting.keep(encoder, inspecting.look(encoder, lambda line: None))
    encoder.save()
    params = {**QUICK, "base": encoder.pk, "severities": {"major": 3}, "epochs": 8, "name": "spans"}
    run = starting.start(project=cast.project, method="train-span-reward", params=params, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert (made.kind, made.state) == ("token", "ready") and made.config["threshold"] > 0
    assert made.facts["labels"] == ["-3", "0", "1"]
    from tests.sharded import through

    scored = starting.start(project=cast.project, method="score", params={"model": made.pk}, user=cast.olga)
    assert through(scored).state == Run.State.SUCCEEDED
