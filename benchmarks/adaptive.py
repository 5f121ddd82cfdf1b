"""What overlap that follows disagreement saves: votes of real annotators, drawn one by one, against a fixed five.

    TOUCHSTONE_DATA=… python -m benchmarks.adaptive [--orders 20] [--out var/adaptive.json]

Each item's votes are put into a random order, many times. A fixed overlap takes the first five. The adaptive one takes
two, and one more while the posterior of the likeliest label (workers/certainty.py) is below the certainty, up to a cap.
Both decide by that posterior, so that they differ in how many answers they take and in nothing else.

`known` weighs every annotator by a reliability: the one-coin model of Dawid & Skene (1979), fitted by EM to the first
five votes of one half of the items and used on the other half, as in a project where a fit was made before. Without it
every annotator is taken to be right three times in four.

Sets of crowd_classification have gold labels made by others. Pairs of arguments and jokes have none: their label is
the sign of a Bradley–Terry score, fitted to the votes on the other four fifths of the pairs, so no vote speaks for
itself. Items with fewer than five votes, or without a label, are left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

import numpy as np
import orjson

from workers.certainty import SUREST, likeliest, weight

FIXED = 5
START = 2
ORDERS = 20
CAPS = (5, 7)
CERTAINTIES = (0.9, 0.95)
MOST_ITEMS = 2000
GOLD = ("rte", "bluebird", "sp", "sp_amt", "zencrowd_us", "cf", "d_sentiment", "s5_adultcontent")
OUT = Path(__file__).resolve().parent.parent / "var" / "adaptive.json"
Vote = tuple[str, Any]
"""An annotator and a label."""


@dataclass(frozen=True)
class Set:
    """Votes of each item, and its label."""

    name: str
    votes: Mapping[str, Sequence[Vote]]
    truth: Mapping[str, Any]
    classes: int


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)


def classified(folder: Path, name: str) -> Set:
    """A set of crowd_classification: the items that have a gold label."""
    truth = {row["item"]: row["truth"] for row in rows(folder / f"{name}.truth.jsonl.gz")}
    votes: defaultdict[str, list[Vote]] = defaultdict(list)
    labels = set(truth.values())
    for row in rows(folder / f"{name}.labels.jsonl.gz"):
        labels.add(row["label"])
        if row["item"] in truth:
            votes[row["item"]].append((row["worker"], row["label"]))
    return Set(name, votes, truth, len(labels))


def arguments(folder: Path) -> Set:
    """UKPConvArg1: which of two arguments convinces more; ties are a label of their own in votes, never in truth."""
    votes, pairs = {}, {}
    for row in rows(folder / "judgments.jsonl.gz"):
        votes[row["id"]] = [(vote["annotator"], vote["choice"]) for vote in row["votes"]]
        pairs[row["id"]] = (row["response_a"], row["response_b"])
    return Set("arguments", votes, held_out_signs(votes, pairs), 3)


def jokes(folder: Path) -> Set:
    """Which of two jokes is funnier; annotators are not named, so that nobody's reliability can be known."""
    votes, pairs = {}, {}
    for row in rows(folder / "judgments.jsonl.gz"):
        said = ["a"] * row["votes_a"] + ["b"] * row["votes_b"]
        votes[row["id"]] = [("", choice) for choice in said]
        pairs[row["id"]] = (row["response_a"], row["response_b"])
    return Set("jokes", votes, held_out_signs(votes, pairs), 2)


def held_out_signs(votes: Mapping[str, Sequence[Vote]], pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Which side is better by the votes on other pairs: five folds of pairs, a score of every text for each."""
    names = sorted(pairs)
    Random("folds").shuffle(names)
    truth = {}
    for fold in range(5):
        held = set(names[fold::5])
        score = bradley_terry([(pairs[name], votes[name]) for name in names if name not in held])
        for name in held:
            a, b = (score.get(text) for text in pairs[name])
            if a is not None and b is not None and a != b:
                truth[name] = "a" if a > b else "b"
    return truth


def bradley_terry(voted: Sequence[tuple[tuple[Any, Any], Sequence[Vote]]], rounds: int = 100) -> dict[Any, float]:
    """Log strengths by minorisation–maximisation (Hunter 2004); a tie is half a win for each, half a win is added to
    each side of every pair, so that nobody's strength is unbounded."""
    texts = {text: n for n, text in enumerate(sorted({text for pair, _ in voted for text in pair}, key=str))}
    first = np.array([texts[a] for (a, _), _ in voted])
    second = np.array([texts[b] for (_, b), _ in voted])
    won = np.array([sum({"a": 1.0, "tie": 0.5}.get(c, 0.0) for _, c in votes) + 0.5 for _, votes in voted])
    count = np.array([len(votes) + 1.0 for _, votes in voted])
    wins = np.bincount(first, won, len(texts)) + np.bincount(second, count - won, len(texts))
    strength = np.ones(len(texts))
    for _ in range(rounds):
        shared = count / (strength[first] + strength[second])
        strength = wins / (np.bincount(first, shared, len(texts)) + np.bincount(second, shared, len(texts)))
        strength /= np.exp(np.log(strength).mean())
    return {text: float(np.log(strength[n])) for text, n in texts.items()}


Reliable = Mapping[str, float]


def one_coin(votes: Sequence[Sequence[Vote]], classes: int, rounds: int = 30) -> dict[str, float]:
    """How often each annotator is right, by EM; a Beta(6, 2) prior, whose mean is 0.75, holds those who said little."""
    right: dict[str, float] = {}
    for _ in range(rounds):
        hits: defaultdict[str, float] = defaultdict(float)
        said: defaultdict[str, int] = defaultdict(int)
        for some in votes:
            chances = posterior(some, classes, right)
            for worker, label in some:
                hits[worker] += chances[label]
                said[worker] += 1
        right = {worker: (hits[worker] + 6) / (said[worker] + 8) for worker in said}  # the mean of the posterior
    return {worker: min(max(chance, 1 / classes), SUREST) for worker, chance in right.items()}


def posterior(votes: Sequence[Vote], classes: int, right: Reliable) -> dict[Any, float]:
    """The probability of each label that somebody said."""
    scores: defaultdict[Any, float] = defaultdict(float)
    for worker, label in votes:
        scores[label] += weight(right.get(worker, 0.75), classes)
    whole = sum(map(exp, scores.values())) + max(0, classes - len(scores))
    return {label: exp(score) / whole for label, score in scores.items()}


def decided(votes: Sequence[Vote], classes: int, right: Reliable) -> Any:
    """The likeliest label; of equals the one that was said first."""
    chances = posterior(votes, classes, right)
    return max(chances, key=lambda label: round(chances[label], 9))


def asked(votes: Sequence[Vote], classes: int, right: Reliable, certainty: float, cap: int) -> int:
    """How many votes are taken until the label is decided."""
    most, number = min(cap, len(votes)), START
    while number < most and sure(votes[:number], classes, right) < certainty - 1e-9:
        number += 1
    return number


def sure(votes: Sequence[Vote], classes: int, right: Reliable) -> float:
    return likeliest([(label, right.get(worker)) for worker, label in votes], classes)


@dataclass(frozen=True)
class Way:
    """How many answers are asked for: five, or as many as it takes."""

    certainty: float = 0.0
    cap: int = FIXED
    known: bool = False

    @property
    def name(self) -> str:
        told = f"{START} to {self.cap}, certainty {self.certainty}" if self.certainty else f"fixed {FIXED}"
        return told + (", reliabilities known" if self.known else "")


WAYS = [Way(), *(Way(certainty, cap) for cap in CAPS for certainty in CERTAINTIES)]
WAYS += [Way(known=True), *(Way(certainty, cap, True) for cap in CAPS for certainty in CERTAINTIES)]


def measured(data: Set, orders: int) -> list[dict[str, Any]]:
    """Accuracy and answers of each way, over random orders of the votes: the same orders for all of them."""
    items = sorted(item for item, votes in data.votes.items() if len(votes) >= FIXED and item in data.truth)
    if len(items) > MOST_ITEMS:
        items = sorted(Random(data.name).sample(items, MOST_ITEMS))
    named = len({worker for item in items for worker, _ in data.votes[item]}) > 1
    ways = [way for way in WAYS if named or not way.known]
    found: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for order in range(orders):
        chance = Random(f"{data.name}:{order}")
        drawn = {item: chance.sample(list(data.votes[item]), len(data.votes[item])) for item in items}
        halves = [items[::2], items[1::2]]
        fitted = {half: one_coin([drawn[i][:FIXED] for i in halves[half]], data.classes) for half in (0, 1) if named}
        for way in ways:
            hits, spent = 0, 0
            for half, some in enumerate(halves):
                right = fitted[1 - half] if way.known else {}
                for item in some:
                    number = taken(drawn[item], data.classes, right, way)
                    hits += decided(drawn[item][:number], data.classes, right) == data.truth[item]
                    spent += number
            found[way.name].append((hits / len(items), spent / len(items)))
    return [told(data, way, found, len(items)) for way in ways]


def taken(votes: Sequence[Vote], classes: int, right: Reliable, way: Way) -> int:
    return asked(votes, classes, right, way.certainty, way.cap) if way.certainty else FIXED


def told(data: Set, way: Way, found: Mapping[str, list[tuple[float, float]]], items: int) -> dict[str, Any]:
    """Means over the orders; the difference to a plain fixed five, with its standard error."""
    fixed = found[Way().name]
    gaps = [one[0] - five[0] for one, five in zip(found[way.name], fixed, strict=True)]
    return {
        "set": data.name,
        "items": items,
        "classes": data.classes,
        "way": way.name,
        "accuracy": fmean(accuracy for accuracy, _ in found[way.name]),
        "answers": fmean(answers for _, answers in found[way.name]),
        "share": fmean(answers for _, answers in found[way.name]) / FIXED,
        "gap": fmean(gaps),
        "gap_error": stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else 0.0,
    }


def sets(data: Path) -> dict[str, Callable[[], Set]]:
    found: dict[str, Callable[[], Set]] = {
        name: partial(classified, data / "crowd_classification", name) for name in GOLD
    }
    return found | {
        "arguments": lambda: arguments(data / "pref_ukpconvarg1"),
        "jokes": lambda: jokes(data / "pref_humour"),
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    heads = ("set", "items", "way", "accuracy", "answers an item", "of five", "points above a plain five")
    lines = [f"| {' | '.join(heads)} |", "|---|---:|---|---:|---:|---:|---:|"]
    for one in results:
        gap = "" if one["way"] == Way().name else f"{100 * one['gap']:+.2f} ± {196 * one['gap_error']:.2f}"
        lines.append(
            f"| {one['set']} | {one['items']} | {one['way']} | {100 * one['accuracy']:.1f} % | {one['answers']:.2f}"
            f" | {100 * one['share']:.0f} % | {gap} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=__doc__)
    parser.add_argument("--sets", default="", help="by commas; all unless told")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    data = Path(os.environ.get("TOUCHSTONE_DATA", "shared/data"))
    if not data.is_dir():
        sys.exit(f"no real data at TOUCHSTONE_DATA ({data})")
    known = sets(data)
    results = []
    for name in given.sets.split(",") if given.sets else known:
        results += measured(known[name](), given.orders)
        print(f"{name} is done", file=sys.stderr, flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
