"""What pages and API tell of learning curves: the newest of a project, its advice in words, and the run after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curation.models import LearningCurve, Project, Run
from curation.services.learning.asking import METHOD
from workers.learning import advising

WORDS = {
    advising.STOP: "Stop: a hundred more labels would bring less than they are worth",
    advising.LABEL: "Label this slice: the model errs here more often than elsewhere",
    advising.OVERLAP: "Raise the overlap here: people disagree, and that explains most of the error",
    advising.GO_ON: "Go on: labels still help, no slice more than the others",
    advising.UNKNOWN: "Too few held-out cases to tell",
}
"""Pieces of advice, as they are said."""


@dataclass(frozen=True, slots=True)
class Advised:
    """A run that the advice asks for: method and parameters; nothing where it asks for none."""

    method: str = ""
    params: dict[str, Any] = field(default_factory=dict)


def latest(project: Project) -> LearningCurve | None:
    found = LearningCurve.objects.filter(project=project).select_related("run").order_by("-pk")
    return found.first()


def under_way(project: Project) -> Run | None:
    """A run that is making the next curve."""
    return Run.objects.filter(project=project, method=METHOD.name, state__in=Run.LIVE).order_by("-created_at").first()


def advised(curve: LearningCurve) -> Advised:
    """What the button of the page starts: the queue ordered by all ways in turn, the slice that needs it first."""
    told = curve.told
    if told["advice"] == advising.STOP:
        return Advised()
    params: dict[str, Any] = {"by": "mixed", "axis": told["axis"]}
    if told["model"]["id"]:
        params["model"] = told["model"]["id"]
    worst = max(
        (one for one in told["slices"] if one["advice"] == advising.LABEL), key=lambda one: one["error"]["share"],
        default=None,
    )  # fmt: skip
    if told["advice"] == advising.LABEL and worst:
        params |= {"slices": told["by"], "value": worst["name"]}
    return Advised("prioritise", params)
