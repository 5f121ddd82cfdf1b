"""What benchmarks of two responses share: prompts and sides out of rows, and whether a judgement is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.benchmarking import Messages, Result, better

SIDES = {"a": 0, "b": 1, "A>B": 0, "B>A": 1, "1": 0, "2": 1, "model_a": 0, "model_b": 1}
"""How benchmarks say which of two responses is better."""


def prompt_of(value: Any) -> Messages:
    """A prompt given as text, or as messages of which role and content are kept."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    return [{"role": one["role"], "content": one["content"]} for one in value]


def chosen_of(value: Any) -> str:
    """A response given as text, as a message, or as the last message of a conversation."""
    if isinstance(value, str):
        return value
    return str(value[-1]["content"] if isinstance(value, list) else value["content"])


def gold(value: Any) -> int:
    """0 or 1: the better response. Raises ValueError for what is neither."""
    if str(value) not in SIDES:
        raise ValueError(f"{value!r} names neither of two responses")
    return SIDES[str(value)]


def first_named(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of several fields that a row has. Raises KeyError naming the first."""
    for name in names:
        if name in row:
            return row[name]
    raise KeyError(names[0])


def right(result: Result) -> float:
    """1 where the better response scores higher, or where a critic that was asked first prefers it."""
    best = int(result.truth["gold"])
    if result.choices:
        return float(result.choices[0] == best)
    return better(result, best, 1 - best)


def in_both_orders(result: Result) -> float:
    """The share of orders in which the better response is preferred; of a model that scores, 0 or 1."""
    best = int(result.truth["gold"])
    if result.choices:
        return sum(one == best for one in result.choices) / len(result.choices)
    return better(result, best, 1 - best)


def agrees(result: Result) -> float:
    """1 where a critic prefers the same response in both orders."""
    return float(None not in result.choices and len(set(result.choices)) == 1)
