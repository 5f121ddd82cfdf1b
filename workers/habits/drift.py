"""Drift: whether an annotator agrees less, or more, with the rest as the weeks go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from workers.intervals import RESAMPLES, Estimate, Share, estimate, wilson

FEWEST = 20
FEWEST_WEEKS = 3


@dataclass(frozen=True, slots=True)
class Drift:
    """Agreement week by week, and its change per week (least squares over answers) with a bootstrapped interval."""

    weeks: list[tuple[int, Share]]
    slope: Estimate | None


def drift(answers: Sequence[tuple[int, bool]], *, seed: int = 0) -> Drift:
    """`answers`: the week, counted from anywhere, and whether the answer agreed with the rest.

    The slope is in shares per week; None with fewer than FEWEST answers or in fewer than FEWEST_WEEKS weeks.
    """
    weeks = sorted({week for week, _ in answers})
    told = []
    for week in weeks:
        agreed = [one for when, one in answers if when == week]
        told.append((week, wilson(sum(agreed), len(agreed))))
    if len(answers) < FEWEST or len(weeks) < FEWEST_WEEKS:
        return Drift(told, None)
    chance = Random(seed)
    value = slope(answers)
    drawn = [made for _ in range(RESAMPLES) if (made := slope(chance.choices(answers, k=len(answers)))) is not None]
    return Drift(told, estimate(value, drawn) if value is not None else None)


def slope(answers: Sequence[tuple[int, bool]]) -> float | None:
    """Least squares of agreement on weeks; None where all fall into one week."""
    n = len(answers)
    when = sum(week for week, _ in answers) / n
    agreed = sum(one for _, one in answers) / n
    spread = sum((week - when) ** 2 for week, _ in answers)
    return sum((week - when) * (one - agreed) for week, one in answers) / spread if spread else None
