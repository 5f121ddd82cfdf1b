"""Self-reference AI feedback: what both orders do to a judge's bias, what an own answer is worth, what strength is.

A. Recorded judges, in so far as they are in the data (`_recorded.py`). B. A planted judge of a known quality gap, whose
log-odds hold noise and something for whichever response is named first: in one order its accuracy falls with that bias,
over both it must not. C. A judge of sums with and without the model's own answer (`_modulo.py`). D. The strength of its
votes against the gap, and reward models that take it as their margin. Votes are those of the product
(workers/critics/voting.py, workers/trainers/margin_bt.py, workers/habits/position.py). Source: arXiv 2406.11190, of
which only the abstract could be had: thresholds are of our own pilots.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import exp, log1p
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from experiments import Experiment, _modulo, _recorded, experiments
from workers.critics.voting import Round, Side, Voted, perplexities, probability, vote
from workers.habits.position import leaning

PAIRS, ROUNDS = 5000, 4
SKILL, NOISE = 2.0, 1.0
"""How much of the log-odds of a verdict a unit of quality is, and the spread of what changes from round to round."""
BIASES = (0.0, 1.0, 2.0, 3.0)
LABELS = (100, 300, 1000)
FEATURES, SHOWN_BIAS, LEARNT, TESTED = 24, 1.0, 300, 4000
NO_LOSS, NEAR, GAIN, ALIKE, ORDERED = 0.01, 0.02, 0.20, 0.03, 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair by its gap (quality of b less that of a) and the rounds of a judge on it; and how likely it was to take
    what it was shown first."""

    gap: float
    rounds: list[Round]
    first: list[float]

    @property
    def better(self) -> Side:
        return "b" if self.gap > 0 else "a"


def likelihood(odds: float) -> tuple[float, float]:
    """Log-probability of a and of b, given the log-odds of b."""
    return -log1p(exp(odds)), -log1p(exp(-odds))


def judged(gap: float, bias: float, chance: Random, noise: float = NOISE) -> Judged:
    """Rounds in alternating orders, the first by a coin; each verdict is drawn as its log-odds say."""
    turned = chance.random() < 0.5
    rounds, firsts = [], []
    for number in range(ROUNDS):
        first: Side = "b" if turned != bool(number % 2) else "a"
        odds = SKILL * gap + noise * chance.gauss(0, 1) + (bias if first == "b" else -bias)
        a, b = likelihood(odds)
        rounds.append(Round(first, "b" if chance.random() < exp(b) else "a", likelihood=(a, b)))
        firsts.append(exp(b if first == "b" else a))
    return Judged(gap, rounds, firsts)


def graded(one: Judged) -> float:
    """1 where the response is right whose verdicts have the lower semantic perplexity over both orders."""
    a, b = perplexities([each.likelihood for each in one.rounds if each.likelihood])
    return float((a > b) == (one.gap > 0))


def first_rate(pairs: Sequence[Judged], labels: Sequence[Side]) -> float:
    """How often a label is for the response that was named first in the pair's first round."""
    named = [("ab" if one.rounds[0].first == "a" else "ba", side) for one, side in zip(pairs, labels, strict=True)]
    return leaning((order, {"a": -1, "b": 1, "": 0}[side]) for order, side in named).left.share or 0.0


def of_bias(bias: float, seed: int) -> dict[str, float]:
    """A judge with a bias, before and after self-consistency over both orders."""
    chance = Random(f"{seed} gaps")
    gaps = [chance.gauss(0, 1) for _ in range(PAIRS)]
    chance = Random(f"{seed} judge")
    pairs = [judged(gap, bias, chance) for gap in gaps]
    single = [one.rounds[0].verdict for one in pairs]
    voted = [vote(one.rounds) for one in pairs]
    sides = [one.side for one in voted]
    places = leaning((("ab", -1 if each.verdict == each.first else 1)) for one in pairs for each in one.rounds)
    right = [float(side == one.better) for side, one in zip(sides, pairs, strict=True) if side]
    return {
        "one order: right": fmean(verdict == one.better for verdict, one in zip(single, pairs, strict=True)),
        "one order: for the first named": first_rate(pairs, single),
        "vote: right, of what is decided": fmean(right),
        "vote: decided": len(right) / PAIRS,
        "vote: right, unsure counts half": (sum(right) + (PAIRS - len(right)) / 2) / PAIRS,
        "vote: for the first named": first_rate(pairs, sides),
        "perplexity: right": fmean(map(graded, pairs)),
        "orders against each other": fmean(one.flipped for one in voted),
        "first-position rate, planted": fmean(chain.from_iterable(one.first for one in pairs)),
        "first-position rate, measured": places.left.share or 0.0,
    }


# --- D: strength -------------------------------------------------------------------------------------


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


def of_strength(seed: int) -> dict[str, float]:
    """Strengths against the gap of the preferred side, and reward models with and without margins."""
    import numpy as np

    draw = np.random.default_rng(seed)
    worth = draw.normal(size=FEATURES) / FEATURES**0.5
    a, b = (draw.normal(size=(LEARNT, FEATURES)) for _ in range(2))
    chance = Random(f"{seed} strength")
    pairs = [judged(float(gap), SHOWN_BIAS, chance) for gap in (b - a) @ worth]
    found: dict[str, float] = {}
    made: dict[str, list[Voted]] = {
        "perplexity": [vote(one.rounds) for one in pairs],
        "votes": [vote([Round(each.first, each.verdict) for each in one.rounds]) for one in pairs],
    }
    test = [draw.normal(size=(TESTED, FEATURES)) for _ in range(2)]
    for name, voted in made.items():
        kept = [n for n, one in enumerate(voted) if one.side]
        signs = np.array([1.0 if voted[n].side == "b" else -1.0 for n in kept])
        gaps = signs * np.array([pairs[n].gap for n in kept])
        found[f"{name}: Spearman of strength and gap"] = spearman([voted[n].strength for n in kept], gaps.tolist())
        better = signs[:, None] * (b - a)[kept]
        for margins in (True, False):
            m = [margin(voted[n]) if margins else 0.0 for n in kept]
            direction = reward(better, m, seed)
            right = ((test[1] - test[0]) @ direction > 0) == ((test[1] - test[0]) @ worth > 0)
            found[f"{name}: reward model with{'' if margins else 'out'} margins"] = float(right.mean())
    return found


def margin(voted: Voted) -> float:
    """What the trainer makes of a suggestion: its log-odds, out of the probability that was stored."""
    from workers.paired import PairRow
    from workers.trainers.margin_bt import MarginBT, margin_of

    p = probability(voted)
    trace = {"value": 1 if voted.side == "b" else -1, "annotations": [1]}
    return margin_of(
        PairRow("train", 0, [], [], [], trace=trace), MarginBT.model_validate({"strength": "probability"}), {1: p}
    )


def reward(better: Any, margins: Sequence[float], seed: int) -> Any:
    """The direction of a linear reward model that learnt from differences of features, by the trainer's loss."""
    import torch

    from workers.nn.pairs import bradley_terry

    torch.manual_seed(seed)
    rows, wanted = torch.tensor(better, dtype=torch.float32), torch.tensor(margins, dtype=torch.float32)
    direction = torch.nn.Parameter(torch.zeros(rows.shape[1]))
    optimizer = torch.optim.AdamW([direction], lr=0.05, weight_decay=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        bradley_terry(rows @ direction, torch.zeros(len(rows)), wanted).mean().backward()
        optimizer.step()
    return direction.detach().numpy()


# --- All of it ---------------------------------------------------------------------------------------


def run(seed: int) -> dict[str, Any]:
    """Figures of B, C and D for a seed, and those of recorded judges, which no seed changes."""
    found: dict[str, Any] = {}
    for bias in BIASES:
        found |= {f"B, bias {bias:g}: {name}": value for name, value in of_bias(bias, seed).items()}
    for labels in LABELS:
        ways: tuple[_modulo.Own, ...] = ("none", "own", "shuffled")
        found |= {f"C, {labels} labels: {own}": _modulo.accuracy(seed, labels, own) for own in ways}
        found |= {
            f"C, {labels} labels, reader: {own}": _modulo.accuracy(seed, labels, own, reader=True) for own in ways[:2]
        }
    found |= {f"D, {name}": value for name, value in of_strength(seed).items()}
    data = Path(os.environ.get("TOUCHSTONE_DATA", "data"))
    for name, told in {**_recorded.of_judgebench(data), **_recorded.of_llmfao(data)}.items():
        found |= {f"A, {name}: {what}": value for what, value in told.items()}
    return found


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    def each(name: str) -> list[float]:
        return [float(one[name]) for one in results]

    def bias(value: float, name: str) -> list[float]:
        return each(f"B, bias {value:g}: {name}")

    one_order = [fmean(bias(value, "one order: right")) for value in BIASES]
    lost = {
        name: max(
            start - end for value in BIASES for start, end in zip(bias(BIASES[0], name), bias(value, name), strict=True)
        )
        for name in ("perplexity: right", "vote: right, of what is decided")
    }
    apart = max(
        abs(planted - measured)
        for value in BIASES
        for planted, measured in zip(
            bias(value, "first-position rate, planted"), bias(value, "first-position rate, measured"), strict=True
        )
    )
    most = max(abs(one - 0.5) for value in BIASES for one in bias(value, "vote: for the first named"))
    none, own, shuffled = (each(f"C, {LABELS[1]} labels: {name}") for name in ("none", "own", "shuffled"))
    gain = min(one - other for one, other in zip(own, none, strict=True))
    noise = abs(fmean(shuffled) - fmean(none))
    ordered = min(each("D, perplexity: Spearman of strength and gap"))
    by_votes = min(each("D, votes: Spearman of strength and gap"))
    falling = all(one > other for one, other in zip(one_order, one_order[1:], strict=False))
    by_perplexity, by_decided = lost["perplexity: right"], lost["vote: right, of what is decided"]
    told = [
        (f"B: accuracy in one order falls with bias: {', '.join(f'{one:.3f}' for one in one_order)}", falling),
        (
            f"B: over both orders, by perplexity, at most {max(0.0, by_perplexity):.4f} is lost (<= {NO_LOSS})",
            by_perplexity <= NO_LOSS,
        ),
        (
            f"B: of what the vote decides, at most {max(0.0, by_decided):.4f} is lost (<= {NO_LOSS})",
            by_decided <= NO_LOSS,
        ),
        (f"B: the first-position rate is measured within {apart:.4f} (<= {NEAR})", apart <= NEAR),
        (f"B: labels of the vote are for the first named within {most:.3f} of a half (<= 0.05)", most <= 0.05),
        (f"C: an own answer is worth {gain:.3f} at {LABELS[1]} labels (>= {GAIN})", gain >= GAIN),
        (f"C: a shuffled one is worth nothing: {noise:.3f} apart from none (<= {ALIKE})", noise <= ALIKE),
        (f"D: strength by perplexity goes with the gap: Spearman {ordered:.3f} (>= {ORDERED})", ordered >= ORDERED),
        (f"D: strength by votes does: Spearman {by_votes:.3f} (>= {ORDERED})", by_votes >= ORDERED),
    ]
    return told + recorded(results[0])


PILOT = {
    "o1-mini": {
        "first order": 0.747, "second order": 0.770, "orders agree": 0.67, "right where they agree": 0.864,
        "graded sum": 0.784, "first order, strict": 0.709, "second order, strict": 0.746, "decided": 0.77,
        "right where decided": 0.855, "strength 0: right": 0.50, "strength 1: right": 0.71, "strength 2: right": 0.83,
        "strength 3: right": 0.81, "strength 4: right": 0.90,
    },
    "haiku": {"orders agree": 0.31, "right where they agree": 0.48},
}  # fmt: skip
"""Of a pilot of ours on the verdicts that JudgeBench publishes."""


def recorded(told: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Whether recorded judges give the figures of the pilot, where their verdicts are in the data."""
    claims = []
    for name, figures in PILOT.items():
        if f"A, {name}: pairs" in told:
            apart = max(abs(float(told[f"A, {name}: {what}"]) - value) for what, value in figures.items())
            claims.append((f"A: {name} as in the pilot, within {apart:.4f} (<= 0.005)", apart <= 0.005))
    return claims


experiments.add(
    Experiment(
        name="self-reference",
        about="A judge that answers itself first and votes over both orders: bias, own answers, strength as margin.",
        run=run,
        judge=judge,
    )
)
