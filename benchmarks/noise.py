"""Wrong labels among real pairs: how many are found, and what a reward model gains by it, beside cleanlab.

    TOUCHSTONE_DATA=… python -m benchmarks.noise [--sets convarg,alpaca] [--rates 0.3] [--cleanlab PYTHON]
    python -m benchmarks.noise --publish                         # the tables into docs/curation-measured.md

A share of the labels is turned round at random; the labels that are there are taken as right, which they are not.
The curators' own functions are measured: `wrong-labels` (workers/doubting.py), which gives each label a probability of
being wrong, and `confident-learning`; both see the mean vectors that embedders give, the first also lengths, which
model wrote a response and which responses meet again.
Models learn from the labels with noise, without the doubted ones (filtered), with the doubted ones turned back
(recycled) and from the labels as they were; all are measured on prompts of which nothing was learnt from.
`frozen-head` is the product's trainer; `tuned` is a head on the vectors and lengths, its strength chosen by
cross-validation on the noisy labels. cleanlab gets the differences of the same vectors, lengths and models, in the
environment whose interpreter `--cleanlab` names.
What is done is kept and not done again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.noise_data import SETS, Floats, Ints, Pairs, Vectors, split, vectors_of
from benchmarks.training_data import folder
from workers.curators import confident_learning
from workers.doubting import (
    SPREADS,
    Strengths,
    compared,
    confident,
    dealt,
    doubts,
    fitted,
    likelihood,
    margins_by,
    reduced,
    with_kinds,
)
from workers.doubting import out_of_fold as by_folds
from workers.measures import auroc
from workers.trainers.frozen_head import LAMBDA

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "var" / "noise"
RATES = (0.1, 0.2, 0.3, 0.4)
SEEDS = (0, 1, 2, 3, 4)
MOST = 3_000
DOUBTED = 0.5
"""A label that is more likely wrong than right is doubted."""
Figures = dict[str, Any]


def main() -> None:
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    if not asked.publish:
        folder()
        measure(asked)
    from benchmarks import noise_report

    found = noise_report.kept(asked.out)
    print(noise_report.report(found))
    if asked.publish:
        noise_report.publish(found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.noise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sets", type=lambda told: told.split(","), default=list(SETS), help=f"by commas ({','.join(SETS)})")
    add("--rates", type=lambda told: [float(one) for one in told.split(",")], default=list(RATES))
    add("--seeds", type=lambda told: [int(one) for one in told.split(",")], default=list(SEEDS))
    add("--pairs", type=int, default=MOST, help=f"pairs to learn from, at most ({MOST})")
    add("--cleanlab", default="", metavar="PYTHON", help="interpreter of an environment that has cleanlab")
    add("--out", type=Path, default=OUT, help="where vectors and figures are kept (var/noise)")
    add("--publish", action="store_true", help="measure nothing, put what is kept into docs/curation-measured.md")
    return parser.parse_args()


def measure(asked: argparse.Namespace) -> None:
    with_cleanlab = Cleanlab(asked.cleanlab, asked.out)
    for name in asked.sets:
        todo = [
            (rate, seed, path)
            for rate in asked.rates
            for seed in asked.seeds
            if not (path := asked.out / f"{name}-{rate:g}-{seed}.json").exists()
        ]
        if not todo:
            continue
        pairs = SETS[name][1]()
        vectors = vectors_of(pairs, asked.out)
        rows = reduced(vectors.mean, vectors.length[:, None])
        for rate, seed, path in todo:
            begun = time.process_time()
            told = measured(pairs, vectors, rows, asked.pairs, rate, seed, with_cleanlab)
            told["cpu_seconds"] = round(time.process_time() - begun, 1)
            path.write_text(json.dumps(told, indent=1))
            print(f"{name} {rate:g} {seed}: {told['found']['wrong-labels']}", file=sys.stderr, flush=True)


def measured(
    pairs: Pairs, vectors: Vectors, rows: Floats, most: int, rate: float, seed: int, cleanlab: Cleanlab
) -> Figures:
    """One set, one rate, one seed. `rows` is what the tuned head sees of each response; the others see models too."""
    learnt, test = split(pairs, most, seed)
    ends = np.stack([pairs.better, pairs.worse], 1)
    clean, held = ends[learnt], ends[test]
    flipped = np.random.default_rng([seed, round(1000 * rate)]).permutation(len(clean)) < round(rate * len(clean))
    noisy = turned(clean, flipped)
    begun = time.process_time()
    seen = with_kinds(rows, np.array(pairs.models))
    told = doubts(seen, noisy, seed=seed)
    seconds = time.process_time() - begun
    doubted = told.wrong > DOUBTED
    margins = plain_margins(vectors.mean, noisy, np.array(pairs.prompt)[learnt], seed)
    plain = confident_learning.flagged(margins)
    found = {
        "wrong-labels": detected(doubted, -told.margins, flipped),
        "wrong-labels, by confident learning's rule": detected(confident(told.margins), -told.margins, flipped),
        "confident-learning": detected(plain, -margins, flipped),
    }
    arms: dict[str, Ints] = {
        "raw": noisy, "filtered": noisy[~doubted], "recycled": turned(noisy, doubted), "clean": clean,
        "confident-learning: filtered": noisy[~plain],
    }  # fmt: skip
    for way, (marks, scores) in cleanlab.of(seen[noisy[:, 0]] - seen[noisy[:, 1]], seed).items():
        found[f"cleanlab, {way}"] = detected(marks, scores, flipped)
        arms[f"cleanlab, {way}: filtered"] = noisy[~marks]
    spread = tuned_spread(rows, noisy, seed)
    return {
        "set": pairs.name, "rate": rate, "seed": seed, "learnt": len(learnt), "test": len(test),
        "noise_estimated": told.noise, "strengths": [told.strengths.spread, told.strengths.own, told.strengths.noise],
        "detector_seconds": round(seconds, 2), "found": found,
        "longer": right(vectors.length[held[:, 0]] - vectors.length[held[:, 1]]),
        "accuracy": {
            "frozen-head": {arm: right(frozen(vectors.first, told, held)) for arm, told in arms.items()},
            "tuned": {arm: right(tuned(rows, told, held, spread)) for arm, told in arms.items()},
        },
    }  # fmt: skip


def plain_margins(vectors: Floats, ends: Ints, prompts: Ints, seed: int) -> Floats:
    """Those of the curator `confident-learning`: differences of embeddings, folds of whole prompts."""
    differences = vectors[ends[:, 0]] - vectors[ends[:, 1]]
    found: Floats = confident_learning.out_of_fold_margins(differences, prompts.tolist(), np.ones(len(ends)), seed=seed)
    return found


def turned(ends: Ints, which: Any) -> Ints:
    """The pairs with some of them the other way round."""
    found: Ints = np.where(np.asarray(which)[:, None], ends[:, ::-1], ends)
    return found


def detected(doubted: Any, scores: Floats, flipped: Any) -> Figures:
    """Of what was turned round: precision and recall of the doubted, of as many of the highest scores, and AUROC."""
    hits, wrong = int((doubted & flipped).sum()), int(flipped.sum())
    top = np.argsort(-scores, kind="stable")[:wrong]
    return {
        "doubted": int(doubted.sum()),
        "precision": hits / int(doubted.sum()) if doubted.any() else None,
        "recall": hits / wrong if wrong else None,
        "at_rate": float(flipped[top].mean()) if wrong else None,
        "auroc": auroc(scores.tolist(), flipped.tolist()),
    }


def right(margins: Floats) -> float:
    """The share above zero, ties as a half."""
    return float(((margins > 0) + 0.5 * (margins == 0)).mean())


# --- Models ---------------------------------------------------------------------------------------------------


def frozen(first: Floats, learnt: Ints, held: Ints) -> Floats:
    """Margins on held-out pairs of the head that `frozen-head` trains."""
    import torch

    from workers.nn import bt_head

    chosen, rejected = (torch.tensor(first[learnt[:, side]], dtype=torch.float64) for side in (0, 1))
    head = bt_head.fit(chosen, rejected, weight=LAMBDA)
    scores = head.rewards(torch.tensor(first[held.ravel()], dtype=torch.float64)).reshape(-1, 2)
    found: Floats = (scores[:, 0] - scores[:, 1]).numpy()
    return found


def tuned(rows: Floats, learnt: Ints, held: Ints, spread: float) -> Floats:
    strengths = Strengths(spread)
    weights = fitted(compared(rows, learnt), strengths)
    return margins_by(weights, compared(rows, held), strengths)


def crossed(rows: Floats, gold: Ints, pool: Ints, spread: float, seed: int, folds: int = 4) -> Floats:
    """Margins of the pool's labels by models of gold and all other folds of the pool."""
    fold, strengths = dealt(len(pool), folds, seed), Strengths(spread)
    margins = np.zeros(len(pool))
    for number in range(folds):
        held = fold == number
        weights = fitted(compared(rows, np.concatenate([gold, pool[~held]])), strengths)
        margins[held] = margins_by(weights, compared(rows, pool[held]), strengths)
    return margins


def tuned_spread(rows: Floats, learnt: Ints, seed: int) -> float:
    """The spread under which a head without noise and without responses' own worth predicts the labels best."""
    pairs, fold = compared(rows, learnt), dealt(len(learnt), 5, seed)
    tried = [replace(Strengths(), spread=spread) for spread in SPREADS]
    return max(tried, key=lambda one: likelihood(by_folds(pairs, fold, one), 0.0)).spread


# --- cleanlab -------------------------------------------------------------------------------------------------


class Cleanlab:
    """Another process that has cleanlab, if there is one."""

    def __init__(self, python: str, place: Path) -> None:
        if not python and importlib.util.find_spec("cleanlab"):
            python = sys.executable
        self.place, self.process = place / "asked.npz", None
        if not python:
            print(
                "cleanlab is not in this environment and not compared; --cleanlab names the interpreter of another.",
                file=sys.stderr,
            )
            return
        script = Path(__file__).with_name("noise_cleanlab.py")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([python, str(script)], **pipes)

    def of(self, differences: Floats, seed: int) -> dict[str, tuple[Any, Floats]]:
        """By way of filtering, what is doubted and the scores by which it ranks; empty where cleanlab is not there.

        Raises SystemExit where the other process ended.
        """
        if self.process is None:
            return {}
        assert self.process.stdin and self.process.stdout
        np.savez(self.place, differences=differences, seed=seed)
        self.process.stdin.write(f"{self.place}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise SystemExit("the process that runs cleanlab ended; its words are above")
        told = dict(np.load(answer))
        scores = 1 - told.pop("self_confidence")
        return {way: (marks, scores) for way, marks in told.items()}


if __name__ == "__main__":
    main()
