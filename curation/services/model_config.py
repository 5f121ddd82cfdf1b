"""What the configuration of a model version may hold, kind by kind. docs/models.md tells the same in words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from curation.errors import Invalid
from workers import references


def weights(text: str) -> str:
    """A reference to weights: what an ensemble is made of, and what a policy is compared with."""
    if not references.parse(text).weights:
        raise ValueError("must name weights: hf:, run: or builtin:")
    return text


Weights = Annotated[str, Field(max_length=500), AfterValidator(weights)]
Name = Annotated[str, Field(min_length=1, max_length=40)]


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Local(Config):
    """Of models whose weights are loaded here."""

    max_length: int | None = Field(
        None,
        ge=8,
        le=1_000_000,
        description="tokens; longer rows are cut and counted. Without it: what the model allows",
    )
    dtype: Literal["auto", "fp32", "bf16"] = Field("auto", description="the number format it is run in")
    template: Literal["chat", "plain"] | None = Field(
        None,
        description="how prompt and response become text. Without it: chat if it has a chat template, else plain",
    )


class Judging(Local):
    axis: Name = Field("overall", description="the axis that its score speaks of")


class Classes(Judging):
    positive: int | str | list[int | str] = Field(
        default_factory=list, description="the good classes, by name or by place from 0"
    )


class Reward(Classes):
    heads: list[Name] = Field([], max_length=64, description="names of its outputs, of a model with several")
    members: list[Weights] = Field(
        [], max_length=32, description="all models of an ensemble, as references; it scores their mean"
    )
    ensemble: bool = Field(False, description="its outputs are the members of an ensemble; it scores their mean")


class Marking(Classes):
    labels: list[Name] = Field([], max_length=64, description="names of its classes, in their order")
    threshold: float | None = Field(
        None, gt=0, description="how far from neutral a place is marked, or how sure a yes is. Without it: 0.5"
    )


class Token(Marking):
    heads: list[Name] = Field([], max_length=64, description="names of its outputs, where they are no classes")


class Step(Marking):
    pool: Literal["last", "separator", "mean"] = Field("last", description="where in a step its value is read")
    read_out: Literal["min", "prod", "mean", "last"] = Field(
        "min", description="how the values of the steps become the score of the response"
    )
    unit: Literal["step", "sentence"] = Field("step", description="what it judges")
    documents: bool = Field(False, description="whether it reads the documents of an item before its prompt")


class Implicit(Judging):
    reference_model: Weights = Field(description="the policy it was trained from, as a reference")
    beta: float = Field(0.1, gt=0, le=100, description="strength of the KL term in its training")


class Sampling(Local):
    temperature: float = Field(0.0, ge=0, le=5)
    max_tokens: int = Field(2048, ge=1, le=1_000_000, description="tokens of an answer at most")
    key_env: str = Field(
        "",
        pattern=r"^(TOUCHSTONE_MODEL_KEY_[A-Z0-9_]{1,80})?$",
        description="the environment variable of the workers that holds the server's key: TOUCHSTONE_MODEL_KEY_…",
    )


class Critic(Sampling):
    axis: Name = "overall"
    concurrency: int = Field(8, ge=1, le=1000, description="questions under way at a time")
    prompt: Annotated[str, Field(max_length=80)] = Field(
        "",
        description="of a model made for one way of asking: spans, verdicts, steps, sentences, pairwise, "
        "self-reference or guided",
    )
    json_schema: bool = Field(False, description="whether the server can be held to a JSON schema")
    logprobs: bool = Field(False, description="whether the server tells how likely its tokens were")
    timeout: float = Field(120, gt=0, le=3600, description="seconds to wait for an answer")
    body: dict[str, Any] = Field(default_factory=dict, description="further fields of each request to the server")


CONFIGS: dict[str, type[Config]] = {
    "reward": Reward,
    "cost": Reward,
    "token": Token,
    "step": Step,
    "critic": Critic,
    "embedder": Local,
    "implicit": Implicit,
    "policy": Sampling,
}


def checked(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The configuration as it is stored: what was given, nothing more. Raises Invalid naming the key."""
    try:
        return CONFIGS[kind].model_validate(given).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            known = ", ".join(CONFIGS[kind].model_fields)
            raise Invalid(f"{key}: unknown for a model of kind {kind}; known are: {known}", field="config") from None
        if first["type"] == "missing":
            raise Invalid(f"{key}: needed for a model of kind {kind}", field="config") from None
        raise Invalid(f"{key}: {first['msg'].removeprefix('Value error, ')}", field="config") from None


def explained() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Per kind its keys, each with its default and what it is for: the table beside the form."""
    return [
        (kind, [(name, said(field.default), field.description or "") for name, field in config.model_fields.items()])
        for kind, config in CONFIGS.items()
    ]


def said(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) if isinstance(default, str | int | float) else ""
