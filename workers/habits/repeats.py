"""Swap consistency: the same pair shown again to the same annotator, the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workers.intervals import Share, wilson


@dataclass(frozen=True, slots=True)
class Consistency:
    """Repeats on which the same response was preferred again, and those on which the same side of the screen was."""

    same_response: Share
    same_side: Share


def consistency(repeats: Iterable[tuple[int, int, bool]]) -> Consistency:
    """`repeats`: the value at first, the value when shown again, and whether the order was swapped in between.

    Values are negative for the pair's first response. Where one answer is a tie the repeat counts as consistent only if
    both are. The share of `same_side` is over swapped repeats with a preference both times: what is high there and low
    in `same_response` is a habit of the hand.
    """
    same = n = side = swapped_n = 0
    for before, after, swapped in repeats:
        n += 1
        same += sign(before) == sign(after)
        if swapped and before and after:
            swapped_n += 1
            side += sign(before) != sign(after)
    return Consistency(wilson(same, n), wilson(side, swapped_n))


def sign(value: int) -> int:
    return (value > 0) - (value < 0)
