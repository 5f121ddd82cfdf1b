"""Tiny language models of words, and trainings of them as jobs, for the planted worlds of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from workers.training import Job, trainers

MARKS = ["<pad>", "<unk>", "<s>", "</s>"]
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 64,
}


def begun(folder: Path, words: Sequence[str], seed: int, **sizes: Any) -> Path:
    """A Llama with random weights that knows these words, a token each."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    backend = Tokenizer(WordLevel({word: n for n, word in enumerate([*MARKS, *words])}, unk_token="<unk>"))
    backend.pre_tokenizer = WhitespaceSplit()
    marks = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **marks)
    torch.manual_seed(seed)
    ids: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
    config = LlamaConfig(vocab_size=len(words) + len(MARKS), **ids, **{**SIZES, **sizes})
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def said(text: str, role: str = "assistant") -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def trained(
    folder: Path, name: str, base: Path, rows: Sequence[Mapping[str, Any]], seed: int, **given: Any
) -> tuple[Path, dict[str, Any], list[Mapping[str, float]]]:
    """The folder of the model that a trainer makes of rows, its metrics, and what it told on the way."""
    trainer = trainers.get(name)
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    settings = trainer.settings.model_validate({"precision": "fp32", "save_every": 1_000_000, **given})
    told: list[Mapping[str, float]] = []
    job = Job(
        folder, trainer.reads[0], {"train": "train.jsonl"}, base, folder, settings, seed,
        tell=lambda step, steps, values: told.append({"step": step, **values}),
    )  # fmt: skip
    metrics = trainer.train(job)
    return job.model, metrics, told
