"""Where Label Studio's regions are in a text: of a plain text, of the text of an HTML page, of a dialogue.

Browsers count UTF-16 code units, newer versions of the server code points; a region's own `text` tells which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Protocol

from workers.anchoring import anchor, occurrences
from workers.spans import Utf16

BLOCKS = re.compile(
    "address|article|aside|blockquote|body|br|dd|div|dl|dt|fig(ure|caption)|footer|form|h[1-6]|header|hr|html|li|main|nav|"
    "ol|p|pre|section|table|tr|ul"
)
UNSEEN = frozenset(("script", "style", "head", "template"))
SPACE = re.compile(r"\s+")
Place = tuple[int, int]


class Marked(Protocol):
    """A text that regions are in."""

    text: str

    def place(self, value: Mapping[str, Any]) -> Place | None: ...


class Plain:
    """A text of one string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.units = Utf16(text)

    def place(self, value: Mapping[str, Any]) -> Place | None:
        """Start and end in code points, by whichever way of counting fits the region's text; None where none does."""
        start, end, quote = whole(value.get("start")), whole(value.get("end")), quoted(value)
        if start is None or end is None:
            return None
        first, last = self.units.back(start), self.units.back(end)
        for begins, ends in ((first, last), (start, end)):
            if begins is None or ends is None or not 0 <= begins <= ends <= len(self.text):
                continue
            if quote is None or self.text[begins:ends] == quote:
                return begins, ends
        return nearest(self.text, quote, start)


class Page:
    """The text of an HTML page, blocks on lines of their own. `globalOffsets` count its text nodes, in some versions
    with a line break for each <br>."""

    def __init__(self, html: str) -> None:
        seen = Nodes(html)
        self.text = seen.text
        self.maps = (seen.nodes, seen.with_breaks)

    def place(self, value: Mapping[str, Any]) -> Place | None:
        offsets = value.get("globalOffsets")
        offsets = offsets if isinstance(offsets, Mapping) else {}
        start, end, quote = whole(offsets.get("start")), whole(offsets.get("end")), quoted(value)
        if start is None or end is None:
            return nearest(self.text, quote, 0)
        for units in self.maps:
            if 0 <= start < end <= len(units):
                begins, ends = units[start], units[end - 1] + 1
                if quote is None or squeezed(self.text[begins:ends]) == squeezed(quote):
                    return begins, ends
        return nearest(self.text, quote, start)


class Nodes(HTMLParser):
    """The text of a page; for each UTF-16 code unit of its text nodes the place of its character in that text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.hidden = "", 0
        self.nodes: list[int] = []
        self.with_breaks: list[int] = []
        self.feed(html)
        self.close()
        self.text = self.text.rstrip("\n")

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden += tag in UNSEEN
        if BLOCKS.fullmatch(tag):
            self.line()
        if tag == "br":
            self.with_breaks.append(max(0, len(self.text) - 1))

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in UNSEEN and self.hidden > 0
        if BLOCKS.fullmatch(tag):
            self.line()

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        if not data.strip() and (not self.text or self.text.endswith("\n")):
            places = [max(0, len(self.text) - 1)] * len(data)
        else:
            places = [len(self.text) + n for n, sign in enumerate(data) for _ in range(2 if ord(sign) > 0xFFFF else 1)]
            self.text += data
        self.nodes += places
        self.with_breaks += places

    def line(self) -> None:
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"


class Dialogue:
    """Turns with their authors, one below the other; offsets count in the text of a turn."""

    def __init__(self, turns: list[Any], author: str, said: str) -> None:
        self.text = ""
        self.turns: list[tuple[int, Plain]] = []
        for turn in turns:
            told = turn if isinstance(turn, Mapping) else {said: turn}
            who, words = str(told.get(author) or ""), str(told.get(said) or "")
            self.text += ("\n\n" if self.turns else "") + (f"{who}: " if who else "")
            self.turns.append((len(self.text), Plain(words)))
            self.text += words

    def place(self, value: Mapping[str, Any]) -> Place | None:
        first, last, quote = whole(value.get("start")), whole(value.get("end")), quoted(value)
        if first is None or last is None or not 0 <= first <= last < len(self.turns):
            return None
        if first == last:
            base, turn = self.turns[first]
            found = turn.place({"start": value.get("startOffset"), "end": value.get("endOffset"), "text": quote})
            return (base + found[0], base + found[1]) if found else None
        begins = inside(self.turns[first], whole(value.get("startOffset")))
        ends = inside(self.turns[last], whole(value.get("endOffset")))
        return None if begins is None or ends is None else (begins, ends)


def inside(turn: tuple[int, Plain], offset: int | None) -> int | None:
    """An offset within a turn as a place in the whole."""
    base, words = turn
    at = None if offset is None else words.units.back(offset)
    return None if at is None else base + at


def whole(value: Any) -> int | None:
    """A whole number, also as text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


def quoted(value: Mapping[str, Any]) -> str | None:
    return value["text"] if isinstance(value.get("text"), str) and value["text"] else None


def nearest(text: str, quote: str | None, near: int) -> Place | None:
    """Where a quote stands that its offsets do not fit: next to them, or where it surely is."""
    if quote is None:
        return None
    if places := occurrences(text, quote):
        at = min(places, key=lambda place: abs(place - near))
        return at, at + len(quote)
    found = anchor(text, quote)
    if found.start is None or found.end is None or found.ambiguous or found.how == "fuzzy":
        return None
    return found.start, found.end


def squeezed(text: str) -> str:
    return SPACE.sub("", text)
