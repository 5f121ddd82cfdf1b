"""A version asked for: checked, numbered, and its run queued."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.db.models import F
from pydantic import Field

from curation.errors import Invalid
from curation.models import Dataset, DatasetVersion, Project, Run, User
from curation.services import running
from curation.services.deciding import applicable, filters_from, last_annotation
from curation.services.freezing.offering import offered
from curation.services.method import Params
from workers.writers import Target, targets

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED = {"annotations", "critiques", "verdicts", "ranks", "lineage", "readme", "manifest"}


class FreezeParams(Params):
    """What `POST …/runs` takes to make a version."""

    dataset: str = "preferences"
    target: str = "trl-preference"
    filters: Any = Field(default_factory=dict)
    splits: Any = Field(default_factory=lambda: {"train": 1.0})
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
    checked = filters_from(filters or {}, names)
    shares = check_splits(splits if splits is not None else {"train": 1.0})
    protocol = project.protocol.version if project.protocol else None
    with transaction.atomic():
        dataset, _ = Dataset.objects.get_or_create(project=project, name=dataset_name)
        Dataset.objects.filter(pk=dataset.pk).update(last_number=F("last_number") + 1)
        dataset.refresh_from_db()
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=dataset.last_number,
            target=target,
            filters=checked.model_dump(include=set(names)),
            splits=shares,
            seed=seed,
            lineage={"last_annotation": last_annotation(project), "protocol": protocol},
            created_by=user,
        )
        params = {"version": version.pk, "dataset": dataset_name, "number": version.number, "target": target}
        version.run = running.start(project=project, method="freeze", params=params, user=user, unit=f"{wanted.what}s")
        version.save(update_fields=["run"])
    return version


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
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
            raise Invalid("is no name for a split", field=f"splits.{name}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise Invalid("must be a share above 0 and up to 1", field=f"splits.{name}")
    if abs(sum(given.values()) - 1) > 1e-6:
        raise Invalid(f"must sum to 1, not {sum(given.values()):g}", field="splits")
    return {name: float(share) for name, share in given.items()}
