"""Wrong traces as a push away from a wrong rule: REDI where fine-tuning is stuck at what its labels are worth.

Planted: two-digit additions in which the units carry. A trace is a word of four at random and the sum from its units
on; a base writes the right sum or the one without its carry, half and half, to all problems. A verifier passes 35 %
wrong traces as right; what it rejects is wrong indeed. Fine-tuning on what it passed can be right 65 % of the time and
no more. Told is the mean probability of the right sum for problems of which no trace was passed or rejected: pass@1
without the noise of sampling. alpha = 0 is the control of as many steps; alpha = 1, which nothing holds, runs with and
without the guard. Source: REDI, arXiv 2505.24850; thresholds are those of our specification.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments import Experiment, experiments
from experiments._language import begun, said, trained

MISLABELLED = 0.35
PAIRS, HELD_OUT = 1024, 250
FILLERS = ("so", "well", "thus", "now")
SPOKEN = 5
"""Tokens of a trace with its end."""
COMMON = {"step_tokens": 2048, "batch_tokens": 2048, "max_length": 32, "weight_decay": 1e-4}
BEFORE = {**COMMON, "epochs": 14, "learning_rate": 3e-3}
FIRST = {**COMMON, "epochs": 3, "learning_rate": 1e-3}
SECOND = {**COMMON, "sft_epochs": 0, "epochs": 8, "learning_rate": 3e-4, "guard_window": 0}
WAYS: dict[str, dict[str, Any]] = {
    "alpha 0": {"alpha": 0.0},
    "alpha 0.5": {"alpha": 0.5},
    "alpha 1": {"alpha": 1.0},
    "alpha 1, guarded": {"alpha": 1.0, "guard_window": 10, "guard_drop": 0.5, "save_every": 10},
}
STUCK, HELPED, LOST, FAR, NEAR = 0.75, 0.88, 0.25, -2.0, -0.8

Problem = tuple[int, int]


def problems(chance: random.Random) -> list[Problem]:
    """Every addition in which the units carry, in an order that is drawn."""
    found = [(a, b) for a in range(10, 100) for b in range(10, 100) if a % 10 + b % 10 >= 10]
    chance.shuffle(found)
    return found


def asking(problem: Problem) -> list[dict[str, str]]:
    a, b = problem
    return said(f"{a // 10} {a % 10} + {b // 10} {b % 10} =", "user")


def trace(problem: Problem, right: bool, filler: str) -> list[dict[str, str]]:
    """A word and the sum from its units on; a wrong one forgets the carry of the units."""
    a, b = problem
    total = a + b if right else a + b - 10
    return said(" ".join([filler, *f"{total:03}"[::-1]]))


def pair(problem: Problem, chance: random.Random) -> dict[str, Any]:
    """A trace that the verifier passed, and one that it rejected, which is another text."""
    passed, rejected = chance.sample(FILLERS, 2)
    right = chance.random() >= MISLABELLED
    return {
        "prompt": asking(problem),
        "chosen": trace(problem, right, passed),
        "rejected": trace(problem, False, rejected),
    }


def run(seed: int) -> dict[str, Any]:
    """The probability of the right sum after each way, and the mean log-probability of the preferred traces."""
    chance = random.Random(seed)
    drawn = problems(chance)
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = begun(folder / "base", [*map(str, range(10)), "+", "=", *FILLERS], seed)
        mixed = [
            {"prompt": asking(one), "completion": trace(one, right, chance.choice(FILLERS))}
            for one in drawn
            for right in (True, False)
        ]
        base, _, _ = trained(folder / "mixed", "sft", base, mixed, seed, **BEFORE)
        told["base"] = pass_rate(base, drawn[:HELD_OUT])
        rows = [pair(one, chance) for one in drawn[HELD_OUT : HELD_OUT + PAIRS]]
        passed = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
        start, _, _ = trained(folder / "first", "sft", base, passed, seed, **FIRST)
        told["fine-tuned"] = pass_rate(start, drawn[:HELD_OUT])
        for way, given in WAYS.items():
            model, metrics, curve = trained(folder / way, "redi", start, rows, seed, **{**SECOND, **given})
            told[way] = pass_rate(model, drawn[:HELD_OUT])
            likely = [one["logps/chosen"] for one in curve if "logps/chosen" in one]
            told[f"{way}: log-probability"] = fmean(likely[-5:])
            if "guard" in metrics:
                told[f"{way}: stopped at"] = metrics["guard"]["stopped"]
    return told


def pass_rate(model: Path, held: Sequence[Problem]) -> float:
    """The mean probability of the right sum, whatever word stands before it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded, tokenizer = AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)
    total = 0.0
    for filler in FILLERS:
        texts = [f"{asking(one)[0]['content']}\n\n{trace(one, True, filler)[0]['content']}</s>" for one in held]
        ids = torch.tensor(tokenizer(texts)["input_ids"])
        with torch.no_grad():
            told = loaded(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
        total += float(told[:, -SPOKEN:].sum(1).exp().mean())
    return total


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    def all_of(name: str) -> list[float]:
        return [one[name] for one in results]

    none, half, one = all_of("alpha 0"), all_of("alpha 0.5"), all_of("alpha 1")
    far, near = all_of("alpha 1: log-probability"), all_of("alpha 0.5: log-probability")
    kept = all_of("alpha 1, guarded")
    return [
        (f"alpha 0 stays where its labels leave it: at most {max(none):.3f} (<= {STUCK})", max(none) <= STUCK),
        (f"alpha 0.5 gets beyond: {min(half):.3f} or more (>= {HELPED})", min(half) >= HELPED),
        (f"alpha 1 collapses: at most {max(one):.3f} right (<= {LOST})", max(one) <= LOST),
        (f"and its preferred traces with it: at most {max(far):.2f} nats a token (<= {FAR})", max(far) <= FAR),
        (f"those of alpha 0.5 stay: {min(near):.2f} or more (>= {NEAR})", min(near) >= NEAR),
        (
            f"the guard leaves no less than there was: {min(kept):.3f} or more (>= that of fine-tuning less 0.02)",
            all(row["alpha 1, guarded"] >= row["fine-tuned"] - 0.02 for row in results),
        ),
    ]


experiments.add(
    Experiment(
        name="redi",
        about="Wrong traces as a push away from a wrong rule, where fine-tuning is stuck at what its labels are worth.",
        run=run,
        judge=judge,
    )
)
