"""Pairs by the margin of a model: its score of the chosen response above that of the rejected one.

A margin far below zero says that the label is wrong, or the model is. One near zero says that nothing much is to be
learned or that it is hard, one far above zero that it is easy. Wang et al. 2024, Secrets of RLHF II
(https://arxiv.org/abs/2401.06080), flip the pairs of the lowest margins and find their labels mostly wrong; their
margins are means over an ensemble, so take the scores of one, or of any model that has not seen the pair in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field, model_validator

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators

CAUSES = {"flip": "a model prefers the other", "drop": "margin of a model", "ask": "a model contradicts"}
EASY = "easy for a model"


class MarginSettings(Settings):
    model: int = Field(
        title="Model",
        description="whose scores, of both responses",
        json_schema_extra={"choose": "model", "kinds": ["reward", "cost", "token", "step", "implicit"]},
    )
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")
    lower_is_better: bool = Field(
        default=False, title="Lower is better", description="as of cost models: the preferred one should score lower"
    )
    flip_below: float | None = Field(
        default=None, allow_inf_nan=False, title="Flip below", description="margins below this are flipped"
    )
    below: float | None = Field(
        default=0.0, allow_inf_nan=False, title="Below", description="margins below this, and not flipped"
    )
    action: Literal["drop", "ask"] = Field(
        default="ask", title="What then", description="drop the pair, or ask people again"
    )
    above: float | None = Field(
        default=None, allow_inf_nan=False, title="Drop above", description="margins above this are too easy"
    )

    @model_validator(mode="after")
    def in_order(self) -> MarginSettings:
        told = [value for value in (self.flip_below, self.below, self.above) if value is not None]
        if not told:
            raise ValueError("needs flip_below, below or above")
        if told != sorted(told):
            raise ValueError("flip_below, below and above must be in this order")
        return self


def propose(rows: Iterable[Row], params: MarginSettings, aid: Aid) -> Iterator[Proposal]:
    for row in rows:
        margin = row.margin if row.labelled and not row.settled else None
        if margin is None:
            continue
        margin = -margin if params.lower_is_better else margin
        words = (
            f"the model scores the chosen response {abs(margin):.3g} {'above' if margin >= 0 else 'below'} the other"
        )
        if params.flip_below is not None and margin < params.flip_below:
            yield Proposal(row.subject, "flip", -margin, words, CAUSES["flip"])
        elif params.below is not None and margin < params.below:
            yield Proposal(row.subject, params.action, -margin, words, CAUSES[params.action])
        elif params.above is not None and margin > params.above:
            yield Proposal(row.subject, "drop", margin, words, EASY)


curators.add(
    Curator(
        name="margin",
        title="Margin of a model",
        about="Flips, drops or asks again pairs whose label a model's scores contradict, and drops too easy ones.",
        propose=propose,
        params=MarginSettings,
        paper="https://arxiv.org/abs/2401.06080",
        needs=frozenset({"scores"}),
    )
)
