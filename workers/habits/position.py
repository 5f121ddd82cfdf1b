"""Position bias: choosing a side of the screen and not a response.

A coin decides for each person and task which response stands on the left. Whatever the responses are, an annotator who
reads them chooses left half of the time; so the share of left is tested against one half, without a model of quality.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workers.habits.chance import binomial_p
from workers.intervals import Share, wilson


@dataclass(frozen=True, slots=True)
class Leaning:
    """How often the response on the left was preferred, of the answers that preferred one."""

    left: Share
    p: float


def leaning(answers: Iterable[tuple[str, int]]) -> Leaning:
    """`answers`: the shown order (ab: the first response was on the left, ba) and the value, negative for the first
    response. Ties and answers without a known order say nothing of sides."""
    left = n = 0
    for order, value in answers:
        if value and order in ("ab", "ba"):
            n += 1
            left += (value < 0) == (order == "ab")
    return Leaning(wilson(left, n), binomial_p(left, n))
