"""A file as batches of checked rows, read from the start: nothing here touches the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from curation.services.importing import pictures
from curation.services.importing.rows import Landing, checked, readied
from curation.services.importing.sources import Outcome
from workers.rows import JudgementRow, RowError

BATCH, BATCH_PAIRS, BATCH_CHARS = 5000, 20_000, 2**24
"""A batch is full at so many rows, pairs to compare, or characters."""
REMEMBERED = 500_000
"""Ids of this file that are remembered to refuse a later row with another content: 50 MB at most."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that does not land: its line and why."""

    line: int
    problem: RowError
    excerpt: str


@dataclass(slots=True)
class Batch:
    """What lands in one transaction, and where the file was when it was full."""

    items: list[Landing] = field(default_factory=list)
    judgements: list[tuple[int, JudgementRow]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    perhaps: set[str] = field(default_factory=set)
    """Ids that came before in this file, or may have: in batches of new rows only these need looking up."""
    pairs: int = 0
    chars: int = 0
    number: int = 0
    line: int = 0
    at: int = 0

    @property
    def full(self) -> bool:
        rows = len(self.items) + len(self.judgements) + len(self.refused)
        return rows >= BATCH or self.pairs >= BATCH_PAIRS or self.chars >= BATCH_CHARS


def batches(outcomes: Iterable[Outcome], *, pairing: str, kind: str, after: int) -> Iterator[Batch]:
    """Batches of the rows that come after the first `after`, which landed before.

    Those are read again too: an id that was used in them for other content is refused as it would have been.
    """
    seen = Seen()
    batch = Batch()
    for number, outcome in enumerate(outcomes, 1):
        known = number <= after
        try:
            row = landing(outcome, pairing, kind, seen, keep=not known)
        except RowError as problem:
            if not known:
                batch.refused.append(Refused(outcome.line, problem, outcome.excerpt))
        else:
            if known:
                continue
            if isinstance(row, JudgementRow):
                batch.judgements.append((outcome.line, row))
            else:
                batch.items.append(row)
                if not seen.sure:
                    batch.perhaps.add(row.external_id)
                batch.pairs += len(row.pairs)
                batch.chars += len(row.prompt) + sum(len(response.text) for response in row.stored)
        batch.number, batch.line, batch.at = number, outcome.line, outcome.at
        if batch.full:
            batch.items = readied(batch.items)
            yield batch
            batch = Batch(number=number, line=outcome.line, at=outcome.at)
    batch.items = readied(batch.items)
    yield batch


def landing(outcome: Outcome, pairing: str, kind: str, seen: Seen, *, keep: bool = False) -> Landing | JudgementRow:
    """The row as it lands, its pictures kept if `keep`. Raises RowError with the reason why it does not."""
    if outcome.problem or outcome.row is None:
        raise outcome.problem or RowError("is no row")
    if isinstance(outcome.row, JudgementRow):
        return outcome.row
    row = checked(outcome.line, outcome.row, pairing, kind)
    seen.refuse_contradiction(row)
    return row._replace(images=pictures.keep(outcome.pictures)) if keep and outcome.pictures else row


class Seen:
    """Which ids the file has used, and for what. `sure`: the row looked at last is the first with its id."""

    def __init__(self) -> None:
        self.contents: dict[bytes, bytes] = {}
        self.sure = False

    def refuse_contradiction(self, row: Landing) -> None:
        """A file that has one id twice with different content says two things: the first one holds."""
        name = blake2b(row.external_id.encode(), digest_size=8).digest()
        content = bytes.fromhex(row.content_hash)[:8]
        first = self.contents.get(name)
        if first is not None and first != content:
            raise RowError("was used further up in this file for other content", "id")
        self.sure = first is None and len(self.contents) < REMEMBERED
        if self.sure:
            self.contents[name] = content
