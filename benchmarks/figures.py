"""Finding figures in a result by dotted names, and setting them against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


def at(here: Any, name: str) -> Any:
    """The figure of a dotted name, or None where it was not measured."""
    for part in name.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def times(one: float | None, other: float | None) -> str | None:
    """How many times `other` goes into `one`."""
    found = ratio(one, other)
    if found is None:
        return None
    return f"{found:.0f}×" if found >= 10 else f"{found:.2f}×" if found < 2 else f"{found:.1f}×"


def of_floor(one: float | None, floor: float | None) -> str | None:
    found = ratio(one, floor)
    return None if found is None else f"{100 * found:.0f} %"


@dataclass(frozen=True)
class Figures:
    """The figures of one size."""

    here: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return at(self.here, name)

    def next_and_submit(self, whose: str = "") -> float | None:
        """Both medians together: what an annotator waits for per answer."""
        first, second = self[f"{whose}alone.next.p50_ms"], self[f"{whose}alone.submit.p50_ms"]
        return None if first is None or second is None else round(first + second, 3)

    def faults(self, whose: str = "") -> str | None:
        doubled, errors = self[f"{whose}together.doubled"], self[f"{whose}together.errors"]
        return None if doubled is None else f"{doubled} / {errors}"
