"""Plans: which stage follows which is said by a recipe, one file of `curation/services/plans/`; this is what moves one.

`recipe.py` what a recipe is, and all of them; `asking.py` start, stop, go on, repeat; `advancing.py` from one step to
the next; `performing.py` the steps that are runs of their own; `telling.py` what the board shows.
"""

from __future__ import annotations

from typing import Any

from curation import access
from curation.models import Run
from curation.services.method import Method, Params
from curation.services.running import Report

STEP, LABEL = "plan-step", "plan-label"


class StepParams(Params):
    """Which step of which plan; `annotators` says whose answers its labels come from."""

    plan: int
    round: int
    stage: str
    annotators: str = "signed-in"


def execute(run: Run, report: Report) -> dict[str, Any]:
    from curation.services.planning import performing

    return performing.execute(run, report)


METHODS = (
    Method(
        name=STEP,
        title="A step of a plan",
        about="Chooses pairs, measures a model or filters labels, as its plan says.",
        params=StepParams,
        unit="pairs",
        execute=execute,
        startable=False,
        capability=access.MANAGE,
    ),
    Method(
        name=LABEL,
        title="Labels of a plan",
        about="Writes down the labels that a plan learns from, so that a version can be made of them.",
        params=StepParams,
        unit="pairs",
        execute=execute,
        startable=False,
        capability=access.MANAGE,
    ),
)

__all__ = ["LABEL", "METHODS", "STEP"]
