"""Objectives on language models: a trainer of TRL's run for a job, on texts as the judges and critics read them.

TRL takes batches by rows, so the budgets of tokens become rows: as many at once as fit if all were as long as the
longest, and as many batches as come to a step. A base with a chat template is trained in it; one without is trained on
plain text, prompt, blank line, completion, end of text, which is how workers/nn/texts.py and workers/nn/generating.py
read and ask such a model (docs/scoring.md). Nothing is added to its tokenizer.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import datasets
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback

from workers.examples import Example, Writing, simple
from workers.judging import Unusable
from workers.nn.fitting import Measure, Telling, asked, lora, through
from workers.nn.loading import quiet, threads
from workers.nn.pairs import longest
from workers.nn.texts import TURN, plain, template_of
from workers.paired import Messages
from workers.training import Job

LEAST = 8
"""Fewer rows than that teach nothing."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A prompt with its completion; `start` is the first token of the completion."""

    ids: list[int]
    start: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How conversations become text and tokens: by the chat template, or plain."""

    tokenizer: Any
    template: str
    max_length: int

    def row(self, prompt: Messages, **completions: Messages) -> dict[str, Any]:
        """What TRL takes: messages where it is to apply the template, else texts."""
        if self.template == "chat":
            return {"prompt": simple(prompt), **{name: simple(one) for name, one in completions.items()}}
        return {"prompt": before(prompt), **{name: plain(simple(one)) for name, one in completions.items()}}

    def tokens(self, prompt: Messages, completion: Messages) -> Tokens:
        """The tokens that TRL makes of a row. Too long, it loses its end, as there."""
        if self.template == "chat":
            asking = self.tokenizer.apply_chat_template(simple(prompt), add_generation_prompt=True, tokenize=False)
            whole = self.tokenizer.apply_chat_template(simple([*prompt, *completion]), tokenize=False)
            first, ids = (self.tokenizer(one, add_special_tokens=False)["input_ids"] for one in (asking, whole))
        else:
            asking = before(prompt)
            first = self.tokenizer(asking)["input_ids"]
            ids = self.tokenizer(ended(asking + plain(simple(completion)), self.tokenizer.eos_token))["input_ids"]
        start = next((n for n, (one, other) in enumerate(zip(first, ids, strict=False)) if one != other), None)
        start = min(len(first), len(ids)) if start is None else start
        return Tokens(list(ids[: self.max_length]), start, len(ids) > self.max_length)


def before(prompt: Messages) -> str:
    """What stands before a completion in plain text."""
    told = plain(simple(prompt))
    return f"{told}{TURN}" if told else ""


def ended(text: str, end: str) -> str:
    return text if text.endswith(end) else text + end


def taught(tokens: Tokens) -> bool:
    """Whether anything of the completion is left."""
    return tokens.start < len(tokens.ids)


@dataclass(slots=True)
class Base:
    """The model that a job starts from, opened."""

    job: Job
    model: Any
    tokenizer: Any
    form: Form
    dropped: int = 0
    cut: int = 0

    def encoded(self, examples: Iterable[Example]) -> tuple[list[Example], list[Tokens]]:
        """Examples with their tokens; those whose prompt leaves no room for the completion are dropped and counted."""
        kept: list[Example] = []
        found: list[Tokens] = []
        for example in examples:
            tokens = self.form.tokens(example.prompt, example.completion)
            if taught(tokens):
                kept.append(example)
                found.append(tokens)
                self.cut += tokens.cut
            else:
                self.dropped += 1
        return kept, found

    def enough(self, count: int, what: str = "rows") -> None:
        """Say how much there is to learn from. Raises ValueError when it is too little."""
        self.job.log(f"{count} {what} to learn from; {self.cut} texts cut, {self.dropped} dropped as too long")
        if count < LEAST:
            longer = f"; {self.dropped} had no room after the prompt: raise max_length" if self.dropped else ""
            raise ValueError(f"{count} {what} to learn from are too few; at least {LEAST}{longer}")


def opened(job: Job) -> Base:
    """Model, tokenizer and form of the base. Raises Unusable in words for a person."""
    assert job.base is not None
    with quiet():
        try:
            model = AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.float32, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(job.base, use_fast=True)
        except (OSError, ValueError, KeyError) as error:
            raise Unusable(f"it is no language model: {str(error).splitlines()[0][:300]}") from error
    return base_of(job, model, tokenizer)


def base_of(job: Job, model: Any, tokenizer: Any) -> Base:
    if tokenizer.eos_token_id is None:
        raise Unusable("its tokenizer names no token that ends a text")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    template = template_of(job.template, tokenizer, causal=True)
    return Base(job, model, tokenizer, Form(tokenizer, template, longest(job, model.config, tokenizer)))


@dataclass(frozen=True, slots=True)
class Budget:
    """Rows that go through the model at once, batches of a step, and steps in all."""

    rows: int
    batches: int
    steps: int


def budget(lengths: Sequence[int], settings: Any, least: int = 1) -> Budget:
    """Tokens as rows. `lengths` are those of the rows, of a pair both texts; `least` rows are a batch at least."""
    rows = max(least, min(settings.batch_tokens // max(1, max(lengths)), len(lengths)))
    each = math.ceil(len(lengths) / rows)
    mean = sum(lengths) / len(lengths)
    batches = min(each, max(1, round(settings.step_tokens / (rows * mean))))
    return Budget(rows, batches, settings.max_steps or max(1, math.ceil(settings.epochs * math.ceil(each / batches))))


def config(job: Job, found: Budget, max_length: int) -> dict[str, Any]:
    """The arguments that TRL's configurations share, by name."""
    settings: Writing = job.settings
    return {
        **asked(job, found.steps),
        "per_device_train_batch_size": found.rows,
        "gradient_accumulation_steps": found.batches,
        "gradient_checkpointing": settings.checkpointing,
        "max_length": max_length,
        "remove_unused_columns": True,
    }


def dataset(rows: Iterable[Mapping[str, Any]], seed: int) -> datasets.Dataset:
    """Rows in an order that the seed decides: not every trainer of TRL's shuffles."""
    datasets.disable_progress_bars()
    drawn = [dict(row) for row in rows]
    random.Random(seed).shuffle(drawn)
    return datasets.Dataset.from_list(drawn)


def adapters(job: Job) -> Any:
    """What TRL takes as peft_config; None where all weights are trained."""
    return lora(job.settings.lora, "CAUSAL_LM") if job.settings.lora else None


def reference_of(job: Job, model: Any) -> Any:
    """What the policy is held against: a copy of its beginning; None with adapters, which TRL switches off for it.

    TRL would load it again by the name of the model, which one that was built in memory does not have.
    """
    return None if job.settings.lora else copy.deepcopy(model)


@dataclass(slots=True)
class Ran:
    """A training that ended: what it took, and the model with its adapters."""

    took: dict[str, Any]
    model: Any
    curves: list[dict[str, Any]] = field(default_factory=list)


def run(job: Job, make: Callable[[], Any], measure: Callable[[Any], Measure] | None = None) -> Ran:
    """Make a trainer of TRL's and run it, from the last whole checkpoint on. `measure(model)` is told as it goes."""
    threads()
    with quiet():
        trainer = make()
    trainer.measure = measure(trainer.model) if measure else None
    trainer.add_callback(Telling(job, trainer))
    trainer.remove_callback(PrinterCallback)
    took = through(job, trainer)
    return Ran(took, trainer.model, trainer.state.log_history)
