"""Pairs whose vectors point the same way as those of another one: said in other words, so none need be shared.

The vectors of both responses, each with its prompt, one behind the other: the cosine is the mean of both. Each pair is
compared with the first of every group so far by an index (workers/neighbours.py). Kept of a group is the one with the
most answers, of equal ones the earliest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators
from workers.curators.duplicates import Known, entries
from workers.duplicates import close
from workers.ledger import Ledger
from workers.neighbours import Neighbours

CAUSE = "near-duplicate by embedding"


class NeighbourSettings(Settings):
    embedder: int = Field(
        title="Embedder",
        description="whose vectors of the responses; pairs without stay",
        json_schema_extra={"choose": "model", "kinds": ["embedder"]},
    )
    cosine: float = Field(default=0.97, gt=0, le=1, title="Cosine", description="from which on two pairs say the same")


def propose(rows: Iterable[Row], params: NeighbourSettings, aid: Aid) -> Iterator[Proposal]:
    """Once through the rows; groups and vectors lie in the run's folder, for whoever goes on with it."""
    first = Neighbours(folder=aid.folder)
    with Ledger(aid.folder and aid.folder / "neighbours.sqlite") as ledger:
        close(ledger, ((entry, vector_of(row)) for entry, row in entries(rows)), params.cosine, first)
        for twin in ledger.twins():
            where = Known.of(twin.told_of_kept).where("pair")
            reason = f"vectors with a cosine of {twin.likeness:.3f} to those of {where}"
            yield Proposal(Known.of(twin.told).subject, "drop", twin.likeness, reason, CAUSE)
    first.forget()


def vector_of(row: Row) -> Any:
    """Those of both responses, each of length 1, one behind the other; None where one is missing."""
    sides = [row.chosen] if row.second is None else [row.chosen, row.rejected]
    vectors = [side.vector for side in sides if side.vector is not None and np.any(side.vector)]
    if len(vectors) < len(sides):
        return None
    return np.concatenate([np.asarray(one, dtype=np.float32) / np.linalg.norm(one) for one in vectors])


curators.add(
    Curator(
        name="neighbours",
        title="Near vectors",
        about="Drops pairs that an embedder puts beside another one; the one with the most answers is kept.",
        propose=propose,
        params=NeighbourSettings,
        paper="arXiv 1603.09320",
        needs=frozenset({"embeddings"}),
        of="any",
    )
)
