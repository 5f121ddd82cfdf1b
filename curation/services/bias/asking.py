"""The run that counts what preferences go by, and writes it as one report."""

from __future__ import annotations

from dataclasses import asdict
from random import Random
from typing import Any

from django.db import transaction
from pydantic import Field

from curation.errors import Invalid
from curation.models import BiasReport, DatasetVersion, Project, Run, TaskKind
from curation.services import deciding
from curation.services.bias import gathering
from curation.services.method import Method, Params
from curation.services.running import Report
from workers.bias.counting import Counts, figures
from workers.bias.rows import Chosen
from workers.habits.style import Compared, styled
from workers.writers import targets

MOST_COMPARED = 5_000
"""Of all pairs so many, drawn at random, go into the fit of style: their texts are kept in memory."""
PARTS = ("pulls", "raw", "controlled")
MISSING = "scikit-learn is not installed where this ran"


class BiasParams(Params):
    dataset: str = Field(
        default="", max_length=100, title="Dataset",
        description="a version of it is read; without one, all decided pairs of the project",
    )  # fmt: skip
    number: int | None = Field(default=None, ge=1, title="Version", description="of the dataset; the newest if empty")
    axis: str = Field(
        default="", max_length=40, title="Axis", description="of the project; by default the first",
        json_schema_extra={"choose": "axis"},
    )  # fmt: skip
    style: bool = Field(
        default=True, title="Models with style held equal", description="fit Bradley–Terry with and without style"
    )


def settle(project: Project | None, params: BiasParams) -> BiasParams:
    """The version and axis by name. Raises Invalid for what is not there or is not ready."""
    assert project is not None
    if project.kind == TaskKind.RESPONSE:
        raise Invalid("nothing is compared in this project", field="method")
    if params.dataset:
        version = version_of(project, params)
        axis = str(version.filters.get("axis", "overall"))
        return params.model_copy(update={"number": version.number, "axis": axis})
    names = project.protocol.axis_names if project.protocol and project.kind == TaskKind.PREFERENCE else ["overall"]
    if params.axis and params.axis not in names:
        raise Invalid(f"must be one of: {', '.join(names)}", field="params.axis")
    return params.model_copy(update={"number": None, "axis": params.axis or names[0]})


def version_of(project: Project, params: BiasParams) -> DatasetVersion:
    ready = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    named = ready.filter(dataset__name=params.dataset).select_related("dataset").order_by("-number")
    found = named.filter(number=params.number).first() if params.number else named.first()
    if found is None:
        raise Invalid("no such version, or it is not ready", field="params.dataset")
    if targets.get(found.target).source != "decided":
        raise Invalid(f"{found} holds no decided pairs", field="params.dataset")
    return found


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Count everything as it streams by; one row in place of that of a try that fell."""
    params = BiasParams.model_validate(run.params)
    version = version_of(run.home, params) if params.dataset else None
    upto = deciding.last_annotation(run.home)
    source = gathering.of_version(version) if version else gathering.of_project(run.home, params.axis, upto)
    counts, compared, chance = Counts(), list[Compared](), Random(run.seed)
    for _, some in source:
        for one in gathering.with_texts(run.home, some, params.axis):
            counts.add_pair(one.pair)
            for answer in one.answers:
                counts.add_answer(answer)
            keep(compared, one.pair, counts.pairs, chance)
        report.checkpoint(done=counts.pairs)
    rows = figures(counts)
    told: dict[str, Any] = {"pairs": counts.pairs, "answers": counts.answers, "axis": params.axis, "figures": rows}
    if params.style:
        report.log(f"fitting Bradley–Terry with and without style on {len(compared)} pairs")
        told["style"] = style(compared, counts.pairs, run.seed)
    with transaction.atomic():
        BiasReport.objects.filter(run=run).delete()
        BiasReport.objects.create(project=run.home, run=run, version=version, told=told)
        report.checkpoint(done=counts.pairs, total=counts.pairs)
    marked = [f"{row['signal']}: {row['name']}" for row in rows if row["marked"]]
    return {"pairs": counts.pairs, "answers": counts.answers, "stands out": marked[:20]}


def keep(compared: list[Compared], pair: Chosen, seen: int, chance: Random) -> None:
    """A sample in which every pair is as likely (Vitter 1985, algorithm R), in either order of its sides."""
    place = len(compared) if len(compared) < MOST_COMPARED else chance.randrange(seen)
    if place >= MOST_COMPARED:
        return
    first, second = (pair.chosen, pair.chosen_model), (pair.rejected, pair.rejected_model)
    swapped = chance.random() < 0.5
    if swapped:
        first, second = second, first
    row = Compared(first[0], second[0], first[1], second[1], float(swapped))
    if place < len(compared):
        compared[place] = row
    else:
        compared.append(row)


def style(compared: list[Compared], seen: int, seed: int) -> dict[str, Any]:
    """Each feature's pull, and each model's strength raw and with style held equal; or why there is neither."""
    try:
        fit = styled(compared, seed=seed)
    except ImportError:
        return {"why_not": MISSING}
    if fit is None:
        return {"why_not": "too few decided pairs"}
    return {"n": fit.n, "of": seen} | {
        part: {name: asdict(one) for name, one in getattr(fit, part).items()} for part in PARTS
    }


METHOD = Method(
    name="bias-report",
    title="Bias report",
    about="What preferences go by besides what the responses say: length, Markdown, position, model family, refusals, "
    "annotator and hour, each with its interval; and models with style held equal.",
    params=BiasParams,
    unit="pairs",
    execute=execute,
    settle=settle,
)
