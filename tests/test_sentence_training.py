"""A sentence judge learns faithfulness and, given that, correctness; its judge reads documents as it did."""

from __future__ import annotations

from math import log
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from tests.test_span_training import BERT, PLAIN, QUICK, base
from workers.held_out import kept
from workers.held_sentences import Sifted, best_cut, summed
from workers.judging import Candidate, Given, Spec, judges
from workers.sentenced import CELLS, sentenced_in
from workers.trainers.sentence_judge import SentenceJudge
from workers.training import Job, Settings, trainers

torch = pytest.importorskip("torch", reason="NOT RUN: torch is not installed")
pytestmark = pytest.mark.training

WORDS = {(True, True): "good0", (True, False): "good1", (False, True): "poor0", (False, False): "poor1"}


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Answers of three sentences, in which one word tells the cell; some labels are not known."""
    chance, found = Random(seed), []
    for number in range(count):
        text, sentences = "", []
        for _ in range(3):
            faithful, correct = chance.random() < 0.6, chance.random() < 0.6
            words = [chance.choice(PLAIN), WORDS[faithful, correct], chance.choice(PLAIN)]
            start = len(text) + 1 if text else 0
            text = f"{text} {' '.join(words)}".strip()
            hidden = chance.random()
            sentences.append(
                {
                    "start": start,
                    "end": len(text),
                    "text": text[start:],
                    "faithful": None if hidden < 0.2 else faithful,
                    "correct": None if hidden > 0.8 else correct,
                }
            )
        documents = [{"title": "", "text": "word1 word2"}, {"title": "", "text": "word3"}]
        asked = f"word{number % 20} word{number // 20} ?"
        found.append(
            {"id": f"{number}", "prompt": asked, "documents": documents, "response": text, "sentences": sentences}
        )
    return found


def job_of(folder: Path, target: str = "sentence-labels", **settings: Any) -> Job:
    for split, given in (("train", rows(160, 1)), ("test", rows(40, 2))):
        (folder / f"{split}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in given))
    return Job(
        folder=folder,
        target=target,
        lines={"train": "train.jsonl", "test": "test.jsonl"},
        base=base(folder / "base", BERT),
        out=folder,
        settings=SentenceJudge(**{**QUICK, "epochs": 25, **settings}),
    )


@pytest.mark.parametrize("speaks_of", ["correct", "faithful"])
def test_it_learns_both_stages_and_is_judged_as_it_was_trained(tmp_path: Path, speaks_of: str) -> None:
    job = job_of(tmp_path, speaks_of=speaks_of)
    trainer = trainers.get("sentence-judge")
    metrics = trainer.train(job)
    assert metrics["faithful"]["balanced_accuracy"] > 0.95 and metrics["correct"]["balanced_accuracy"] > 0.95
    assert set(metrics["cells"]) == set(CELLS) and all(one["right"] > 0.85 for one in metrics["cells"].values())
    assert metrics["unfaithful_is_wrong"]["balanced_accuracy"] < 0.7
    config = {**trainer.config(job.settings), **metrics["config"], "dtype": "fp32", "max_length": 64}
    judge = judges.get("step").open(Spec(1, "step", f"hf:{job.model}", config=config))
    given = [
        Given(n, row.prompt, [Candidate(n, row.response, units=row.units)], {"documents": documents})
        for n, row in enumerate(sentenced_in(job, "test"))
        for documents in [[{"text": text} for text in row.documents]]
    ]
    for one, told in zip(kept(tmp_path), judge.judge(given), strict=True):
        assert told.maps[0].unit == "sentence"
        assert told.maps[0].values == pytest.approx(one[speaks_of], abs=1e-3)


def test_documents_are_read_before_the_prompt() -> None:
    from workers.nn.texts import documented

    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    assert documented(messages, ["one", "two"]) == [messages[0], {"role": "user", "content": "one\n\ntwo\n\nq"}]
    assert documented(messages, []) == messages and messages[1]["content"] == "q"


def test_the_loss_of_two_stages_is_what_it_says() -> None:
    from workers.nn.tokens import two_stages

    likely = [0.4, 0.1, 0.2, 0.3]  # faithful and correct, faithful but wrong, unfaithful but correct, neither
    logits = torch.tensor([likely] * 5).log() + 3
    wanted = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    told = two_stages(0.25)(logits, wanted).tolist()
    assert told == pytest.approx(
        [
            -0.25 * log(0.5) - 0.75 * log(0.1 / 0.5),
            -0.25 * log(0.5) - 0.75 * log(0.2 / 0.5),
            -0.25 * log(0.5),
            -0.75 * log(0.6),
            0.0,
        ]
    )


def test_sums_over_sentences_are_as_counted_by_hand() -> None:
    rows = [
        Sifted("test", 0, "a", [0.9, 0.2], [0.8, 0.3], [1, 0], [1, 0], [5, 9]),
        Sifted("test", 1, "b", [0.7, 0.1], [0.6, 0.7], [1, 0], [0, 1], [4, 4]),
        Sifted("test", 2, "c", [0.8], [0.9], [1], [-1], [3]),
    ]
    told = summed(rows, "correct", 0.5)
    assert told["correct"]["n"] == 4 and told["faithful"]["n"] == 5
    assert told["correct"]["balanced_accuracy"] == 0.75 and told["faithful"]["balanced_accuracy"] == 1.0
    assert told["correct"]["always_no"] == pytest.approx(2 / 3, abs=1e-4)
    assert [told["cells"][name]["right"] for name in CELLS] == [1.0, 0.0, 1.0, 1.0]
    assert told["unfaithful_is_wrong"]["balanced_accuracy"] == 0.5
    assert told["held_out"]["n"] == 2 and told["held_out"]["accuracy"] == 0.5  # b has a wrong one that was not seen
    assert best_cut(rows, "correct") == 0.7
    assert best_cut(rows[2:], "correct") is None


def test_labels_of_one_kind_teach_nothing(tmp_path: Path) -> None:
    job = job_of(tmp_path)
    told = rows(20, 1)
    for row in told:
        for one in row["sentences"]:
            one["correct"] = None
    (tmp_path / "train.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in told))
    with pytest.raises(ValueError, match="correct and some not"):
        trainers.get("sentence-judge").train(job)
    with pytest.raises(ValueError, match="no judged sentences"):
        sentenced_in(Job(tmp_path, "text2grad", {"train": "train.jsonl"}, None, tmp_path, Settings()), "train")
