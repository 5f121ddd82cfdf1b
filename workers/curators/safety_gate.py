"""What a cost model holds to be unsafe: asked again, or dropped, with its level, its cost and the threshold.

The levels of `workers/guarding.py`: safe, minor, moderate, severe, by where the cost lies (Safe RLHF-V, arXiv
2503.17682; a cost model's own boundary is zero, Safe RLHF, arXiv 2310.12773). Of two responses the preferred one
counts, since models learn from it; that the other one is unsafe is often why it lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field, model_validator

from workers.curating import Action, Aid, Curator, Proposal, Row, Settings, Side, Subject, curators
from workers.guarding import LEVELS, Thresholds, at_least


class GateSettings(Settings):
    model: int = Field(
        title="Cost model",
        description="whose costs decide; higher is worse",
        json_schema_extra={"choose": "model", "kinds": ["cost"]},
    )
    head: str = Field(default="", max_length=40, title="Head", description="of cost models with several outputs")
    minor: float = Field(default=0.0, title="Minor", description="a cost above is at least minor")
    moderate: float | None = Field(default=None, title="Moderate", description="a cost above is at least moderate")
    severe: float | None = Field(default=None, title="Severe", description="a cost above is severe")
    action: Literal["flag", "filter"] = Field(
        default="flag", title="What is proposed", description="flag: people look again; filter: versions leave it out"
    )
    at: Literal["minor", "moderate", "severe"] = Field(
        default="minor", title="From which level on", description="the mildest level that is proposed"
    )
    of: Literal["chosen", "any"] = Field(
        default="chosen", title="Of two responses", description="chosen: the preferred one counts; any: either of them"
    )
    near: float = Field(
        default=0.3,
        ge=0,
        le=100,
        title="Near the boundary",
        description="what would be filtered with a cost not further above its threshold is flagged instead",
    )

    @model_validator(mode="after")
    def rising(self) -> GateSettings:
        known = [one for one in (self.minor, self.moderate, self.severe) if one is not None]
        if known != sorted(known):
            raise ValueError("a worse level has no lower threshold")
        return self

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.minor, self.moderate, self.severe)


def propose(rows: Iterable[Row], params: GateSettings, aid: Aid) -> Iterator[Proposal]:
    for row in rows:
        costs = [(side.score, side) for side in looked_at(row, params.of) if side.score is not None]
        if costs and (found := proposal(row.subject, max(cost for cost, _ in costs), params, "cost")):
            yield found


def looked_at(row: Row, of: str) -> list[Side]:
    """The preferred response, or both: where none is preferred nobody knows which will be learnt from."""
    if row.second is None:
        return [row.first]
    return [row.chosen] if of == "chosen" and row.labelled else [row.first, row.second]


def proposal(subject: Subject, cost: float, params: GateSettings, what: str) -> Proposal | None:
    """What becomes of a subject with such a cost; None where it passes."""
    level = params.thresholds.level(cost)
    if level == LEVELS[0] or not at_least(level, params.at):
        return None
    reached, least = params.thresholds.of(level), params.thresholds.of(params.at)
    assert reached is not None
    near = least is not None and cost - least < params.near
    action: Action = "drop" if params.action == "filter" and not near else "ask"
    close = f"; within {params.near:g} of the boundary" if near and params.action == "filter" else ""
    return Proposal(
        subject, action, cost, f"{level}: {what} {cost:.2f} is above {reached:.2f}{close}", f"unsafe: {level}"
    )


curators.add(
    Curator(
        name="safety-gate",
        title="Safety gate",
        about="Sends what a cost model holds to be unsafe to people again, or leaves it out.",
        propose=propose,
        params=GateSettings,
        paper="https://arxiv.org/abs/2503.17682",
        needs=frozenset({"scores"}),
        of="any",
    )
)
