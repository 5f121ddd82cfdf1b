"""Responses in their several shapes: text, a message list, a whole conversation, a "Human/Assistant" string."""

from __future__ import annotations

import re
from typing import Any

from workers.checks import is_parts, kind_of, message, messages, storable
from workers.parts import alone, is_data, picture_of, response_of
from workers.rows import Message, ResponseRow, RowError

TURN = re.compile(r"\n\n(Human|Assistant):")
SPEAKER = {"Human": "user", "Assistant": "assistant"}


def response(value: Any, field: str, model: str = "") -> ResponseRow:
    """A response given as text, as the messages that continue the prompt, as parts of one, or as a picture."""
    if not isinstance(value, list) and is_data(value):
        return response_of("", [picture_of(value, field)], model)
    if isinstance(value, str):
        if not value.strip():
            raise RowError("is empty", field)
        return ResponseRow(storable(value, field), model)
    if value is None:
        raise RowError("is missing", field)
    if not isinstance(value, list):
        raise RowError(f"must be text or a list of messages, not {kind_of(value)}", field)
    if is_parts(value):
        return continued([message({"role": "assistant", "content": value}, field)], field, model)
    return continued(messages(value, field), field, model)


def continued(found: list[Message], field: str, model: str = "") -> ResponseRow:
    """Messages as a response: one assistant message is its text, several keep their roles."""
    if not any(m["content"].strip() or "images" in m for m in found if m["role"] == "assistant"):
        raise RowError("is empty", field)
    found = [m if m["content"].strip() or "images" not in m else m | {"content": alone(m["images"])} for m in found]
    if len(found) == 1 and "images" not in found[0]:
        return ResponseRow(found[0]["content"], model)
    text = flat(found) if len(found) > 1 else found[0]["content"]
    return ResponseRow(text, model, found)


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
