"""Wrong labels by a Bradley-Terry model that expects them: how likely each label is wrong, out of fold.

The model, its sources and what it assumes stand in `workers/doubting.py`: a reward that is linear in the embedding, in
how long a response is and in which model wrote it, with a worth of its own for each response that stands in several
pairs; its strengths and the share of wrong labels are found on the labels themselves. How it does on real pairs beside
confident learning is in docs/curation-measured.md. Vectors and differences are held in memory, so that there is a
most of pairs; `confident-learning` has none.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from math import log1p
from sys import intern
from typing import Any, Literal

from pydantic import Field

from workers.aggregating import library, numpy
from workers.curating import Aid, Curator, Proposal, Row, Settings, Side, Unfit, curators

FEWEST, MOST = 50, 50_000
CAUSE = "likely labelled wrongly"


class WrongSettings(Settings):
    embedder: int = Field(
        title="Embedder",
        description="whose vectors of the responses; a run of embed makes them",
        json_schema_extra={"choose": "model", "kinds": ["embedder"]},
    )
    lengths: bool = Field(
        default=True, title="Lengths", description="how long a response is counts beside what its vector says"
    )
    models: bool = Field(
        default=True, title="Models", description="which model wrote a response counts, where it is known"
    )
    flip_above: float = Field(
        default=0.5, ge=0, le=1, title="Flip above", description="labels more likely wrong than this are flipped"
    )
    doubt_above: float = Field(
        default=0.5, ge=0, le=1, title="Doubt above", description="those more likely wrong than this, and not flipped"
    )
    doubtful: Literal["ask", "drop"] = Field(
        default="ask", title="The doubtful", description="ask people again, or drop the pair"
    )


class Gathered:
    """Labelled pairs whose responses have vectors, each response once."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.places: dict[int, int] = {}
        self.vectors = array("f")
        self.lengths = array("d")
        self.models: list[str] = []
        self.ends = array("q")
        for row in rows:
            if fits(row):
                self.ends.extend((self.place(row.chosen), self.place(row.rejected)))
                if len(self) > MOST:
                    raise Unfit(f"more than {MOST} labelled pairs: take confident-learning, which reads from the disk")

    def __len__(self) -> int:
        return len(self.ends) // 2

    def place(self, side: Side) -> int:
        if side.id not in self.places:
            self.places[side.id] = len(self.places)
            self.vectors.extend(side.vector if side.vector is not None else ())
            self.lengths.append(log1p(len(side.text)))
            self.models.append(intern(side.model))
        return self.places[side.id]

    def arrays(self) -> tuple[Any, Any, Any]:
        """Vectors [responses, d], lengths [responses, 1], pairs (chosen, rejected) [n, 2]."""
        np = numpy()
        vectors = np.frombuffer(self.vectors, dtype=np.float32).reshape(len(self.places), -1)
        return vectors, np.asarray(self.lengths)[:, None], np.frombuffer(self.ends, dtype=np.int64).reshape(-1, 2)


def fits(row: Row) -> bool:
    """Whether a preference is there, and a vector of both sides."""
    return row.labelled and row.second is not None and row.first.vector is not None and row.second.vector is not None


def propose(rows: Iterable[Row], params: WrongSettings, aid: Aid) -> Iterator[Proposal]:
    """Goes through the rows twice: for the vectors, and for what is said of each pair."""
    np = numpy()
    library("scipy")
    from workers.doubting import doubts, reduced, with_kinds

    gathered = Gathered(rows)
    if len(gathered) < FEWEST:
        raise Unfit(
            f"{len(gathered)} labelled pairs have vectors of this embedder, and it takes {FEWEST}: run embed first"
        )
    vectors, lengths, ends = gathered.arrays()
    seen = reduced(vectors, lengths if params.lengths else None)
    if params.models:
        seen = with_kinds(seen, np.array(gathered.models))
    told = doubts(seen, ends, seed=aid.seed)
    aid.log(
        f"{len(ends)} pairs of {len(vectors)} responses; {100 * told.noise:.1f} % of the labels seem wrong, it may be"
        f" {100 * told.low:.0f} to {100 * told.high:.0f}; {int((told.wrong > params.doubt_above).sum())} are doubted"
    )
    share = (
        f"{100 * told.noise:.0f} % of all labels seem wrong, it may be {100 * told.low:.0f} to {100 * told.high:.0f}"
    )
    both = zip(told.wrong.tolist(), told.sure.tolist(), strict=True)
    for row, (wrong, sure) in zip(filter(fits, rows), both, strict=True):
        flip = min(wrong, sure) > params.flip_above
        if wrong > min(params.flip_above, params.doubt_above) and not row.settled:
            words = f"wrong with a probability of {100 * sure:.0f} %, by a model that has not learned from this label"
            yield Proposal(row.subject, "flip" if flip else params.doubtful, sure, f"{words}; {share}", CAUSE)


curators.add(
    Curator(
        name="wrong-labels",
        title="Wrong labels",
        about="Tells of each label how likely it is wrong, from embeddings, lengths, models and the other pairs of its "
        "responses: flips the likely ones.",
        propose=propose,
        params=WrongSettings,
        paper="https://papers.nips.cc/paper/2013/hash/3871bd64012152bfb53fdf04b401193f-Abstract.html",
        needs=frozenset({"embeddings"}),
    )
)
