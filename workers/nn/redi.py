"""REDI: fine-tuning on right traces, then a loss without a reference on right and wrong ones, watched for collapse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, TrainerCallback
from trl.experimental.cpo import CPOConfig, CPOTrainer

from workers.examples import Example
from workers.held_out import Ranked
from workers.nn.fitting import WHOLE, Measure, save
from workers.nn.language import Base, Form, Tokens, adapters, budget, config, dataset, opened, run
from workers.nn.likelihood import read
from workers.nn.loading import quiet
from workers.nn.objectives import LOOKED_AT, accuracy, flat, length_of, pairs_of, ranked, sft
from workers.training import TRAIN, Job

WATCHED = "logps/chosen"
FIRST = "first"
"""The folder beside the checkpoints in which the first stage works."""


class Redi(CPOTrainer):
    """TRL's trainer of losses without a reference, whose log-probabilities are means over the tokens of a completion
    (as for SimPO); the loss and the tokens are ours."""

    def __init__(self, form: Form, alpha: float, *given: Any, **named: Any) -> None:
        self.form, self.weight = form, alpha
        super().__init__(*given, **named)

    def cpo_loss(self, policy_chosen_logps: Any, policy_rejected_logps: Any) -> tuple[Any, Any, Any]:
        """-mean log pi(chosen) + alpha mean log pi(rejected), each [pairs]."""
        losses = -policy_chosen_logps + self.weight * policy_rejected_logps
        return losses, policy_chosen_logps.detach(), policy_rejected_logps.detach()

    def tokenize_row(self, feature: Mapping[str, Any], model: Any = None) -> dict[str, Any]:
        """The tokens that every other objective reads, of a row that came with them. TRL's would end a text twice
        where a chat template puts a line break behind its end."""
        made = {}
        for side in ("chosen", "rejected"):
            ids, start = list(feature[f"{side}_tokens"]), feature[f"{side}_start"]
            made[f"{side}_input_ids"], made[f"{side}_attention_mask"] = ids, [1] * len(ids)
            made[f"{side}_labels"] = [-100] * start + ids[start:]
        return made


def row(both: tuple[Tokens, Tokens]) -> dict[str, Any]:
    """A pair as `Redi` takes it. TRL wants to see texts, and looks at them no further."""
    sides = zip(("chosen", "rejected"), both, strict=True)
    tokens = {
        f"{name}_{part}": value for name, one in sides for part, value in (("tokens", one.ids), ("start", one.start))
    }
    return {"prompt": "", "chosen": "", "rejected": "", **tokens}


@dataclass(slots=True)
class Guard(TrainerCallback):
    """Stops a training in which the preferred traces have become much less likely than they once were.

    The mean of the last `window` steps is held against the highest there was, that of the first step included. What was
    told is kept in checkpoints, so a training that goes on after a restart is watched as one that never stopped.
    """

    window: int
    drop: float
    stopped: int = 0
    fell: float = 0.0

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        told = falls(state.log_history, self.window) if self.window else []
        if told and not self.stopped and told[-1].step >= self.window and told[-1].mean > self.drop:
            self.stopped, self.fell = state.global_step, told[-1].mean
            control.should_training_stop = True


class Fall(NamedTuple):
    """By how much the mean log-probability of the preferred traces has fallen at a step, in nats a token."""

    step: int
    mean: float
    """That of the last steps."""
    now: float
    """That of this step alone."""


def falls(history: Sequence[Mapping[str, Any]], window: int) -> list[Fall]:
    told = [(one["step"], one[WATCHED]) for one in history if WATCHED in one]
    found: list[Fall] = []
    highest = float("-inf")
    for place, (step, value) in enumerate(told):
        mean = fmean(each for at, each in told[: place + 1] if at > step - window)
        highest = max(highest, mean)
        found.append(Fall(step, highest - mean, highest - value))
    return found


def train(job: Job) -> tuple[dict[str, Any], list[Ranked]]:
    """Both stages, the model saved; what they took, and the held-out pairs ranked by their mean log-probabilities.

    Raises ValueError when there are too few pairs.
    """
    torch.manual_seed(job.seed)
    given = job.settings
    base = opened(job)
    pairs, texts = pairs_of(base, TRAIN)
    base.enough(len(pairs), "pairs")
    found = budget([length_of(both) for both in texts], given)
    told = {"pairs": len(pairs), "cut": base.cut, "dropped": base.dropped}
    if given.sft_epochs:
        first = replace(
            job,
            out=job.checkpoints / FIRST,
            settings=given.model_copy(
                update={"epochs": given.sft_epochs, "learning_rate": given.sft_learning_rate, "max_steps": 0}
            ),
        )
        examples = [Example(one.split, one.row, one.prompt, one.chosen, one.item) for one in pairs]
        before = budget([len(one.ids) for one, _ in texts], first.settings).steps
        told["sft_steps"] = before
        whole = before + found.steps
        base = begun(replace(first, tell=lambda step, _, values: job.tell(step, whole, values)), base, examples)
        job = replace(job, tell=later(job, before, whole))
    took, held = contrasted(job, base, [row(both) for both in texts], found)
    return {**took, **told}, held


def later(job: Job, before: int, whole: int) -> Any:
    return lambda step, _, values: job.tell(before + step, whole, values)


def begun(job: Job, base: Base, examples: Sequence[Example]) -> Base:
    """The first stage: the base fine-tuned on the right traces, or what an earlier attempt made of it."""
    if not (job.model / WHOLE).exists():
        job.log("first stage: fine-tuning on the preferred responses")
        ran, _ = sft(job, base, examples, ())
        save(ran.model, base.tokenizer, job.model)
        (job.model / WHOLE).touch()
    return replace(base, model=model_in(job.model))


def model_in(folder: Path) -> Any:
    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)


def contrasted(
    job: Job, base: Base, rows: Sequence[Mapping[str, Any]], found: Any
) -> tuple[dict[str, Any], list[Ranked]]:
    """The second stage, rolled back where it collapsed."""
    given = job.settings
    held = {split: pairs_of(base, split) for split in job.held_out}
    kept = [pair for pairs, _ in held.values() for pair in pairs]
    unseen = flat([both for _, texts in held.values() for both in texts])
    guard = Guard(given.guard_window, given.guard_drop)
    args = CPOConfig(
        **{
            **config(job, found, base.form.max_length),
            "remove_unused_columns": False,
            # What was saved before a fall must still be there when the guard has seen it.
            "save_total_limit": 2 + ceil(given.guard_window / given.save_every),
        },
        loss_type="simpo",
        cpo_alpha=0.0,
    )
    beginning = {name: value.clone() for name, value in base.model.state_dict().items()}

    def make() -> Redi:
        return Redi(
            base.form, given.alpha, base.model, args, train_dataset=dataset(rows, job.seed),
            processing_class=base.tokenizer, peft_config=adapters(job), callbacks=[guard],
        )  # fmt: skip

    def scores(model: Any, texts: Sequence[Tokens]) -> list[float]:
        return [one.mean for one in read(model, texts, given)]

    def measure(model: Any) -> Measure:
        return lambda: accuracy(scores(model, unseen[: 2 * LOOKED_AT]))

    ran = run(job, make, measure if kept else None)
    model, took = ran.model, ran.took
    if guard.stopped:
        base.model.load_state_dict(beginning)
        model, place = rolled_back(job, base.model, guard, ran.curves)
        took["guard"] = {"stopped": guard.stopped, "fell": round(guard.fell, 4), "kept": place}
        fell = f"the preferred responses lost {guard.fell:.2f} nats a token"
        job.log(f"collapse at step {guard.stopped}: {fell}; kept: {place}")
    save(model, base.tokenizer, job.model)
    return took, ranked(kept, scores(model, unseen))


def rolled_back(job: Job, model: Any, guard: Guard, history: Sequence[Mapping[str, Any]]) -> tuple[Any, str]:
    """The last whole checkpoint at which not half of what is allowed was lost, else the beginning of the stage."""
    told = falls(history, guard.window)
    good = []
    for folder in job.checkpoints.glob("checkpoint-*"):
        step = int(folder.name.rsplit("-", 1)[1])
        before = [one for one in told if one.step <= step]
        if before and (folder / WHOLE).exists() and max(before[-1].mean, before[-1].now) <= guard.drop / 2:
            good.append((step, folder))
    if not good:
        return model, "the beginning"
    step, folder = max(good)
    if not job.settings.lora:
        return model_in(folder), f"step {step}"
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder), f"step {step}"
