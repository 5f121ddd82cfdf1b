"""Beside the others: agreement with the rest, and siding with the model where the rest does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workers.habits.chance import binomial_p
from workers.intervals import Share, wilson


@dataclass(frozen=True, slots=True)
class Beside:
    """A share of one annotator, the share of all others under the same condition, and how likely chance gives it."""

    own: Share
    others: float | None
    p: float


def beside(own: Iterable[bool], others: tuple[int, int], *, side: str) -> Beside:
    """One annotator's share against the share of the others (count, n), tested as `side` says: more or less.

    The others' share is taken as known; one that is 0 or 1 is drawn in by half an answer, so that it stays a chance.
    """
    given = list(own)
    count, n = others
    share = wilson(sum(given), len(given))
    if not n:
        return Beside(share, None, 1.0)
    usual = min(max(count, 0.5), n - 0.5) / n
    return Beside(share, count / n, binomial_p(sum(given), len(given), usual, side=side))


def with_the_rest(agreed: Iterable[bool], others: tuple[int, int]) -> Beside:
    """Agreement with the majority of the other people on each task: who is far below the others may not be reading."""
    return beside(agreed, others, side="less")


def with_the_model(sided: Iterable[bool], others: tuple[int, int]) -> Beside:
    """On tasks where the majority of the other people contradicts the model: whether this annotator sides with it."""
    return beside(sided, others, side="more")
