"""Packing changes no score: each family, alone, packed at several budgets, with and without a shared prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.networks import CAUSAL, ENCODERS, conversations, network
from workers.judging import Candidate, Given, Spec

pytestmark = pytest.mark.training

FP32, BF16 = 1e-4, 0.06
"""How far a score may lie from that of the same text alone, the scores here being of order 1 (docs/scoring.md)."""


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made: dict[str, Path] = {}

    def named(name: str, **more: Any) -> Path:
        key = f"{name} {more}"
        if key not in made:
            made[key] = network(name, tmp_path_factory.mktemp("network"), **more)
        return made[key]

    return named


def opened(folder: Path, **config: Any) -> Any:
    from workers.nn.scoring import open_reward

    return open_reward(Spec(1, "reward", f"hf:{folder}", config={"dtype": "fp32", **config}))


def scores(scorer: Any, rows: list[Given], **settings: Any) -> list[float]:
    for name, value in settings.items():
        setattr(scorer.engine, name, value)
    return [judged.scores[""] for judged in scorer.judge(rows)]


def one_at_a_time(folder: Path, scorer: Any, rows: list[Given], dtype: str = "float32") -> list[float]:
    """Each text by the model's own forward as transformers loads it, without anything of the engine but its tokens."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    told = []
    with torch.inference_mode():
        for text in (text for item, row in enumerate(rows) for text in scorer.engine.tokenising.texts(item, row)):
            given = {"input_ids": torch.tensor([text.ids])}
            if model.config.model_type in ("bert", "electra"):
                given["token_type_ids"] = torch.tensor([text.types])
            told.append(float(model(**given).logits[0, 0]))
    return told


@pytest.mark.parametrize("name", [*ENCODERS, *CAUSAL])
def test_a_packed_score_is_the_score_of_the_text_alone(name: str, networks: Any) -> None:
    rows = conversations(12, seed=1)
    scorer = opened(networks(name))
    assert scorer.engine.loaded.family is not None
    alone = one_at_a_time(networks(name), scorer, rows)
    assert max(alone) - min(alone) > 100 * FP32
    for settings in ({"budget": 1}, {"budget": 150}, {"budget": 100_000}, {"items": 3}, {"share": False}):
        assert scores(scorer, rows, **settings) == pytest.approx(alone, abs=FP32)


@pytest.mark.parametrize("name", ["bert", "llama", "qwen3"])
def test_in_bf16_a_packed_score_is_near_the_score_alone(name: str, networks: Any) -> None:
    rows = conversations(8, seed=2)
    scorer = opened(networks(name), dtype="bf16")
    alone = one_at_a_time(networks(name), scorer, rows, "bfloat16")
    assert scores(scorer, rows) == pytest.approx(alone, abs=BF16)


@pytest.mark.parametrize("name", ["mistral", "qwen3", "modernbert"])
def test_a_sliding_window_is_kept(name: str, networks: Any) -> None:
    more: dict[str, Any] = {"sliding_window": 16}
    if name == "qwen3":
        more |= {"use_sliding_window": True, "layer_types": ["sliding_attention", "full_attention"]}
    if name == "modernbert":
        more = {"local_attention": 16}
    rows = conversations(8, seed=3)
    scorer = opened(networks(name, **more))
    alone = one_at_a_time(networks(name, **more), scorer, rows)
    for share in (True, False):
        assert scores(scorer, rows, share=share) == pytest.approx(alone, abs=FP32)
    wide = scores(opened(networks(name)), rows)
    assert wide != pytest.approx(alone, abs=10 * FP32)


@pytest.mark.parametrize("name", ["deberta-v2", "gpt2"])
def test_a_family_that_is_not_proven_runs_in_padded_batches(name: str, networks: Any) -> None:
    rows = conversations(8, seed=4)
    scorer = opened(networks(name))
    assert scorer.engine.loaded.family is None
    alone = one_at_a_time(networks(name), scorer, rows)
    for settings in ({"budget": 1}, {"budget": 300}, {"budget": 100_000}):
        assert scores(scorer, rows, **settings) == pytest.approx(alone, abs=FP32)


def test_many_responses_share_their_prompt(networks: Any) -> None:
    rows = conversations(4, candidates=5, seed=5)
    scorer = opened(networks("llama"))
    alone = one_at_a_time(networks("llama"), scorer, rows)
    assert scores(scorer, rows) == pytest.approx(alone, abs=FP32)
    counted = scorer.engine.counted
    expected = 0
    for item, row in enumerate(rows):
        texts = [text.ids for text in scorer.engine.tokenising.texts(item, row)]
        prefix = 0
        while all(len(ids) > prefix + 1 and ids[prefix] == texts[0][prefix] for ids in texts):
            prefix += 1
        expected += prefix + sum(len(ids) - prefix for ids in texts)
    assert counted["rows"] == expected < 0.6 * counted["tokens"]


def test_responses_that_are_alike_or_one_the_beginning_of_another_keep_their_scores(networks: Any) -> None:
    prompt = [{"role": "user", "content": "the river runs past old stone houses where people wait"}]
    texts = ["red blue", "red blue", "red blue green seven", "red", ""]
    rows = [Given(1, prompt, [Candidate(at, text) for at, text in enumerate(texts)])]
    for template in ("chat", "plain"):
        scorer = opened(networks("qwen3"), template=template)
        alone = one_at_a_time(networks("qwen3"), scorer, rows)
        assert scores(scorer, rows) == pytest.approx(alone, abs=FP32)
        assert alone[0] == alone[1]


@pytest.mark.parametrize("name", ["llama", "bert", "modernbert"])
def test_the_block_mask_of_graphics_cards_gives_the_same_numbers(name: str, networks: Any, monkeypatch: Any) -> None:
    from workers.nn import attention

    rows = conversations(3, candidates=3, seed=6, most=12)
    more = {"local_attention": 16} if name == "modernbert" else {}
    scorer = opened(networks(name, **more))
    expected = scores(scorer, rows)
    ran = []

    def flex(*given: Any) -> Any:
        ran.append(1)
        return attention.by_flex(*given)

    monkeypatch.setattr(attention, "by_pieces", flex)
    assert scores(scorer, rows) == pytest.approx(expected, abs=FP32)
    assert ran
