"""Swap-consistency: the same pair shown again to the same annotator, the other way round.

Whoever reads the responses prefers the same one; whoever has a side prefers the other one, and whoever guesses either,
half of the time. Close pairs are answered otherwise by anybody, so the figures are split by the strength of the first
answer, and an annotator is put beside the others and not beside a rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from workers.intervals import Share, wilson

BOTH_BAD = "both_bad"
Said = int | str
"""A value, negative for the pair's first response, or BOTH_BAD."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """Repeats on which the same was said again, in all and by the strength of the first answer; and those on which the
    same side of the screen was preferred."""

    same: Share
    strengths: dict[str, Share]
    """By strength: 0 (ties), 1, 2, 3, both_bad; only what there was."""
    same_side: Share
    """Of repeats with a preference both times: what is high here and low in `same` is a habit of the hand."""


def consistency(repeats: Iterable[tuple[Said, Said]]) -> Consistency:
    """`repeats`: what was said at first, and when shown in the opposite order, both in the order of the pair.

    The same is said where the same response is preferred, whatever the strength, or both times a tie, or both bad.
    """
    by: dict[str, list[bool]] = defaultdict(list)
    sides = []
    for before, after in repeats:
        by[before if isinstance(before, str) else str(abs(before))].append(sign(before) == sign(after))
        if sign(before) in (-1, 1) and sign(after) in (-1, 1):
            sides.append(sign(before) != sign(after))
    everything = [one for each in by.values() for one in each]
    strengths = {name: wilson(sum(by[name]), len(by[name])) for name in sorted(by)}
    return Consistency(wilson(sum(everything), len(everything)), strengths, wilson(sum(sides), len(sides)))


def sign(value: Said) -> Said:
    return value if isinstance(value, str) else (value > 0) - (value < 0)
