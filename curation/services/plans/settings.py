"""What a Skywork-Reward-V2 plan is started with; the figures of the paper are far larger (docs/plans.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import Field

from curation.models import Plan
from curation.services.method import Params

MOST_FOLDS = 5
MORE: dict[str, Any] = {"more": True}
CRITIC: dict[str, Any] = {"choose": "model", "kinds": ["critic"]}


class SkyworkParams(Params):
    axis: str = Field(
        "", max_length=40, title="Axis", description="whose preference is curated; by default the first",
        json_schema_extra={"choose": "axis"},
    )  # fmt: skip
    source: str = Field("", max_length=200, title="Pool", description="only items of this source; empty: all items")
    labels: Literal["imported", "models", "all"] = Field(
        "imported", title="Labels of the pool", description="whose answers are the unverified labels"
    )
    validation: int = Field(
        100, ge=10, le=5_000, title="Held out", description="pairs that people verify first, only to measure on"
    )
    seed_pairs: int = Field(100, ge=0, le=5_000, title="Seed", description="pairs that people verify first, to learn")
    per_round: int = Field(100, ge=1, le=5_000, title="A round", description="pairs that people verify in each round")
    rounds: int = Field(3, ge=1, le=20, title="Rounds", description="at most so many trainings on what is verified")
    heed: bool = Field(True, title="Stop early", description="when two rounds in a row gain less than 0.3 points")
    budget: int = Field(
        0, ge=0, le=1_000_000, title="Budget", description="pairs that people are asked in all; 0: as the rounds say"
    )
    days: float = Field(
        14, gt=0, le=365, title="Days", description="how long each round waits for people before it goes on without"
    )
    answers: int = Field(1, ge=1, le=9, title="Answers", description="people asked about each pair")
    trainer: Literal["frozen-head", "bradley-terry"] = Field(
        "frozen-head", title="Reward model", description="frozen-head: seconds on a CPU; bradley-terry: all weights"
    )
    learn: Literal["both", "silver"] = Field(
        "both",
        title="Learn from",
        description="in each round: what people verified and the other labels, or (as published) the others alone",
        json_schema_extra=MORE,
    )
    folds: int = Field(
        2,
        ge=0,
        le=MOST_FOLDS,
        title="Folds",
        description="where people's labels are learnt from: so many models that each leave a part of them out say how "
        "sure a model is of these; 0: the round's own model does",
        json_schema_extra=MORE,
    )
    training: dict[str, Any] = Field(
        default_factory=dict,
        title="Parameters of the training",
        description='as {"epochs": 1}; empty: as usual',
        json_schema_extra=MORE,
    )
    train_most: int = Field(
        0, ge=0, title="Rows of a training", description="at most so many; 0: all", json_schema_extra=MORE
    )
    embedder: int | None = Field(
        None,
        title="Embedder",
        description="by which prompts are alike; by default the built-in one",
        json_schema_extra={"choose": "model", "kinds": ["embedder"], **MORE},
    )
    judge: int | None = Field(
        None,
        title="Judge",
        description="a critic that labels pairs with the nearest verified ones as examples; none: the pool's labels",
        json_schema_extra=CRITIC,
    )
    second_judge: int | None = Field(
        None, title="Second judge", description="votes are counted in each judge first, then over them",
        json_schema_extra={**CRITIC, **MORE},
    )  # fmt: skip
    third_judge: int | None = Field(
        None, title="Third judge", description="as the second", json_schema_extra={**CRITIC, **MORE}
    )
    samples: int = Field(
        4, ge=2, le=24, title="Samples", description="questions to each judge on a pair, half of them turned round",
        json_schema_extra=MORE,
    )  # fmt: skip
    judged: int = Field(
        200, ge=0, le=100_000, title="Judged a round", description="pairs put to the judges", json_schema_extra=MORE
    )
    audit: float = Field(
        0.02,
        ge=0,
        le=1,
        title="Audit",
        description="share of what only the gold model contradicts that people look at",
        json_schema_extra=MORE,
    )
    dataset: str = Field(
        "curated", max_length=40, pattern=r"^[a-z][a-z0-9_-]*$", title="Dataset", description="what comes out"
    )

    @property
    def judges(self) -> list[int]:
        """Each judge once."""
        given = (self.judge, self.second_judge, self.third_judge)
        return list(dict.fromkeys(one for one in given if one is not None))

    @property
    def left_out(self) -> int:
        """Into how many parts verified pairs are dealt, so that none is judged by a model that learnt from it."""
        return self.folds if self.learn == "both" else 0

    def until(self, now: datetime) -> datetime:
        """The deadline of people who are asked now."""
        return now + timedelta(days=self.days)


def settings_of(plan: Plan) -> SkyworkParams:
    return SkyworkParams.model_validate(plan.params)
