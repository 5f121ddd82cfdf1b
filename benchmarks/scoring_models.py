"""What the scoring benchmark scores with and scores: two reward models with random heads, and seeded conversations."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

from workers.judging import Candidate, Given, Spec
from workers.references import builtin_folder

SEED = 20261125
ENCODER, CAUSAL = "encoder", "causal"
TITLES = {
    ENCODER: "encoder, 22.7 M (builtin:minilm with a random head)",
    CAUSAL: "causal, 28 M (Qwen3, 4 layers of 512, random weights)",
}
CHAT = "{% for m in messages %}{{ '[CLS]' + m['role'] + ' ' + m['content'] + '[SEP]' }}{% endfor %}"
HUMAN, ASSISTANT, SPREAD = 22, 75, 0.8
"""Median tokens of a turn and the sigma of their logarithm: about those of HH-RLHF."""
TURNS = (1, 1, 2, 2, 3, 4)
FITTING = 480
"""Longer conversations are left out: they would be cut for the encoder, and ways differ in how they cut."""


def build(kind: str, folder: Path) -> Path:
    """Save the model of this kind in `folder`, with its tokenizer."""
    import torch
    from transformers import AutoModelForSequenceClassification, Qwen3Config, Qwen3ForSequenceClassification

    from workers.nn.loading import quiet

    torch.manual_seed(SEED)
    if kind == ENCODER:
        with quiet():
            model: Any = AutoModelForSequenceClassification.from_pretrained(builtin_folder("minilm"), num_labels=1)
    else:
        sizes: dict[str, Any] = {"num_labels": 1, "pad_token_id": 0}
        model = Qwen3ForSequenceClassification(
            Qwen3Config(
                vocab_size=32_000,
                hidden_size=512,
                intermediate_size=1536,
                num_hidden_layers=4,
                num_attention_heads=8,
                num_key_value_heads=4,
                head_dim=64,
                max_position_embeddings=4096,
                **sizes,
            )
        )
    model.save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return folder


def tokenizer(kind: str) -> Any:
    """MiniLM's own; the causal model takes its word pieces too, without segments, under a chat template."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    known = AutoTokenizer.from_pretrained(builtin_folder("minilm"))
    if kind == ENCODER:
        return known
    made = PreTrainedTokenizerFast(
        tokenizer_object=known.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token="[SEP]"
    )
    made.chat_template = CHAT
    made.model_max_length = 4096
    return made


def spec(folder: Path, kind: str) -> Spec:
    return Spec(1, "reward", f"hf:{folder}", config={"template": "plain" if kind == ENCODER else "chat"})


@lru_cache(maxsize=1)
def words() -> list[str]:
    known = (builtin_folder("minilm") / "vocab.txt").read_text().split("\n")
    return [word for word in known if word.isascii() and word.isalpha() and len(word) > 2]


def said(dice: random.Random, median: int) -> str:
    count = max(3, round(dice.lognormvariate(0, SPREAD) * median))
    return " ".join(dice.choices(words(), k=count))


def rows(count: int) -> list[Given]:
    """Conversations of one to four turns, with two responses each; the same for the same count."""
    dice = random.Random(SEED)
    made: list[Given] = []
    while len(made) < count:
        row = conversation(dice, len(made))
        if longest(row) <= FITTING:
            made.append(row)
    return made


def conversation(dice: random.Random, key: int) -> Given:
    prompt = [{"role": "user", "content": said(dice, HUMAN)}]
    for _ in range(dice.choice(TURNS) - 1):
        prompt.append({"role": "assistant", "content": said(dice, ASSISTANT)})
        prompt.append({"role": "user", "content": said(dice, HUMAN)})
    return Given(key, prompt, [Candidate(2 * key + at, said(dice, ASSISTANT)) for at in range(2)])


def longest(row: Given) -> int:
    """Words of the longest text, each a token."""
    prompt = sum(len(message["content"].split()) for message in row.prompt)
    return prompt + max(len(candidate.text.split()) for candidate in row.candidates)
