"""How likely each verdict was at the place where a model wrote its verdict.

A verdict is the value of the field “verdict”, the last of a JSON object. The likelihood of each value is that of all
the tokens that begin it there, and together they are 1: what else might have stood there is no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp, inf, log

Token = tuple[str, Mapping[str, float]]
"""What was written, and the log-probability of it and of what might have stood in its place."""
PLACE = re.compile(r'"verdict"\s*:\s*"')


def place(text: str) -> int | None:
    """Where the value of the last verdict in a text begins, or None."""
    ends = [found.end() for found in PLACE.finditer(text)]
    return ends[-1] if ends else None


def at_verdict(tokens: Sequence[Token], verdicts: Sequence[str]) -> dict[str, float]:
    """Log-probability of each verdict; empty without a verdict, or where none of them was among the likely tokens.

    A verdict that is not among the tokens told is taken to be as likely as the least likely of them, which is too much
    rather than too little: a preference is never said stronger than what is known.
    """
    at = place("".join(text for text, _ in tokens))
    if at is None:
        return {}
    start = 0
    for text, others in tokens:
        if start <= at < start + len(text):
            # a token may begin before the value, with the quotation mark or a space
            return normalised(by_form(others, verdicts, text[: at - start]), min(others.values()))
        start += len(text)
    return {}


def by_form(others: Mapping[str, float], verdicts: Sequence[str], before: str) -> dict[str, float]:
    """The summed likelihood of the tokens that begin each verdict behind `before`."""
    sums = dict.fromkeys(verdicts, 0.0)
    for token, value in others.items():
        for verdict in verdicts:
            if begins(token, before, verdict):
                sums[verdict] += exp(value)
    return {verdict: log(total) if total > 0 else -inf for verdict, total in sums.items()}


def begins(token: str, before: str, verdict: str) -> bool:
    """Whether a token says a verdict: after the same beginning, the value alone or with what closes it."""
    behind = token.removeprefix(before)
    return token.startswith(before) and behind.rstrip('"} \n\r\t,') == verdict


def normalised(logs: Mapping[str, float], least: float) -> dict[str, float]:
    """Log-probabilities that make 1 together; empty where nothing is known of any."""
    if not logs or all(value == -inf for value in logs.values()):
        return {}
    known = {name: least if value == -inf else value for name, value in logs.items()}
    most = max(known.values())
    total = most + log(sum(exp(value - most) for value in known.values()))
    return {name: value - total for name, value in known.items()}
