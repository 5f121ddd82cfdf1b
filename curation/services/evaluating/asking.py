"""What an evaluation is started with: a model, a benchmark that is for its kind, and where the rows come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from curation.errors import Invalid
from curation.models import ModelVersion, Project, Run, Shard, TaskKind
from curation.services import prelabelling
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from workers.benchmarking import Benchmark, benchmarks

NAMES = [one.name for one in benchmarks]
KINDS = sorted({kind for one in benchmarks for kind in one.kinds})


class EvaluateParams(Params):
    model: int = Field(
        title="Model", description="which model is evaluated", json_schema_extra={"choose": "model", "kinds": [*KINDS]}
    )
    benchmark: str = Field(
        title="Benchmark",
        description="on what; gold is what people decided in this project",
        json_schema_extra={"enum": [*NAMES]},
    )
    source: Literal["auto", "files", "hub"] = Field(
        default="auto",
        title="Rows from",
        description="files: the administrator's folder; auto: that, where it has the benchmark, else the Hub",
    )
    limit: int | None = Field(
        default=None, ge=1, title="At most so many cases", description="drawn by the seed; empty: all"
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="of gold: whose decided preferences count; by default the model's own, or the first",
        json_schema_extra={"choose": "axis"},
    )
    labels: Literal["decided", "gold"] = Field(
        default="decided",
        title="Right is",
        description="of gold: what people decided on all pairs, or what is right on those that are gold",
    )
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")
    cases_per_shard: int | None = Field(
        default=None, ge=1, le=10_000, title="Cases in a shard", description="by default some hundred responses"
    )


def benchmark_of(params: EvaluateParams) -> Benchmark:
    """Raises Invalid for a name that none has."""
    if params.benchmark not in NAMES:
        raise Invalid(f"must be one of: {', '.join(NAMES)}", field="params.benchmark")
    return benchmarks.get(params.benchmark)


def settle(project: Project | None, params: EvaluateParams) -> EvaluateParams:
    """Raises Invalid where the model is none for the benchmark, or the project has nothing to evaluate it on."""
    assert project is not None
    benchmark = benchmark_of(params)
    model = ModelVersion.objects.filter(pk=params.model, retired_at=None).first()
    if model is None:
        raise Invalid("no such model", field="params.model")
    if model.kind not in benchmark.kinds:
        words = f"{benchmark.title} is for models of kind {', '.join(benchmark.kinds)}; {model} is a {model.kind}"
        raise Invalid(words, field="params.benchmark")
    prelabelling.head_of(model, "", params.head)
    if benchmark.read is not None:
        return params
    if project.kind == TaskKind.RESPONSE:
        raise Invalid("nothing is compared in this project", field="params.benchmark")
    return params.model_copy(update={"axis": prelabelling.axis_of(project, model, params.axis)})


def plan(run: Run, params: EvaluateParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    from curation.services.evaluating import gathering

    return gathering.plan(run, params, after)


def work(run: Run, shard: Shard, params: EvaluateParams, report: ShardReport) -> None:
    from curation.services.evaluating import judging

    judging.work(run, shard, params, report)


def close(run: Run, params: EvaluateParams, report: Report) -> dict[str, Any]:
    from curation.services.evaluating import closing

    return closing.close(run, params, report)


def halves(spec: dict[str, Any]) -> list[Piece]:
    first, last = spec["from"], spec["to"]
    middle = (first + last) // 2
    if middle == first:
        return []
    return [Piece({"from": start, "to": end}, end - start) for start, end in ((first, middle), (middle, last))]


METHOD = Method(
    name="evaluate",
    title="Evaluate a model",
    about="A model on a benchmark, scored as the benchmark's authors define it, or on what people decided here.",
    params=EvaluateParams,
    unit="cases",
    plan=plan,
    work=work,
    close=close,
    split=halves,
    settle=settle,
)
