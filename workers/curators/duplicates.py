"""Pairs that say what another one says: all but one are dropped, with the kept one named.

Exactly: the same prompt and the same two responses, whichever is preferred (Skywork-Reward-V2 keeps each of history,
chosen and rejected once: arXiv 2507.01352). MinHash: nearly the same words (Broder 1997). Kept is the pair with the
most answers, of equal ones the earliest. By prompt, one item is kept of each prompt, with all its pairs. What is said
in other words is for `neighbours.py`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators
from workers.duplicates import Twin, digest, nearly, same


class DuplicateSettings(Settings):
    by: Literal["exact", "minhash"] = Field(
        default="exact", title="By", description="exact: the same words; minhash: nearly the same words"
    )
    on: Literal["pair", "prompt"] = Field(
        default="pair",
        title="Of",
        description="pair: prompt and both responses; prompt: one item of each is kept",
    )
    likeness: float = Field(
        default=0.8, gt=0, le=1, title="Likeness", description="of minhash: share of runs of characters in common"
    )


class Entries:
    """What is kept of every row until the end: who it is, how many answers it has, and what is preferred."""

    def __init__(self) -> None:
        self.items, self.pairs, self.votes = array("q"), array("q"), array("q")
        self.preferred = bytearray()

    def through(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.items.append(row.item)
            self.pairs.append(row.pair or 0)
            self.votes.append(row.votes)
            self.preferred += digest(row.chosen.text)[:8] if row.labelled else bytes(8)
            yield row

    def where(self, place: int, name: str, on: str) -> str:
        """An entry in words: its item, its pair, and how many answers it has."""
        pair, votes = self.pairs[place], self.votes[place]
        what = f"{name}, pair {pair}" if pair and on == "pair" else name
        return f"{what} ({votes} answer{'s' if votes != 1 else ''})"

    def opposed(self, twin: Twin) -> bool:
        """Whether both are decided, and each for another response."""
        one, other = (bytes(self.preferred[8 * n : 8 * n + 8]) for n in (twin.place, twin.kept))
        return any(one) and any(other) and one != other


def propose(rows: Iterable[Row], params: DuplicateSettings, aid: Aid) -> Iterator[Proposal]:
    """Twice through the rows: to find the twins, and to tell them."""
    entries = Entries()
    found = {twin.place: twin for twin in twins(rows, params, entries)}
    if params.on == "prompt":
        found = {n: twin for n, twin in found.items() if entries.items[n] != entries.items[twin.kept]}
    for row, twin, name in named(rows, found):
        yield told(row, twin, name, entries, params)


def named(rows: Iterable[Row], found: Mapping[int, Twin]) -> Iterator[tuple[Row, Twin, str]]:
    """Each row that has a twin, with the name of the item that is kept, as soon as both have come by."""
    kept = {twin.kept for twin in found.values()}
    names: dict[int, str] = {}
    waiting: dict[int, list[tuple[Row, Twin]]] = {}
    for place, row in enumerate(rows if kept else ()):
        if place in kept:
            names[place] = row.name
            for other, twin in waiting.pop(place, ()):
                yield other, twin, row.name
        elif place in found:
            own = found[place]
            if own.kept in names:
                yield row, own, names[own.kept]
            else:
                waiting.setdefault(own.kept, []).append((row, own))


def twins(rows: Iterable[Row], params: DuplicateSettings, entries: Entries) -> Iterator[Twin]:
    through = entries.through(rows)
    if params.by == "exact":
        digests = bytearray()
        for row in through:
            digests += digest(*texts_of(row, params.on))
        return same(digests, entries.votes)
    return nearly(("\n\n".join(texts_of(row, params.on)) for row in through), entries.votes, params.likeness)


def texts_of(row: Row, on: str) -> list[str]:
    """The prompt, and the responses in an order that does not tell which is preferred."""
    prompt = "\n\n".join(f"{one.get('role', '')}: {one.get('content', '')}" for one in row.prompt)
    if on == "prompt":
        return [prompt]
    return [prompt, *sorted(side.text for side in (row.first, row.second) if side is not None)]


def told(row: Row, twin: Twin, name: str, entries: Entries, params: DuplicateSettings) -> Proposal:
    exact = params.by == "exact"
    what = "the same prompt" if params.on == "prompt" else "the same prompt and responses"
    what = what if exact else f"nearly {what} ({twin.likeness:.2f})"
    cause = f"{'duplicate' if exact else 'near-duplicate'} {params.on}"
    reason = f"{what} as {entries.where(twin.kept, name, params.on)}"
    if params.on == "pair" and exact and entries.opposed(twin):
        reason, cause = f"{reason}; there the other response is preferred", f"{cause}, preferred the other way"
    return Proposal(row.subject, "drop", twin.likeness, reason, cause)


curators.add(
    Curator(
        name="duplicates",
        title="Duplicates",
        about="Drops pairs that say the same as another one, exactly or nearly; the one with the most answers is kept.",
        propose=propose,
        params=DuplicateSettings,
        paper="arXiv 2507.01352",
        of="any",
    )
)
