"""The second stage of Skywork-Reward-V2 on real pairs: two models and a judge that is right in 83 % against 30 % flips.

The specification measures on RMB, which is not among the sets; here are the real ones that there are. Of the pairs to
learn from people verified 320, a quarter at most; of the others 30 % are turned round evenly. The gold model learns
from the verified, the best model from those and the others, out of fold: none judges a pair that it learnt from. The
judge is drawn: right in 83 %. `relabelled` takes its label wherever the best model disagrees, `recycled` is what the
decision table keeps and flips. Heads are linear, on TF-IDF (SVD, 256) and on `builtin:minilm`; prompts of their own.
Source: arXiv 2507.01352; thresholds are those of our specification, section 1.7 B. TOUCHSTONE_DATA names the data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.noise import OUT, crossed, right, tuned, tuned_spread, turned
from benchmarks.noise_data import SETS, Floats, Ints, Pairs, Vectors, split, vectors_of
from experiments import Experiment, experiments
from workers.consistency import Outcome, needs_judge, outcome
from workers.doubting import standardised

USED = ("convarg", "llmfao", "mtbench", "alpaca", "harmless")
MOST, TEST = 3_000, 0.2
FLIPS, JUDGE = 0.3, 0.83
HUMAN = 320
TERMS, WIDTH = 20_000, 256
PURE, FLIPPED, GAIN = 0.83, 0.80, 0.02
ENCODERS = ("TF-IDF", "MiniLM")


def there() -> bool:
    return bool(os.environ.get("TOUCHSTONE_DATA"))


def run(seed: int) -> dict[str, Any]:
    """Every set with both encoders; nothing at all where there are no data."""
    if not there():
        return {"NOT MEASURED: TOUCHSTONE_DATA names no folder": 1}
    told: dict[str, Any] = {}
    for name in USED:
        pairs = SETS[name][1]()
        vectors = vectors_of(pairs, OUT)
        for encoder in ENCODERS:
            rows = encoded(encoder, pairs, vectors)
            found = measured(rows, pairs, vectors, seed)
            told.update({f"{name}, {encoder}: {what}": value for what, value in found.items()})
    return told


def encoded(encoder: str, pairs: Pairs, vectors: Vectors) -> Floats:
    """Of each response, no labels seen."""
    found = vectors.all if encoder == "MiniLM" else tfidf([text for _, text in pairs.texts])
    return standardised(found) / np.sqrt(found.shape[1])


def tfidf(texts: Sequence[str]) -> Floats:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(max_features=TERMS, sublinear_tf=True).fit_transform(texts)
    found: Floats = TruncatedSVD(min(WIDTH, counts.shape[1] - 1), random_state=0).fit_transform(counts)
    return found


def measured(rows: Floats, pairs: Pairs, vectors: Vectors, seed: int) -> dict[str, Any]:
    """Accuracies on new prompts, purity of what is kept, precision of what is flipped."""
    learnt, test = split(pairs, MOST, seed, TEST)
    ends = np.stack([pairs.better, pairs.worse], 1)
    chance = np.random.default_rng([seed, 11])
    human = min(HUMAN, len(learnt) // 4)
    gold, truth, held = ends[learnt[:human]], ends[learnt[human:]], ends[test]
    wrong = chance.permutation(len(truth)) < round(FLIPS * len(truth))
    pool = turned(truth, wrong)
    spread = tuned_spread(rows, np.concatenate([gold, pool]), seed)
    by_gold = tuned(rows, gold, pool, spread) > 0
    by_best = crossed(rows, gold, pool, spread, seed) > 0
    judge = wrong ^ (chance.random(len(pool)) < JUDGE)  # agrees with the label: it is right on right ones, or errs
    told = [
        outcome(bool(g), bool(b), bool(j) if needs_judge(bool(b)) else None)
        for g, b, j in zip(by_gold, by_best, judge, strict=True)
    ]
    keep, flip = (np.array([one is side for one in told]) for side in (Outcome.KEEP, Outcome.FLIP))
    arms: dict[str, Ints] = {
        "clean": truth, "noisy": pool, "recycled": np.concatenate([pool[keep], turned(pool[flip], flip[flip])]),
        "relabelled": turned(pool, ~by_best & ~judge),
    }  # fmt: skip
    accuracies = {name: right(tuned(rows, np.concatenate([gold, arm]), held, spread)) for name, arm in arms.items()}
    longer = right(vectors.length[held[:, 0]] - vectors.length[held[:, 1]])
    return {
        **accuracies, "longer": longer, "kept": int(keep.sum()), "purity": share(~wrong, keep),
        "flipped": int(flip.sum()), "flipped rightly": share(wrong, flip),
    }  # fmt: skip


def share(true: Any, among: Any) -> float:
    return float(true[among].mean()) if among.any() else float("nan")


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """The thresholds of the specification, each set and encoder by itself."""
    if not there():
        return [("NOT MEASURED: TOUCHSTONE_DATA names no folder with real pairs", False)]
    return [claim for name in USED for encoder in ENCODERS for claim in claims(results, f"{name}, {encoder}")]


def claims(results: Sequence[Mapping[str, Any]], name: str) -> Iterator[tuple[str, bool]]:
    mean = {
        what: fmean(one[f"{name}: {what}"] for one in results)
        for what in ("purity", "flipped rightly", "relabelled", "noisy")
    }
    gain = mean["relabelled"] - mean["noisy"]
    yield f"{name}: what is kept is {mean['purity']:.3f} pure (>= {PURE})", mean["purity"] >= PURE
    rightly = mean["flipped rightly"]
    yield f"{name}: {rightly:.3f} of the flipped were wrong (>= {FLIPPED})", rightly >= FLIPPED
    yield f"{name}: relabelled {gain:+.3f} over noisy (>= {GAIN})", gain >= GAIN


experiments.add(
    Experiment(
        name="skywork-real",
        about="Two models and a judge that is right in 83 % against 30 % of labels turned round, on real pairs.",
        run=run,
        judge=judge,
    )
)
