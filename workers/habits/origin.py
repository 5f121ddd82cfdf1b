"""Machine-written critiques: a detector of this project's own models' words, with its limits on display.

Character 2–4-grams and word 1–2-grams, tf-idf with sublinear counts, logistic regression: what a curator would build.
"Stochastic Parrots Looking for Stochastic Parrots" shows that who has the detector's human reference and its outputs
evades it; so a detector comes with an attack that was run against it (`attacked`), and what it says is a reason to
look, never a verdict. Held out are whole items, so that no prompt is on both sides. The threshold lets through all but
FALSE_ALARMS of the held-out human texts. Texts under SHORTEST words are too short to tell.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from workers.intervals import Share, wilson

SHORTEST = 40
FALSE_ALARMS = 0.01
HELD_OUT = 0.3
FEWEST = 40
"""So many texts of each side are the least to learn from."""
MOST_FEATURES = 20_000
WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Written:
    """A critique or rationale: its item, its words, and whether a model wrote them."""

    item: int
    text: str
    machine: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """How a detector does on texts that it has not seen."""

    auc: float
    caught: Share
    """Machine texts above the threshold."""
    accused: Share
    """Human texts above the threshold."""


@dataclass(slots=True)
class Detector:
    """A fitted detector: `threshold` is in log odds."""

    model: Any
    threshold: float
    rates: Rates
    trained_on: tuple[int, int]
    """Human and machine texts that it was fitted on."""

    def log_odds(self, texts: Sequence[str]) -> list[float | None]:
        """Evidence for a machine, in log odds against even chances; None for what is too short."""
        long_enough = [n for n, text in enumerate(texts) if tells(text)]
        found: list[float | None] = [None] * len(texts)
        if long_enough:
            odds = self.model.decision_function([texts[n] for n in long_enough])
            for n, value in zip(long_enough, odds, strict=True):
                found[n] = float(value)
        return found


def tells(text: str) -> bool:
    return len(WORDS.findall(text)) >= SHORTEST


def trained(texts: Iterable[Written], *, seed: int = 0) -> Detector:
    """A detector and its error rates on held-out items.

    Raises ValueError with fewer than FEWEST texts of either side, ImportError where scikit-learn is not installed.
    """
    kept = [one for one in texts if tells(one.text)]
    sides = [sum(not one.machine for one in kept), sum(one.machine for one in kept)]
    if min(sides) < FEWEST:
        raise ValueError(
            f"{sides[0]} texts of people and {sides[1]} of models have {SHORTEST} words or more;"
            f" {FEWEST} of each are needed"
        )
    learned, held = apart(kept, seed)
    if not all(any(one.machine is side for one in part) for part in (learned, held) for side in (False, True)):
        raise ValueError("people's and models' texts are on too few items to hold some out")
    model = fitted([one.text for one in learned], [one.machine for one in learned])
    odds = [float(value) for value in model.decision_function([one.text for one in held])]
    machine = [one.machine for one in held]
    threshold = at_false_alarms(odds, machine)
    counts = sum(not one.machine for one in learned), sum(one.machine for one in learned)
    return Detector(model, threshold, rates(odds, machine, threshold), counts)


def apart(texts: Sequence[Written], seed: int) -> tuple[list[Written], list[Written]]:
    """Texts to learn from and held-out ones, by whole items."""
    by_item: dict[int, list[Written]] = defaultdict(list)
    for one in texts:
        by_item[one.item].append(one)
    items = sorted(by_item)
    Random(seed).shuffle(items)
    cut = max(1, round(HELD_OUT * len(items)))
    return [one for item in items[cut:] for one in by_item[item]], [
        one for item in items[:cut] for one in by_item[item]
    ]


def fitted(texts: Sequence[str], machine: Sequence[bool]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    grams = make_union(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=MOST_FEATURES),
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_FEATURES),
    )
    return make_pipeline(grams, LogisticRegression(C=10.0, class_weight="balanced", max_iter=1_000)).fit(texts, machine)


def at_false_alarms(odds: Sequence[float], machine: Sequence[bool], share: float = FALSE_ALARMS) -> float:
    """The threshold that at most `share` of the human texts are above."""
    human = sorted(value for value, made in zip(odds, machine, strict=True) if not made)
    return human[-1 - int(share * len(human))]


def rates(odds: Sequence[float], machine: Sequence[bool], threshold: float) -> Rates:
    caught = [value > threshold for value, made in zip(odds, machine, strict=True) if made]
    accused = [value > threshold for value, made in zip(odds, machine, strict=True) if not made]
    return Rates(auc(odds, machine), wilson(sum(caught), len(caught)), wilson(sum(accused), len(accused)))


def auc(odds: Sequence[float], machine: Sequence[bool]) -> float:
    """The chance that a machine's text has higher odds than a person's; half for ties."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(machine, odds))
