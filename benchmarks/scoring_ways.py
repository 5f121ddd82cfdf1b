"""Ways to score the same rows: the transformers pipeline, a padded loop as Trainer predicts, and this engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import timed
from benchmarks.scoring_models import ENCODER, spec
from workers.judging import Given

BATCH = 32


@dataclass
class Bench:
    """One model, loaded for every way, with rows already turned into what each way takes."""

    kind: str
    folder: Path
    rows: list[Given]

    def __post_init__(self) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, pipeline

        from workers.nn.scoring import open_reward

        opened: Any = open_reward(spec(self.folder, self.kind))
        self.scorer: Any = opened
        self.engine: Any = opened.engine
        ready = self.engine.tokenising
        self.texts = [text for item, row in enumerate(self.rows) for text in ready.texts(item, row)]
        self.tokens = sum(len(text) for text in self.texts)
        self.dtype = self.engine.loaded.dtype
        self.model: Any = AutoModelForSequenceClassification.from_pretrained(self.folder).eval()
        self.pipe: Any = pipeline("text-classification", model=str(self.folder), device=torch.device("cpu"))
        self.asked = [self.asked_of(row, at) for row in self.rows for at in range(len(row.candidates))]

    def asked_of(self, row: Given, at: int) -> Any:
        """What the pipeline is given: a pair of texts, or the conversation by its chat template."""
        from workers.nn.texts import conversation, plain

        candidate = row.candidates[at]
        if self.kind == ENCODER:
            return {"text": plain(row.prompt), "text_pair": candidate.text}
        return self.pipe.tokenizer.apply_chat_template(conversation(row, candidate), tokenize=False)

    def ways(self) -> dict[str, Callable[[], list[float]]]:
        """By name; each gives the scores in the order of the rows."""
        found = {
            "pipeline": self.by_pipeline,
            "padded": self.by_padded,
            "forward": lambda: self.by_engine(share=True),
            "judge": self.by_judge,
        }
        if self.kind != ENCODER:
            found["unshared"] = lambda: self.by_engine(share=False)
        return found

    def by_pipeline(self) -> list[float]:
        """As it comes: one text at a time, tokenised on the way."""
        more: dict[str, Any] = {} if self.kind == ENCODER else {"add_special_tokens": False}
        told = self.pipe(self.asked, function_to_apply="none", truncation=True, max_length=self.longest, **more)
        return [one["score"] for one in told]

    @property
    def longest(self) -> int:
        return int(self.engine.loaded.max_length)

    def by_padded(self) -> list[float]:
        """Batches of 32 in the order of the rows, padded to the longest of each; tokens are ready beforehand."""
        import torch

        told: list[float] = []
        with torch.inference_mode():
            for at in range(0, len(self.texts), BATCH):
                told += self.model(**self.rectangle(self.texts[at : at + BATCH])).logits[:, 0].tolist()
        return told

    def rectangle(self, texts: list[Any]) -> dict[str, Any]:
        import torch

        longest = max(len(text) for text in texts)
        given = {
            "input_ids": torch.tensor([text.ids + [0] * (longest - len(text)) for text in texts]),
            "attention_mask": torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts]),
        }
        if self.kind == ENCODER:
            types = [(text.types or []) + [0] * (longest - len(text)) for text in texts]
            given["token_type_ids"] = torch.tensor(types)
        return given

    def by_engine(self, *, share: bool) -> list[float]:
        """Forward alone: tokens are ready beforehand."""
        self.engine.share = share
        self.engine.counted["rows"] = 0
        told = [value[""] for value in self.engine.values(self.texts)]
        self.engine.share = True
        return told

    def by_judge(self) -> list[float]:
        """From conversations to scores."""
        return [one.scores[""] for one in self.scorer.judge(self.rows)]

    def row_tokens(self) -> int:
        """Tokens that the model reads when prompts are shared: P + ΣR instead of ΣP + R."""
        from workers.nn.packing import grouped

        return sum(group.tokens for group in grouped(self.texts, share=self.kind != ENCODER))

    def flops(self) -> float:
        """Multiplications and additions that the shared, pruned forward cannot do without."""
        from workers.nn.packing import grouped

        config = self.model.config
        layers, width = config.num_hidden_layers, config.hidden_size
        heads = config.num_attention_heads * (getattr(config, "head_dim", None) or width // config.num_attention_heads)
        body = self.model.base_model
        layer = body.encoder.layer[0] if self.kind == ENCODER else body.layers[0]
        weights = sum(p.numel() for p in layer.parameters() if p.dim() == 2)
        keys = 0 if self.kind == ENCODER else 2 * width * config.num_key_value_heads * config.head_dim
        looks = 0.0
        for group in grouped(self.texts, share=self.kind != ENCODER):
            own = [len(text) - group.prefix for text in group.texts]
            if self.kind == ENCODER:
                looks += sum(length**2 for length in own)
            else:
                looks += group.prefix**2 / 2 + sum(length * group.prefix + length**2 / 2 for length in own)
        rows = self.row_tokens()
        return (layers - 1) * (2 * rows * weights + 4 * looks * heads) + 2 * rows * keys


def ceiling(dtype: Any, width: int, tokens: int = 2048) -> float:
    """FLOP/s of one matrix product of the engine's shape and number format, the best of several."""
    import torch

    left, right = torch.randn(tokens, width, dtype=dtype), torch.randn(4 * width, width, dtype=dtype)
    with torch.inference_mode():
        seconds = min(timed(lambda: torch.nn.functional.linear(left, right))[0] for _ in range(12))
    return 8 * tokens * width * width / seconds
