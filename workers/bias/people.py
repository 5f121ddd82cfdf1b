"""Annotators and hours of the day: how often each takes the longer response."""

from __future__ import annotations

from workers.bias.rows import Answer, Seen, Seens


def annotator(answer: Answer) -> Seens:
    if answer.longer is not None:
        yield Seen(answer.annotator, answer.longer, not answer.longer)


def hour(answer: Answer) -> Seens:
    if answer.longer is not None and answer.hour is not None:
        yield Seen(f"{answer.hour:02d}:00", answer.longer, not answer.longer)
