"""Spans out of token scores: neighbouring tokens beyond a threshold, joined."""

from __future__ import annotations

from collections.abc import Iterator

from workers.judging import Mapped

Span = tuple[int, int, float]
"""start, end in code points of the text, and the mean value of the tokens in it."""


def spans_of(mapped: Mapped, threshold: float, *, min_chars: int = 3, gap: int = 1) -> list[Span]:
    """Runs of tokens at or beyond `threshold`, in the order of the text.

    A negative threshold asks for values at or below it (poor spans), a positive one for values at or above it (good
    spans). Tokens at most `gap` code points apart are one run: the space between two words belongs to no token of
    many tokenizers. Runs shorter than `min_chars` are left out, as are tokens without text. Raises ValueError for a
    threshold of zero, which says nothing about a direction.
    """
    if threshold == 0:
        raise ValueError("a threshold of zero has no direction")
    return [span for span in runs(mapped, threshold, gap) if span[1] - span[0] >= min_chars]


def runs(mapped: Mapped, threshold: float, gap: int) -> Iterator[Span]:
    """Every run, however short. A token below the threshold ends the run even where it is nearer than `gap`."""
    held: list[float] = []
    start = end = 0
    for (first, last), value in zip(mapped.offsets, mapped.values, strict=True):
        if last <= first:
            continue
        beyond = value <= threshold if threshold < 0 else value >= threshold
        if held and (not beyond or first - end > gap):
            yield start, end, sum(held) / len(held)
            held = []
        if beyond:
            start = start if held else first
            held.append(value)
            end = last
    if held:
        yield start, end, sum(held) / len(held)
