"""Position: whether the response on the left is chosen. A coin puts it there: one half is what reading gives."""

from __future__ import annotations

from workers.bias.rows import Answer, Seen, Seens

NAME = "shown on the left"


def position(answer: Answer) -> Seens:
    if answer.left is not None:
        yield Seen(NAME, answer.left, not answer.left)
