"""What the signals read: a pair whose better response is decided, and one answer that prefers a response."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Chosen:
    """A decided pair: both texts, and who wrote them where that is known."""

    chosen: str
    rejected: str
    chosen_model: str = ""
    rejected_model: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that prefers a response: whether that is the longer one and the one on the left, as far as they differ
    and it is known; who gave it, and in which hour of the day (UTC), None where nobody knows."""

    longer: bool | None
    left: bool | None
    annotator: str
    hour: int | None


class Seen(NamedTuple):
    """A property that a pair or an answer speaks of: its name, and which side has it."""

    name: str
    chosen: bool
    rejected: bool


Seens = Iterator[Seen]


def either(name: str, chosen: bool, rejected: bool) -> Seens:
    """A property, where at least one side has it."""
    if chosen or rejected:
        yield Seen(name, chosen, rejected)
