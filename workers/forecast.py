"""When what is left will be done, from the pace of the last days: drawn again and again from the days there were.

A bootstrap over days (Efron and Tibshirani 1993, chapter 8.5: sampling units of time). Days without work count as days:
weekends and holidays are in the pace as they come. It knows nothing of people who join or leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

DRAWS = 400
FARTHEST = 3_650
"""Days; what takes longer is said to take longer."""
FEWEST_DAYS = 3


@dataclass(frozen=True, slots=True)
class Forecast:
    """Days until all is done: the middle of the draws, and where 80 % of them lie. `late` of them took too long."""

    days: int
    low: int
    high: int
    late: bool = False


def forecast(per_day: Sequence[int], left: int, *, seed: int = 0) -> Forecast | None:
    """How many days `left` answers take. `per_day`: the answers of each of the last days, from the first with any.

    None where fewer than FEWEST_DAYS days had answers: a pace of one afternoon says nothing of a week.
    """
    if left <= 0:
        return Forecast(0, 0, 0)
    begun = next((n for n, count in enumerate(per_day) if count), len(per_day))
    days = list(per_day[begun:])
    if sum(count > 0 for count in days) < FEWEST_DAYS:
        return None
    chance = Random(seed)
    taken = sorted(until(days, left, chance) for _ in range(DRAWS))
    tenth = DRAWS // 10
    return Forecast(taken[DRAWS // 2], taken[tenth], taken[-1 - tenth], taken[-1 - tenth] >= FARTHEST)


def until(days: Sequence[int], left: int, chance: Random) -> int:
    """Days drawn until so many answers are reached."""
    mean = sum(days) / len(days)
    if left > 20 * mean * len(days):  # far away the sum is as good as its mean, and drawing day by day is slow
        return min(FARTHEST, round(left / mean))
    taken = 0
    while left > 0 and taken < FARTHEST:
        left -= chance.choice(days)
        taken += 1
    return taken
