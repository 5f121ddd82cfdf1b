"""Which fields of a record are its prompt and its responses: as somebody says, or else by what they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workers.switching import Wanted
from workers.switching.export import Unreadable

PROMPT = re.compile(
    r"(system|user|initial|original)?[-_ ]?(prompt|question|instructions?|input|query|task|problem|request|chat|"
    r"messages|conversation|history|dialog(ue)?|premise|post|topic|source|src|system)([-_ ]?(text|prompt))?"
)
RESPONSE = re.compile(
    r"(model|llm|assistant|generated|text|first|second|left|right)?[-_ ]?(responses?|answers?|completions?|outputs?|"
    r"generations?|generation|candidates?|items?|reply|chosen|rejected|summary|translation|hypothesis|target|mt|text|"
    r"solution|review|comment|model|option|items|results?)[-_ ]?([a-h]|\d{1,2}|left|right|first|second|one|two|text)?"
)
USABLE = ("text", "html", "chat", "dialogue", "list")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. `kind` is text, html, chat, dialogue (turns with authors), list (several responses) or what
    cannot be read: image, audio, …"""

    name: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields that are prompt, responses, and documents beside them."""

    prompts: tuple[str, ...]
    responses: tuple[str, ...]
    documents: tuple[str, ...] = ()


def roles_of(
    fields: Sequence[Field], wanted: Wanted, compared: Sequence[str] = (), marked: Sequence[str] = ()
) -> Roles:
    """Prompt, responses and the rest. Raises Unreadable for a wanted field that there is not.

    `compared` are the fields that a question compares, `marked` those that questions mark or judge.
    """
    usable = [field for field in fields if field.kind in USABLE]
    names = [field.name for field in usable]
    for option, given in (("response_fields", wanted.responses), ("prompt_fields", wanted.prompts)):
        if unknown := [name for name in given if name not in names]:
            raise Unreadable(f"no field {unknown[0]!r}; there is: {', '.join(names)}", option)
    if not names:
        raise Unreadable("has no field of text that could be a response")
    responses = wanted.responses or tuple(guessed(usable, set(wanted.prompts), compared, marked))
    rest = [name for name in names if name not in responses]
    prompts = wanted.prompts or tuple(name for name in rest if PROMPT.fullmatch(name.lower()))
    if not prompts and rest:
        prompts = (rest[0],)
    return Roles(prompts, responses, tuple(name for name in rest if name not in prompts))


def guessed(usable: Sequence[Field], taken: set[str], compared: Sequence[str], marked: Sequence[str]) -> list[str]:
    """The responses: what is compared; else a list; else what is called so; else what is marked; else the last text."""
    free = [field.name for field in usable if field.name not in taken]
    if len(given := [name for name in compared if name in free]) > 1:
        return given
    if lists := [field.name for field in usable if field.kind == "list" and field.name in free]:
        return lists[:1]
    called = [name for name in free if RESPONSE.fullmatch(name.lower())]
    plain = [name for name in called if name.lower() != "text" or len(called) == 1]
    if plain and not (len(plain) == 1 and marked and plain[0] not in marked):
        return plain
    if given := [name for name in marked if name in free]:
        return given[:1]
    others = [name for name in free if not PROMPT.fullmatch(name.lower())]
    return (plain or others or free)[-1:]
