"""How often each method of deciding labels is right, beside the raw library on the same votes.

    python -m benchmarks.aggregation [--data FOLDER] [--sets rte,ms] [--methods mace,glad] [--most 12500] [--seed 0]

Two kinds of truth. Classic crowd-labelling sets have independent gold. Sets of preferences have none: of each pair half
of the votes, five at most, are what is fitted, and the strict majority of the others is what is to be found, on pairs
where it prefers one response. A draw between labels counts as the share of them that is right, for all alike. Seconds
are of the processor, of one thread.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson

from workers.aggregating import FIRST, PAIR_LABELS, SECOND, TIE, Votes, aggregators, fitted, frame, reliabilities

CLASSIC = (
    "rte", "bluebird", "trec", "sp", "sp_amt", "ms", "cf", "zencrowd_us", "d_jn-product", "d_sentiment",
    "s5_adultcontent", "fact_eval",
)  # fmt: skip
PREFERENCES = ("pref_humour", "pref_ukpconvarg1", "pref_llmfao", "pref_mtbench_human", "crowd_dices")
METHODS = ("majority", "dawid_skene", "mace", "glad", "noisy_bt")
SIDES = {"a": FIRST, "b": SECOND, "tie": TIE}


@dataclass
class Set:
    """Votes with what is to be found: the right label of some tasks."""

    name: str
    votes: Votes
    truth: dict[int, int]
    known: bool = True
    """Whether it says who voted; without that there is nobody to weigh."""
    given: list[tuple[int, int, int]] = field(default_factory=list)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)


class Numbers(dict[Any, int]):
    """A number for each new value."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]


def classic(folder: Path, name: str) -> Set:
    tasks, people, labels = Numbers(), Numbers(), Numbers()
    given = [
        (tasks[r["item"]], people[r["worker"]], labels[r["label"]]) for r in rows(folder / f"{name}.labels.jsonl.gz")
    ]
    truth = {
        tasks[r["item"]]: labels[r["truth"]] for r in rows(folder / f"{name}.truth.jsonl.gz") if r["item"] in tasks
    }
    votes = Votes.of(given, tasks=len(tasks), annotators=len(people), labels=len(labels))
    return Set(name, votes, truth)


def halved(name: str, said: list[tuple[Any, Any, list[tuple[Any, int]]]], seed: int, **more: Any) -> Set:
    """Of (first, second, votes) of each pair: what is fitted and what is to be found."""
    chance, people, responses = Random(seed), Numbers(), Numbers()
    given, truth, pairs = [], {}, []
    for task, (first, second, votes) in enumerate(said):
        chance.shuffle(votes)
        cut = min(5, max(1, len(votes) // 2))
        given += [(task, people[who], label) for who, label in votes[:cut]]
        rest = Counter(label for _, label in votes[cut:])
        if rest and (top := rest.most_common())[0][0] != TIE and 2 * top[0][1] > rest.total():
            truth[task] = top[0][0]
        pairs.append((responses[first], responses[second]))
    size = {"tasks": len(said), "annotators": len(people), "labels": len(PAIR_LABELS)}
    return Set(name, Votes.of(given, **size, pairs=np.array(pairs)), truth, **more)


def preferences(folder: Path, name: str, seed: int) -> Set:
    if name == "crowd_dices":
        sides = {"Yes": FIRST, "No": SECOND, "Unsure": TIE}
        found = [
            (r["id"], f"not {r['id']}", [("anybody", sides[v]) for v in r["unsafe_votes"]])
            for r in rows(folder / "dices_990.jsonl.gz")
        ]
        return halved(name, found, seed, known=False)
    told = rows(folder / "judgments.jsonl.gz")
    if name == "pref_humour":
        found = [
            (
                r["response_a"],
                r["response_b"],
                [("anybody", FIRST)] * r["votes_a"] + [("anybody", SECOND)] * r["votes_b"],
            )
            for r in told
        ]
        return halved(name, found, seed, known=False)
    which = {
        "pref_ukpconvarg1": lambda r, side: r[f"response_{side}"],
        "pref_llmfao": lambda r, side: (r["slug"], r[f"model_{side}"]),
        "pref_mtbench_human": lambda r, side: (r["question_id"], r["turn"], r[f"model_{side}"]),
    }[name]
    found = [(which(r, "a"), which(r, "b"), [(v["annotator"], SIDES[v["choice"]]) for v in r["votes"]]) for r in told]
    return halved(name, found, seed)


def means_something(method: str, one: Set) -> bool:
    """Nobody's votes can be weighed by who gave them, and strengths need responses that meet again."""
    if method == "noisy_bt":
        return one.votes.pairs is not None and one.name != "crowd_dices"
    return one.known or method == "majority"


def accuracy(posterior: Any, truth: dict[int, int]) -> float:
    tasks, labels = np.array(list(truth)), np.array(list(truth.values()))
    among = posterior[tasks]
    best = among >= among.max(1, keepdims=True) - 1e-9
    share = np.where(best.any(1), 1 / np.maximum(best.sum(1), 1), 0)
    return float((best[np.arange(len(tasks)), labels] * share).mean())


def raw(method: str, votes: Votes) -> Any:
    """The posterior as crowd-kit gives it, called as its own documentation does."""
    from crowdkit import aggregation as kit

    if method == "noisy_bt":
        return raw_pairs(kit.NoisyBradleyTerry(), votes)
    data = frame(votes).sample(frac=1, random_state=0).astype({"task": str, "worker": str, "label": str})
    makers: dict[str, Callable[[], Any]] = {
        "majority": kit.MajorityVote,
        "dawid_skene": kit.DawidSkene,
        "mace": lambda: kit.MACE(n_restarts=1),  # its ten restarts all begin alike: ten times the same
        "glad": kit.GLAD,
    }
    made = makers[method]()
    found = made.fit_predict_proba(data)
    names = {"index": [str(n) for n in range(votes.tasks)], "columns": [str(n) for n in range(votes.labels)]}
    return found.reindex(**names).fillna(0.0).to_numpy()


def raw_pairs(model: Any, votes: Votes) -> Any:
    """Its scores compared; it knows no ties, so a tie is one vote each way."""
    import pandas

    assert votes.pairs is not None
    left, right = (votes.pairs[votes.task, side] for side in (0, 1))
    each = [(votes.label == label) | (votes.label == TIE) for label in (FIRST, SECOND)]
    parts = [
        pandas.DataFrame({"worker": votes.annotator[m], "left": left[m], "right": right[m], "label": better[m]})
        for m, better in zip(each, (left, right), strict=True)
    ]
    scores = (
        model.fit_predict(pandas.concat(parts, ignore_index=True)).reindex(range(votes.pairs.max() + 1)).fillna(0.5)
    )
    first, second = (scores.to_numpy()[votes.pairs[:, side]] for side in (0, 1))
    posterior = np.zeros((votes.tasks, votes.labels))
    posterior[:, FIRST], posterior[:, SECOND] = first, second
    return posterior


def trusted(one: Set, fit: Any) -> tuple[float, float, int] | None:
    """Of annotators with 20 votes or more on tasks with gold: how far their reliability is from their accuracy on
    gold, the share whose interval holds it, and how many they are."""
    hits: dict[int, list[bool]] = defaultdict(list)
    for task, who, label in zip(one.votes.task, one.votes.annotator, one.votes.label, strict=True):
        if int(task) in one.truth:
            hits[int(who)].append(one.truth[int(task)] == label)
    told = reliabilities(one.votes, fit)
    seen = [(told[who], float(np.mean(each))) for who, each in hits.items() if len(each) >= 20]
    pairs = [((r.value, r.low or 0.0, r.high or 0.0), true) for r, true in seen if r.value is not None]
    if not pairs:
        return None
    off = float(np.mean([abs(value - true) for (value, _, _), true in pairs]))
    inside = float(np.mean([low <= true <= high for (_, low, high), true in pairs]))
    return off, inside, len(pairs)


def measured(one: Set, method: str, most: int, seed: int) -> dict[str, Any] | None:
    if not means_something(method, one) or (method == "glad" and len(one.votes) > most):
        return None
    began = time.process_time()
    fit = fitted(aggregators.get(method), one.votes, seed)
    spent = time.process_time() - began
    began = time.process_time()
    theirs = accuracy(raw(method, one.votes), one.truth)
    return {
        "ours": accuracy(fit.posterior, one.truth),
        "theirs": theirs,
        "seconds": spent,
        "their_seconds": time.process_time() - began,
        "trusted": trusted(one, fit) if one.known and one.name in CLASSIC else None,
    }


def line(one: Set, cells: list[dict[str, Any] | None]) -> str:
    shown = [f"{c['ours']:.4f} ({c['theirs']:.4f})" if c else "–" for c in cells]
    return f"| {one.name} | {len(one.votes):,} | {len(one.truth):,} | " + " | ".join(shown) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOUCHSTONE_DATA", "../shared/data")))
    parser.add_argument("--sets", default=",".join((*CLASSIC, *PREFERENCES)))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--most", type=int, default=12_500, help="GLAD is left out above so many votes")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    warnings.simplefilter("ignore")
    methods = told.methods.split(",")
    print(f"| set | votes | to be found | {' | '.join(methods)} |\n|---|---:|---:|{'---:|' * len(methods)}")
    notes = []
    for name in told.sets.split(","):
        one = (
            classic(told.data / "crowd_classification", name)
            if name in CLASSIC
            else preferences(told.data / name, name, told.seed)
        )
        cells = [measured(one, method, told.most, told.seed) for method in methods]
        print(line(one, cells), flush=True)
        for method, cell in zip(methods, cells, strict=True):
            if cell:
                words = f"{cell['seconds']:.1f} s (crowd-kit {cell['their_seconds']:.1f} s)"
                if cell["trusted"]:
                    off, inside, n = cell["trusted"]
                    words += f"; reliability of {n} annotators off by {off:.3f}, intervals hold {100 * inside:.0f} %"
                notes.append(f"{name}, {method}: {words}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("\n" + "\n".join(notes) + f"\n\nmost memory at once: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
