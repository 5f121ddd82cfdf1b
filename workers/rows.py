"""The values that travel between files, methods and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Message = dict[str, Any]
"""`{"role": "user" | "assistant" | "system" | "tool", "content": str}`"""


class RowError(Exception):
    """A row that cannot be used: why, and in which field."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Found(NamedTuple):
    """One row of a file, or why it is none. `line` counts from 1, `at` is the place in the stored file."""

    line: int
    row: Mapping[str, Any] | None
    problem: RowError | None
    at: int
    start: bytes = b""
    """The first bytes of a row that could not be read."""


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """One candidate continuation. `text` is the source string; `messages` when there is more than one."""

    text: str
    model: str = ""
    messages: list[Message] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VoteRow:
    """What one annotator said of two responses: value -3…3, negative for the first, or both bad."""

    annotator: str
    value: int | None
    first: int = 0
    second: int = 1
    kind: str = "person"
    both_bad: bool = False
    probability: float | None = None
    rationale: str = ""
    axis: str = "overall"


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A prompt with its responses, the pairs to compare (None: the importer decides) and votes known already."""

    prompt: list[Message]
    responses: list[ResponseRow]
    external_id: str | None = None
    pairs: list[tuple[int, int]] | None = None
    votes: list[VoteRow] = field(default_factory=list)
    context: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgementRow:
    """A vote on a pair that the project has already, found by its item's external id."""

    external_id: str
    vote: VoteRow


@dataclass(frozen=True, slots=True)
class DecidedRow:
    """A pair whose preference is decided, ready for a target."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float
    confidence: float
