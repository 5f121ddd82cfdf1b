"""What a protocol may ask besides preferences: the checked shape of its JSON columns.

Critiques (spans of a response with type, severity, polarity, comment, edit), questions about a response or
about each of its units (verdicts), and how much of the models' help annotators see.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[^\s|\x00-\x1f]([^|\x00-\x1f]*[^\s|\x00-\x1f])?$", max_length=60)]
Key = Annotated[str, StringConstraints(pattern=r"^[1-9a-z]?$")]
Words = Annotated[str, StringConstraints(max_length=300)]
Colour = Literal["", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "grey"]
Wanted = Literal["off", "optional", "required"]
Unit = Literal["span", "sentence", "step", "response"]
MOST_LABELS = 60
POLARITIES = {"poor": -1, "neutral": 0, "good": 1}
DEFINED_NAMES = frozenset({"critique", "skip", "answered"})


def storable(words: str) -> bool:
    """Whether a database takes a text: one without NUL and without half of a surrogate pair."""
    return not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in words)


def once(names: list[str], what: str) -> None:
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: each name once")


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Label(Shape):
    """One of several labels: its name is what is stored, its words are what is shown."""

    name: Name
    label: Words = ""
    about: Words = ""
    color: Colour = ""
    key: Key = Field(default="", description="the key that chooses it; its number in the list where empty")

    @property
    def words(self) -> str:
        return self.label or self.name


class Typed(Label):
    """A label of a critique, which its key chooses while the critique is in hand: no key that reviewing needs."""

    key: Annotated[str, StringConstraints(pattern=r"^[1-9b-df-moqrtv-z]?$")] = Field(
        default="", description="the key that chooses it, not one of a e n p s u x; its number in the list where empty"
    )


class Severity(Typed):
    weight: float = Field(default=1.0, ge=0, le=1000, description="how much it counts, as in MQM's scores")


class Critiques(Shape):
    """What a critique carries. `on` false: none are asked."""

    on: bool = False
    types: list[Typed] = Field(default=[], max_length=MOST_LABELS)
    severities: list[Severity] = Field(default=[], max_length=10)
    polarities: list[Literal["poor", "neutral", "good"]] = []
    comment: Wanted = "optional"
    edit: bool = Field(default=False, description="whether a suggested edit may be written")
    omission: bool = Field(default=False, description="whether something missing may be marked")
    evidence: bool = Field(default=False, description="whether a critique may name a span that proves it")

    @model_validator(mode="after")
    def named_once(self) -> Self:
        once([label.name for label in self.types], "types")
        once([label.name for label in self.severities], "severities")
        once(list(self.polarities), "polarities")
        return self


class Question(Shape):
    """A question about a response, or about each sentence or step of it; its answers are verdicts."""

    name: Name
    question: Words
    kind: Literal["yesno", "rating", "choice", "choices", "text"] = "yesno"
    scope: Literal["response", "unit"] = "response"
    options: list[Label] = Field(default=[], max_length=MOST_LABELS)
    low: int = Field(default=1, ge=-100, le=100)
    high: int = Field(default=5, ge=-100, le=100)
    required: bool = True
    comment: Wanted = Field(default="off", description="whether words go with the answer")
    comment_for: list[bool | int | str] = Field(
        default=[], description="answers that need words, where others may have"
    )
    evidence: Wanted = Field(default="off", description="a span that proves it; required: for yes")
    when: dict[str, list[bool | int | str]] = Field(
        default={}, description="asked only where these questions were answered so"
    )
    stop: bool | int | None = Field(default=None, description="an answer after which later units need none")

    @model_validator(mode="after")
    def fits(self) -> Self:
        if self.kind in ("choice", "choices") and not self.options:
            raise ValueError(f"question {self.name}: options are needed")
        if self.kind == "rating" and not self.low < self.high <= self.low + 100:
            raise ValueError(f"question {self.name}: low must be below high")
        if self.name in DEFINED_NAMES:
            raise ValueError(f"question {self.name}: choose another name")
        once([label.name for label in self.options], f"options of {self.name}")
        return self

    def needs_words(self, answer: Any) -> bool:
        """Whether words must go with this answer."""
        return self.comment == "required" or any(
            type(one) is type(answer) and one == answer for one in self.comment_for
        )

    def allows(self, answer: Any) -> bool:
        """Whether `answer` is one that this question can have."""
        names = {option.name for option in self.options}
        match self.kind:
            case "yesno":
                return isinstance(answer, bool)
            case "rating":
                return isinstance(answer, int) and not isinstance(answer, bool) and self.low <= answer <= self.high
            case "choice":
                return isinstance(answer, str) and answer in names
            case "choices":
                named = isinstance(answer, list) and all(isinstance(one, str) for one in answer)
                return named and len(set(answer)) == len(answer) and set(answer) <= names
        return isinstance(answer, str) and bool(answer.strip()) and len(answer) <= 20_000 and storable(answer)


class Help(Shape):
    """How much of the models' suggestions annotators see."""

    mode: Literal["off", "shown", "reveal"] = Field(
        default="off", description="reveal: after the person has answered, who may then change the answer"
    )
    holdout: float = Field(default=0.1, ge=0, le=1, description="share of the tasks that never show them, at random")


class Asked(Shape):
    """A protocol's JSON columns together, checked against each other."""

    unit: Unit = "span"
    critiques: Critiques = Critiques()
    questions: list[Question] = Field(default=[], max_length=20)
    help: Help = Help()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        names = [question.name for question in self.questions]
        once(names, "questions")
        for question in self.questions:
            if question.scope == "unit" and self.unit not in ("sentence", "step"):
                raise ValueError(f"question {question.name}: asked of each unit, so the unit must be sentence or step")
            if unknown := set(question.when) - set(names[: names.index(question.name)]):
                raise ValueError(f"question {question.name}: depends on {', '.join(sorted(unknown))}, not asked before")
        return self
