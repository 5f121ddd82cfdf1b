"""TRL's trainers: their own preprocessing, tokenisation and data collator on rows of the version.

The trainer is made as a user would make it, with a model of a few thousand weights and a word tokenizer made here, and
gives its first batches. No step is trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from workers.consumers import Consumer, Files, Refused, consumers

TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|> {{ m['content'] }} <|end|> {% endfor %}"
MARKS = ["<unk>", "<pad>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"]
BATCH = 8


def word_tokenizer(rows: list[dict[str, Any]]) -> Any:
    """A token for each of the commonest words of the rows."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words: dict[str, None] = {}
    for row in rows:
        for value in row.values():
            for message in value if isinstance(value, list) else [{"content": value}]:
                words.update(dict.fromkeys(str(message["content"]).split()[:200]))
    vocabulary = {word: n for n, word in enumerate(dict.fromkeys([*MARKS, *list(words)[:5000]]))}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="<|end|>", model_max_length=512
    )
    fast.chat_template = TEMPLATE
    return fast


def tiny(head: str, tokenizer: Any, folder: str) -> Any:
    """A Llama of one thin layer; loaded from a folder, since DPOTrainer loads its reference from there again."""
    import transformers

    sizes: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_labels": 1}
    sizes |= {"vocab_size": len(tokenizer), "num_attention_heads": 1}
    sizes |= {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    kind = getattr(transformers, head)
    kind(transformers.LlamaConfig(**sizes)).save_pretrained(folder)
    return kind.from_pretrained(folder)


def trainer_reads(trainer: str, config: str, head: str) -> Callable[[Files], str]:
    """What makes `trainer` read a sample and give its first batch."""

    def read(files: Files) -> str:
        import trl
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()
        rows = files.sample()
        if not rows:
            return "no rows to read"
        with tempfile.TemporaryDirectory(prefix="touchstone-check-") as folder:
            tokenizer = word_tokenizer(rows)
            arguments = getattr(trl, config)(
                output_dir=f"{folder}/out", per_device_train_batch_size=BATCH, report_to=[], use_cpu=True, bf16=False,
                gradient_checkpointing=False, save_strategy="no", disable_tqdm=True,
                max_length=None,  # RewardTrainer drops longer rows; how long is too long is for its user to say
            )  # fmt: skip
            made = getattr(trl, trainer)(
                model=tiny(head, tokenizer, f"{folder}/model"), args=arguments, train_dataset=Dataset.from_list(rows),
                processing_class=tokenizer,
            )  # fmt: skip
            if len(made.train_dataset) != len(rows):
                raise Refused(f"{trainer} keeps {len(made.train_dataset)} of {len(rows)} rows")
            batch = next(iter(made.get_train_dataloader()))
            checked(batch)
        return f"{trainer} tokenises and collates {len(rows)} of {files.total} rows"

    return read


def checked(batch: Any) -> None:
    """Every tensor of a batch has something in it, and only numbers."""
    import torch

    for name, value in batch.items():
        if isinstance(value, torch.Tensor) and (not value.numel() or not torch.isfinite(value.float()).all()):
            raise Refused("the collated batch is empty or not finite", column=name)


def add(name: str, trainer: str, config: str, head: str = "LlamaForCausalLM") -> None:
    def load() -> None:
        import transformers
        import trl
        from tokenizers import Tokenizer  # noqa: F401

        for package, what in ((trl, trainer), (trl, config), (transformers, head)):
            getattr(package, what)

    consumers.add(Consumer(name, "trl", trainer_reads(trainer, config, head), load))


add("trl-dpo", "DPOTrainer", "DPOConfig")
add("trl-reward", "RewardTrainer", "RewardConfig", "LlamaForSequenceClassification")
add("trl-kto", "KTOTrainer", "KTOConfig")
add("trl-sft", "SFTTrainer", "SFTConfig")
