"""The loop that every objective with a head shares: transformers' Trainer over steps that are planned beforehand.

A step of the optimizer is a list of batches, each within a budget of tokens; texts of like length stand together, so
that there is little padding. The plan follows from the seed alone, so a training that goes on from a checkpoint sees
what it would have seen. TRL's RewardTrainer cuts batches by rows and drops texts that are too long (docs/decisions.md).
"""

from __future__ import annotations

import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from workers.nn.loading import device, fast_bf16, quiet, threads
from workers.nn.mix_ln import MixLlamaConfig, gradients
from workers.training import EVALUATING, Job, Settings

WHOLE = "touchstone-whole"
"""A checkpoint with a file of this name was written to its end."""
TOLD = 200
"""So many points a curve has at most."""
ALIKE = 1024
"""So many rows are sorted by length together."""
MEASURED = 10
"""So often the held-out rows are looked at while it trains."""

Batch = Mapping[str, Any]
Measure = Callable[[], Mapping[str, float]]
Loss = Callable[[Any, Batch], tuple[Tensor, float, Mapping[str, float]]]
"""(model, batch): the sum of the losses, what it is a sum over, and means to tell."""


def plan(lengths: Sequence[int], settings: Settings, seed: int) -> list[list[list[int]]]:
    """For every step its batches of places in `lengths`, over all epochs.

    Batches hold at most `batch_tokens` after padding (a longer text stands alone), steps about `step_tokens`, and never
    more than all rows.
    """
    chance = random.Random(seed)
    order = list(range(len(lengths)))
    chance.shuffle(order)
    batches = [
        batch
        for place in range(0, len(order), 1024)
        for batch in cut(
            sorted(order[place : place + 1024], key=lambda one: lengths[one]), lengths, settings.batch_tokens
        )
    ]
    if not batches:
        return []
    each = min(len(batches), max(1.0, settings.step_tokens * len(batches) / sum(lengths)))
    total = max(1, round(settings.epochs * len(batches)))
    wanted = settings.max_steps or math.ceil(total / each - 1e-6)
    ends = [round((step + 1) * each) for step in range(wanted)]
    if not settings.max_steps:
        ends[-1] = total
    queue: list[list[int]] = []
    while len(queue) < ends[-1]:
        chance.shuffle(batches)
        queue += batches
    return [queue[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


def cut(order: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places in rising order of length, cut so that rows times the longest stay within the budget."""
    found: list[list[int]] = []
    for one in order:
        if found and (len(found[-1]) + 1) * lengths[one] <= budget:
            found[-1].append(one)
        else:
            found.append([one])
    return found


class Steps(Dataset[dict[str, Any]]):
    """One element a step: the batches of it, made when they are wanted."""

    def __init__(self, plan: Sequence[Sequence[Sequence[int]]], collate: Callable[[Sequence[int]], Batch]) -> None:
        self.plan, self.collate = plan, collate

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> dict[str, Any]:
        return {"batches": [self.collate(places) for places in self.plan[step]]}


class Fit(Trainer):
    """Transformers' loop; a step is what `Steps` says, its loss the mean over all rows of the step."""

    def __init__(
        self, job: Job, model: Any, steps: Steps, loss: Loss, measure: Callable[[], Mapping[str, float]] | None
    ):
        self.job, self.steps, self.loss_of, self.measure = job, steps, loss, measure
        self.seen: dict[str, list[float]] = defaultdict(list)
        self.layered = isinstance(model.config, MixLlamaConfig)
        """Whether the gradient of each layer is told: of models that are built here."""
        super().__init__(
            model=model,
            args=arguments(job, len(steps)),
            train_dataset=steps,
            data_collator=lambda given: given[0],
            callbacks=[Telling(job, self)],
        )
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return SequentialSampler(self.steps)

    def floating_point_ops(self, inputs: Any) -> int:
        return 0

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        model.train()
        batches = self._prepare_inputs(inputs)["batches"]
        count = sum(float(batch["weight"]) for batch in batches) or 1.0
        total = torch.zeros((), device=self.args.device)
        for place, batch in enumerate(batches):
            # Processes average gradients once a step: their steps may be cut into unlike numbers of batches.
            apart = nullcontext() if place == len(batches) - 1 else self.accelerator.no_sync(model)
            with apart:
                with self.compute_loss_context_manager():
                    loss, _, told = self.loss_of(model, batch)
                loss = loss / count
                self.accelerator.backward(loss)
            total += loss.detach()
            for name, value in told.items():
                self.seen[name].append(value)
        if self.layered and self.tells(self.state.global_step + 1):
            for name, value in gradients(cast(Any, self.model)).items():
                self.seen[name].append(value)
        return total

    def tells(self, step: int) -> bool:
        """Whether the numbers of a step are told, as transformers decides it."""
        return step == 1 or step % int(self.args.logging_steps) == 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs.update({name: sum(values) / len(values) for name, values in self.seen.items() if values})
            self.seen.clear()
        super().log(logs, start_time)


class Telling(TrainerCallback):
    """Progress to the run, and a mark in every checkpoint that is whole."""

    def __init__(self, job: Job, fit: Any) -> None:
        """`fit` is a trainer with a `measure`, which may be None."""
        self.job, self.fit = job, fit

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            names = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "gradient"}
            values = {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}
            rest = {name: float(logs[name]) for name in logs if name not in {*names, "epoch", "step"}}
            self.job.tell(state.global_step, state.max_steps, values | rest)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        every = max(1, state.max_steps // MEASURED)
        if self.fit.measure and (state.global_step % every == 0 or state.global_step == state.max_steps):
            self.job.tell(state.global_step, state.max_steps, measured(self.fit))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()


def measured(fit: Any) -> Mapping[str, float]:
    fit.model.eval()
    try:
        told: Mapping[str, float] = fit.measure()
        return told
    finally:
        fit.model.train()


def arguments(job: Job, steps: int) -> TrainingArguments:
    """transformers' arguments for the settings of a job."""
    with quiet():
        return TrainingArguments(**asked(job, steps))


def asked(job: Job, steps: int) -> dict[str, Any]:
    """The same by name, for those of TRL, which have more of them."""
    given: Settings = job.settings
    steps = -(-steps // processes())
    return {
        "output_dir": str(job.checkpoints),
        "max_steps": steps,
        "per_device_train_batch_size": 1,
        "learning_rate": given.learning_rate,
        "warmup_steps": round(given.warmup * steps),
        "lr_scheduler_type": given.schedule if given.schedule != "constant" else "constant_with_warmup",
        "weight_decay": given.weight_decay,
        "bf16": mixed(given.precision),
        "use_cpu": device().type == "cpu",
        "seed": job.seed,
        "logging_steps": max(1, steps // TOLD),
        "logging_first_step": True,
        "save_strategy": "steps",
        "save_steps": given.save_every,
        "save_total_limit": 2,
        "remove_unused_columns": False,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def processes() -> int:
    """How many learn together, as accelerate or torchrun say: each does every so-manieth step of the plan, so that a
    step of the optimizer, over which gradients are averaged, is as many times larger."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def mixed(precision: str) -> bool:
    """Whether to train in bf16 with weights kept in fp32."""
    return fast_bf16(device()) if precision == "auto" else precision == "bf16"


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end."""
    found = [one for one in folder.glob("checkpoint-*") if (one / WHOLE).exists()]
    return str(max(found, key=lambda one: int(one.name.rsplit("-", 1)[1]))) if found else None


def fit(job: Job, model: Any, steps: Steps, loss: Loss, measure: Measure | None = None) -> dict[str, Any]:
    """Train `model` in place, from the last whole checkpoint on; what it took."""
    threads()
    return through(job, Fit(job, model, steps, loss, measure))


def through(job: Job, trainer: Trainer) -> dict[str, Any]:
    """Run a trainer from the last whole checkpoint on; what it took."""
    resumed = last_checkpoint(job.checkpoints)
    if resumed:
        job.log(f"going on from {Path(resumed).name}")
    begun = time.process_time()
    with quiet():
        done = trainer.train(resume_from_checkpoint=resumed)
    if job.held_out:
        job.log(f"{EVALUATING} held-out rows")
    return {
        "steps": done.global_step,
        "loss": done.training_loss,
        "seconds": done.metrics.get("train_runtime"),
        "cpu_seconds": round(time.process_time() - begun, 2),
    }


def adapted(model: Any, rank: int, task: str) -> Any:
    """The model with LoRA adapters of that rank on every linear layer; itself where the rank is 0.

    `task` is PEFT's: SEQ_CLS, TOKEN_CLS or CAUSAL_LM. Heads are trained in full.
    """
    if not rank:
        return model
    from peft import get_peft_model

    return get_peft_model(model, lora(rank, task))


def lora(rank: int, task: str) -> Any:
    from peft import LoraConfig

    own = ["score", "classifier"] if task == "TOKEN_CLS" else None  # of these heads PEFT does not know that they are
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=own, task_type=task)


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Model and tokenizer as an ordinary folder of fp32 or bf16 weights, adapters merged into them."""
    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    with quiet():
        whole.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
