"""The pictures of an imported row: out of its messages, context and columns, into files named by their hash.

What stays in the row is small: `{"type": "image", "image": "<sha256>", "alt", "width", "height", "at"}`, or, of a
picture elsewhere, its address, which is never fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple

from django.conf import settings

from curation.services import images
from curation.services.images import Kept
from workers.checks import storable
from workers.parts import Picture, holders, is_picture, pictures_in
from workers.readers import Options, Reader
from workers.rows import ItemRow, JudgementRow, ResponseRow, RowError

MOST = 20
"""Pictures of one row."""
COLUMNS = ("images", "image")
"""What a table may call its pictures, whatever its format."""


class Loose(NamedTuple):
    """A picture that is checked, with its bytes, and not kept yet."""

    kept: Kept
    data: bytes


def read(reader: Reader, row: Mapping[str, Any], options: Options) -> tuple[ItemRow | JudgementRow, list[Loose]]:
    """A row as its format reads it, with its pictures apart from it. Raises RowError."""
    columns = columns_of(row, options)
    if columns:
        row = {name: value for name, value in row.items() if name not in columns}
    given = [picture for name, value in columns.items() for picture in pictures_in(value, name)]
    return apart(reader.read(row, options), given)


def columns_of(row: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The columns that hold the pictures of the whole row; one that is mapped to a role is a part of that."""
    if row.keys().isdisjoint(COLUMNS):
        return {}
    return {
        name: value
        for name in COLUMNS
        if (value := row.get(name)) and name not in options.mapping.values() and holds_pictures(value)
    }


def holds_pictures(value: Any) -> bool:
    return all(map(is_picture, value)) if isinstance(value, list) else is_picture(value)


def apart(row: ItemRow | JudgementRow, given: Sequence[Picture] = ()) -> tuple[ItemRow | JudgementRow, list[Loose]]:
    """A row with the hashes of its pictures in their places, and the pictures. `given` are those of its columns:
    they go where a message says that one is, the others to the context."""
    if isinstance(row, JudgementRow):
        return row, []
    beside = row.context.get("images")
    if not given and not beside and next(holders(row.prompt, row.responses), None) is None:
        return row, []
    taken = Taken(list(given))
    prompt = [taken.of(message) for message in row.prompt]
    responses = [with_messages(response, taken) for response in row.responses]
    context = taken.context(beside)
    if context:
        row = replace(row, context={**row.context, "images": context})
    return replace(row, prompt=prompt, responses=responses), taken.loose


def with_messages(response: ResponseRow, taken: Taken) -> ResponseRow:
    if not response.messages:
        return response
    return replace(response, messages=[taken.of(message) for message in response.messages])


@dataclass
class Taken:
    """The pictures of one row, as they are come upon."""

    waiting: list[Picture]
    loose: list[Loose] = field(default_factory=list)
    count: int = 0

    def of(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message with the hashes of its pictures."""
        if not message.get("images"):
            return message
        return {**message, "images": [self.put(picture) for picture in message["images"]]}

    def context(self, beside: Any) -> list[dict[str, Any]]:
        """The pictures of the context, and those of the row's columns that no message waits for."""
        return [self.put(one, places=False) for one in [*pictures_in(beside, "context.images"), *self.waiting]]

    def put(self, picture: Picture, *, places: bool = True) -> dict[str, Any]:
        """What stands for a picture in its row."""
        if not picture:
            picture = self.found_for(picture)
        self.count += 1
        if self.count > MOST:
            raise RowError(f"is picture {self.count} of its row; at most {MOST}", picture.field)
        place = {"at": picture.at} if places else {}
        alt = storable(picture.alt, f"{picture.field}.alt")
        if picture.header is None:
            url = storable(picture.url, picture.field)
            return {"type": "image_url", "image_url": {"url": url}, "alt": alt, **place}
        size, limit = len(picture.data), settings.IMAGE_MB
        if size > limit * 2**20:
            raise RowError(f"has {size / 2**20:.1f} MB; at most {limit}", picture.field)
        kind, width, height = picture.header
        kept = Kept(images.sha256_of(picture.data), kind, size, width, height)
        self.loose.append(Loose(kept, picture.data))
        return {"type": "image", "image": kept.sha256, "alt": alt, "width": width, "height": height, **place}

    def found_for(self, picture: Picture) -> Picture:
        """The next picture of the row's columns, at the place of a part that says only that one is there."""
        if not self.waiting:
            raise RowError("has no picture, and the row has none left for it", picture.field)
        found = self.waiting.pop(0)
        return replace(found, alt=picture.alt or found.alt, at=picture.at)


def keep(loose: Sequence[Loose]) -> list[Kept]:
    """Write the files of a row that lands."""
    for kept, data in loose:
        images.keep(kept.sha256, data)
    return [one.kept for one in loose]


def beside(response: ResponseRow) -> str:
    """What tells a response from another one of the same text: its pictures. Empty without."""
    if not response.messages:
        return ""
    return "".join(f"\n{picture_name(one)}" for one in pictures_of(response))


def pictures_of(response: ResponseRow) -> Iterator[dict[str, Any]]:
    return chain.from_iterable(message.get("images") or () for message in response.messages or ())


def picture_name(picture: Mapping[str, Any]) -> str:
    return str(picture.get("image") or picture["image_url"]["url"])
