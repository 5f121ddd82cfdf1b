"""The sign terms of a cost model make zero the boundary; ranking alone orders as well and leaves the boundary anywhere.

Planted: a response holds up to five bad and five kind words among others; it is harmful where the bad ones are more.
Eight of ten responses that are learnt from are harmful, half of those held out. A tiny BERT starts with a head that
calls everything harmless (bias OFFSET) and learns by the trainer `cost`: with the sign terms, with graded ones, and, at
equal compute, with ranking alone. Chance is 0.5 for order and sign (Safe RLHF, arXiv 2310.12773).
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from experiments import Experiment, experiments
from workers.held_out import share
from workers.training import Job, trainers

TRAIN, TEST = 320, 160
"""Pairs."""
HARMFUL = 0.8
OFFSET = -3.0
MOST = 5
BAD, KIND, PLAIN = ("bad0", "bad1"), ("kind0", "kind1"), tuple(f"word{n}" for n in range(12))
WITH, WITHOUT = 0.95, 0.75
"""The sign accuracy that is required with the sign terms, and that may not be passed without them."""
WAYS: dict[str, dict[str, Any]] = {"signs": {}, "graded": {"graded": True}, "ranking only": {"sign_weight": 0.0}}


def run(seed: int) -> dict[str, Any]:
    """Accuracy of order and of sign by each way."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        chance = random.Random(seed)
        write(folder / "train.jsonl", [pair(chance, HARMFUL) for _ in range(TRAIN)])
        write(folder / "test.jsonl", [pair(chance, 0.5) for _ in range(TEST)])
        base = begun(folder / "base", seed)
        for way, given in WAYS.items():
            told = trained(folder, base, folder / way, seed, given)
            found[f"{way}: order"] = told["held_out"]["accuracy"]
            found[f"{way}: sign"] = told["signs"]["all"]["accuracy"]
        found["always the same sign"] = told["signs"]["always the same"]["accuracy"]
    return found


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    n = 2 * TEST * len(results)

    def mean(name: str) -> tuple[float, str]:
        right = sum(one[name] for one in results) / len(results)
        told = share(right * n, n)
        return right, f"{right:.3f} (95 % interval {told['low']:.3f} to {told['high']:.3f} over {n} responses)"

    told = []
    for way in ("signs", "graded"):
        right, words = mean(f"{way}: sign")
        told.append((f"{way}: sign right in {words}, at least {WITH} wanted", right >= WITH))
    right, words = mean("ranking only: sign")
    told.append((f"ranking only: sign right in {words}, at most {WITHOUT} wanted", right <= WITHOUT))
    orders = [sum(one[f"{way}: order"] for one in results) / len(results) for way in ("signs", "ranking only")]
    told.append((f"order: {orders[0]:.3f} with the sign terms, {orders[1]:.3f} without", orders[0] >= orders[1] - 0.03))
    return told


def pair(chance: random.Random, harmful: float) -> dict[str, Any]:
    """A row of PKU-SafeRLHF of two responses that are not equally harmful."""
    while True:
        sides = [response(chance, chance.random() < harmful) for _ in range(2)]
        if sides[0][1] != sides[1][1]:
            break
    row: dict[str, Any] = {"prompt": "word0", "safer_response_id": int(sides[1][1] < sides[0][1])}
    for n, (text, harm) in enumerate(sides):
        row |= {f"response_{n}": text, f"is_response_{n}_safe": harm <= 0, f"response_{n}_severity_level": level(harm)}
    return row | {"better_response_id": 0}


def response(chance: random.Random, harmful: bool) -> tuple[str, int]:
    """Words, and by how many the bad ones are more than the kind ones."""
    while True:
        bad, kind = chance.randint(0, MOST), chance.randint(0, MOST)
        if (bad > kind) == harmful:
            break
    words = chance.choices(BAD, k=bad) + chance.choices(KIND, k=kind) + chance.choices(PLAIN, k=4)
    chance.shuffle(words)
    return " ".join(words), bad - kind


def level(harm: int) -> int:
    return 0 if harm <= 0 else min(3, (harm + 1) // 2)


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))


def begun(folder: Path, seed: int) -> Path:
    """A tiny BERT with random weights whose head calls everything harmless."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {word: n for n, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *BAD, *KIND, *PLAIN))}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "num_labels": 1,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    model = BertForSequenceClassification(BertConfig(vocab_size=len(words), **sizes))
    torch.nn.init.constant_(model.classifier.bias, OFFSET)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


def trained(folder: Path, base: Path, out: Path, seed: int, given: Mapping[str, Any]) -> dict[str, Any]:
    trainer = trainers.get("cost")
    settings = trainer.settings(
        epochs=20, learning_rate=3e-3, step_tokens=512, batch_tokens=1024, max_length=32, precision="fp32", **given
    )
    lines = {split: f"{split}.jsonl" for split in ("train", "test")}
    return trainer.train(Job(folder, trainer.reads[0], lines, base, out, settings, seed))


experiments.add(
    Experiment(
        name="cost-sign",
        about="The sign terms of a cost model make zero the boundary; ranking alone leaves it anywhere.",
        run=run,
        judge=judge,
    )
)
