"""Messages whose content is a list of parts, as chat APIs and multimodal datasets have it.

Its texts are joined by blank lines: that is the message's content, a string as in every other message. Its pictures
stand beside it under `images`, each with the place `at` which it had in it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from workers.images import Header, header_of
from workers.rows import Message, ResponseRow, RowError

BETWEEN = "\n\n"
TEXTS = ("text", "input_text", "output_text")
PICTURES = ("image", "image_url", "input_image")
SOURCES = ("image_url", "image", "url", "source", "bytes", "data", "base64", "path")
"""Where a picture may be told, in the order of looking."""
DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
IMAGE_URI = "data:image/"
ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
HASH = re.compile(r"[0-9a-f]{64}")
LONGEST_ADDRESS = 2000
LONGEST_ALT = 2000
WITHOUT_WORDS = "[image]"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a row gives it: its bytes, or an address elsewhere; neither where a column of the row has it."""

    data: bytes = b""
    url: str = ""
    header: Header | None = None
    alt: str = ""
    at: int = 0
    field: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        return bool(self.data or self.url)


def apart(content: Any, beside: Any, field: str) -> tuple[Any, list[Picture]]:
    """The text of a message and its pictures: those among its parts, then those in a list beside its content."""
    pictures: list[Picture] = []
    if isinstance(content, list):
        content, pictures = text_and_pictures(content, f"{field}.content")
    if beside is not None:
        pictures += pictures_in(beside, f"{field}.images", at=len(content or ""))
    return content, pictures


def text_and_pictures(parts: list[Any], field: str) -> tuple[str, list[Picture]]:
    texts: list[str] = []
    pictures: list[Picture] = []
    for n, part in enumerate(parts):
        where = f"{field}.{n}"
        if isinstance(part, str):
            part = {"type": "text", "text": part}
        if not isinstance(part, dict):
            raise RowError("must be a part of a message: an object with a type", where)
        kind = part.get("type")
        if kind in TEXTS:
            if not isinstance(part.get("text"), str):
                raise RowError("must be text", f"{where}.text")
            if part["text"]:
                texts.append(part["text"])
        elif kind in PICTURES:
            pictures.append(picture_of(part, where, at=len(BETWEEN.join(texts)), waits=True))
        else:
            raise RowError(f"must be {', '.join(TEXTS + PICTURES)}, not {str(kind)[:40]!r}", f"{where}.type")
    return BETWEEN.join(texts), pictures


def is_picture(value: Any) -> bool:
    """Whether a value can be nothing but a picture, or a reference to one."""
    if isinstance(value, bytes):
        return True
    if isinstance(value, str):
        return is_data(value) or bool(ADDRESS.fullmatch(value))
    if not isinstance(value, dict) or isinstance(value.get("text"), str):
        return False
    if value.get("type") in PICTURES:
        return True
    return any(value.get(name) is not None and is_picture(value[name]) for name in ("image", "url", "data", "bytes"))


def is_data(value: Any) -> bool:
    """Whether a value is a picture by itself, and not an address, which may be a text that somebody answered."""
    if isinstance(value, str):
        return value[: len(IMAGE_URI)].lower() == IMAGE_URI
    return is_picture(value)


def pictures_in(value: Any, field: str, at: int = 0) -> list[Picture]:
    """A list of pictures, or a single one; none where there is nothing."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [picture_of(value, field, at=at)]
    return [picture_of(one, f"{field}.{n}", at=at) for n, one in enumerate(value)]


def picture_of(value: Any, field: str, *, at: int = 0, waits: bool = False) -> Picture:
    """A picture in any of its forms; one without anything is found in a column of its row, if it may wait for that."""
    source, where, alt = source_of(value, field)
    if source is None:
        if not waits:
            raise RowError("has neither bytes nor an address", where)
        return Picture(alt=alt, at=at, field=field)
    if isinstance(source, str) and ADDRESS.fullmatch(source):
        if len(source) > LONGEST_ADDRESS:
            raise RowError(f"is longer than {LONGEST_ADDRESS} characters", where)
        return Picture(url=source, alt=alt, at=at, field=where)
    data = source if isinstance(source, bytes) else decoded(source, where)
    return Picture(data, "", header_of(data, where), alt, at, where)


def alt_of(value: Mapping[str, Any], field: str) -> str:
    alt = value.get("alt")
    if alt is None:
        return ""
    if not isinstance(alt, str):
        raise RowError("must be text", f"{field}.alt")
    if len(alt) > LONGEST_ALT:
        raise RowError(f"is longer than {LONGEST_ALT} characters", f"{field}.alt")
    return alt.strip()


def source_of(value: Any, field: str) -> tuple[str | bytes | None, str, str]:
    """The bytes, the data URI or the address of a picture, the field that has it, and its description."""
    alt = ""
    for _ in range(4):
        if not isinstance(value, dict):
            break
        alt = alt or alt_of(value, field)
        name = next((name for name in SOURCES if value.get(name) is not None), None)
        if name is None:
            return None, field, alt
        if name == "path" and not ADDRESS.fullmatch(str(value[name])):
            raise RowError("is the name of a file, without its bytes", f"{field}.path")
        field, value = f"{field}.{name}", value[name]
    if value is None or isinstance(value, str | bytes):
        return value, field, alt
    raise RowError("must be a data URI, an address, bytes, or an object with one of them", field)


def decoded(text: str, field: str) -> bytes:
    """The bytes of a data URI, or of base64 without its beginning."""
    if HASH.fullmatch(text):
        raise RowError("is the hash of a picture; give the picture itself", field)
    found = DATA_URI.match(text)
    if not found and text[:5].lower() == "data:":
        raise RowError("is a data URI without base64", field)
    try:
        return base64.b64decode("".join(text[found.end() if found else 0 :].split()), validate=True)
    except (binascii.Error, ValueError):
        raise RowError("is no base64" if found else "is no data URI, address or base64", field) from None


class Described(Protocol):
    @property
    def alt(self) -> str: ...


def alone(pictures: Iterable[Described]) -> str:
    """What stands for the text of a response that has pictures only."""
    return BETWEEN.join(picture.alt for picture in pictures if picture.alt) or WITHOUT_WORDS


def response_of(text: str, pictures: list[Picture], model: str = "") -> ResponseRow:
    """A response of one message with pictures."""
    text = text if text.strip() else alone(pictures)
    return ResponseRow(text, model, [{"role": "assistant", "content": text, "images": pictures}])


def holders(prompt: list[Message], responses: list[ResponseRow]) -> Iterator[Message]:
    """Every message that has pictures, in the order of the row."""
    for messages in (prompt, *(response.messages or () for response in responses)):
        for message in messages:
            if message.get("images"):
                yield message
