"""The run that checks how everybody answers, and writes what it found: one row an annotator, one of the project."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from pydantic import Field

from curation.models import Annotator, Check, Run
from curation.services.method import Method, Params
from curation.services.running import Report

MISSING = "scikit-learn is not installed where this ran"


class CheckParams(Params):
    style: bool = Field(
        default=True,
        title="Length and Markdown",
        description="fit Bradley–Terry with and without style: how much of the preferences is length and Markdown",
    )
    origin: bool = Field(
        default=True,
        title="Machine-written critiques",
        description="train a detector on this project's models' words against its people's, and attack it",
    )


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Read all answers, then judge; the rows are written at once, in place of those of a try that fell."""
    from curation.services.checking import gathering, judging, repeated

    params = CheckParams.model_validate(run.params)
    gathered = gathering.Gathered()
    done = 0
    for gathered in gathering.gather(run.home, run.seed):
        done = sum(habits.answers for habits in gathered.by.values())
        report.checkpoint(done=done)
    machines = set(
        Annotator.objects.filter(project=run.home).exclude(kind=Annotator.Kind.PERSON).values_list("pk", flat=True)
    )
    signals = judging.figures_of(gathered, machines)
    repeated.add_repeats(signals, run.home, gathering.main_axis(run.home))
    judgements = judging.judged(signals)
    whole: dict[str, Any] = {}
    if params.style:
        whole["style"] = style(gathered, run.seed)
    if params.origin:
        report.log("training and attacking the detector of machine-written words")
        whole["origin"] = origin(judgements, gathered, machines, run.seed)
    rows = [
        Check(project=run.home, run=run, annotator_id=pk, signals=figures, flags=sorted(flags))
        for pk, (figures, flags) in judgements.items()
    ]
    with transaction.atomic():
        Check.objects.filter(run=run).delete()
        Check.objects.bulk_create([Check(project=run.home, run=run, signals=whole), *rows], batch_size=200)
        report.checkpoint(done=done, total=done)
    return {"annotators": len(rows), "answers": done, "flagged": sum(bool(row.flags) for row in rows)}


def style(gathered: Any, seed: int) -> dict[str, Any]:
    from curation.services.checking import judging

    try:
        return judging.style_of(gathered, seed) or {"why_not": "too few preferences, or all went one way"}
    except ImportError:
        return {"why_not": MISSING}


def origin(judgements: Any, gathered: Any, machines: set[int], seed: int) -> dict[str, Any]:
    from curation.services.checking import judging

    try:
        told, detector = judging.origin_of(gathered, seed)
        if detector is not None:
            judging.add_origin(judgements, gathered, detector, machines)
    except ImportError:
        return {"why_not": MISSING}
    return told


METHOD = Method(
    name="check",
    title="Check how people answer",
    about="Position bias, circles, pace, drift, company with the rest and with the model, the pull of length and "
    "Markdown, and machine-written critiques: signals to look at, for each annotator.",
    params=CheckParams,
    unit="answers",
    execute=execute,
)
