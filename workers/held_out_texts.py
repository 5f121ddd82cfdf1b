"""What is said of a language model on texts that it has not seen: each row's numbers, and sums over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from random import Random
from typing import Any

from workers.held_out import share
from workers.intervals import RESAMPLES, estimate

LONGEST_TOLD = 4000


@dataclass(frozen=True, slots=True)
class Continued:
    """A held-out completion as a model reads it: mean negative log-probability of a token, and how many it guesses."""

    split: str
    row: int
    item: str
    loss: float
    tokens: int
    guessed: int
    """Tokens that the model held to be the likeliest."""
    words: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A held-out question as a critic that was trained answers it."""

    split: str
    row: int
    item: str
    loss: float
    tokens: int
    guessed: int
    asked: bool = False
    """Whether it was put to the critic, or only read."""
    status: str = ""
    """ok, repaired or unparsed, as workers/replies.py says it of any critic; truncated, refused."""
    verdict: bool | None = None
    truth: bool | None = None
    quotes: int = 0
    """Places that it named, and those of them that stand in the response."""
    found: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A held-out response that people called good or bad, and the model's reward for it."""

    split: str
    row: int
    item: str
    score: float
    label: bool
    words: int = 0

    @property
    def right(self) -> float:
        return 0.5 if self.score == 0 else float((self.score > 0) == self.label)


def read(rows: Sequence[Any]) -> dict[str, Any]:
    """Sums over `Continued` or `Asked`: the loss of a token, and the share of tokens guessed, with its interval.

    Tokens of one text hang together, so the interval is that of a bootstrap over rows.
    """
    if not rows:
        return {}
    chance = Random(0)
    tokens = sum(one.tokens for one in rows)
    drawn = []
    for _ in range(RESAMPLES):
        some = chance.choices(rows, k=len(rows))
        drawn.append(sum(one.guessed for one in some) / max(1, sum(one.tokens for one in some)))
    found = estimate(sum(one.guessed for one in rows) / max(1, tokens), drawn)
    loss = sum(one.loss * one.tokens for one in rows) / max(1, tokens)
    return {
        "held_out_loss": round(loss, 4),
        "perplexity": round(exp(min(loss, 50)), 3),
        "tokens_guessed": {
            "accuracy": round(found.value, 4),
            "n": len(rows),
            "tokens": tokens,
            "low": round(found.low, 4),
            "high": round(found.high, 4),
        },
    }


def asked(rows: Sequence[Asked]) -> dict[str, Any]:
    """Sums over answers of a critic. Unread answers are no verdicts; they count as wrong in `held_out`."""
    answers = [one for one in rows if one.asked]
    if not answers:
        return {}
    told: dict[str, Any] = {
        "answers_read": share(sum(one.status in ("ok", "repaired") for one in answers), len(answers))
    }
    if verdicts := [one for one in answers if one.truth is not None]:
        told["held_out"] = share(sum(one.verdict == one.truth for one in verdicts), len(verdicts))
        most = max(sum(bool(one.truth) for one in verdicts), sum(not one.truth for one in verdicts))
        told["commonest_verdict"] = share(most, len(verdicts))
    if quotes := sum(one.quotes for one in answers):
        told["quotes_found"] = share(sum(one.found for one in answers), quotes)
    return told


def labelled(rows: Sequence[Labelled]) -> dict[str, Any]:
    """Sums over labelled responses: whether the sign of the reward is that of the label, and the area under the ROC
    curve, which does not depend on where zero lies."""
    if not rows:
        return {}
    good = sorted(one.score for one in rows if one.label)
    bad = sorted(one.score for one in rows if not one.label)
    told: dict[str, Any] = {"held_out": share(sum(one.right for one in rows), len(rows))}
    told["commonest_label"] = share(max(len(good), len(bad)), len(rows))
    if good and bad:
        told["auroc"] = round(above(good, bad) / (len(good) * len(bad)), 4)
    return told


def above(good: Sequence[float], bad: Sequence[float]) -> float:
    """Pairs of a good and a bad one in which the good one is higher, ties a half. Both sorted."""
    from bisect import bisect_left, bisect_right

    return sum((bisect_left(bad, one) + bisect_right(bad, one)) / 2 for one in good)
