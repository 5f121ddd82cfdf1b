"""Length: whether the longer response is chosen, by how much longer it is (in characters)."""

from __future__ import annotations

from workers.bias.rows import Chosen, Seen, Seens

STEPS = ((1.1, "up to 1.1 times as long"), (1.5, "1.1 to 1.5 times"), (2.0, "1.5 to 2 times"), (3.0, "2 to 3 times"))
BEYOND = "more than 3 times"
NAMES = ("longer at all", *(name for _, name in STEPS), BEYOND)


def length(pair: Chosen) -> Seens:
    """Nothing where both are as long."""
    short, long = sorted((len(pair.chosen), len(pair.rejected)))
    if short == long:
        return
    chosen = len(pair.chosen) == long
    yield Seen(NAMES[0], chosen, not chosen)
    yield Seen(step(long / max(1, short)), chosen, not chosen)


def step(ratio: float) -> str:
    return next((name for most, name in STEPS if ratio <= most), BEYOND)
