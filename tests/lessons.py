"""Jobs for language models: tiny bases that know the words of small made-up data, and the data as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.tiny import model, saved, tokenizer
from workers.training import Job, trainers

ROWS = 40
WORDS = ["Question", "Answer", "good", "bad", "to", *map(str, range(ROWS)), *(f"{n}?" for n in range(ROWS))]
QUICK = {"epochs": 4, "learning_rate": 3e-3, "step_tokens": 160, "batch_tokens": 160, "max_length": 64}
PAIRS = [
    {
        "prompt": [{"role": "user", "content": f"Question {n}?"}],
        "chosen": [{"role": "assistant", "content": f"Answer good to {n}"}],
        "rejected": [{"role": "assistant", "content": f"Answer bad to {n}" if n % 2 else f"bad to {n}"}],
    }
    for n in range(ROWS)
]
COMPLETIONS = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in PAIRS]
LABELLED = [
    {"prompt": row["prompt"], "completion": row["chosen" if n % 2 else "rejected"], "label": bool(n % 2)}
    for n, row in enumerate(PAIRS)
]
DATA: dict[str, tuple[str, Sequence[dict[str, Any]]]] = {
    "sft": ("trl-sft", COMPLETIONS),
    "dpo": ("trl-preference", PAIRS),
    "kto": ("trl-unpaired", LABELLED),
    "redi": ("trl-preference", PAIRS),
}


def language_model(folder: Path, words: Sequence[str] = WORDS, *, chat: bool = False, **sizes: Any) -> Path:
    """A tiny Llama with random weights."""
    tokens = tokenizer(words, chat=chat)
    saved(folder, model("LlamaForCausalLM", len(tokens), eos_token_id=3, bos_token_id=2, **sizes), tokens)
    return folder


def job(
    folder: Path, name: str, base: Path, rows: Sequence[Any] = (), *, target: str = "", held: float = 0.25, **given: Any
) -> Job:
    """A training of `name` in `folder`; the last share of the rows is held out."""
    for_target, data = DATA.get(name, ("", ()))
    data = rows or data
    folder.mkdir(parents=True, exist_ok=True)
    cut = len(data) - round(held * len(data))
    for split, some in (("train", data[:cut]), ("test", data[cut:])):
        (folder / f"{split}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, some)))
    named = {name: given.pop(name) for name in ("tell", "log", "protocol", "seed", "template") if name in given}
    settings = trainers.get(name).settings.model_validate({**QUICK, "precision": "fp32", **given})
    lines = {"train": "train.jsonl", **({"test": "test.jsonl"} if cut < len(data) else {})}
    return Job(folder, target or for_target, lines, base, folder / "out", settings, **named)


def trained(made: Job, name: str) -> dict[str, Any]:
    made.out.mkdir(exist_ok=True)
    return trainers.get(name).train(made)
