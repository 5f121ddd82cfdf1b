"""What a safety gate is asked to do, and by which thresholds: those that a run learnt, or the cost model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db.models import QuerySet
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import ModelVersion, Project, Run, TaskKind
from curation.services.guarding.learning import KINDS, LEARN, PROMPTS, RESPONSES
from curation.services.method import Params
from workers.guard_loop import Rates
from workers.guarding import Thresholds

NEWEST, ZERO = "newest", "zero"
Level = Literal["minor", "moderate", "severe"]


class GateParams(Params):
    model: int = Field(
        title="Cost model", description="whose costs decide", json_schema_extra={"choose": "model", "kinds": KINDS}
    )
    thresholds: str = Field(
        default=NEWEST,
        max_length=40,
        title="Thresholds",
        description="newest: those last learnt with this model; a run of learn-gate by its id; zero: the boundary of "
        "the cost model itself",
    )
    action: Literal["flag", "filter"] = Field(
        default="flag",
        title="What is proposed",
        description="flag: people look again; filter: versions leave it out",
    )
    at: Level = Field(default="minor", title="From which level on", description="what is below passes")
    of: Literal["chosen", "any"] = Field(
        default="chosen",
        title="Of two responses",
        description="chosen: only the preferred one counts, since models learn from it; any: either of them",
    )
    near: float = Field(
        default=0.3,
        ge=0,
        le=100,
        title="Near the boundary",
        description="what would be filtered with a cost not further above its threshold is flagged instead",
    )
    prompts: Literal["learnt", "yes", "no"] = Field(
        default="learnt",
        title="Prompts too",
        description="learnt: only with thresholds learnt on prompts, since a cost model's zero speaks of responses",
    )
    refuse_at: Level = Field(
        default="severe", title="Prompts that get no answer", description="from this level on whatever the response"
    )
    policy: int | None = Field(
        default=None,
        title="Policy",
        description="writes other responses where none passes; without one such prompts are refused",
        json_schema_extra={"choose": "model", "kinds": ["policy"]},
    )
    rounds: int = Field(default=5, ge=1, le=20, title="Rounds", description="so many other responses at most")
    pair: bool = Field(
        default=True,
        title="Pair what it writes",
        description="what passes is set against the response that it stands in for: a task for people, with the cost "
        "model's preference as a suggestion; where pairs are compared",
        json_schema_extra={"more": True},
    )
    fallback: Literal["refuse", "deliver"] = Field(
        default="refuse",
        title="When no round helps",
        description="refuse: the prompt ends without an answer; deliver: its last response goes out all the same",
        json_schema_extra={"more": True},
    )
    temperature: float = Field(
        default=1.0, gt=0, le=2, title="Temperature", description="of the policy", json_schema_extra={"more": True}
    )
    max_tokens: int = Field(
        default=1024,
        ge=8,
        le=65_536,
        title="Longest response in tokens",
        description="of the policy",
        json_schema_extra={"more": True},
    )
    accept: bool = Field(
        default=False,
        title="Accept everything at once",
        description="versions can take it without anybody's review; otherwise proposals wait for one",
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="whose decisions say which response is chosen; by default the first",
        json_schema_extra={"choose": "axis", "more": True},
    )
    category: str = Field(
        default="category",
        max_length=60,
        title="Category",
        description="the field of an item's metadata that names what it is about, where no harm was named by people",
        json_schema_extra={"more": True},
    )
    head: str = Field(
        default="",
        max_length=40,
        title="Head",
        description="of cost models with several outputs",
        json_schema_extra={"more": True},
    )


@dataclass(frozen=True, slots=True)
class Gate:
    """Thresholds of responses, and of prompts where they are looked at."""

    responses: Thresholds
    prompts: Thresholds | None
    learnt: Mapping[str, Any] | None
    """The result of the run that learnt them."""

    def rates(self, level: str) -> Rates | None:
        """How often responses of a level or worse lie above its threshold, as was told by cross-fitting."""
        for section in (self.learnt or {}).get("sections", ()):
            for one in section["boundaries"]:
                if section["what"] == RESPONSES and one["level"] == level and not one["why_not"]:
                    caught, alarms = one["caught"], one["alarms"]
                    return Rates(caught["count"], caught["n"], alarms["count"], alarms["n"])
        return None


def learnt(project: Project) -> QuerySet[Run]:
    """Runs that learnt thresholds, the newest first."""
    return Run.objects.filter(project=project, method=LEARN, state=Run.State.SUCCEEDED).order_by("-created_at")


def settle(project: Project | None, params: GateParams) -> GateParams:
    """Names the run whose thresholds hold, and the axis. Raises Invalid for a run that is none, Conflict where a policy
    may not write: in rankings another response would change what people were asked."""
    assert project is not None
    params = params.model_copy(update={"axis": axis_of(project, params.axis)})
    if params.policy is not None:
        policy(project, params.policy)
        if project.kind == TaskKind.RANKING:
            raise Conflict("in a project of rankings a policy writes nothing: each task is all responses of its item")
    run = named(project, params)
    gate = gate_in(run.result, params.prompts) if run else Gate(Thresholds(), None, None)
    if gate.responses.of(params.at) is None:
        raise Invalid(f"no threshold of {params.at} was learnt", field="params.at")
    return params.model_copy(update={"thresholds": str(run.pk) if run else ZERO})


def named(project: Project, params: GateParams) -> Run | None:
    """The run whose thresholds are asked for; None where the cost model's own boundary is."""
    found = learnt(project).filter(model=params.model)
    if params.thresholds in (NEWEST, ZERO):
        return found.first() if params.thresholds == NEWEST else None
    try:
        run = found.filter(pk=UUID(params.thresholds)).first()
    except ValueError:
        run = None
    if run is None:
        raise Invalid("is no finished run of learn-gate with this model", field="params.thresholds")
    return run


def axis_of(project: Project, axis: str) -> str:
    """The axis by its name, since versions hold it against their own."""
    names = project.protocol.axis_names if project.protocol else ["overall"]
    if project.kind != TaskKind.PREFERENCE:
        return "overall"
    if axis and axis not in names:
        raise Invalid(f"must be one of {', '.join(names)}", field="params.axis")
    return axis or names[0]


def policy(project: Project, pk: int) -> ModelVersion:
    """The policy that writes. Raises Invalid for what is none or is not ready."""
    found = ModelVersion.objects.filter(pk=pk, kind=ModelVersion.Kind.POLICY, retired_at=None).first()
    if found is None or (found.project_id and found.project_id != project.pk):
        raise Invalid("no such policy", field="params.policy")
    if found.state != ModelVersion.State.READY:
        raise Invalid(f"{found} is not ready: {found.problem or 'it was not checked yet'}", field="params.policy")
    return found


def gate_of(run: Run, params: GateParams) -> Gate:
    """The gate that a run was started with."""
    if params.thresholds == ZERO:
        return Gate(Thresholds(), Thresholds() if params.prompts == "yes" else None, None)
    result = Run.objects.get(pk=params.thresholds, project=run.project).result
    return gate_in(result, params.prompts)


def gate_in(result: Mapping[str, Any], prompts: str = "learnt") -> Gate:
    """The gate in the result of a run that learnt it."""
    sections = {one["what"]: one for one in result["sections"]}
    of_prompts = sections[PROMPTS]
    wanted = prompts == "yes" or (prompts == "learnt" and of_prompts["learnt"])
    return Gate(
        Thresholds(**sections[RESPONSES]["thresholds"]),
        Thresholds(**of_prompts["thresholds"]) if wanted else None,
        result,
    )
