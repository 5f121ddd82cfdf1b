"""What every judge takes and gives: a model version, conversations with their responses, and numbers or critiques.

A judge is one file on the shelf `workers/judges/`, named after the kind of model it runs. It imports torch when
it is opened, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from workers.shelf import Shelf


class OutOfMemory(Exception):
    """Not even the smallest batch fits: the piece of work must be cut, or the model is too large for the device."""


class Unusable(Exception):
    """The model cannot be used: missing files, wrong architecture, pickled weights. The words are for a person."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A model version as the machine side sees it. `config` holds what its kind needs (docs/models.md lists it)."""

    key: int
    kind: str
    reference: str
    revision: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    trusted_code: bool = False
    folder: str = ""
    """Where the weights of a `run:` reference lie on this machine."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One response to judge. `units` are [start, end) in code points of `text`, where it is cut into steps."""

    key: int
    text: str
    messages: Sequence[Mapping[str, Any]] = ()
    """The continuation as messages; empty: one message of the assistant, `text`."""
    units: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """A prompt with the responses to judge: they share it, so it need be read once."""

    key: int
    prompt: Sequence[Mapping[str, Any]]
    candidates: Sequence[Candidate]
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Scores over places of one text: `values[i]` belongs to code points `offsets[i]`."""

    unit: str
    """token, sentence, step or span."""
    offsets: Sequence[tuple[int, int]]
    values: Sequence[float]
    head: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge says of one candidate, by its key."""

    key: int
    scores: Mapping[str, float] = field(default_factory=dict)
    """By head, as the model says it; an only head is named with the empty string. Of a cost model, higher is worse."""
    spread: float | None = None
    """Standard deviation over the members of an ensemble."""
    maps: Sequence[Mapped] = ()
    vector: Sequence[float] = ()
    critiques: Sequence[Mapping[str, Any]] = ()
    """Of critics: {start, end, quote, type, severity, polarity, comment, edit}; start and end None if not found."""
    verdicts: Sequence[Mapping[str, Any]] = ()
    """Of critics and step judges: {question, answer, comment, start, end}."""
    raw: str = ""
    status: str = "ok"
    tokens: int = 0
    tokens_out: int = 0
    truncated: bool = False


class Opened(Protocol):
    """A model that is loaded. `judge` yields one Judged per candidate in the order given, while it reads on."""

    device: str
    """cpu or cuda:0."""

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]: ...


@dataclass(frozen=True, slots=True)
class Judge:
    """A kind of model that judges: what it gives, what its config may hold, and how to open one."""

    name: str
    title: str
    gives: tuple[str, ...]
    """Of: scores, tokens, units, critiques, verdicts, vectors."""
    open: Callable[[Spec], Opened]
    config: tuple[str, ...] = ()


judges: Shelf[Judge] = Shelf("workers.judges", "judge")
