"""Checks of single fields that every format shares: each returns the value or raises RowError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.parts import apart
from workers.rows import Message, RowError

ROLES = ("system", "user", "assistant", "tool")
LONGEST_ID = 200
DEEPEST = 50


def kind_of(value: Any) -> str:
    """What JSON calls the type of `value`."""
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def storable(text: str, field: str) -> str:
    """`text`, unless a database cannot hold it."""
    if "\0" in text:
        raise RowError("holds a NUL character", field)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RowError("holds half of a surrogate pair", field) from None
    return text


def text(row: Mapping[str, Any], field: str, *, empty: bool = False) -> str:
    """The text in `field`; not empty, nor white space alone, unless `empty`."""
    if field not in row:
        raise RowError("is missing", field)
    value = row[field]
    if not isinstance(value, str):
        raise RowError(f"must be text, not {kind_of(value)}", field)
    if not empty and not value.strip():
        raise RowError("is empty", field)
    return storable(value, field)


def optional_text(row: Mapping[str, Any], field: str) -> str:
    """The text in `field`, or nothing where it is missing or null."""
    return "" if row.get(field) is None else text(row, field, empty=True)


def identifier(row: Mapping[str, Any], *fields: str) -> str | None:
    """The first of `fields` that is there, as text; None when none is."""
    for field in fields:
        value = row.get(field)
        if value is None or value == "":
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise RowError(f"must be text or a whole number, not {kind_of(value)}", field)
        if len(str(value)) > LONGEST_ID:
            raise RowError(f"is longer than {LONGEST_ID} characters", field)
        return storable(str(value), field)
    return None


def messages(value: Any, field: str) -> list[Message]:
    """A list of {role, content} with text, or parts, in each."""
    if not isinstance(value, list) or not value:
        raise RowError(f"must be a list of messages, not {kind_of(value)}", field)
    return [message(entry, f"{field}.{index}") for index, entry in enumerate(value)]


def message(value: Any, field: str) -> Message:
    if not isinstance(value, dict):
        raise RowError(f"must be an object with role and content, not {kind_of(value)}", field)
    role = value.get("role")
    if role not in ROLES:
        raise RowError(f"must be one of {', '.join(ROLES)}", f"{field}.role")
    content, beside = value.get("content"), value.get("images")
    if isinstance(content, str) and beside is None:
        return {"role": role, "content": storable(content, f"{field}.content")}
    content, pictures = apart(content, beside, field)
    if not isinstance(content, str):
        raise RowError(f"must be text, not {kind_of(content)}", f"{field}.content")
    found = {"role": role, "content": storable(content, f"{field}.content")}
    return found | {"images": pictures} if pictures else found


def prompt(value: Any, field: str = "prompt") -> list[Message]:
    """A prompt given as text, as messages, or as the parts of one message."""
    if isinstance(value, str):
        if not value.strip():
            raise RowError("is empty", field)
        return [{"role": "user", "content": storable(value, field)}]
    if value is None:
        raise RowError("is missing", field)
    found = [message({"role": "user", "content": value}, field)] if is_parts(value) else messages(value, field)
    if not any(entry["content"].strip() or "images" in entry for entry in found):
        raise RowError("is empty", field)
    return found


def is_parts(value: Any) -> bool:
    """Whether a list holds the parts of a message, rather than messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and "role" not in value[0]
        and "type" in value[0]
    )


def mapping(row: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The object in `field`, or an empty one."""
    value = row.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    clean(value, field)
    return value


def rest(row: Mapping[str, Any], *used: str) -> dict[str, Any]:
    """What a format does not use, kept as metadata so that nothing of a row is lost."""
    unused = {name: value for name, value in row.items() if name not in used and value is not None}
    for name, value in unused.items():
        clean(name, "")
        clean(value, name)
    return unused


def clean(value: Any, field: str) -> None:
    """Raises when something inside a free-form value cannot be stored."""
    waiting = [(value, field, 0)]
    while waiting:
        value, field, depth = waiting.pop()
        if isinstance(value, str):
            storable(value, field)
            continue
        if depth > DEEPEST:
            raise RowError(f"is nested more than {DEEPEST} deep", field)
        if isinstance(value, dict):
            for key, inner in value.items():
                storable(str(key), field)
                waiting.append((inner, f"{field}.{key}", depth + 1))
        elif isinstance(value, list | tuple):
            waiting += [(inner, field, depth + 1) for inner in value]
