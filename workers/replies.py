"""JSON out of what a model wrote: as it is, or mended without guessing, or not at all.

Mended means: taken out of a fence or of the words around it, closed where brackets at the end are missing, rid of
fields that nobody asked for, and completed by null where null may stand. Whatever comes out fits the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, NoReturn

from jsonschema import Draft202012Validator

THINKING = re.compile(r"^.*</think>", re.DOTALL)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
CLOSER = {"{": "}", "[": "]"}
MOST_TRIED = 50
"""So many opening brackets are tried as the beginning of the answer."""


class Read(NamedTuple):
    """The answer, or None; and how it was come by."""

    value: Any
    status: Literal["ok", "repaired", "unparsed"]


def read(text: str, schema: Mapping[str, Any], *, cut: bool = False) -> Read:
    """The one JSON object in a reply, checked against its schema. Several that differ are none: which was meant?

    Of a reply that was `cut` off nothing is closed, since what would have come is missing.
    """
    validator = Draft202012Validator(schema)
    text = clean(text).strip()
    value = loaded(text)
    if value is not None and validator.is_valid(value):
        return Read(value, "ok")
    mended = [fitted(candidate, schema) for candidate in candidates(text)]
    found = [one for one in mended if validator.is_valid(one)]
    if not found and not cut:
        found = [one for one in [fitted(closed(text), schema)] if validator.is_valid(one)]
    return Read(found[0], "repaired") if found and all(one == found[0] for one in found) else Read(None, "unparsed")


def clean(text: str) -> str:
    """The text without what a database does not take: NUL and halves of characters."""
    return UNSTORABLE.sub("\ufffd", text)


def loaded(text: str) -> Any:
    """The value, or None for what is no JSON; NaN and Infinity are none."""
    try:
        return cleaned(json.loads(text, parse_constant=unknown))
    except (ValueError, RecursionError):
        return None


def unknown(word: str) -> NoReturn:
    raise ValueError(word)


def cleaned(value: Any) -> Any:
    """The value with every text in it clean: escapes can hide what a plain text cannot hold."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {clean(name): cleaned(one) for name, one in value.items()}
    return value


def candidates(text: str) -> Iterator[Any]:
    """The whole objects in a text, outermost only, behind what a model thought aloud."""
    text = THINKING.sub("", text)
    decoder = json.JSONDecoder(parse_constant=unknown)
    until = 0
    for start in [found.start() for found in re.finditer(r"\{", text)][:MOST_TRIED]:
        if start < until:
            continue
        try:
            value, until = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        yield cleaned(value)


def closed(text: str) -> Any:
    """The object that begins at the first bracket and lacks only its closing ones."""
    text = THINKING.sub("", text)
    return loaded(closing(text[text.index("{") :].removesuffix("```").rstrip())) if "{" in text else None


def closing(text: str) -> str:
    """The text with the brackets that are open at its end closed; nothing if it ends within a string."""
    stack: list[str] = []
    quoted = escaped = False
    for sign in text:
        if quoted:
            quoted = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
        elif sign == '"':
            quoted = True
        elif sign in CLOSER:
            stack.append(CLOSER[sign])
        elif sign in "}]" and (not stack or stack.pop() != sign):
            return ""
    return "" if quoted or not stack else text + "".join(reversed(stack))


def fitted(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value without fields that the schema does not know, and with null in those that may be null."""
    for option in schema.get("anyOf", ()):
        if option.get("type") == "object" and isinstance(value, dict):
            schema = option
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        kept = {name: fitted(one, known[name]) for name, one in value.items() if name in known}
        return kept | {name: None for name, shape in known.items() if name not in kept and nullable(shape)}
    if isinstance(value, list) and "items" in schema:
        return [fitted(one, schema["items"]) for one in value]
    return value


def nullable(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return "null" in kind if isinstance(kind, list) else any(map(nullable, schema.get("anyOf", ()))) or kind == "null"
