"""What pages and API tell of learning curves: the newest of a project, its advice in words, and the run after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curation.errors import Invalid
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


def advised(curve: LearningCurve, wanted: str | None = None) -> Advised:
    """What a button of the page starts: the queue ordered by all ways in turn, and a slice of it first: the one that is
    `wanted`, else the one that needs it most. Nothing where the curve says stop and no slice is wanted."""
    told = curve.told
    params: dict[str, Any] = {"by": "mixed", "axis": told["axis"]}
    if told["model"]["id"]:
        params["model"] = told["model"]["id"]
    if wanted is None:
        if told["advice"] in (advising.STOP, advising.OVERLAP):
            return Advised()
        errs = {one["name"]: one["error"]["share"] for one in told["slices"] if one["advice"] == advising.LABEL}
        if told["advice"] == advising.LABEL and errs:
            wanted = max(errs, key=errs.__getitem__)
    if wanted is not None:
        if wanted not in [one["name"] for one in told["slices"]]:
            raise Invalid("is no slice of the newest curve", field="slice")
        params |= {"slices": told["by"], "value": wanted}
    return Advised("prioritise", params)
