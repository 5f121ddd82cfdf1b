"""Pairs that say what another one says: all but one are dropped, with the kept one named.

Exactly: the same prompt and the same two responses, whichever is preferred (Skywork-Reward-V2 keeps each of history,
chosen and rejected once: arXiv 2507.01352). MinHash: nearly the same words (Broder 1997). Kept is the pair with the
most answers, of equal ones the earliest. By prompt, one item is kept of each prompt, with all its pairs. What is said
in other words is for `neighbours.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, Subject, curators
from workers.duplicates import digest, nearly, same
from workers.ledger import Entry, Ledger


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


def entries(rows: Iterable[Row]) -> Iterator[tuple[Entry, Row]]:
    """Each row with what is remembered of it: the most answers weigh the most."""
    for place, row in enumerate(rows):
        preferred = digest(row.chosen.text)[:8].hex() if row.labelled else ""
        yield Entry(place, row.votes, json.dumps([*row.subject, row.name, row.votes, preferred])), row


class Known(NamedTuple):
    """What is remembered of a row, read again."""

    subject: Subject
    name: str
    votes: int
    preferred: str
    """Stands for the text that is preferred; nothing where none is."""

    @classmethod
    def of(cls, told: str) -> Known:
        *subject, name, votes, preferred = json.loads(told)
        return cls(Subject(*subject), name, votes, preferred)

    def where(self, on: str) -> str:
        """An entry in words: its item, its pair, and how many answers it has."""
        what = f"{self.name}, pair {self.subject.pair}" if self.subject.pair and on == "pair" else self.name
        return f"{what} ({self.votes} answer{'s' if self.votes != 1 else ''})"

    def opposed(self, other: Known) -> bool:
        """Whether both are decided, and each for another response."""
        return bool(self.preferred and other.preferred) and self.preferred != other.preferred


def propose(rows: Iterable[Row], params: DuplicateSettings, aid: Aid) -> Iterator[Proposal]:
    """Once through the rows; what is remembered of them lies in the run's folder, for whoever goes on with it."""
    with Ledger(aid.folder and aid.folder / "duplicates.sqlite") as ledger:
        known = ((entry, texts_of(row, params.on)) for entry, row in entries(rows))
        if params.by == "exact":
            same(ledger, ((entry, digest(*texts)) for entry, texts in known))
        else:
            nearly(ledger, ((entry, "\n\n".join(texts)) for entry, texts in known), params.likeness)
        for twin in ledger.twins():
            one, kept = Known.of(twin.told), Known.of(twin.told_of_kept)
            if params.on == "pair" or one.subject.item != kept.subject.item:
                yield told(one, kept, twin.likeness, params)


def texts_of(row: Row, on: str) -> list[str]:
    """The prompt, and the responses in an order that does not tell which is preferred."""
    prompt = "\n\n".join(f"{one.get('role', '')}: {one.get('content', '')}" for one in row.prompt)
    if on == "prompt":
        return [prompt]
    return [prompt, *sorted(side.text for side in (row.first, row.second) if side is not None)]


def told(one: Known, kept: Known, likeness: float, params: DuplicateSettings) -> Proposal:
    exact = params.by == "exact"
    what = "the same prompt" if params.on == "prompt" else "the same prompt and responses"
    what = what if exact else f"nearly {what} ({likeness:.2f})"
    cause = f"{'duplicate' if exact else 'near-duplicate'} {params.on}"
    reason = f"{what} as {kept.where(params.on)}"
    if params.on == "pair" and exact and one.opposed(kept):
        reason, cause = f"{reason}; there the other response is preferred", f"{cause}, preferred the other way"
    return Proposal(one.subject, "drop", likeness, reason, cause)


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
