"""What a version holds, as it is asked for: whose answers, from when, of which items, how many. Checked, with paths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from curation import bulk
from curation.errors import Invalid
from curation.models import TaskKind

WHO: dict[str, str] = {
    "people": "r.kind = 'person'",
    "signed-in": "r.kind = 'person' AND r.user_id IS NOT NULL",
    "imported": "r.kind = 'person' AND r.user_id IS NULL",
    "models": "r.kind = 'model'",
    "all": "1 = 1",
}
"""Whose answers decide, as a condition on the annotator."""
RELIABLE = """
EXISTS (SELECT 1 FROM curation_reliability w
        WHERE w.run_id = %s AND w.annotator_id = r.id AND w.kind = '' AND w.axis = '' AND w.value >= %s)
"""
RIGHT_ON_GOLD = """
EXISTS (SELECT 1 FROM curation_progress w
        WHERE w.annotator_id = r.id AND w.gold_total >= %s AND w.gold_total_right >= %s * w.gold_total - 0.000000001)
"""
WHOLE = ("prompt.chars", "prompt.turns")
SIDES = ("response", "chosen", "rejected")
OF_SIDES = ("model", "chars")
PLAIN = ("item.external_id", "item.source", "item.created_at", *WHOLE, "prompt.text")
BALANCED = ("item.source", "prompt.turns")
LIKE: dict[str, tuple[type, ...]] = {"lt": (int, float, str), "contains": (str, int, float), "exists": (bool,)}
MOST_VALUES = 1000
DEEPEST = 10
Op = Literal["eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "contains", "exists"]


def known_field(name: str) -> str:
    """Raises ValueError for what is no field of an item, its prompt or its responses."""
    part, _, rest = name.partition(".")
    metadata = rest.startswith("metadata.") and all(rest.split("."))
    if name in PLAIN or (part == "item" and metadata) or (part in SIDES and (rest in OF_SIDES or metadata)):
        return name
    there = ", ".join([*PLAIN, "item.metadata.NAME", "response.model", "response.chars", "response.metadata.NAME"])
    raise ValueError(f"is no field; there is: {there} (with chosen or rejected for response: one side)")


def groupable(name: str) -> str:
    """Raises ValueError for a field whose values are too many to be balanced."""
    rest = known_field(name).partition(".")[2]
    if name in BALANCED or rest == "model" or rest.startswith("metadata."):
        return name
    raise ValueError("cannot be balanced; take item.source, prompt.turns, a model or a field of the metadata")


def moment(given: Any) -> datetime:
    """An ISO moment, in UTC where it names no zone."""
    if not isinstance(given, str | datetime):
        raise ValueError("must be a moment such as 2026-01-31T12:00:00Z")
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else given
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a moment such as 2026-01-31T12:00:00Z") from None


FieldName = Annotated[str, Field(max_length=300), AfterValidator(known_field)]
GroupName = Annotated[str, Field(max_length=300), AfterValidator(groupable)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Condition(Strict):
    """One thing that must hold of an item, its prompt or its responses. Of several responses one is enough; `ne` and
    `not_in` are the opposite of `eq` and `in`, so no response may be what they name."""

    field: FieldName
    op: Op
    value: Any

    @field_validator("value")
    @classmethod
    def fits(cls, value: Any, info: ValidationInfo) -> Any:
        op = info.data.get("op")
        if op in ("in", "not_in"):
            if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
                raise ValueError(f"must be a list of 1 to {MOST_VALUES} values")
            each = value
        else:
            each = [value]
        like = LIKE.get("lt" if op in ("le", "gt", "ge") else str(op))
        for one in each:
            if one is not None and not isinstance(one, str | int | float):
                raise ValueError("must be text, a number, true, false or null")
            if like and (not isinstance(one, like) or (op != "exists" and isinstance(one, bool))):
                raise ValueError(f"must be {'true or false' if op == 'exists' else 'text or a number'} for {op}")
        if info.data.get("field") == "item.created_at" and op != "exists":
            for one in each:
                moment(one)
        return value


class Range(Strict):
    """What a model scored: one side of a pair, the difference of both, or any response."""

    model: int | Name
    head: str = Field(default="", max_length=40)
    of: Literal["margin", "chosen", "rejected", "any"] = "any"
    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def bounded(self) -> Range:
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has a min above its max")
        return self


class Caps(Strict):
    """The most of one prompt, and of all; which ones follows from the seed."""

    per_prompt: int | None = Field(default=None, ge=1, le=2**31 - 1)
    rows: int | None = Field(default=None, ge=1, le=2**31 - 1)


class Reliable(Strict):
    """Only answers of annotators whom a fit found to be right often enough."""

    run: str = Field(default="in-use", max_length=40, description="a finished run of decide, or in-use")
    min: float = Field(ge=0, le=1, description="smallest share of answers that others vouch for")


class RightOnGold(Strict):
    """Only answers of annotators who were right on enough hidden gold."""

    min: float = Field(ge=0, le=1, description="smallest share of their answers to hidden gold that are right")
    of: int = Field(default=10, ge=1, le=10_000, description="of at least so many; who has fewer is left out")
    annotators: list[int] | None = Field(
        default=None, description="who they were when the version was asked for; written down by Touchstone"
    )


class Balance(Strict):
    """The most of each value of a field, or as many of each as the smallest has."""

    by: GroupName
    most: Annotated[int, Field(ge=1, le=2**31 - 1)] | Literal["smallest"] = "smallest"


class Decontaminate(Strict):
    """Left out is what overlaps with these sets; a list of names stands for them with the usual ways."""

    against: list[Name] = Field(
        min_length=1, max_length=50, description="benchmarks; own: the evaluation splits of earlier versions"
    )
    ngram: int = Field(default=13, ge=0, le=50, description="so many words in a row in common; 0: not looked at")
    containment: float = Field(default=0.2, ge=0, le=1, description="share of a protected text's runs of five words")
    minhash: float = Field(default=0.0, ge=0, le=1, description="likeness of runs of characters, such as 0.8; 0: off")
    embedder: int | str | None = Field(
        default=None, description="a name or an id: prompts whose vectors are near those of protected ones too"
    )
    embedding: float = Field(default=0.9, gt=0, le=1, description="of the embedder: the cosine from which on")

    @model_validator(mode="before")
    @classmethod
    def named(cls, given: Any) -> Any:
        return {"against": given} if isinstance(given, list) else given


CHOOSING = ("names", "not_names", "since", "until", "reliable", "gold_score")
"""Filters that choose whose answers decide."""


class Filters(Strict):
    """What is selected for a version, and when a label counts as decided."""

    axis: str = Field(default="overall", max_length=40, description="the axis whose preference is exported")
    annotators: Literal["people", "signed-in", "imported", "models", "all"] = Field(
        default="people", description="whose answers decide, or are exported"
    )
    min_annotations: int = Field(default=1, ge=1, le=1000, description="fewest answers on a pair")
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="smallest share of the answers for the winner")
    min_margin: float = Field(default=0.0, ge=0, le=3, description="smallest strength of the decided preference")
    labels: Literal["decided", "raw"] = Field(default="decided", description="raw: a row for each annotator's own")
    decided_by: str = Field(
        default="majority", max_length=40, description="majority, a finished run of decide, or in-use: the fit in use"
    )
    names: list[Name] = Field(default_factory=list, max_length=200, description="only these annotators")
    not_names: list[Name] = Field(default_factory=list, max_length=200, description="all annotators but these")
    since: Moment | None = Field(default=None, description="only answers from this moment on")
    until: Moment | None = Field(default=None, description="only answers before this moment")
    where: list[Condition] = Field(default_factory=list, max_length=20, description="what must hold of each")
    scores: list[Range] = Field(default_factory=list, max_length=10, description="ranges of models' scores")
    caps: Caps | None = Field(default=None, description="the most rows, of one prompt and of all")
    balance: Balance | None = Field(default=None, description="as many of each value of a field")
    gold: Literal["include", "exclude", "only"] = Field(
        default="include", description="prompts with gold; excluded unless it is said otherwise, where there is any"
    )
    reliable: Reliable | None = Field(default=None, description="only answers of reliable annotators, by a fit")
    gold_score: RightOnGold | None = Field(
        default=None, description="only answers of annotators who were right on enough hidden gold"
    )
    curated: list[Annotated[str, Field(max_length=40)]] = Field(
        default_factory=list, max_length=50, description="runs whose accepted proposals are followed: drops and flips"
    )
    decontaminate: Decontaminate | None = Field(
        default=None, description="what overlaps with benchmarks or earlier evaluation splits is left out"
    )

    @model_validator(mode="after")
    def in_order(self) -> Filters:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("since must be before until")
        return self

    @model_validator(mode="after")
    def curated_once(self) -> Filters:
        """Answers as they were given are not flipped."""
        if self.curated and self.labels == "raw":
            raise ValueError("labels: raw and curated exclude each other: what was decided is curated")
        return self

    @model_validator(mode="after")
    def decided_once(self) -> Filters:
        """What a fit decided is decided: whose answers it took cannot be chosen afterwards."""
        if self.decided_by == "majority":
            return self
        if self.labels == "raw":
            raise ValueError("labels: raw and decided_by: a fit exclude each other")
        if idle := [name for name in CHOOSING if getattr(self, name)]:
            raise ValueError(f"decided_by: a fit has chosen its answers already, so it excludes {', '.join(idle)}")
        return self


ALWAYS = ("axis", "annotators", "min_annotations", "min_confidence", "min_margin")
"""Kept with a version whatever they are; the others only where they differ from what is usual."""
EVERYWHERE = (*CHOOSING, "where", "scores", "caps", "balance", "gold", "curated", "decontaminate")


def applicable(source: str, kind: str) -> tuple[str, ...]:
    """The filters that mean something to targets of a source, in projects of a kind."""
    if source in ("critiqued", "answered"):
        return "annotators", *EVERYWHERE
    if source == "compared":
        return "annotators", "min_annotations", "decided_by", *EVERYWHERE
    return tuple(name for name in Filters.model_fields if name != "axis" or kind == TaskKind.PREFERENCE)


def filters_from(given: Any, names: Sequence[str] | None = None, source: str = "decided") -> Filters:
    """Checked filters; of `names` only, where they are told. Raises Invalid naming the field."""
    if isinstance(given, Filters):
        given = given.model_dump(exclude_unset=True)
    for path, problem in unkeepable(given, "filters"):
        raise Invalid(problem, field=path)
    try:
        found = Filters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(["filters", *steps_to(given, first["loc"])])
        raise Invalid(first["msg"].removeprefix("Value error, "), field=path) from None
    if names is not None and (idle := sorted(found.model_fields_set - set(names))):
        raise Invalid(f"means nothing to this target; there is: {', '.join(names)}", field=f"filters.{idle[0]}")
    if source != "decided" and (path := sided(found)):
        raise Invalid("names one side, and this target has no chosen and rejected response", field=f"filters.{path}")
    return found


def steps_to(given: Any, place: Sequence[str | int]) -> list[str]:
    """A place that pydantic names, without its names for alternatives: as far as it is in what was given, and the
    field that is missing there."""
    steps = []
    for step in place:
        there = isinstance(given, dict) and step in given
        if isinstance(given, dict) or (isinstance(given, list) and isinstance(step, int)):
            steps.append(str(step))
        given = given[step] if there or isinstance(given, list) else None
    return steps


def sided(filters: Filters) -> str:
    """Where chosen or rejected responses are spoken of; empty when nowhere."""
    for number, condition in enumerate(filters.where):
        if condition.field.startswith(("chosen.", "rejected.")):
            return f"where.{number}.field"
    for number, wanted in enumerate(filters.scores):
        if wanted.of != "any":
            return f"scores.{number}.of"
    by = filters.balance.by if filters.balance else ""
    return "balance.by" if by.startswith(("chosen.", "rejected.")) else ""


def unkeepable(given: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Places of what no database keeps."""
    if depth > DEEPEST:
        yield path, "is nested too deeply"
    elif isinstance(given, dict):
        for name, value in given.items():
            yield from unkeepable(name, path, depth + 1)
            yield from unkeepable(value, f"{path}.{name}", depth + 1)
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from unkeepable(value, f"{path}.{number}", depth + 1)
    elif isinstance(given, str):
        if any(character == "\0" or 0xD800 <= ord(character) < 0xE000 for character in given):
            yield path, "holds a character that is no text"
    elif (isinstance(given, int) and abs(given) >= 2**63) or (isinstance(given, float) and not math.isfinite(given)):
        yield path, "is no number that can be kept"


def kept(filters: Filters, names: Sequence[str]) -> dict[str, Any]:
    """As a version stores them: those of `names`, later ones only where they were chosen, so that hashes stay."""
    usual = Filters()
    chosen = {n for n in names if n in ALWAYS or getattr(filters, n) != getattr(usual, n)}
    return filters.model_dump(mode="json", include=chosen)


def who(filters: Filters) -> tuple[str, list[Any]]:
    """Whose answers are read, and from when: a condition on `a` and `r` of deciding.ANSWERED, with its parameters."""
    parts, params = [WHO[filters.annotators]], list[Any]()
    for names, operator in ((filters.names, "IN"), (filters.not_names, "NOT IN")):
        if names:
            parts.append(f"r.name {operator} ({', '.join(['%s'] * len(names))})")
            params += names
    for at, operator in ((filters.since, ">="), (filters.until, "<")):
        if at:
            parts.append(f"a.created_at {operator} %s")
            params.append(bulk.moment(at))
    if filters.reliable:
        parts.append(RELIABLE)
        params += [bulk.uuid(UUID(filters.reliable.run)), filters.reliable.min]
    if filters.gold_score:
        condition, given = on_gold(filters.gold_score)
        parts.append(condition)
        params += given
    return " AND ".join(parts), params


def on_gold(wanted: RightOnGold) -> tuple[str, list[Any]]:
    """Those who were right as often as wanted: as written down when a version was asked for, else as it is now."""
    if wanted.annotators is None:
        return RIGHT_ON_GOLD, [wanted.of, wanted.min]
    among, given = bulk.one_of(wanted.annotators)
    return f"r.id {among}", [given]
