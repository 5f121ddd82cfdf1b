"""What labels of people are worth by which are asked for: simulated people answer with the real votes of real people.

    TOUCHSTONE_DATA=… python -m benchmarks.loop [--sets convarg,llmfao] [--seeds 0,1,2]
    python -m benchmarks.loop --publish      # table and picture into docs

Every pair of the pool has a label that nobody verified: GPT-4's where the set has it, else one vote, drawn. A label of
a person is another vote of the same pair, drawn as well, so people are as unsure as they were; a pair with one vote
gives that one. Held out are prompts of their own; right is what most votes say. Ways to choose which pairs people get,
the same number each round, the first round at random for all:

- random;
- uncertain: the smallest margin of a model of the labels so far;
- errors: error-driven retrieval (workers/acquiring.py): pairs like those people's labels on which a model of the
  unverified labels errs.

A model learns from people's labels alone; or, `+ consistent`, also from the pairs of the pool which the table of
dual-model consistency (workers/consistency.py) keeps or turns round, without a judge. The plan is errors + consistent.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.noise import crossed, right, tuned, tuned_spread, turned
from benchmarks.noise_data import SETS, Floats, Ints, Pairs, split, vectors_of
from benchmarks.training_data import folder
from workers.acquiring import acquire
from workers.consistency import Outcome, outcome
from workers.doubting import reduced, sigmoid

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "var" / "noise"
USED = ("convarg", "humour", "llmfao", "mtbench")
SEEDS = tuple(range(8))
POOL = 2_000
STEPS = (20, 40, 60, 80, 120, 160, 240, 320, 400)
WAYS = ("random", "uncertain", "errors", "random + consistent", "errors + consistent")
Figures = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """A pool and a test. Pairs are (better, worse) by most votes; labels 1 or -1 say whether they agree with that."""

    rows: Floats
    pool: Ints
    test: Ints
    unverified: Ints
    people: Ints
    """What the person says who is asked of a pair."""
    near: Floats
    """A vector a pair, by which pairs are alike."""

    def labelled(self, places: Ints, labels: Ints) -> Ints:
        """Pairs (chosen, rejected) as the labels have them."""
        return turned(self.pool[places], labels[places] < 0)


def main() -> None:
    asked = arguments()
    path = asked.out / "loop.json"
    if not asked.publish:
        folder()
        asked.out.mkdir(parents=True, exist_ok=True)
        told = json.loads(path.read_text()) if path.exists() else {}
        for name in asked.sets:
            for seed in asked.seeds:
                if str(seed) not in told.setdefault(name, {}):
                    told[name][str(seed)] = one = measured(name, seed, asked.out)
                    path.write_text(json.dumps(told, indent=1))
                    print(f"{name} {seed}: {one['cpu_seconds']} s", file=sys.stderr, flush=True)
    from benchmarks import loop_report

    told = json.loads(path.read_text())
    print(loop_report.report(told))
    if asked.publish:
        loop_report.publish(told)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda told: told.split(","), default=list(USED), help=f"by commas ({','.join(USED)})")
    add("--seeds", type=lambda told: [int(one) for one in told.split(",")], default=list(SEEDS))
    add("--out", type=Path, default=OUT, help="where vectors and figures are kept (var/noise)")
    add("--publish", action="store_true", help="measure nothing, put what is kept into docs")
    return parser.parse_args()


def measured(name: str, seed: int, out: Path) -> Figures:
    """Accuracy on the test after so many labels of people, for every way; and of all that might be said at once."""
    begun = time.process_time()
    pairs = SETS[name][1]()
    vectors = vectors_of(pairs, out)
    ground = ground_of(pairs, reduced(vectors.mean, vectors.length[:, None]), vectors.mean, seed)
    every = np.arange(len(ground.pool))
    spread = tuned_spread(ground.rows, ground.labelled(every, ground.unverified), seed)
    steps = [step for step in STEPS if step <= len(every) * 0.6]
    held = ground.test
    told: Figures = {
        "set": name, "seed": seed, "pool": len(every), "test": len(held), "steps": steps,
        "unverified_right": float((ground.unverified > 0).mean()), "people_right": float((ground.people > 0).mean()),
        "longer": right(vectors.length[held[:, 0]] - vectors.length[held[:, 1]]),
        "unverified": right(tuned(ground.rows, ground.labelled(every, ground.unverified), held, spread)),
        "majority": right(tuned(ground.rows, ground.pool, held, spread)), "ways": {},
    }  # fmt: skip
    for way in ("random", "uncertain", "errors"):
        asked = chosen(ground, way, steps, spread, seed)
        told["ways"][way] = [accuracy(ground, asked[:step], seed) for step in steps]
        if way != "uncertain":
            told["ways"][f"{way} + consistent"] = [
                right(tuned(ground.rows, consistent(ground, asked[:step], spread, seed), held, spread))
                for step in steps
            ]
    told["cpu_seconds"] = round(time.process_time() - begun, 1)
    return told


def ground_of(pairs: Pairs, rows: Floats, vectors: Floats, seed: int) -> Ground:
    """The pool and what is said of it, drawn from the votes."""
    learnt, test = split(pairs, POOL, seed)
    ends = np.stack([pairs.better, pairs.worse], 1)
    votes = np.array(pairs.votes)[learnt]
    chance = np.random.default_rng([seed, 3])
    first = drawn(votes, chance)
    left = votes.copy()
    left[np.arange(len(votes)), (first < 0).astype(int)] -= 1
    judged = np.array(pairs.judged)[learnt]
    # where GPT-4 speaks no vote is used up, so that all of them are for people
    left = np.where(((judged != 0) | (left.sum(1) == 0))[:, None], votes, left)
    near = vectors[ends[learnt, 0]] + vectors[ends[learnt, 1]]
    unverified = np.where(judged != 0, judged, first)
    return Ground(rows, ends[learnt], ends[test], unverified, drawn(left, chance), near.astype(np.float32))


def drawn(votes: Ints, chance: np.random.Generator) -> Ints:
    """One vote of each pair: 1 with the better one, -1 with the other."""
    found: Ints = np.where(chance.random(len(votes)) * votes.sum(1) < votes[:, 0], 1, -1)
    return found


# --- Choosing -------------------------------------------------------------------------------------------------


def chosen(ground: Ground, way: str, steps: Sequence[int], spread: float, seed: int) -> Ints:
    """Places of the pool in the order in which people get them."""
    chance = np.random.default_rng([seed, 5])
    order = chance.permutation(len(ground.pool))
    asked = order[: steps[0]]
    if way == "random":
        return order[: steps[-1]]
    for before, after in zip(steps, steps[1:], strict=False):
        left = order[~np.isin(order, asked)]
        choose = by_margin if way == "uncertain" else by_errors
        asked = np.concatenate([asked, choose(ground, asked, left, after - before, spread, seed)])
    return asked


def by_margin(ground: Ground, asked: Ints, left: Ints, count: int, spread: float, seed: int) -> Ints:
    learnt = ground.labelled(asked, ground.people)
    margins = tuned(ground.rows, learnt, ground.pool[left], tuned_spread(ground.rows, learnt, seed))
    return left[np.argsort(np.abs(margins), kind="stable")[:count]]


def by_errors(ground: Ground, asked: Ints, left: Ints, count: int, spread: float, seed: int) -> Ints:
    """What error-driven retrieval pulls; where it pulls too few, the others at random."""
    unverified = ground.labelled(left, ground.unverified)
    margins = tuned(ground.rows, unverified, ground.labelled(asked, ground.people), spread)
    pulled = acquire(ground.near[asked], sigmoid(margins).tolist(), ground.near[left], count)
    places = np.array([left[one.place] for one in pulled], dtype=int)
    return np.concatenate([places, left[~np.isin(left, places)][: count - len(places)]])


# --- Learning -------------------------------------------------------------------------------------------------


def accuracy(ground: Ground, asked: Ints, seed: int) -> float:
    """Of a model of people's labels alone; its strength is chosen on these too."""
    learnt = ground.labelled(asked, ground.people)
    return right(tuned(ground.rows, learnt, ground.test, tuned_spread(ground.rows, learnt, seed)))


def consistent(ground: Ground, asked: Ints, spread: float, seed: int) -> Ints:
    """People's labels, and of the others those that two models, neither of which learnt from them, keep or flip."""
    left = np.setdiff1d(np.arange(len(ground.pool)), asked)
    gold, pool = ground.labelled(asked, ground.people), ground.labelled(left, ground.unverified)
    by_gold = tuned(ground.rows, gold, pool, tuned_spread(ground.rows, gold, seed)) > 0
    by_best = crossed(ground.rows, gold, pool, spread, seed) > 0
    told = [outcome(bool(one), bool(other)) for one, other in zip(by_gold, by_best, strict=True)]
    keep, flip = (np.array([one is side for one in told]) for side in (Outcome.KEEP, Outcome.FLIP))
    return np.concatenate([gold, pool[keep], pool[flip][:, ::-1]])


if __name__ == "__main__":
    main()
