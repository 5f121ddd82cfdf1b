"""Tiny networks with random weights, built on the spot: real architectures, two layers, a tokenizer trained here."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from workers.judging import Candidate, Given

TALK = (
    "the a river runs slowly past old stone houses where people wait for rain and nobody answers when they call out "
    "because every window is closed against wind sun noise dust yes no maybe often never twice red blue green seven"
)
WORDS = TALK.split(" ")
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "modernbert")
CAUSAL = ("llama", "mix-llama", "mistral", "qwen2", "qwen3", "olmo2", "gemma")
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 512,
}
DISTILBERT = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 512}


def words(seed: float, count: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def tokenizer(causal: bool) -> Any:
    """Words for an encoder, bytes merged into pieces for a causal model; both with special tokens and a template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if not causal:
        vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
        backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=backend,
            pad_token="[PAD]",
            unk_token="[UNK]",
            cls_token="[CLS]",
            sep_token="[SEP]",
            model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    made.chat_template = CHAT
    return made


def configuration(name: str, vocabulary: int, **more: Any) -> Any:
    """A configuration of two layers; grouped key heads and a head of its own width where the family has them."""
    from transformers import AutoConfig

    sizes = dict(DISTILBERT if name == "distilbert" else SIZES)
    if name in CAUSAL:
        sizes |= {"num_key_value_heads": 2, "head_dim": 8}
    if name == "mix-llama":
        import workers.nn.mix_ln  # noqa: F401 (transformers learns of it)

        sizes |= {"post_layers": 1}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if name in ("modernbert",):
        special = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    return AutoConfig.for_model(name, vocab_size=vocabulary, **{**sizes, **special, "num_labels": 1, **more})


def network(name: str, folder: Path, task: str = "SequenceClassification", seed: int = 0, **more: Any) -> Path:
    """A model of this architecture with its tokenizer, saved in `folder`."""
    import torch
    import transformers

    causal = name in CAUSAL
    tok = tokenizer(causal)
    torch.manual_seed(seed)
    config = configuration(name, len(tok), **more)
    model = getattr(transformers, f"AutoModelFor{task}").from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # larger than usual: differences must show
            if parameter.dim() > 1:
                parameter.normal_(std=0.15)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    tok.save_pretrained(folder)
    return folder


def conversations(count: int, *, candidates: int = 2, seed: int = 0, turns: int = 3, most: int = 40) -> list[Given]:
    """Prompts of one or more turns, each with responses of all lengths."""
    rng = random.Random(seed)
    rows = []
    for key in range(count):
        roles = ["user", "assistant"] * turns
        prompt = [
            {"role": role, "content": words(rng.random(), rng.randint(1, most))}
            for role in roles[: 2 * rng.randint(0, turns - 1) + 1]
        ]
        responses = [Candidate(key * 100 + at, words(rng.random(), rng.randint(1, most))) for at in range(candidates)]
        rows.append(Given(key, prompt, responses))
    return rows
