"""Whether learning curves foretell what labels bring, and whether asking for chosen pairs beats asking for any.

    TOUCHSTONE_DATA=… OMP_NUM_THREADS=1 python -m benchmarks.next [--embedder] [--orders 10] [--out var/next.json]

Back-test: of each set some labels in the order in which they were given (`time`, where that is known), and in random
orders: the first half foretells the gain of the second, as the page *What next* does (workers/learning/curves.py). How
often the actual gain lies in the interval that was foretold, and how often both differ by no more than chance.

Efficiency: of each set three prompts in ten are held out. From 40 random labels on, 20 more are asked for at a time by
each way of `prioritise`, a fifth of them at random as there; `random` asks for any, `margin` for those the head is
least sure of. The same seeds for all. Told is the mean accuracy on held-out prompts over all sizes beyond the first,
less that of `random`, with a bootstrap interval over seeds, and with how many labels the way is where `random` ends.

Vectors are hashed words, or with --embedder those of builtin:minilm, which takes some minutes more.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import numpy as np
import orjson

from workers.intervals import Estimate, estimate, mean_drawn
from workers.learning import acquiring, curves, hashed, heads
from workers.learning.curves import Labels

MOST = 1_200
ORDERS, SEEDS = 10, 10
START, STEP, END, RANDOM = 40, 20, 300, 0.2
RESAMPLES = 1_000
WAYS = ("random", "margin", acquiring.change.__name__, acquiring.disagreement.__name__, "coverage", "mixed")
OUT = Path(__file__).resolve().parent.parent / "var" / "next.json"


@dataclass(frozen=True)
class Pair:
    """Two texts to one prompt, and whether the second is better; `at` is when, where that is known."""

    prompt: str
    first: str
    second: str
    better_second: bool
    at: str = ""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)


def majority(choices: Sequence[str]) -> str | None:
    """The side that more people chose; None for a tie of either kind."""
    counts = Counter(choices)
    return None if counts["a"] == counts["b"] else "a" if counts["a"] > counts["b"] else "b"


def arguments(folder: Path) -> Iterator[Pair]:
    """UKPConvArg1: which of two arguments on one side of a topic convinces more; prompts are the topics' sides."""
    texts = {row["arg"]: row["text"] for row in rows(folder / "arguments.jsonl.gz")}
    for row in rows(folder / "judgments.jsonl.gz"):
        chosen = majority([vote["choice"] for vote in row["votes"]])
        a, b = (texts.get(row[f"response_{side}"]) for side in "ab")
        if chosen and a and b:
            yield Pair(row["topic"], a, b, chosen == "b", max(vote["submit_time"] for vote in row["votes"]))


def mtbench(folder: Path) -> Iterator[Pair]:
    """The last answers of two models to a question of MT-bench."""
    for row in rows(folder / "judgments.jsonl.gz"):
        chosen = majority([vote["choice"] for vote in row["votes"]])
        if chosen:
            a, b = (row[f"conversation_{side}"][2 * row["turn"] - 1]["content"] for side in "ab")
            yield Pair(str(row["question_id"]), a, b, chosen == "b")


def pandalm(folder: Path) -> Iterator[Pair]:
    for row in rows(folder / "judgments.jsonl.gz"):
        chosen = majority([vote["choice"] for vote in row["votes"]])
        if chosen and all(isinstance(row[f"response_{side}"], str) for side in "ab"):
            yield Pair(row["instruction"], row["response_a"], row["response_b"], chosen == "b")


def harmless(folder: Path) -> Iterator[Pair]:
    chance = Random(0)
    for row in rows(folder / "pairs.jsonl.gz"):
        both = row["chosen"], row["rejected"]
        second = chance.random() < 0.5
        yield Pair(row["prompt"], *(both[::-1] if second else both), second)


def alpacaeval(folder: Path) -> Iterator[Pair]:
    """Two answers to one prompt whose rates of winning against a third, as GPT-4 tells, are a fifth apart or more."""
    chance = Random(0)
    for row in rows(folder / "items.jsonl.gz"):
        some = chance.sample(row["responses"], min(4, len(row["responses"])))
        for a, b in zip(some[::2], some[1::2], strict=False):
            apart = b["gpt4_win_rate_vs_baseline"] - a["gpt4_win_rate_vs_baseline"]
            if abs(apart) >= 0.2 and a["text"] and b["text"]:
                yield Pair(row["prompt"], a["text"], b["text"], apart > 0)


SETS: dict[str, tuple[str, Callable[[Path], Iterator[Pair]]]] = {
    "arguments": ("pref_ukpconvarg1", arguments),
    "mtbench": ("pref_mtbench_human", mtbench),
    "pandalm": ("pref_pandalm", pandalm),
    "harmless": ("pref_hh_rlhf_harmless", harmless),
    "alpacaeval": ("rank_alpacaeval_gpt4", alpacaeval),
}


def sampled(name: str, data: Path) -> list[Pair]:
    """At most MOST pairs of a set, drawn at random; by time where that is known, else in the order of the file."""
    folder, read = SETS[name]
    found = list(read(data / folder))
    if len(found) > MOST:
        found = [found[n] for n in sorted(Random(name).sample(range(len(found)), MOST))]
    return sorted(found, key=lambda pair: pair.at)


def vectors(pairs: Sequence[Pair], embedder: bool) -> tuple[Any, Any]:
    """Vectors of the first and of the second texts, a row each."""
    sides = [(pair.prompt, text) for pair in pairs for text in (pair.first, pair.second)]
    found = embedded(sides) if embedder else hashed.vectors([text for _, text in sides])
    return found[::2], found[1::2]


def embedded(texts: Sequence[tuple[str, str]]) -> Any:
    """Vectors of builtin:minilm for texts with their prompts."""
    from workers.judging import Candidate, Given, Spec, judges

    opened = judges.get("embedder").open(Spec(1, "embedder", "builtin:minilm"))
    given = (
        Given(n, [{"role": "user", "content": prompt}], [Candidate(n, text)]) for n, (prompt, text) in enumerate(texts)
    )
    found = {one.key: one.vector for one in opened.judge(given)}
    return np.array([found[n] for n in range(len(texts))], dtype=np.float32)


# --- Back-test ----------------------------------------------------------------------------------------


def back_tests(name: str, labels: Labels, timed: bool, orders: int) -> list[dict[str, Any]]:
    """The order of time where there is one, and random orders: what was foretold and what came."""
    found = []
    for order in range(-1 if timed else 0, orders):
        rows_ = np.arange(len(labels)) if order < 0 else np.random.default_rng(order).permutation(len(labels))
        told = curves.back_tested(labels.some(rows_), seed=max(order, 0))
        if told is not None:
            found.append({
                "set": name, "order": "time" if order < 0 else "random", "labels": len(labels), "before": told.before,
                "after": told.after, "predicted": points(told.predicted), "actual": points(told.actual),
                "off": points(told.off), "within": told.within, "meets": told.meets,
            })  # fmt: skip
    return found


def points(one: Estimate) -> list[float]:
    return [round(100 * value, 2) for value in (one.value, one.low, one.high)]


# --- Efficiency ---------------------------------------------------------------------------------------


def efficiency(name: str, labels: Labels, middles: Any, seeds: int) -> list[dict[str, Any]]:
    """Each way's accuracy at each number of labels, less that of `random` with the same seed."""
    x = heads.turned(labels.x)(labels.x)
    runs: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    end = START
    for seed in range(seeds):
        split = curves.splits(labels.groups, 1, seed)[0]
        end = START + STEP * ((min(END, len(split.trained) // 2) - START) // STEP)
        for way in WAYS:
            runs[way].append(asked(Labels(x, labels.y, labels.groups), middles, split, way, end, seed))
    least = min(len(one) for some in runs.values() for one in some)
    sizes = list(range(START, START + STEP * least, STEP))
    base = [fmean(one[1:least]) for one in runs["random"]]
    goal = fmean(one[least - 1] for one in runs["random"])
    found = []
    for way, some in runs.items():
        gaps = [100 * (fmean(one[1:least]) - other) for one, other in zip(some, base, strict=True)]
        chance = Random(0)
        told = estimate(fmean(gaps), [mean_drawn(gaps, chance) for _ in range(RESAMPLES)])
        means = [fmean(one[n] for one in some) for n in range(least)]
        reached = next((size for size, mean in zip(sizes, means, strict=True) if mean >= goal), None)
        found.append({
            "set": name, "way": way, "to": sizes[-1], "accuracy": round(100 * means[-1], 1),
            "gap": [round(one, 2) for one in (told.value, told.low, told.high)], "reached": reached,
        })  # fmt: skip
    return found


def asked(labels: Labels, middles: Any, split: curves.Split, way: str, end: int, seed: int) -> list[float]:
    """Held-out accuracy with START labels, and after each STEP more that a way asks for."""
    pool = split.trained  # in a random order of its own
    chosen = list(pool[:START])
    found = []
    chance = np.random.default_rng([seed, 1])
    clusters = acquiring.Clusters(acquiring.begun(middles[pool[: acquiring.SAMPLE]], acquiring.CLUSTERS, seed))
    clusters.learn(middles[pool])
    while True:
        y = labels.y[chosen]
        prior = heads.likeliest_prior(labels.x[chosen], y, np.arange(len(chosen)), seed)
        head = heads.fitted(labels.x[chosen], y, prior)
        found.append(1 - float(curves.wrong(labels.x[split.held] @ head, labels.y[split.held]).mean()))
        if len(chosen) >= end:
            return found
        open_ = np.setdiff1d(pool, chosen)
        free = chance.permutation(open_)
        taken = list(free[: STEP if way == "random" else round(RANDOM * STEP)])
        if way != "random":
            left = np.setdiff1d(open_, taken)
            keys = keys_of(way, labels, middles, clusters, left, chosen, head, prior, seed)
            taken += list(left[np.argsort(np.asarray(keys), kind="stable")[: STEP - len(taken)]])
        chosen += taken


def keys_of(
    way: str,
    labels: Labels,
    middles: Any,
    clusters: acquiring.Clusters,
    left: Any,
    chosen: Sequence[int],
    head: Any,
    prior: float,
    seed: int,
) -> Any:
    """What the open pairs are sorted by, the lowest first."""
    x = labels.x[left]
    if way == "margin":
        return np.abs(x @ head)
    if way == "change":
        return -acquiring.change(x, head)
    if way == "disagreement":
        several = heads.ensemble(labels.x[chosen], labels.y[chosen], prior, seed)
        return -acquiring.disagreement(x, several)
    if way == "coverage":
        nearest, distance = clusters.nearest(middles[left])
        taught = np.bincount(clusters.nearest(middles[chosen])[0], minlength=len(clusters.middles))
        return acquiring.turns(nearest.tolist(), distance.tolist(), taught.tolist())
    three = ("change", "disagreement", "coverage")
    each = [keys_of(one, labels, middles, clusters, left, chosen, head, prior, seed) for one in three]
    return acquiring.mixed(each)[0]


# --- Tables -------------------------------------------------------------------------------------------


def tables(tested: Sequence[dict[str, Any]], ways: Sequence[dict[str, Any]]) -> str:
    lines = ["| set | order | labels | foretold, points | actual, points | off by, points | within | by chance |",
             "|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for key in dict.fromkeys((one["set"], one["order"]) for one in tested):
        some = [one for one in tested if (one["set"], one["order"]) == key]
        within, meets = (sum(one[name] for one in some) for name in ("within", "meets"))
        means = [" to ".join(f"{fmean(one[name][n] for one in some):.2f}" for n in (1, 2)) for name in SIDES]
        told = [f"{fmean(one[name][0] for one in some):.2f} ({mean})" for name, mean in zip(SIDES, means, strict=True)]
        sizes = f"{fmean(one['before'] for one in some):.0f} → {fmean(one['after'] for one in some):.0f}"
        off = fmean(one["off"][0] for one in some)
        lines.append(f"| {key[0]} | {key[1]}{f' ×{len(some)}' if len(some) > 1 else ''} | {sizes} | {told[0]} |"
                     f" {told[1]} | {off:+.2f} | {within} of {len(some)} | {meets} of {len(some)} |")  # fmt: skip
    lines += ["", "| set | way | accuracy at the end | points above random, over all sizes | where random ends |",
              "|---|---|---:|---:|---:|"]  # fmt: skip
    for one in ways:
        gap = f"{one['gap'][0]:+.2f} ({one['gap'][1]:+.2f} to {one['gap'][2]:+.2f})"
        reached = f"{one['reached']} of {one['to']}" if one["reached"] else "not reached"
        lines.append(f"| {one['set']} | {one['way']} | {one['accuracy']} % | {'' if one['way'] == 'random' else gap} |"
                     f" {reached} |")  # fmt: skip
    return "\n".join(lines)


SIDES = ("predicted", "actual")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.next", description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS), help="by commas; all unless told")
    parser.add_argument("--embedder", action="store_true", help="vectors of builtin:minilm instead of hashed words")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    data = Path(os.environ.get("TOUCHSTONE_DATA", "shared/data"))
    if not data.is_dir():
        sys.exit(f"no real data at TOUCHSTONE_DATA ({data})")
    tested, ways = [], []
    for name in given.sets.split(","):
        pairs = sampled(name, data)
        first, second = vectors(pairs, given.embedder)
        y = np.array([float(pair.better_second) for pair in pairs])
        labels = Labels(second - first, y, heads.grouped([pair.prompt for pair in pairs]))
        tested += back_tests(name, labels, bool(pairs[0].at), given.orders)
        ways += efficiency(name, labels, (first + second) / 2, given.seeds)
        print(
            f"{name} is done: {len(pairs)} pairs on {int(labels.groups.max()) + 1} prompts", file=sys.stderr, flush=True
        )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"back-tests": tested, "ways": ways}, indent=1))
    print(tables(tested, ways))


if __name__ == "__main__":
    main()
