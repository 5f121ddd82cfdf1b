"""What two reward models and a judge say of a label that nobody verified: keep it, flip it, drop it or ask people.

Liu et al. 2025, "Skywork-Reward-V2" (arXiv 2507.01352), section 4 (stage 2). One model is trained on verified pairs
alone (gold), the other is the best so far; a pair stays if the gold model agrees with its label and the best model or
a judge does too, and where both contradict it the label is turned round ("recycled"). The paper says nothing of pairs
on which the best model agrees and the gold model does not: here they are dropped, and a share of them is audited.

Also when to stop: the paper publishes no rule. Ours: the held-out gold accuracy gained less than 0.3 points twice in
a row, or the people's budget is spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

LEAST_GAIN = 0.003
TWICE = 2
AUDITED = 0.02
"""The share of what only the gold model contradicts that goes to people."""


class Outcome(StrEnum):
    """What becomes of a pair, in the words of a proposal."""

    KEEP = "keep"
    FLIP = "flip"
    DROP = "drop"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to stop, and why, in words for a person."""

    stop: bool
    reason: str


def agrees(chosen: float, rejected: float) -> bool:
    """Whether a model's scores are on the side of a label. A tie is not, and neither is what is not a number."""
    return chosen > rejected


def needs_judge(best_agrees: bool) -> bool:
    """Whether a judge is asked at all: only of what the best model contradicts, which spares most of the calls."""
    return not best_agrees


def outcome(gold_agrees: bool, best_agrees: bool, judge_agrees: bool | None = None) -> Outcome:
    """The decision table of stage 2. `judge_agrees` is None where no judge was asked, or where it did not decide."""
    if best_agrees:
        return Outcome.KEEP if gold_agrees else Outcome.DROP
    if gold_agrees:  # a second voice is needed: without one the pair does not pass
        return Outcome.KEEP if judge_agrees else Outcome.DROP
    return Outcome.ASK if judge_agrees else Outcome.FLIP


def reason(gold_agrees: bool, best_agrees: bool, judge_agrees: bool | None = None) -> str:
    """Who said what of a label, in words."""
    said = {True: "agrees", False: "disagrees", None: "was not asked or did not decide"}
    return f"gold model {said[gold_agrees]}, best model {said[best_agrees]}, judge {said[judge_agrees]}"


def audited(key: str, seed: int = 0, share: float = AUDITED) -> bool:
    """Whether a pair is in the sample that people look at; of one key and seed always the same answer."""
    return int.from_bytes(sha256(f"{seed}:{key}".encode()).digest()[:8]) < share * 2**64


def advice(
    accuracies: Sequence[float], spent: int, budget: int, *, least: float = LEAST_GAIN, times: int = TWICE
) -> Advice:
    """Whether another round is worth it. `accuracies`: on held-out gold, of each round from the first on (0 to 1).

    `spent` and `budget`: labels of people; a budget of 0 is none at all.
    """
    if budget and spent >= budget:
        return Advice(True, f"the budget of {budget} human labels is spent")
    gains = [after - before for before, after in zip(accuracies, accuracies[1:], strict=False)][-times:]
    if len(gains) == times and all(gain < least for gain in gains):
        told = ", ".join(f"{100 * gain:+.1f}" for gain in gains)
        return Advice(True, f"gold accuracy gained less than {100 * least:.1f} points {times} times in a row: {told}")
    if len(accuracies) <= times:
        return Advice(False, f"too few rounds to tell: {len(accuracies)} of {times + 1}")
    return Advice(False, f"gold accuracy still moves: {100 * gains[-1]:+.1f} points in the last round")
