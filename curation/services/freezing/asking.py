"""A version asked for: checked, numbered, and its run queued."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q
from pydantic import Field

from curation.errors import Invalid
from curation.models import Dataset, DatasetVersion, Embedding, Gold, ModelVersion, Progress, Project, Run, User
from curation.services import fits, protecting, running
from curation.services.deciding import last_annotation
from curation.services.filtering import Filters, RightOnGold, applicable, filters_from, kept
from curation.services.freezing import curated, repeated
from curation.services.freezing.offering import offered
from curation.services.method import Params
from curation.services.past import last_change
from workers.writers import Target, targets

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
LIKE_A_SHARD = re.compile(r"-\d{5}(-of-\d{5})?$")
RESERVED = {"annotations", "critiques", "verdicts", "ranks", "lineage", "proposals", "readme", "manifest"}


class FreezeParams(Params):
    """What `POST …/runs` takes to make a version."""

    dataset: str = "preferences"
    target: str = "trl-preference"
    filters: Any = Field(default_factory=dict)
    splits: Any = Field(default_factory=lambda: {"train": 1.0})
    split_by: Any = "prompt"
    seed: Any = 0


def begin(project: Project | None, params: FreezeParams, user: User | None) -> Run:
    """A version and the run that makes it. Raises Invalid naming the wrong field."""
    assert project is not None
    named = params.model_dump(exclude={"dataset"})
    version = request_version(project=project, dataset_name=params.dataset, user=user, **named)
    assert version.run is not None
    return version.run


def request_version(
    *,
    project: Project,
    dataset_name: str,
    target: str = "trl-preference",
    filters: Any = None,
    splits: Any = None,
    split_by: Any = "prompt",
    seed: Any = 0,
    user: User | None = None,
) -> DatasetVersion:
    """Number a new version and queue the run that makes it. Raises Invalid naming the wrong field."""
    if not NAME.fullmatch(dataset_name):
        raise Invalid("must be lower-case letters, digits, - and _, starting with a letter", field="name")
    wanted = fitting(project, target)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise Invalid("must be a whole number from 0 to 2147483647", field="seed")
    names = applicable(wanted.source, project.kind)
    checked = checked_filters(project, wanted, filters or {})
    if split_by not in DatasetVersion.SplitBy.values:
        raise Invalid(f"must be one of {', '.join(DatasetVersion.SplitBy.values)}", field="split_by")
    shares = check_splits(splits if splits is not None else {"train": 1.0})
    protocol = project.protocol.version if project.protocol else None
    with transaction.atomic():
        curated.held(checked.curated)
        seen = {"last_annotation": last_annotation(project), "last_change": last_change(project)}
        seen["last_settled"] = fits.last_settled(project)
        if checked.decontaminate and checked.decontaminate.embedder:
            seen["last_embedding"] = Embedding.objects.aggregate(n=Max("pk"))["n"]
        dataset, _ = Dataset.objects.get_or_create(project=project, name=dataset_name)
        Dataset.objects.filter(pk=dataset.pk).update(last_number=F("last_number") + 1)
        dataset.refresh_from_db()
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=dataset.last_number,
            target=target,
            filters=kept(checked, names),
            splits=shares,
            split_by=split_by,
            seed=seed,
            lineage={
                **seen,
                "repeats_upto": repeated.last_said(project),
                "protocol": protocol,
                "shard_rows": settings.DATASET_SHARD_ROWS,
                "edition": wanted.edition,
            },
            created_by=user,
        )
        params = {"version": version.pk, "dataset": dataset_name, "number": version.number, "target": target}
        version.run = running.start(project=project, method="freeze", params=params, user=user, unit=f"{wanted.what}s")
        version.save(update_fields=["run"])
    return version


def checked_filters(project: Project, target: Target, given: Any) -> Filters:
    """Filters that mean something to a target, the models of scores by id: of a name the newest. Raises Invalid."""
    filters = filters_from(given, applicable(target.source, project.kind), target.source)
    if "gold" not in filters.model_fields_set and Gold.objects.filter(project=project, retired_at=None).exists():
        filters.gold = "exclude"
    for number, wanted in enumerate(filters.scores):
        mine = ModelVersion.objects.filter(Q(project=None) | Q(project=project))
        by = {"pk": wanted.model} if isinstance(wanted.model, int) else {"name": wanted.model}
        found = mine.filter(**by).order_by("-number").first()
        if found is None:
            raise Invalid("is no model that this project can see", field=f"filters.scores.{number}.model")
        wanted.model = found.pk
    if filters.decided_by != fits.MAJORITY:
        fit = fits.find(project, filters.decided_by, "filters.decided_by", planned=target.source == "decided")
        whose = fit.params.get("annotators", "people")
        if "annotators" in filters.model_fields_set and filters.annotators != whose:
            raise Invalid(f"that fit decided by the answers of {whose}", field="filters.annotators")
        filters.decided_by, filters.annotators = str(fit.pk), whose
    if wanted_out := filters.decontaminate:
        protecting.checked(wanted_out.against, "filters.decontaminate.against")
        if wanted_out.embedder is not None:
            wanted_out.embedder = embedder_of(project, wanted_out.embedder).pk
    filters.curated = curated.checked(project, target, filters)
    if filters.reliable:
        filters.reliable.run = str(fits.find(project, filters.reliable.run, "filters.reliable.run").pk)
    if filters.gold_score:
        filters.gold_score.annotators = right_on_gold(project, filters.gold_score)
    return filters


def embedder_of(project: Project, named: int | str) -> ModelVersion:
    """The embedder by its id, or the newest of a name. Raises Invalid for one without a vector of a prompt here."""
    field = "filters.decontaminate.embedder"
    mine = ModelVersion.objects.filter(Q(project=None) | Q(project=project), kind=ModelVersion.Kind.EMBEDDER)
    by = {"pk": named} if isinstance(named, int) else {"name": named}
    found = mine.filter(**by).order_by("-number").first()
    if found is None:
        raise Invalid("is no embedder that this project can see", field=field)
    if not Embedding.objects.filter(model=found, response=None, item__project=project).exists():
        raise Invalid("no prompt has a vector of it; a run of embed with what=prompts gives them", field=field)
    return found


def right_on_gold(project: Project, wanted: RightOnGold) -> list[int]:
    """Who was right on as much hidden gold as is wanted, as it stands now. They are kept with the version, so that it
    is the same for ever, whatever becomes of their answers or of the gold."""
    counted = Progress.objects.filter(project=project, gold_total__gte=wanted.of).order_by("annotator")
    rows = counted.values_list("annotator_id", "gold_total_right", "gold_total")
    return [annotator for annotator, right, n in rows if right >= wanted.min * n - 1e-9]


def fitting(project: Project, name: str) -> Target:
    """The target called so. Raises Invalid when there is none, or none that this project can have."""
    try:
        wanted = targets.get(name)
    except KeyError as error:
        raise Invalid(str(error.args[0]), field="target") from None
    found = offered(project)
    if wanted not in found:
        there = ", ".join(target.name for target in found) or "nothing yet"
        raise Invalid(f"{name} does not fit what is asked in this project; there is: {there}", field="target")
    return wanted


def check_splits(given: Any) -> dict[str, float]:
    """Shares by split name that sum to 1. Raises Invalid."""
    if not isinstance(given, dict) or not 1 <= len(given) <= 10:
        raise Invalid("must be an object of split names and shares, such as {train: 0.9, test: 0.1}", field="splits")
    for name, share in given.items():
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED or LIKE_A_SHARD.search(name):
            raise Invalid("is no name for a split", field=f"splits.{name}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise Invalid("must be a share above 0 and up to 1", field=f"splits.{name}")
    if abs(sum(given.values()) - 1) > 1e-6:
        raise Invalid(f"must sum to 1, not {sum(given.values()):g}", field="splits")
    return {name: float(share) for name, share in given.items()}
