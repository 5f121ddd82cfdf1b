"""The values that travel between files, methods and tables. Nobody changes them.

Those of which every row makes one are not frozen: making a frozen one takes three times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Message = dict[str, Any]
"""`{"role": "user" | "assistant" | "system" | "tool", "content": str}`, and `images` (`parts.py`)."""


class RowError(Exception):
    """A row that cannot be used: why, and in which field; `row` says which of several that were read together."""

    def __init__(self, reason: str, field: str = "", row: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.row = row


class Found(NamedTuple):
    """One row of a file, or why it is none. `line` counts from 1, `at` is the place in the stored file."""

    line: int
    row: Mapping[str, Any] | None
    problem: RowError | None
    at: int
    start: bytes = b""
    """The first bytes of a row that could not be read."""


@dataclass(slots=True)
class ResponseRow:
    """One candidate continuation. `text` is the source string; `messages` when there is more than one."""

    text: str
    model: str = ""
    messages: list[Message] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    """What `units` are, where the file brought boundaries: sentence or step."""
    units: list[tuple[int, int]] = field(default_factory=list)
    """Half-open code-point spans of `text`, in order, not overlapping."""


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
class CritiqueRow:
    """One critique of a response: of a span of its text, of a place where something is missing, or of all of it.

    `start` and `end` are code points of the response's text (of its message `message`, when it has several).
    Without them the quote is looked for; without a quote either, the whole response is meant. A zero width, or
    `omission` on the whole response, says that something is missing.
    """

    start: int | None = None
    end: int | None = None
    quote: str = ""
    unit: str = "span"
    type: str = ""
    severity: str = ""
    polarity: int | None = None
    """-1 poor, 0 neutral, 1 good; None: not said."""
    comment: str = ""
    edit: str | None = None
    """What should stand there instead; empty: nothing."""
    omission: bool = False
    evidence: Mapping[str, Any] | None = None
    """`{"document": n | "response": n | "url": "…", "start", "end", "quote"}`: what proves it."""
    message: int = 0
    anchor: str = ""
    """How a quote that came without offsets was found: exact, ambiguous, normalised, fuzzy or unmatched."""


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """The answer to one question about a response, or about the sentence or step at `start` to `end` of it."""

    question: str
    answer: bool | int | str | list[str]
    comment: str = ""
    start: int | None = None
    end: int | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What one annotator said of one response of an item, or, with `ranks`, of all of them.

    `ranks` has a place for each response: 1 is best, equal places are a tie.
    """

    annotator: str
    response: int = 0
    kind: str = "person"
    critiques: list[CritiqueRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    rationale: str = ""
    version: str = ""
    """Of the model that said it, where one did."""
    score: float | None = None
    active_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GoldRow:
    """What is right on one task: a preference between two responses, or an answer on one or all of them."""

    vote: VoteRow | None = None
    answer: AnswerRow | None = None
    explanation: str = ""
    phase: str = "hidden"


@dataclass(slots=True)
class ItemRow:
    """A prompt with its responses, the pairs to compare (None: the importer decides), and what is known already.

    `context` may hold `documents` (a list of `{"title", "text"}`), `images` and `reference`.
    """

    prompt: list[Message]
    responses: list[ResponseRow]
    external_id: str | None = None
    pairs: list[tuple[int, int]] | None = None
    votes: list[VoteRow] = field(default_factory=list)
    answers: list[AnswerRow] = field(default_factory=list)
    gold: list[GoldRow] = field(default_factory=list)
    context: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgementRow:
    """A vote on a pair that the project has already, found by its item's external id."""

    external_id: str
    vote: VoteRow


@dataclass(slots=True)
class DecidedRow:
    """A pair whose preference is decided, ready for a target."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    margin: float
    confidence: float
    item: str = ""
    models: tuple[str, str] = ("", "")
    """Who wrote the chosen and the rejected response."""
    reasons: list[str] = field(default_factory=list)
    """Why the other one was not chosen, where the target asks for it."""


@dataclass(slots=True)
class WrongRow:
    """A response that nobody wants, and no better one beside it: one of a pair of which both are bad."""

    prompt: list[Message]
    rejected: list[Message]
    item: str = ""
    model: str = ""
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One standing answer with everything it says, ready for a target. `responses` are those that it is about."""

    item: str
    prompt: list[Message]
    responses: list[dict[str, Any]]
    answer: Mapping[str, Any]
    """Annotator, kind, protocol, source, help, shown order, active milliseconds, when, rationale."""
    preferences: list[dict[str, Any]]
    critiques: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    ranks: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CritiquedRow:
    """One annotator's standing answer on one response, ready for a target."""

    item: str
    response_id: int
    prompt: list[Message]
    context: Mapping[str, Any]
    response: str
    model: str
    unit: str
    units: list[tuple[int, int]]
    answer: AnswerRow
    annotation: int
    created_at: str
    responses: tuple[int, ...] = ()
    """The ids of the responses among which it was said: evidence names them by their place here, and so do ranks."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A pair with everything decided on it: preferences by axis and verdicts by question for both responses.

    A preference is negative when the first response is better, 0 for a tie, None when undecided or both bad. A verdict
    is None when undecided.
    """

    item: str
    prompt: list[Message]
    context: Mapping[str, Any]
    responses: tuple[str, str]
    models: tuple[str, str]
    preferences: Mapping[str, float | None]
    verdicts: tuple[Mapping[str, Any], Mapping[str, Any]]
