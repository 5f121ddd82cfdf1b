"""What trainers do with an export: load_dataset, then a few steps of Reward-, DPO- and KTOTrainer, unchanged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from curation.services.answering import Answer
from tests.cast import Cast, make_pairs
from tests.critics import STEP, item, responses, say, yes
from tests.critics import frozen as critiques_frozen
from tests.test_freezing import answer_all, frozen

pytest.importorskip("trl", reason="NOT RUN: trl is not installed")
pytestmark = pytest.mark.training

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|> {{ m['content'] }} <|end|> {% endfor %}"


@pytest.fixture
def tokenizer() -> Any:
    """A word tokenizer with a chat template, made here."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "<pad>", "<|end|>", "<|user|>", "<|assistant|>", "Question", "Answer", "to", "?"]
    words += [str(n) for n in range(100)]
    made = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="<|end|>", model_max_length=128
    )
    fast.chat_template = TEMPLATE
    return fast


def tiny(kind: str, tokenizer: Any) -> Any:
    """A Llama of two thin layers, for causal language or for scores."""
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        num_labels=1,
    )
    return LlamaForSequenceClassification(config) if kind == "reward" else LlamaForCausalLM(config)


def stored(model: Any, folder: Path) -> Any:
    """The model as loaded from a folder: DPOTrainer loads its reference from there again."""
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder)


def common(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "max_steps": 3,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
    }


@pytest.fixture(params=["trl-preference", "trl-preference-implicit"])
def data(request: pytest.FixtureRequest, cast: Cast, tmp_path: Path) -> Any:
    """A frozen version as `load_dataset` reads it from its Parquet files."""
    from datasets import load_dataset

    make_pairs(cast.project, 24)
    answer_all(cast, "ann", *[(-1, 1, -2, 2)[n % 4] for n in range(20)])
    version = frozen(cast, target=request.param, splits={"train": 0.8, "test": 0.2}, seed=1)
    files = {split: str(version.folder / f"{split}.parquet") for split in version.splits}
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == version.counts["rows"]
    return loaded


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_reward_trainer_takes_the_export(data: Any, tokenizer: Any, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    trainer = RewardTrainer(
        model=tiny("reward", tokenizer),
        args=RewardConfig(**common(tmp_path), max_length=128),
        train_dataset=data["train"],
        processing_class=tokenizer,
    )
    assert len(trainer.train_dataset) == len(data["train"])
    found = losses(trainer)
    assert len(found) == 3 and all(map(math.isfinite, found))


def test_dpo_trainer_takes_the_export(data: Any, tokenizer: Any, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    trainer = DPOTrainer(
        model=stored(tiny("policy", tokenizer), tmp_path / "model"),
        args=DPOConfig(**common(tmp_path), max_length=128),
        train_dataset=data["train"],
        processing_class=tokenizer,
    )
    assert len(trainer.train_dataset) == len(data["train"])
    found = losses(trainer)
    assert len(found) == 3 and all(map(math.isfinite, found))


def test_the_folder_of_a_version_loads_by_its_card(cast: Cast, tmp_path: Path) -> None:
    from datasets import load_dataset

    make_pairs(cast.project, 10)
    answer_all(cast, "ann", *[1] * 10)
    version = frozen(cast, splits={"train": 0.5, "test": 0.5})
    loaded = load_dataset(str(version.folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == version.counts["rows"]


def judged(cast: Cast, target: str, **protocol: Any) -> Any:
    """A version of what single responses were judged as."""
    project = responses(cast, *[item(f"q{n}", f"Answer 1 to {n}?\nAnswer 2 to {n}.") for n in range(16)], **protocol)
    for n in range(12):
        steps = [(0, (at := len(f"Answer 1 to {n}?"))), (at + 1, at + 1 + len(f"Answer 2 to {n}."))]
        right = [yes("step", answer=(1, -1)[(n + k) % 2], start=a, end=b) for k, (a, b) in enumerate(steps)]
        said = right[: 1 + (n % 2 == 0)] if target == "trl-stepwise" else [yes(answer=n % 2 == 0)]
        say(cast, "ann", Answer(verdicts=said))
    return critiques_frozen(project, target, splits={"train": 0.8, "test": 0.2}, seed=1)


def loaded(version: Any, folder: Path) -> Any:
    from datasets import load_dataset

    files = {split: str(version.folder / f"{split}.parquet") for split in version.splits}
    found = load_dataset("parquet", data_files=files, cache_dir=str(folder / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == version.counts["rows"]
    return found


def test_kto_trainer_takes_unpaired_preferences(cast: Cast, tokenizer: Any, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    data = loaded(judged(cast, "trl-unpaired"), tmp_path)
    trainer = KTOTrainer(
        model=stored(tiny("policy", tokenizer), tmp_path / "model"),
        args=KTOConfig(**common(tmp_path), max_length=128),
        train_dataset=data["train"],
        processing_class=tokenizer,
    )
    found = losses(trainer)
    assert len(found) == 3 and all(map(math.isfinite, found))


def test_stepwise_supervision_is_as_trl_has_it(cast: Cast, tmp_path: Path) -> None:
    version = judged(cast, "trl-stepwise", unit="step", questions=[STEP])
    rows = loaded(version, tmp_path)["train"]
    assert {"prompt", "completions", "labels"} == set(rows.features)
    assert rows.features["prompt"].dtype == "string" and rows.features["labels"].feature.dtype == "bool"
    for row in rows:
        assert len(row["completions"]) == len(row["labels"]) and row["prompt"].startswith("What of q")
        assert "".join(row["completions"]).startswith("Answer 1 to")
    assert {tuple(row["labels"]) for row in rows} == {(True, False), (False,)}
