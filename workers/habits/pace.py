"""Speed: answers that came faster than anybody reads, and acceptances faster than anybody looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from workers.intervals import Share, wilson

CHARACTERS_PER_SECOND = 70
"""Three times the 238 words a minute of silent reading (Brysbaert 2019, J. Mem. Lang. 109:104047), at six characters a
word: who is faster did not read all that was shown."""
LOOK_MS = 400
"""A glance and a key: what was accepted sooner was not read."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one annotator answers: median in ms, beside the others on the same tasks, and what was too fast."""

    n: int
    median_ms: float | None
    ratio: float | None
    """Own time over the median of the others on the same task; the median of that."""
    too_fast: Share


@dataclass(frozen=True, slots=True)
class Stamping:
    """What became of suggestions under one annotator's hand, and how soon."""

    as_is: Share
    glanced: Share
    """Accepted as they were in less than LOOK_MS, of those accepted as they were with a known time."""
    median_ms: float | None


def pace(answers: Iterable[tuple[int, int, float | None]]) -> Pace:
    """`answers`: active ms, characters of the responses shown, and the median ms of the others on that task, if any."""
    times, ratios, fast = [], [], 0
    for ms, characters, usual in answers:
        times.append(ms)
        fast += ms < shortest_ms(characters)
        if usual:
            ratios.append(ms / usual)
    return Pace(
        len(times), median(times) if times else None, median(ratios) if ratios else None, wilson(fast, len(times))
    )


def shortest_ms(characters: int) -> float:
    """The least time in which so many characters can be read at all, in ms."""
    return 1_000 * characters / CHARACTERS_PER_SECOND


def stamping(reviews: Iterable[tuple[str, int | None]]) -> Stamping:
    """`reviews`: what became of each suggestion (accepted, edited, rejected), and after how many ms."""
    accepted = n = 0
    times = []
    for outcome, ms in reviews:
        n += 1
        if outcome == "accepted":
            accepted += 1
            if ms is not None:
                times.append(ms)
    glanced = sum(ms < LOOK_MS for ms in times)
    return Stamping(wilson(accepted, n), wilson(glanced, len(times)), median(times) if times else None)
