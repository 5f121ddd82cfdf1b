"""The engine: order, windows, memory, truncation, formats, ensembles, several heads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.networks import conversations, network
from workers.judging import Candidate, Given, OutOfMemory, Spec, judges

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("networks")
    return {
        "bert": network("bert", made / "bert"),
        "llama": network("llama", made / "llama"),
        "other": network("llama", made / "other", seed=7),
        "three": network("bert", made / "three", num_labels=3, id2label={0: "bad", 1: "fair", 2: "good"}),
        "deberta": network("deberta-v2", made / "deberta"),
    }


def opened(folder: Path, kind: str = "reward", **config: Any) -> Any:
    return judges.get(kind).open(Spec(1, kind, f"hf:{folder}", config={"dtype": "fp32", **config}))


@pytest.mark.parametrize("name", ["bert", "llama", "deberta"])
def test_judgements_come_in_the_order_given_whatever_the_window(name: str, folders: dict[str, Path]) -> None:
    rows = conversations(9, seed=1)
    scorer = opened(folders[name])
    keys = [candidate.key for row in rows for candidate in row.candidates]
    first = [(judged.key, judged.scores[""]) for judged in scorer.judge(rows)]
    assert [key for key, _ in first] == keys
    for items in (1, 4, 100):
        scorer.engine.items = items
        again = [(judged.key, judged.scores[""]) for judged in scorer.judge(rows)]
        assert [key for key, _ in again] == keys
        assert [value for _, value in again] == pytest.approx([value for _, value in first], abs=1e-4)


def test_rows_are_read_in_the_callers_thread_and_only_a_little_ahead(folders: dict[str, Path]) -> None:
    scorer = opened(folders["llama"])
    scorer.engine.items = 4
    taken: list[int] = []
    readers = set()

    def rows() -> Iterator[Given]:
        for row in conversations(200, candidates=1, seed=2, most=3, turns=1):
            readers.add(threading.get_ident())
            taken.append(row.key)
            yield row

    most = 0
    for done, _ in enumerate(scorer.judge(rows()), start=1):
        most = max(most, len(taken) - done)
    assert len(taken) == 200 and most <= 16
    assert readers == {threading.get_ident()}


def test_a_batch_that_does_not_fit_is_halved_and_a_text_that_does_not_fit_is_said(
    folders: dict[str, Path], monkeypatch: Any
) -> None:
    import torch

    rows = conversations(10, seed=3)
    scorer = opened(folders["llama"])
    expected = [judged.scores[""] for judged in scorer.judge(rows)]
    forward = type(scorer.engine.forward).packed
    room = 400

    def small(self: Any, pack: Any) -> Any:
        if pack.total > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, pack)

    monkeypatch.setattr(type(scorer.engine.forward), "packed", small)
    assert [judged.scores[""] for judged in scorer.judge(rows)] == pytest.approx(expected, abs=1e-4)
    assert scorer.engine.counted["halved"] and scorer.engine.budget <= 1024
    room = 10
    with pytest.raises(OutOfMemory, match="one text of"):
        list(scorer.judge(rows))


def test_another_error_of_a_forward_is_not_taken_for_want_of_memory(folders: dict[str, Path], monkeypatch: Any) -> None:
    scorer = opened(folders["llama"])

    def broken(self: Any, pack: Any) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(type(scorer.engine.forward), "packed", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        list(scorer.judge(conversations(2)))


def test_truncation_is_told_and_keeps_the_response(folders: dict[str, Path]) -> None:
    long = "river " * 300
    rows = [Given(1, [{"role": "user", "content": long}], [Candidate(1, "red blue green"), Candidate(2, long)])]
    for name in ("bert", "llama"):
        scorer = opened(folders[name], max_length=64)
        told = list(scorer.judge(rows))
        assert [judged.truncated for judged in told] == [True, True]
        assert all(judged.tokens == 64 for judged in told)
        first, _ = scorer.engine.tokenising.texts(0, rows[0])
        tail = scorer.engine.loaded.tokenizer.decode(first.ids)
        assert "red blue green" in tail
        assert tail.startswith(("[CLS]", "<s>"))
    fits = [Given(1, [{"role": "user", "content": "river"}], [Candidate(1, "red")])]
    assert [judged.truncated for judged in scorer.judge(fits)] == [False]


def test_chat_tokens_are_those_of_the_chat_template_and_a_doubled_bos_is_single(folders: dict[str, Path]) -> None:
    rows = conversations(5, seed=4)
    engine = opened(folders["llama"]).engine
    assert engine.tokenising.template == "chat"
    tokenizer = engine.loaded.tokenizer
    for item, row in enumerate(rows):
        for text, candidate in zip(engine.tokenising.texts(item, row), row.candidates, strict=True):
            said = [*row.prompt, {"role": "assistant", "content": candidate.text}]
            assert text.ids == tokenizer.apply_chat_template(said, tokenize=True)["input_ids"]
    once = engine.tokenising.texts(0, rows[0])[0].ids
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    assert engine.tokenising.texts(0, rows[0])[0].ids == once


def test_plain_tokens_are_those_of_the_tokenizer(folders: dict[str, Path]) -> None:
    row = Given(
        1,
        [
            {"role": "user", "content": "red blue"},
            {"role": "assistant", "content": "no"},
            {"role": "user", "content": [{"type": "text", "text": "seven"}]},
        ],
        [Candidate(1, "yes maybe")],
    )
    said = "Human: red blue\n\nAssistant: no\n\nHuman: seven"
    bert = opened(folders["bert"]).engine
    text = bert.tokenising.texts(0, row)[0]
    expected = bert.loaded.tokenizer(said, "yes maybe")
    assert (text.ids, text.types) == (expected["input_ids"], expected["token_type_ids"])
    llama = opened(folders["llama"], template="plain").engine
    text = llama.tokenising.texts(0, row)[0]
    assert text.ids == llama.loaded.tokenizer(f"{said}\n\nyes maybe</s>")["input_ids"]


@pytest.mark.parametrize(("name", "template"), [("bert", "plain"), ("llama", "plain"), ("llama", "chat")])
def test_tokens_know_their_place_in_the_response(name: str, template: str, folders: dict[str, Path]) -> None:
    engine = opened(folders[name], template=template).engine
    engine.places = True
    row = Given(1, [{"role": "user", "content": "the red river"}], [Candidate(1, "red blue ünïcode green")])
    text = engine.tokenising.texts(0, row)[0]
    assert text.offsets is not None and len(text.offsets) == len(text.ids)
    places = [place for place in text.offsets if place != (-1, -1)]
    covered = set().union(*(range(*place) for place in places))
    assert {at for at, letter in enumerate("red blue ünïcode green") if letter != " "} <= covered
    assert max(end for _, end in places) == len("red blue ünïcode green")
    assert any(place == (-1, -1) for place in text.offsets)


def test_a_head_may_ask_for_every_token(folders: dict[str, Path]) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    from workers.nn.engine import Engine, States
    from workers.nn.loading import load

    class Norms:
        wants = "tokens"

        def __call__(self, loaded: Any, states: States) -> list[list[float]]:
            assert states.hidden is not None
            norms = states.hidden.norm(dim=1)
            return [norms[states.pack.rows(at)].tolist() for at in range(len(states.pack.texts))]

    for name in ("llama", "bert", "deberta"):
        loaded = load(Spec(1, "reward", f"hf:{folders[name]}", config={"dtype": "fp32"}))
        model = AutoModelForSequenceClassification.from_pretrained(folders[name]).eval()
        for out in Engine(loaded, Norms()).run(conversations(4, seed=5)):
            given = {"input_ids": torch.tensor([out.text.ids])}
            if out.text.types:
                given["token_type_ids"] = torch.tensor([out.text.types])
            with torch.inference_mode():
                hidden = model.base_model(**given).last_hidden_state[0]
            assert out.value == pytest.approx(hidden.norm(dim=1).tolist(), abs=1e-4)


def test_an_ensemble_gives_the_mean_and_the_spread(folders: dict[str, Path]) -> None:
    rows = conversations(5, seed=6)
    one, two = ([judged.scores[""] for judged in opened(folders[name]).judge(rows)] for name in ("llama", "other"))
    both = list(opened(folders["llama"], members=[f"hf:{folders['llama']}", f"hf:{folders['other']}"]).judge(rows))
    assert [judged.scores[""] for judged in both] == pytest.approx(
        [(a + b) / 2 for a, b in zip(one, two, strict=True)], abs=1e-4
    )
    assert [judged.spread for judged in both] == pytest.approx(
        [abs(a - b) / 2 for a, b in zip(one, two, strict=True)], abs=1e-4
    )


def test_several_heads_are_named_and_classes_become_log_odds(folders: dict[str, Path]) -> None:
    import math

    rows = conversations(3, seed=7)
    named = [judged.scores for judged in opened(folders["three"]).judge(rows)]
    assert all(set(scores) == {"bad", "fair", "good"} for scores in named)
    renamed = [judged.scores for judged in opened(folders["three"], heads=["a", "b", "c"]).judge(rows)]
    assert [list(scores.values()) for scores in renamed] == [list(scores.values()) for scores in named]
    odds = [judged.scores[""] for judged in opened(folders["three"], positive="good").judge(rows)]
    for value, scores in zip(odds, named, strict=True):
        rest = math.log(math.exp(scores["bad"]) + math.exp(scores["fair"]))
        assert value == pytest.approx(scores["good"] - rest, abs=1e-4)


def test_a_cost_model_says_the_number_as_the_model_does(folders: dict[str, Path]) -> None:
    rows = conversations(3, seed=8)
    reward, cost = (
        [judged.scores[""] for judged in opened(folders["llama"], kind).judge(rows)] for kind in ("reward", "cost")
    )
    assert reward == pytest.approx(cost, abs=1e-6)


def test_vectors_are_of_prompts_alone_or_with_a_response(folders: dict[str, Path]) -> None:
    embedder = opened(folders["bert"], "embedder")
    prompt = [{"role": "user", "content": "the red river"}]
    rows = [Given(5, prompt, []), Given(6, prompt, [Candidate(60, "yes"), Candidate(61, "no")])]
    told = list(embedder.judge(rows))
    assert [judged.key for judged in told] == [5, 60, 61]
    assert len({tuple(judged.vector) for judged in told}) == 3


def test_nothing_given_is_nothing_judged(folders: dict[str, Path]) -> None:
    assert list(opened(folders["llama"]).judge([])) == []
