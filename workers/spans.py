"""Spans of a text as files give them: checked against their quotes, found from quotes alone, counted in UTF-16,
and texts cut into sentences or steps.

All offsets are half-open and count Unicode code points of the source text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from workers.anchoring import Anchor, anchor, occurrences, plain
from workers.checks import kind_of, storable
from workers.rows import CritiqueRow, Message, RowError

SHOWN = 40
TURN = re.compile(r"(?:\A|\n\n)(System|User|Assistant|Tool): ")
SEPARATOR = {"step": "\n", "sentence": " "}
POLARITIES = {"poor": -1, "neutral": 0, "good": 1}
TRUTHS = {
    "true": True, "t": True, "yes": True, "correct": True,
    "false": False, "f": False, "no": False, "incorrect": False,
}  # fmt: skip


class Spot(NamedTuple):
    """A place in a text with its quote. Without a place the whole text is meant, or the quote was not found."""

    start: int | None = None
    end: int | None = None
    quote: str = ""
    anchor: str = ""


WHOLE = Spot()


def critique(spot: Spot, **said: Any) -> CritiqueRow:
    """What is said of a place."""
    return CritiqueRow(start=spot.start, end=spot.end, quote=spot.quote, anchor=spot.anchor, **said)


def critique_in_words(spot: Spot, **said: Any) -> CritiqueRow:
    """The same for quotes that people copied or models made up: one that is not found goes into the comment."""
    if spot.start is not None or not spot.quote:
        return critique(spot, **said)
    words = f"“{spot.quote}”\n{said.pop('comment', '')}".strip()
    return CritiqueRow(anchor=spot.anchor, comment=words, **{**said, "unit": "response"})


def spot(
    text: str,
    row: Mapping[str, Any],
    field: str,
    *,
    names: tuple[str, str, str] = ("start", "end", "quote"),
    repair: bool = False,
) -> Spot:
    """The place that a row gives by offsets, by a quote or by both; `names` are its three fields.

    Offsets that do not fit their quote are refused; with `repair` the quote is looked for instead.
    """
    start, end = (offset(row, name, field) for name in names[:2])
    quote = quoted(row, names[2], field)
    if (start is None) != (end is None):
        raise RowError("is missing", join(field, names[0] if start is None else names[1]))
    if start is None or end is None:
        return found(text, quote) if quote else WHOLE
    if repair and quote and text[start:end] != quote:
        return repaired(text, start, end, quote)
    return exactly(text, start, end, quote or None, field, names)


def offset(row: Mapping[str, Any], name: str, field: str) -> int | None:
    """The whole number in a field, or None where there is none."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RowError(f"must be a whole number, not {kind_of(value)}", join(field, name))
    return value


def quoted(row: Mapping[str, Any], name: str, field: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"must be text, not {kind_of(value)}", join(field, name))
    return storable(value, join(field, name))


def exactly(
    text: str,
    start: int,
    end: int,
    quote: str | None,
    field: str,
    names: Sequence[str] = ("start", "end"),
) -> Spot:
    """Offsets that lie in the text, in order, around the quote if there is one. Raises RowError naming the offset."""
    if not 0 <= start <= len(text):
        raise RowError(f"is {start}; the text has the offsets 0 to {len(text)}", join(field, names[0]))
    if not start <= end <= len(text):
        raise RowError(f"is {end}; it must be from {start} (the start) to {len(text)}", join(field, names[1]))
    if quote is not None and text[start:end] != quote:
        raise RowError(misplaced(text, start, end, quote), join(field, names[0]))
    return Spot(start, end, text[start:end])


def misplaced(text: str, start: int, end: int, quote: str) -> str:
    """In words, what stands at the offsets, and where the quote is instead."""
    places = occurrences(text, quote) if quote else []
    nearest = min(places, key=lambda place: abs(place - start), default=None)
    instead = "; the quote is not in the text" if nearest is None else f"; the quote begins at {nearest}"
    return f"is {start}, where the text has {short(text[start:end])}, not {short(quote)}{instead}"


def short(text: str) -> str:
    return f"“{text[:SHOWN]}…”" if len(text) > SHOWN else f"“{text}”"


def found(text: str, quote: str, prefix: str = "", suffix: str = "") -> Spot:
    """The place of a quote: of several the one between `prefix` and `suffix`; an unfound quote is kept as it is."""
    place = anchor(text, quote)
    if place.start is None or place.end is None:
        return Spot(None, None, quote, place.how)
    if place.ambiguous and (prefix or suffix):
        place = chosen(text, quote, place, prefix, suffix)
    start, end = place.start or 0, place.end or 0
    return Spot(start, end, text[start:end], "ambiguous" if place.ambiguous else place.how)


def chosen(text: str, quote: str, place: Anchor, prefix: str, suffix: str) -> Anchor:
    """The one place of a repeated quote that stands between the two texts; all of them where none or several do."""
    if place.how != "exact":
        return place
    fits = [
        at for at in place.places
        if text[:at].endswith(prefix) and text[at + len(quote) :].startswith(suffix)
    ]  # fmt: skip
    return Anchor("exact", fits[0], fits[0] + len(quote), (fits[0],), 1.0) if len(fits) == 1 else place


def repaired(text: str, start: int, end: int, quote: str) -> Spot:
    """Where published offsets and quote differ: the offsets if only case or spacing does, else the quote's place."""
    there = text[start:end] if 0 <= start <= end <= len(text) else ""
    if there and plain(there).text == plain(quote).text:
        return Spot(start, end, there, "normalised")
    places = occurrences(text, quote)
    if places:
        at = min(places, key=lambda place: abs(place - start))
        return Spot(at, at + len(quote), quote, "exact")
    return found(text, quote)


class Utf16:
    """Offsets of one text in UTF-16 code units, as browsers count them, and in code points."""

    def __init__(self, text: str) -> None:
        self.units = [0, *accumulate(2 if ord(sign) > 0xFFFF else 1 for sign in text)] if not text.isascii() else None
        self.length = len(text)

    def to(self, place: int) -> int:
        """From code points."""
        return place if self.units is None else self.units[place]

    def back(self, place: int) -> int | None:
        """To code points; None outside the text and in the middle of a character."""
        if self.units is None:
            return place if 0 <= place <= self.length else None
        at = bisect_left(self.units, place)
        return at if place >= 0 and at < len(self.units) and self.units[at] == place else None


class Units(NamedTuple):
    text: str
    units: list[tuple[int, int]]


def joined(parts: Any, field: str, unit: str) -> Units:
    """Steps or sentences as one text with the place of each.

    A boundary with white space holds its separator itself. Else steps are put on lines; sentences behind a space, if
    no boundary has any (in Chinese none needs it). Units leave out the white space at their ends.
    """
    if not isinstance(parts, list) or not parts:
        raise RowError(f"must be a list of texts, not {kind_of(parts)}" if parts else "is empty", field)
    for n, part in enumerate(parts):
        if not isinstance(part, str):
            raise RowError(f"must be text, not {kind_of(part)}", f"{field}.{n}")
        if not part.strip():
            raise RowError("is empty", f"{field}.{n}")
        storable(part, f"{field}.{n}")
    separated = [before[-1].isspace() or after[0].isspace() for before, after in pairwise(parts)]
    apart = SEPARATOR[unit] if unit == "step" or not any(separated) else ""
    whole, units = "", []
    for part, done in zip(parts, [True, *separated], strict=True):
        whole += "" if done else apart
        units.append((len(whole) + len(part) - len(part.lstrip()), len(whole) + len(part.rstrip())))
        whole += part
    return Units(whole, units)


def units_of(value: Any, text: str, field: str) -> list[tuple[int, int]]:
    """A list of [start, end), in order and apart from each other."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"must be a list, not {kind_of(value)}", field)
    units: list[tuple[int, int]] = []
    for n, entry in enumerate(value):
        if not isinstance(entry, list) or len(entry) != 2:
            raise RowError("must be a start and an end", f"{field}.{n}")
        start, end = entry
        if isinstance(start, bool) or isinstance(end, bool) or not isinstance(start, int) or not isinstance(end, int):
            raise RowError("must be two whole numbers", f"{field}.{n}")
        exactly(text, start, end, None, f"{field}.{n}", ("0", "1"))
        if start == end or (units and start < units[-1][1]):
            raise RowError("is empty" if start == end else "overlaps the one before", f"{field}.{n}")
        units.append((start, end))
    return units


def cut(text: str, units: Sequence[tuple[int, int]]) -> list[str]:
    """The text cut where units begin: joined again it is the text, with all between two units in the earlier one."""
    begins = [0, *(start for start, _ in units[1:]), len(text)]
    return [text[start:end] for start, end in zip(begins, begins[1:], strict=False)]


def said(prompt: Iterable[Message]) -> str:
    """A prompt as one text: of one message its content, of several each under its role."""
    messages = list(prompt)
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages)


def turns(prompt: str) -> list[Message]:
    """The messages of which `said` made a text: several where each begins with its role, else one of the user's."""
    parts = TURN.split(prompt)
    if len(parts) < 4 or parts[0]:
        return [{"role": "user", "content": prompt}]
    return [{"role": role.lower(), "content": content} for role, content in zip(parts[1::2], parts[2::2], strict=True)]


def truth(value: Any, field: str) -> bool:
    """A verdict: true or false, or one of the words for them. Nothing else is guessed."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in TRUTHS:
        return TRUTHS[value.strip().lower()]
    raise RowError("must be true or false, T or F, Correct or Incorrect", field)


def documents_of(context: Mapping[str, Any]) -> list[str]:
    """The texts of a context's documents."""
    return [document["text"] for document in context.get("documents", [])]


def join(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name
