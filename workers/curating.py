"""From decided pairs to proposals: what a curator takes and gives, and the shelf of them in `workers/curators/`.

A curator goes through rows and proposes, of some of them, to keep, flip or drop them or to ask people again. It changes
nothing: people accept or refuse what it proposes, and versions take what was accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from workers.rows import Message
from workers.shelf import Shelf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

Action = Literal["keep", "flip", "drop", "ask"]
ACTIONS: tuple[Action, ...] = ("keep", "flip", "drop", "ask")
Need = Literal["scores", "embeddings", "prompt vectors", "agreement", "metadata", "references"]
FIRST, SECOND = "first", "second"
MOST_REASON, MOST_CAUSE = 500, 60


class Unfit(Exception):
    """The rows are not such that a curator could say anything of them: why, in words for a person."""


class Settings(BaseModel):
    """Base of the parameters of a curator; unknown names are refused.

    Of a curator that needs scores the field `model` (int) says whose, and `second` whose besides; of one that needs
    embeddings `embedder` does. Each has `json_schema_extra={"choose": "model", "kinds": [...]}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(NamedTuple):
    """What a proposal is about: two responses to one prompt, one response, or the item itself.

    Of two responses `chosen` is the one that was preferred when the proposal was made.
    """

    item: int
    pair: int | None = None
    response: int | None = None
    chosen: int | None = None
    rejected: int | None = None

    @property
    def key(self) -> str:
        """One text for each subject; once in a run."""
        if self.chosen is not None and self.rejected is not None:
            return "pair:{}:{}".format(*sorted((self.chosen, self.rejected)))
        return f"item:{self.item}" if self.response is None else f"response:{self.response}"


@dataclass(slots=True)
class Side:
    """A response. `score` and `vector` are there where the curator needs them and the model has spoken."""

    id: int
    text: str
    model: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    score: float | None = None
    second: float | None = None
    """What another model says, where the curator asks for two."""
    vector: Vector | None = None


@dataclass(slots=True)
class Row:
    """Two responses to one prompt with what is decided on them; of a project without pairs one response alone."""

    item: int
    name: str
    """The item's id in its import."""
    prompt: Sequence[Message]
    prompt_hash: str
    """Equal prompts have the same one."""
    first: Side
    second: Side | None = None
    pair: int | None = None
    """None in rankings, where any two responses are compared."""
    task: int | None = None
    outcome: str = ""
    """first, second, tie, both_bad or undecided; empty where nobody answered."""
    strength: float | None = None
    """Of the decided preference: 1 to 3."""
    confidence: float = 0.0
    """0 to 1: of a fit the probability of its label, of the majority its share of the answers."""
    votes: int = 0
    agreement: float | None = None
    """The share of the answers that are on the side of the majority."""
    how: str = ""
    """majority, reviewed, the method of a fit, adjudicated or gold."""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vector: Vector | None = None
    """Of the prompt alone, where the curator needs prompt vectors and its `embedder` gave one."""

    @property
    def labelled(self) -> bool:
        """Whether one of the two is preferred."""
        return self.second is not None and self.outcome in (FIRST, SECOND)

    @property
    def settled(self) -> bool:
        """Whether people settled the label by hand: it is to learn from, and not to be contradicted."""
        return self.how in ("adjudicated", "gold")

    @property
    def chosen(self) -> Side:
        """The preferred response; where there is none, the first."""
        return self.second if self.second is not None and self.outcome == SECOND else self.first

    @property
    def rejected(self) -> Side:
        """The other one. Raises ValueError for a response that stands alone."""
        if self.second is None:
            raise ValueError("there is one response only")
        return self.first if self.outcome == SECOND else self.second

    @property
    def margin(self) -> float | None:
        """Score of the chosen response above that of the rejected one; None where one has none."""
        if self.second is None or self.first.score is None or self.second.score is None:
            return None
        above = self.first.score - self.second.score
        return -above if self.outcome == SECOND else above

    @property
    def subject(self) -> Subject:
        if self.second is None:
            return Subject(self.item, response=self.first.id)
        return Subject(self.item, self.pair, None, self.chosen.id, self.rejected.id)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a curator would do with a subject."""

    subject: Subject
    action: Action
    score: float
    """How sure the curator is, or the figure that it looked at: higher is more of a reason."""
    reason: str
    """In words for a person, with the figures of this one."""
    cause: str
    """In few words, the same for all alike: what is counted in the card of a version."""


def nothing(_words: str) -> None:
    """A log that nobody reads."""


@dataclass(frozen=True)
class Aid:
    """What a curator is given besides rows and settings."""

    seed: int = 0
    log: Callable[[str], None] = nothing
    references: Mapping[str, Callable[[], Iterator[tuple[str, str]]]] = field(default_factory=dict)
    """Texts to compare with, by the name of the set they are of: each call gives its (row, text) anew."""
    embed: Callable[[Sequence[str]], Sequence[Vector | None]] | None = None
    """Prompts to vectors, by the `embedder` of the settings; None where there is none."""
    folder: Path | None = None
    """Of the run: what is put there is there again for a worker that goes on with it. None: nothing is kept."""


@dataclass(frozen=True, slots=True)
class Curator:
    """A method: `propose(rows, settings, aid)`. Rows may be gone through several times, and give the same each time;
    what is kept of them between is the curator's to keep small. The same rows and seed give the same proposals, in the
    same order, and one subject at most once. Raises Unfit, and Missing (`workers/aggregating.py`) where its library is
    not there.
    """

    name: str
    title: str
    about: str
    propose: Callable[[Iterable[Row], Any, Aid], Iterator[Proposal]]
    params: type[Settings] = Settings
    paper: str = ""
    needs: frozenset[Need] = frozenset()
    of: Literal["pairs", "any"] = "pairs"
    """any: it takes responses that stand alone too, and items without a decision."""


curators: Shelf[Curator] = Shelf("workers.curators", "curator")
