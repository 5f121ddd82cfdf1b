"""What became of a text, word by word: the pieces that stayed, went and came."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

SAME, GONE, NEW = "same", "gone", "new"
MOST = 3000
"""Words up to which two texts are held against each other word by word; longer ones by lines."""
TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
Piece = tuple[str, str]


def pieces(before: str, after: str) -> list[Piece]:
    """Both texts as one row of pieces: without the new ones it is the old text, without those gone the new one.

    What they have in common at their ends is set aside first; where more than 3000 words and lines are between, all of
    that counts as gone and new.
    """
    if before == after:
        return [(SAME, before)] if before else []
    head = common(before, after)
    tail = common(before[head:][::-1], after[head:][::-1])
    found = [(SAME, before[:head]), *between(before[head : len(before) - tail], after[head : len(after) - tail])]
    return joined([*found, (SAME, before[len(before) - tail :])])


def common(one: str, other: str) -> int:
    """How long two texts begin alike, up to the end of a word."""
    at, most = 0, min(len(one), len(other))
    while at < most and one[at] == other[at]:
        at += 1
    while at and at < max(len(one), len(other)) and one[at - 1].isalnum():
        at -= 1
    return at


def between(before: str, after: str) -> list[Piece]:
    split = [TOKEN.findall(text) for text in (before, after)]
    if max(map(len, split)) > MOST:
        split = [text.splitlines(keepends=True) for text in (before, after)]
    old, new = split
    if max(len(old), len(new)) > MOST:
        return [(GONE, before), (NEW, after)]
    found: list[Piece] = []
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if old[a:b] == new[c:d]:
            found.append((SAME, "".join(old[a:b])))
        else:
            found += [(GONE, "".join(old[a:b])), (NEW, "".join(new[c:d]))]
    return found


def joined(given: list[Piece]) -> list[Piece]:
    """Without empty pieces; neighbours of one kind are one."""
    found: list[Piece] = []
    for kind, text in given:
        if text and found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        elif text:
            found.append((kind, text))
    return found
