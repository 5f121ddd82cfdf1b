"""What a training is started with: a dataset version that its trainer reads, a base that it starts from, a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from pydantic import Field, create_model

from curation.errors import Invalid
from curation.models import DatasetVersion, ModelVersion, Project, Run
from curation.services.method import Method, Params
from curation.services.registry import NAME
from workers.training import TRAIN, Trainer, trainers

PREFIX = "train-"


class Asked(Params):
    """What every training is asked besides the trainer's own parameters."""

    dataset: str = Field(
        "", description="a dataset version, such as helpfulness or helpfulness@3; empty: the newest that fits"
    )
    base: int | None = Field(None, description="the model to start from; empty: the built-in encoder where it fits")
    name: str = Field("", description="what the model is called; empty: after the project")


IN_A_FORM = {
    "dataset": "what it learns from; Automatic: the newest of these",
    "base": "the model to start from; Automatic: the built-in encoder",
}
"""What a form says where one is chosen from a list, instead of what is said where a name or an id is written."""
ENCODER = "embedder"
"""The kind of base that every installation has."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a project lacks for a training: a version to learn from, a model to start from."""

    version: bool
    base: bool

    def __bool__(self) -> bool:
        return self.version or self.base


def missing(project: Project, some: Iterable[Trainer]) -> list[Missing]:
    """Of each whether it could start: a ready version with rows to learn from, and a base unless it builds its own."""
    ready = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    targets = {one.target for one in ready.only("target", "splits", "counts") if TRAIN in one.filled_splits}
    seen = ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None)
    kinds = set(seen.filter(state=ModelVersion.State.READY).order_by().values_list("kind", flat=True).distinct())
    return [Missing(targets.isdisjoint(one.reads), bool(one.bases) and kinds.isdisjoint(one.bases)) for one in some]


def methods() -> Iterator[Method]:
    for trainer in trainers:
        yield Method(
            name=PREFIX + trainer.name,
            title=trainer.title,
            about=trainer.about,
            params=params_of(trainer),
            unit=trainer.unit,
            execute=perform,
            settle=settling(trainer),
            model=lambda params: params.base,
        )


def perform(run: Run, report: Any) -> dict[str, Any]:
    from curation.services.training import performing

    return performing.execute(run, report)


def params_of(trainer: Trainer) -> type[Params]:
    """The fields of a run's form: those of every training, then the trainer's own."""
    choose: dict[str, Any] = {"choose": "version", "targets": list(trainer.reads), "help": IN_A_FORM["dataset"]}
    dataset = Field("", description=Asked.model_fields["dataset"].description, json_schema_extra=choose)
    asked = {"dataset": (str, dataset), "name": (str, Asked.model_fields["name"])}
    if trainer.bases:
        extra: dict[str, Any] = {"choose": "model", "kinds": list(trainer.bases)}
        if ENCODER in trainer.bases:
            extra["help"] = IN_A_FORM["base"]
            base = Field(None, description=Asked.model_fields["base"].description, json_schema_extra=extra)
            asked["base"] = (int | None, base)  # type: ignore[assignment]
        else:
            asked["base"] = (int, Field(description="the language model to start from", json_schema_extra=extra))  # type: ignore[assignment]
    else:
        asked["base"] = (type(None), Field(None, json_schema_extra={"hidden": True}))  # type: ignore[assignment]
    own = {name: (info.annotation, info) for name, info in trainer.settings.model_fields.items()}
    return create_model(f"Train_{trainer.name}", __base__=Params, **asked, **own)  # type: ignore[call-overload, no-any-return]


def trainer_of(run: Run) -> Trainer:
    return trainers.get(run.method.removeprefix(PREFIX))


def settling(trainer: Trainer) -> Any:
    def settle(project: Project | None, params: Any) -> Any:
        """The version, the base and the name that a training is on, settled when it is started. Raises Invalid."""
        assert project is not None
        version = version_named(project, trainer, params.dataset)
        base = base_for(project, trainer, params.base)
        name = params.name or f"{project.slug}-{trainer.name}"
        if not NAME.match(name):
            raise Invalid("small letters, digits and hyphens, beginning with a letter or digit", field="params.name")
        told = {"dataset": f"{version.dataset.name}@{version.number}", "name": name, "base": base.pk if base else None}
        return params.model_copy(update=told)

    return settle


def version_named(project: Project, trainer: Trainer, told: str) -> DatasetVersion:
    """The ready version called so. Raises Invalid when there is none, or the trainer does not read its target."""
    name, at, number = told.partition("@")
    ready = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    found = ready.select_related("dataset").order_by("-created_at", "-pk")
    if name:
        found = found.filter(dataset__name=name)
    if at:
        if not number.isdecimal():
            raise Invalid("a version is named as dataset@number", field="params.dataset")
        version = found.filter(number=int(number)).first()
        if version is not None and version.target not in trainer.reads:
            words = f"{told} is for {version.target}; this reads {' or '.join(trainer.reads)}"
            raise Invalid(words, field="params.dataset")
    else:
        version = found.filter(target__in=trainer.reads).first()
    if version is None:
        words = f"no ready dataset version {told}".rstrip() + f" for {' or '.join(trainer.reads)}; make one first"
        raise Invalid(words, field="params.dataset")
    if TRAIN not in version.filled_splits:
        raise Invalid(f"{version} has no rows in a split called {TRAIN}", field="params.dataset")
    return version


def base_for(project: Project, trainer: Trainer, told: int | None) -> ModelVersion | None:
    """The model that a training starts from; the built-in encoder where nothing is said and it fits. Raises Invalid."""
    if not trainer.bases:
        return None
    if told is None:
        found = ModelVersion.objects.filter(reference="builtin:minilm", retired_at=None).order_by("-number").first()
        if found is None or ENCODER not in trainer.bases:
            raise Invalid("say which model to start from", field="params.base")
    else:
        found = ModelVersion.objects.filter(pk=told, retired_at=None).first()
        if found is None or (found.project_id and found.project_id != project.pk):
            raise Invalid("no such model", field="params.base")
    if found.state != ModelVersion.State.READY:
        raise Invalid(f"{found} is not ready: {found.problem or 'it was not checked yet'}", field="params.base")
    if found.kind not in trainer.bases:
        words = f"{found} is a {found.kind}; this starts from {' or '.join(trainer.bases)}"
        raise Invalid(words, field="params.base")
    return found
