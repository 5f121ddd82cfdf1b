"""Start any method by name: what `POST …/runs` and `manage.py run` call."""

from __future__ import annotations

from typing import Any

from curation.errors import Invalid
from curation.models import Project, Run, User
from curation.services import freezing


def start(*, project: Project, method: str, params: dict[str, Any], user: User | None) -> Run:
    """Queue a run of `method`. Raises Invalid for unknown methods and wrong parameters."""
    match method:
        case "freeze":
            return freeze(project, params, user)
        case "import":
            raise Invalid("an import needs its file: use POST …/import", field="method")
    raise Invalid(f"no method {method!r}; there is: freeze", field="method")


def freeze(project: Project, params: dict[str, Any], user: User | None) -> Run:
    known = {"dataset", "target", "filters", "splits", "seed"}
    if wrong := sorted(set(params) - known):
        raise Invalid(f"unknown; known are {', '.join(sorted(known))}", field=f"params.{wrong[0]}")
    version = freezing.request_version(
        project=project,
        dataset_name=str(params.get("dataset", "preferences")),
        target=str(params.get("target", "trl-preference")),
        filters=params.get("filters", {}),
        splits=params.get("splits", {"train": 1.0}),
        seed=params.get("seed", 0),
        user=user,
    )
    assert version.run is not None
    return version.run
