"""What a run of `decide` is started with, and what it reads: fixed when its work begins, so that it can be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from curation.errors import Invalid
from curation.models import Decision, Project, Protocol, Run, TaskKind
from curation.services.deciding import last_annotation
from curation.services.filtering import Filters, who
from curation.services.label_names import CurrentNames, current_names
from curation.services.method import Params
from curation.services.past import Past, last_change
from workers.aggregating import aggregators

NAMES = [one.name for one in aggregators if one.fit is not None]
KIND = Decision.Kind


class DecideParams(Params):
    method: str = Field(
        default="mace",
        title="Method",
        description="how labels are decided; spans are always decided by overlap",
        json_schema_extra={"enum": [*NAMES]},
    )
    annotators: Literal["people", "signed-in", "imported", "all"] = Field(
        default="people", title="Whose answers", description="all: models and programs too, in the same fit"
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Only the axis",
        description="by default everything that is asked: axes, rankings, questions, spans",
        json_schema_extra={"choose": "axis"},
    )
    threshold: float = Field(
        default=0.5, gt=0, le=1, title="Span threshold", description="share of the weight that a marked character needs"
    )


@dataclass(frozen=True)
class Scope:
    """What one run reads: answers up to `as_of` by some, items as they were, labels as `protocol` calls them."""

    project: Project
    params: DecideParams
    as_of: int
    protocol: Protocol | None
    past: Past
    names: CurrentNames | None

    @property
    def whose(self) -> tuple[str, list[Any]]:
        """The condition behind STANDING with all parameters of both."""
        mine, given = who(Filters(annotators=self.params.annotators))
        return mine, [self.project.pk, self.as_of, self.as_of, *given]


def begun(run: Run) -> dict[str, Any]:
    """Where the work stands; of a run that begins, at the start, reading what there is now."""
    project = run.home
    if run.checkpoint:
        found: dict[str, Any] = run.checkpoint
        return found
    return {
        "as_of": last_annotation(project),
        "last_change": last_change(project),
        "protocol": project.protocol_id,
        "section": 0,
        "written": 0,
        "done": 0,
        "told": [],
    }


def scope_of(run: Run, at: dict[str, Any]) -> Scope:
    """Raises Invalid for a method or an axis that is not there."""
    project, params = run.home, DecideParams.model_validate(run.params)
    if params.method not in NAMES:
        raise Invalid(f"must be one of: {', '.join(NAMES)}", field="params.method")
    protocol = Protocol.objects.filter(pk=at["protocol"]).first()
    names = (current_names(protocol) or None) if protocol else None
    past = Past(project.pk, at["last_change"])
    scope = Scope(project, params, at["as_of"], protocol, past, names)
    if params.axis and not sections(scope):
        raise Invalid("is no axis of this project", field="params.axis")
    return scope


def sections(scope: Scope) -> list[tuple[str, str]]:
    """(kind, name) of everything that is decided apart, in an order that never changes."""
    project, protocol, only = scope.project, scope.protocol, scope.params.axis
    axes = protocol.axis_names if protocol else ["overall"]
    found: list[tuple[str, str]] = []
    if project.kind == TaskKind.PREFERENCE:
        found += [(KIND.AXIS, axis) for axis in axes if only in ("", axis)]
    if project.kind == TaskKind.RANKING and only in ("", "overall"):
        found.append((KIND.RANK, "overall"))
    if protocol is None or only:
        return found
    found += [(KIND.QUESTION, one["name"]) for one in protocol.questions if one.get("kind") != "text"]
    return found + ([(KIND.SPAN, "")] if protocol.critiques.get("on") else [])
