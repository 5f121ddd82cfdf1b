"""A planted world for the Skywork-Reward-V2 plan: what each of its parts does to labels whose truth is known.

    python -m benchmarks.planted_pool [--seeds 4] [--pool 5000] [--people 320]

Eight categories, each with a taste of its own; 30 % of the pool's labels are wrong, most of them in three categories.
People verify a seed drawn at random, then in four rounds what the errors of the reward model pull, or as many at
random. The judge has a biased taste, and votes with the examples that it is shown. Parts are those of the plan:
workers/acquiring.py and workers/consistency.py. Reward models are logistic regressions on (prompt x difference).
Printed are means over seeds; accuracy is on 4,000 fresh pairs.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.acquiring import acquire, demonstrations
from workers.consistency import Outcome, agrees, needs_judge, outcome

CATEGORIES, WIDE, FRESH, ROUNDS = 8, 16, 4_000, 4
WRONG = (0.65, 0.65, 0.65, *[0.09] * 5)
LIKED, BIASED = 1.6, 2.0
"""How far tastes of categories go beyond what all share, and how far the judge's own taste goes astray."""


@dataclass
class Pairs:
    """Prompts as vectors, differences of two responses, truth (1: the first is better), the pool's label."""

    category: Any
    prompt: Any
    difference: Any
    truth: Any
    label: Any

    def __len__(self) -> int:
        return len(self.truth)


class World:
    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.centres = self.chance.normal(size=(CATEGORIES, WIDE))
        shared = self.chance.normal(size=WIDE)
        self.tastes = shared + LIKED * self.chance.normal(size=(CATEGORIES, WIDE))
        self.judge = shared + BIASED * self.chance.normal(size=WIDE)

    def pairs(self, count: int) -> Pairs:
        category = self.chance.integers(CATEGORIES, size=count)
        prompt = self.centres[category] + 0.35 * self.chance.normal(size=(count, WIDE))
        difference = self.chance.normal(size=(count, WIDE))
        truth = (np.sum(difference * self.tastes[category], axis=1) > 0).astype(int)
        wrong = self.chance.random(count) < np.asarray(WRONG)[category]
        label = np.where(wrong, 1 - truth, truth)
        return Pairs(category, prompt.astype(np.float32), difference, truth, label)


class Model:
    """P(first is better) from the outer product of prompt and difference: a Bradley-Terry model without a bias."""

    def __init__(self, pairs: Pairs, places: Any, labels: Any) -> None:
        from sklearn.linear_model import LogisticRegression

        x, y = features(pairs)[places], np.asarray(labels)
        self.fit = LogisticRegression(C=0.05, fit_intercept=False, max_iter=300)
        self.fit.fit(np.vstack([x, -x]), np.concatenate([y, 1 - y]))

    def margins(self, pairs: Pairs) -> Any:
        return self.fit.decision_function(features(pairs))

    def accuracy(self, pairs: Pairs) -> float:
        return float(np.mean((self.margins(pairs) > 0) == pairs.truth))


def features(pairs: Pairs) -> Any:
    outer = pairs.prompt[:, :, None] * pairs.difference[:, None, :]
    return np.hstack([pairs.difference, outer.reshape(len(pairs), -1) / WIDE**0.5])


def judged(world: World, pool: Pairs, target: int, examples: list[int]) -> int:
    """Its own taste, and for each example the label that says the same of this pair."""
    vote = np.sign(pool.difference[target] @ world.judge) * 0.5
    for one in examples:
        alike = pool.difference[target] @ pool.difference[one]
        vote += 0.5 * np.sign(alike) * min(1.0, abs(alike) / WIDE) * (1 if pool.truth[one] else -1)
    return int(vote > 0)


def verify(pool: Pairs, people: int, world: World, by_errors: bool) -> tuple[list[int], float]:
    """The pairs that people verified, and the share of those after the seed whose label was wrong."""
    order = world.chance.permutation(len(pool))
    gold = list(order[: people // 2])
    each = people // 2 // ROUNDS
    for _ in range(ROUNDS):
        rest = np.setdiff1d(np.arange(len(pool)), gold)
        if by_errors:
            margins = Model(pool, rest, pool.label[rest]).margins(pool)
            side = np.where(pool.truth[gold] == 1, margins[gold], -margins[gold])
            sure = (1 / (1 + np.exp(-side))).tolist()
            taken = [int(rest[one.place]) for one in acquire(pool.prompt[gold], sure, pool.prompt[rest], each)]
            taken += [int(one) for one in rest if one not in set(taken)][: each - len(taken)]
        else:
            taken = [int(one) for one in world.chance.permutation(rest)[:each]]
        gold += taken
    later = gold[people // 2 :]
    return gold, float(np.mean(pool.label[later] != pool.truth[later]))


def one_world(seed: int, size: int, people: int) -> dict[str, float]:
    world = World(seed)
    pool, fresh = world.pairs(size), world.pairs(FRESH)
    everything = np.arange(size)
    told = {
        "clean bound": Model(pool, everything, pool.truth).accuracy(fresh),
        "trained on the labels": Model(pool, everything, pool.label).accuracy(fresh),
        "labels right": float(np.mean(pool.label == pool.truth)),
    }
    _, told["wrong among those asked, at random"] = verify(pool, people, World(seed), by_errors=False)
    gold, told["wrong among those asked, by errors"] = verify(pool, people, World(seed), by_errors=True)
    rest = np.setdiff1d(everything, gold)
    trusted = Model(pool, gold, pool.truth[gold])
    prompts = [str(one) for one in everything]
    for way in ("no examples", "random examples", "nearest examples"):
        said = np.asarray([judged(world, pool, one, shown(way, one, pool, gold, prompts, world)) for one in rest])
        told[f"judge right, {way}"] = float(np.mean(said == pool.truth[rest]))
        labels = np.concatenate([said, pool.truth[gold]])
        best = Model(pool, np.concatenate([rest, gold]), labels)
        told[f"trained on the judge, {way}"] = best.accuracy(fresh)
    return told | sifted(pool, fresh, gold, rest, trusted, best, said)


def shown(way: str, target: int, pool: Pairs, gold: list[int], prompts: list[str], world: World) -> list[int]:
    """Which verified pairs the judge sees."""
    if way == "no examples":
        return []
    if way == "random examples":
        return [int(one) for one in world.chance.choice(gold, size=8, replace=False)]
    places = demonstrations(
        pool.prompt[target], pool.prompt[gold], 0.5, prompts[target], [prompts[one] for one in gold]
    )
    return [gold[place] for place in places]


def sifted(
    pool: Pairs, fresh: Pairs, gold: list[int], rest: Any, trusted: Model, best: Model, said: Any
) -> dict[str, float]:
    """Stage 2 on the pool's own labels, with the judge that had the nearest examples."""
    by_gold, by_best = trusted.margins(pool), best.margins(pool)
    outcomes: defaultdict[Outcome, list[int]] = defaultdict(list)
    for one, verdict in zip(rest, said, strict=True):
        label = pool.label[one]
        gold_agrees, best_agrees = (agreeing(margins[one], label) for margins in (by_gold, by_best))
        judge = bool(verdict == label) if needs_judge(best_agrees) else None
        outcomes[outcome(gold_agrees, best_agrees, judge)].append(one)
    keep, flip = outcomes[Outcome.KEEP], outcomes[Outcome.FLIP]
    kept = Model(pool, [*keep, *gold], [*pool.label[keep], *pool.truth[gold]])
    both = Model(pool, [*keep, *flip, *gold], [*pool.label[keep], *(1 - pool.label[flip]), *pool.truth[gold]])
    return {
        "kept": len(keep) / len(rest),
        "flipped": len(flip) / len(rest),
        "purity of what is kept": float(np.mean(pool.label[keep] == pool.truth[keep])),
        "flips that were wrong": float(np.mean(pool.label[flip] != pool.truth[flip])),
        "trained on gold alone": trusted.accuracy(fresh),
        "trained on what is kept": kept.accuracy(fresh),
        "and on flips": both.accuracy(fresh),
    }


def agreeing(margin: float, label: int) -> bool:
    return agrees(margin, 0.0) if label else agrees(0.0, margin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--pool", type=int, default=5_000)
    parser.add_argument("--people", type=int, default=320)
    given = parser.parse_args()
    worlds = [one_world(seed, given.pool, given.people) for seed in range(given.seeds)]
    print(f"{given.seeds} seeds, {given.pool} pairs, {given.people} labels of people")
    for name in worlds[0]:
        values = [world[name] for world in worlds]
        print(f"{name:40} {np.mean(values):.3f}   {min(values):.3f} to {max(values):.3f}")


if __name__ == "__main__":
    main()
