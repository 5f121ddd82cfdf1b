"""Responses in their several shapes: text, a message list, a whole conversation, a "Human/Assistant" string."""

from __future__ import annotations

import re
from typing import Any

from workers.checks import kind_of, messages, storable
from workers.rows import Message, ResponseRow, RowError

TURN = re.compile(r"\n\n(Human|Assistant):")
SPEAKER = {"Human": "user", "Assistant": "assistant"}


def response(value: Any, field: str, model: str = "") -> ResponseRow:
    """A response given as text or as the messages that continue the prompt."""
    if isinstance(value, str):
        if not value.strip():
            raise RowError("is empty", field)
        return ResponseRow(storable(value, field), model)
    if value is None:
        raise RowError("is missing", field)
    if not isinstance(value, list):
        raise RowError(f"must be text or a list of messages, not {kind_of(value)}", field)
    return continued(messages(value, field), field, model)


def continued(found: list[Message], field: str, model: str = "") -> ResponseRow:
    """Messages as a response: one assistant message is its text, several keep their roles."""
    if not found or not any(m["content"].strip() for m in found if m["role"] == "assistant"):
        raise RowError("is empty", field)
    if len(found) == 1:
        return ResponseRow(found[0]["content"], model)
    return ResponseRow(flat(found), model, found)


def flat(found: list[Message]) -> str:
    """Several messages as one source string: each under its role."""
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in found)


def shared_prefix(first: list[Message], second: list[Message]) -> int:
    """How many messages two conversations share from the start, stopping before the last assistant turn."""
    length = 0
    while length < min(len(first), len(second)) - 1 and first[length] == second[length]:
        length += 1
    return length


def spoken(text: str, field: str) -> list[Message]:
    """A string of "Human:" and "Assistant:" turns as messages (HH-RLHF's shape); an empty last turn is left out."""
    storable(text, field)
    parts = TURN.split("\n\n" + text.lstrip())
    if parts[0].strip() or len(parts) < 3:
        raise RowError("must start with Human: and have turns", field)
    turns = [
        {"role": SPEAKER[speaker], "content": said.strip()}
        for speaker, said in zip(parts[1::2], parts[2::2], strict=True)
    ]
    if turns and not turns[-1]["content"]:
        turns.pop()
    return turns
