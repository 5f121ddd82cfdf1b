"""Few human labels where a reward model errs, a judge with the nearest of them as examples, two models that agree.

Planted: eight categories of tasks, each with its own direction of preference; 5 000 pairs whose labels are wrong in
30 %, but not evenly: 65 % in three categories, 9 % in the others, so that a reward model learns these three the wrong
way round and is sure of it. 320 labels of people, in rounds; a judge with a bias of its own and the vote of the
examples that it is shown. Acquisition, examples and the table of stage 2 are the product's (workers/acquiring.py,
workers/consistency.py). Source: Skywork-Reward-V2, arXiv 2507.01352; world and thresholds are those of our
specification, section 1.7 A.

A pair is its prompt, a vector about the centre of its category, and the difference of its two responses. A reward model
is a Bradley-Terry head on the difference by each direction of the prompt. The gold model is trained on people's labels,
and pairs with these are not filtered; the best model is trained on those and the judge's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from experiments import Experiment, experiments
from workers.acquiring import acquire, demonstrations
from workers.consistency import Outcome, needs_judge, outcome
from workers.doubting import Compared, Floats, Ints, Strengths, fitted, sigmoid

CATEGORIES, BAD = 8, 3
POOL, TEST = 5_000, 4_000
WRONG_IN_BAD, WRONG_ELSEWHERE = 0.65, 0.09
HUMAN, ROUNDS = 320, 4
PROMPT, RESPONSE = 10, 8
"""Directions of a prompt and of a response."""
NEAR = 0.35
"""How far prompts of a category lie from its centre, to each side."""
SHARED = 0.35
"""Of each category's direction, what it has in common with the others."""
PRIOR = 0.6
"""Weight of the judge's own bias beside the vote of its examples."""
SPREAD = 4.0
PURE, FLIPPED, NEAREST, HIT, RECOVERED = 0.88, 0.70, 0.04, 1.3, 0.45
BETTER = 0.01
"""Not of the specification: what a human label that is chosen well should be worth."""


@dataclass(frozen=True)
class World:
    """Prompts, differences (first response less second), which is better and which is labelled so: 1 or -1."""

    prompts: Floats
    differences: Floats
    truth: Ints
    labels: Ints
    bias: Floats
    """What the judge likes by itself."""

    @property
    def wrong(self) -> Any:
        return self.labels != self.truth


def world(seed: int, pool: int = POOL, test: int = TEST) -> tuple[World, World]:
    """A pool with wrong labels and a test with right ones, of the same categories."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(CATEGORIES, PROMPT))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    common = chance.normal(size=RESPONSE)
    directions = SHARED * common + (1 - SHARED) * chance.normal(size=(CATEGORIES, RESPONSE))
    bias = 0.5 * common + 0.5 * chance.normal(size=RESPONSE)
    share = np.where(np.arange(CATEGORIES) < BAD, WRONG_IN_BAD, WRONG_ELSEWHERE)

    def drawn(count: int, wrong: Floats) -> World:
        kind = chance.integers(CATEGORIES, size=count)
        prompts = centres[kind] + NEAR / np.sqrt(PROMPT) * chance.normal(size=(count, PROMPT))
        differences = chance.normal(size=(count, RESPONSE))
        truth = np.where((differences * directions[kind]).sum(1) > 0, 1, -1)
        labels = np.where(chance.random(count) < wrong[kind], -truth, truth)
        return World(prompts, differences, truth, labels, bias)

    return drawn(pool, share), drawn(test, np.zeros(CATEGORIES))


# --- Models ---------------------------------------------------------------------------------------------------


def features(one: World) -> Floats:
    """The difference by each direction of the prompt, and by none."""
    prompts = np.hstack([np.ones((len(one.prompts), 1)), one.prompts])
    found: Floats = (prompts[:, :, None] * one.differences[:, None, :]).reshape(len(prompts), -1)
    return found / np.sqrt(RESPONSE)


def trained(rows: Floats, labels: Ints) -> Floats:
    """Weights of a Bradley-Terry model."""
    signed = rows * labels[:, None]
    return SPREAD * fitted(Compared(signed, np.zeros((len(rows), 2), dtype=int), 0), Strengths(SPREAD))


def accuracy(weights: Floats, rows: Floats, truth: Ints) -> float:
    return float(((rows @ weights) * truth > 0).mean())


def judged(one: World, human: Ints, places: Ints, confidences: Floats, examples: str, chance: Any) -> Ints:
    """What the judge says of pairs: its bias, and of each example how alike the differences are, by its human label.

    `examples`: nearest (the product's choice), random (as many of them) or none.
    """
    gold, names = one.prompts[human].astype(np.float32), [str(place) for place in human]
    said = PRIOR * cosine(one.differences[places], one.bias[None])[:, 0]
    for row, (place, confidence) in enumerate(zip(places, confidences, strict=True)):
        if examples == "none":
            continue
        shown = demonstrations(one.prompts[place].astype(np.float32), gold, float(confidence), str(place), names)
        if examples == "random":
            shown = chance.choice(len(human), size=len(shown), replace=False).tolist()
        if shown:
            alike = cosine(one.differences[[place]], one.differences[human[shown]])[0]
            said[row] += float((alike * one.truth[human[shown]]).sum())
    return np.where(said > 0, 1, -1)


def cosine(some: Floats, others: Floats) -> Floats:
    found: Floats = (some / np.linalg.norm(some, axis=1, keepdims=True)) @ (
        others / np.linalg.norm(others, axis=1, keepdims=True)
    ).T
    return found


# --- The loop -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loop:
    """What a loop came to: whom people labelled, the share of wrong labels among what they got, and the models."""

    human: Ints
    hits: float
    silver: Ints
    """Labels of the whole pool: people's where they spoke, the judge's elsewhere."""
    gold: Floats
    best: Floats


def looped(one: World, rows: Floats, acquisition: str, examples: str, seed: int, human: int = HUMAN) -> Loop:
    """Rounds of: people label, the judge labels the rest with their labels as examples, a model learns from both."""
    chance = np.random.default_rng([seed, 7])
    each = human // ROUNDS
    known = chance.permutation(len(rows))[:each]
    silver, asked = one.labels, []
    best = trained(rows, silver)
    for number in range(1, ROUNDS + 1):
        left = np.setdiff1d(np.arange(len(rows)), known)
        gold = trained(rows[known], one.truth[known])
        # how sure a model is of a label that it has not learnt from: the gold model of what people did not see
        sure = sigmoid((rows[left] @ gold) * one.labels[left])
        silver = one.labels.copy()
        silver[known] = one.truth[known]
        silver[left] = judged(one, known, left, sure, examples, chance)
        if number < ROUNDS:
            asked.append(acquired(one, rows, known, left, each, acquisition, chance))
            known = np.concatenate([known, asked[-1]])
        best = trained(rows, silver)
    gold = trained(rows[known], one.truth[known])
    return Loop(known, float(one.wrong[np.concatenate(asked)].mean()), silver, gold, best)


def acquired(one: World, rows: Floats, known: Ints, left: Ints, count: int, acquisition: str, chance: Any) -> Ints:
    """Which pairs people label next: at random, or near those on which the model of the pool's labels errs."""
    if acquisition == "random":
        found: Ints = chance.permutation(left)[:count]
        return found
    unverified = trained(rows[left], one.labels[left])
    confidences = sigmoid((rows[known] @ unverified) * one.truth[known])
    gold, pool = (one.prompts[which].astype(np.float32) for which in (known, left))
    pulled = [left[each.place] for each in acquire(gold, confidences.tolist(), pool, count)]
    rest = np.setdiff1d(left, pulled)
    return np.concatenate([np.array(pulled, dtype=int), chance.permutation(rest)[: count - len(pulled)]])


def second_stage(one: World, rows: Floats, loop: Loop) -> dict[Outcome, Ints]:
    """Places of the pool that people did not label, by what the decision table makes of their original labels."""
    left = np.setdiff1d(np.arange(len(rows)), loop.human)
    signs = one.labels[left]
    gold, best = ((rows[left] @ weights) * signs > 0 for weights in (loop.gold, loop.best))
    judge = loop.silver[left] == signs
    told = [
        outcome(bool(g), bool(b), bool(j) if needs_judge(bool(b)) else None)
        for g, b, j in zip(gold, best, judge, strict=True)
    ]
    return {each: left[np.array([one_of is each for one_of in told])] for each in Outcome}


def run(seed: int) -> dict[str, Any]:
    """Accuracies on the test, purity of what is kept, how many of the flipped were wrong, and how many people got."""
    pool, test = world(seed)
    rows, held = features(pool), features(test)

    def right(places: Ints, labels: Ints) -> float:
        return accuracy(trained(rows[places], labels), held, test.truth)

    every = np.arange(len(rows))
    clean, noisy = right(every, pool.truth), right(every, pool.labels)
    told: dict[str, Any] = {"clean labels": clean, "noisy labels": noisy, "wrong in the pool": float(pool.wrong.mean())}
    for name, acquisition, examples in (
        ("judge without examples", "random", "none"),
        ("random examples", "random", "random"),
        ("nearest examples", "random", "nearest"),
        ("error-driven, nearest", "errors", "nearest"),
    ):
        loop = looped(pool, rows, acquisition, examples, seed)
        told[name] = accuracy(loop.best, held, test.truth)
        told[f"{name}: wrong among asked"] = loop.hits
    sides = second_stage(pool, rows, loop)
    keep, flip = sides[Outcome.KEEP], sides[Outcome.FLIP]
    told["kept"], told["purity"] = len(keep), float(1 - pool.wrong[keep].mean())
    told["flipped"], told["flipped rightly"] = len(flip), float(pool.wrong[flip].mean())
    told["dropped"], told["to people"] = len(sides[Outcome.DROP]), len(sides[Outcome.ASK])
    filtered = np.concatenate([loop.human, keep])
    labels = pool.labels.copy()
    labels[loop.human] = pool.truth[loop.human]
    told["filtered"] = right(filtered, labels[filtered])
    labels[flip] *= -1
    recycled = np.concatenate([filtered, flip])
    told["filtered and flipped"] = right(recycled, labels[recycled])
    best = max(told["error-driven, nearest"], told["filtered"], told["filtered and flipped"])
    told["recovered"] = (best - noisy) / (clean - noisy)
    return told


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """The thresholds of the specification, each on the mean over seeds."""
    mean = {name: fmean(one[name] for one in results) for name in results[0]}
    gain = mean["nearest examples"] - mean["random examples"]
    times = mean["error-driven, nearest: wrong among asked"] / mean["wrong in the pool"]
    return [
        (f"what is kept is {mean['purity']:.3f} pure (>= {PURE})", mean["purity"] >= PURE),
        (f"{mean['flipped rightly']:.3f} of the flipped were wrong (>= {FLIPPED})", mean["flipped rightly"] >= FLIPPED),
        (f"nearest examples give {gain:+.3f} over random ones (>= {NEAREST})", gain >= NEAREST),
        (
            f"error-driven asks for {times:.2f} times as many wrong labels as there are in the pool (>= {HIT})",
            times >= HIT,
        ),
        (f"{mean['recovered']:.2f} of clean less noisy is recovered (>= {RECOVERED})", mean["recovered"] >= RECOVERED),
        (
            f"error-driven acquisition makes a better model than random, {mean['error-driven, nearest']:.3f} to"
            f" {mean['nearest examples']:.3f} (>= {BETTER} more; the specification found no gain)",
            mean["error-driven, nearest"] - mean["nearest examples"] >= BETTER,
        ),
    ]


experiments.add(
    Experiment(
        name="skywork",
        about="Human labels where a model errs, examples for a judge, two models that agree: in a planted world.",
        run=run,
        judge=judge,
        seeds=(0, 1, 2, 3),
    )
)
