"""What a run of `curate` is started with, and what it reads: fixed when its work begins, so that it can be resumed."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import Max, Q
from django.utils import timezone
from pydantic import Field, ValidationError

from curation.errors import Invalid
from curation.models import Embedding, ModelVersion, Project, Protocol, Run
from curation.services import fits, protecting
from curation.services.deciding import last_annotation
from curation.services.filtering import Filters, moment
from curation.services.freezing.selecting import Selection
from curation.services.method import Params
from curation.services.past import Past, last_change
from workers.curating import Curator, Settings, curators
from workers.writers import targets

METHOD = "curate"


class CurateParams(Params):
    curator: str = Field(
        title="Curator",
        description="the method",
        json_schema_extra={"enum": [one.name for one in curators]},  # type: ignore[dict-item]
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, title="Its settings", description="what the curator asks for, as a JSON object"
    )
    axis: str = Field(
        default="overall",
        max_length=40,
        title="Axis",
        description="the axis whose preferences are looked at",
        json_schema_extra={"choose": "axis"},
    )
    decided_by: str = Field(
        default=fits.MAJORITY,
        max_length=40,
        title="Decided by",
        description="majority, a finished run of decide, or in-use: the fit in use",
    )
    annotators: Literal["people", "signed-in", "imported", "models", "all"] = Field(
        default="people", title="Whose answers", description="of the majority; a fit has chosen already"
    )
    accept: bool = Field(
        default=False,
        title="Accept everything at once",
        description="versions can take it without anybody's review; otherwise proposals wait for one",
    )


def settle(project: Project | None, params: CurateParams) -> CurateParams:
    """With checked settings, and the fit by its run. Raises Invalid naming what is wrong."""
    assert project is not None
    curator = curator_of(params.curator)
    settings = settings_of(curator, params.settings)
    for field in ("model", "second", "embedder"):
        if (pk := getattr(settings, field, None)) is not None:
            visible(project, pk, f"params.settings.{field}")
    if "references" in curator.needs:
        protecting.checked(getattr(settings, "against", []), "params.settings.against")
    changes: dict[str, Any] = {"settings": settings.model_dump(mode="json", exclude_none=True)}
    if params.decided_by != fits.MAJORITY:
        fit = fits.find(project, params.decided_by, "params.decided_by")
        changes |= {"decided_by": str(fit.pk), "annotators": fit.params.get("annotators", "people")}
    return params.model_copy(update=changes)


def curator_of(name: str) -> Curator:
    """Raises Invalid when there is none called so."""
    try:
        return curators.get(name)
    except KeyError as error:
        raise Invalid(str(error.args[0]), field="params.curator") from None


def settings_of(curator: Curator, given: dict[str, Any]) -> Settings:
    """Raises Invalid naming the first that is wrong."""
    try:
        return curator.params.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["params.settings", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            known = ", ".join(curator.params.model_fields) or "none"
            raise Invalid(f"unknown; {curator.name} knows: {known}", field=place) from None
        raise Invalid(first["msg"].removeprefix("Value error, "), field=place) from None


def visible(project: Project, pk: int, field: str) -> None:
    """Raises Invalid for a model that the project cannot see."""
    mine = ModelVersion.objects.filter(Q(project=None) | Q(project=project), pk=pk, retired_at=None)
    if not mine.exists():
        raise Invalid("is no model that this project can see", field=field)


def begun(run: Run) -> dict[str, Any]:
    """Where the work stands; of a run that begins, at the start, reading what there is now."""
    if run.checkpoint:
        found: dict[str, Any] = run.checkpoint
        return found
    project = run.home
    return {
        "as_of": last_annotation(project),
        "last_change": last_change(project),
        "last_settled": fits.last_settled(project),
        "last_embedding": Embedding.objects.aggregate(n=Max("pk"))["n"] or 0,
        "protocol": project.protocol_id,
        "moment": timezone.now().isoformat(),
        "written": 0,
    }


def selection_of(run: Run, params: CurateParams, at: dict[str, Any]) -> Selection:
    """The decided pairs of the project as the run began."""
    project = run.home
    filters = Filters(axis=params.axis, annotators=params.annotators, decided_by=params.decided_by)
    protocol = Protocol.objects.filter(pk=at["protocol"]).first()
    return Selection(
        project,
        targets.get("touchstone"),
        filters,
        at["as_of"],
        protocol,
        as_of=moment(at["moment"]),
        past=Past(project.pk, at["last_change"]),
        settled=at["last_settled"],
    )
