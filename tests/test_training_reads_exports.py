"""What trainers do with an export: load_dataset, then a few steps of RewardTrainer and DPOTrainer, unchanged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.cast import Cast, make_pairs
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
