"""Tiny models of real architectures for tests: random weights and a word tokenizer, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
MARKS = ["<pad>", "<unk>", "<s>", "</s>", "<user>", "<assistant>"]
CHAT = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} </s> {% endfor %}"


def tokenizer(words: Sequence[str], *, pairs: bool = False, chat: bool = False) -> Any:
    """A token for each word; `pairs`: text pairs are joined as encoders want them."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(WordLevel({word: n for n, word in enumerate([*MARKS, *words])}, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    if pairs:
        ends = [("<s>", 2), ("</s>", 3)]
        made.post_processor = TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=ends
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")
    fast.add_special_tokens({"additional_special_tokens": ["<user>", "<assistant>"]})
    if chat:
        fast.chat_template = CHAT
    return fast


def model(name: str, size: int, seed: int = 0, **config: Any) -> Any:
    """A model class of transformers by name, with random weights; `size` words."""
    import torch
    import transformers

    torch.manual_seed(seed)
    made = getattr(transformers, name)
    return made(made.config_class(vocab_size=size, pad_token_id=0, **{**SIZES, **config})).eval()


def saved(folder: Path, made: Any, tokens: Any) -> str:
    """Its reference, once its files are there."""
    made.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return f"hf:{folder}"
