"""Conversations of other tools as messages: their roles, and where the prompt ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.checks import ROLES
from workers.continuations import shared_prefix
from workers.rows import Message
from workers.switching import Left

UNPROMPTED = "(no prompt)"
KNOWN = {
    "human": "user",
    "prompter": "user",
    "bot": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "ai": "assistant",
}


def turns(value: Any, left: Left) -> list[Message] | None:
    """A chat as messages; a role that we have not is the user's, and counted."""
    if not isinstance(value, list):
        return value
    found = []
    for one in value:
        if not isinstance(one, Mapping) or not isinstance(one.get("content"), str):
            left["turns of a chat without text"] += 1
            continue
        role = str(one.get("role") or "user").lower()
        role = KNOWN.get(role, role)
        if role not in ROLES:
            left[f"the role {role[:40]!r} of a chat (it is the user's here)"] += 1
            role = "user"
        found.append({"role": role, "content": one["content"]})
    return found or None


def prompt_of(asked: Sequence[Any], responses: list[Any]) -> tuple[Any, list[Any]]:
    """The prompt, out of its fields, and the responses without what is prompt in them.

    Chats that stand where responses are hold the prompt themselves: what two have in common, or all before the last
    answer of one.
    """
    parts = [one for one in asked if one]
    if parts:
        return (parts[0] if len(parts) == 1 else messages_of(parts)), responses
    chats = [one for one in responses if isinstance(one, list) and len(one) > 1]
    if chats and len(chats) == len([one for one in responses if one]):
        shared = shared_prefix(chats[0], chats[1]) if len(chats) == 2 else len(chats[0]) - 1
        if len(chats) <= 2 and shared:
            return chats[0][:shared], [one[shared:] if one else one for one in responses]
    return UNPROMPTED, responses


def messages_of(parts: Sequence[Any]) -> list[Message] | str:
    """Several fields as one prompt: texts below each other, chats one after the other."""
    if all(isinstance(one, str) for one in parts):
        return "\n\n".join(parts)
    found: list[Message] = []
    for one in parts:
        found += one if isinstance(one, list) else [{"role": "user", "content": str(one)}]
    return found


def text_of(value: Any) -> str:
    """A field as one text, to be read beside the prompt."""
    if isinstance(value, list):
        return "\n\n".join(
            f"{one.get('role', '')}: {one.get('content', '')}" if isinstance(one, Mapping) else str(one)
            for one in value
        )
    return str(value)
