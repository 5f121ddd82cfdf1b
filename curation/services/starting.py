"""Start any method by name: what pages, `POST …/runs`, schedules and `manage.py run` call."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from curation.errors import Invalid
from curation.models import ModelVersion, Project, Run, User
from curation.services import running
from curation.services.method import Method, Params
from curation.services.methods import METHODS


def start(
    *, project: Project | None, method: str, params: dict[str, Any], user: User | None, queue: str = "", seed: int = 0
) -> Run:
    """Queue a run of `method`. Raises Invalid for unknown methods and wrong parameters."""
    chosen = startable(method)
    if chosen.needs_project and project is None:
        raise Invalid(f"{method} needs a project", field="method")
    checked = validated(chosen, params)
    if chosen.settle:
        checked = chosen.settle(project, checked)
    if chosen.begin:
        return chosen.begin(project, checked, user)
    model = model_for(chosen, checked, project)
    return running.start(
        project=project,
        method=chosen.name,
        params=checked.model_dump(mode="json"),
        user=user,
        unit=chosen.unit,
        model=model,
        queue=queue or running.queue_for(model),
        seed=seed,
    )


def again(run: Run, user: User | None) -> Run:
    """Start another run like `run`: the same method, parameters, queue and seed."""
    return start(project=run.project, method=run.method, params=run.params, user=user, queue=run.queue, seed=run.seed)


def startable(name: str) -> Method:
    """The method called so. Raises Invalid when there is none that people may start."""
    found = METHODS.get(name)
    if found is None or not found.startable:
        if name == "import":
            raise Invalid("an import needs its file: use POST …/import", field="method")
        names = ", ".join(sorted(method.name for method in METHODS.values() if method.startable))
        raise Invalid(f"no method {name!r}; there is: {names}", field="method")
    return found


def validated(method: Method, params: dict[str, Any]) -> Params:
    """The parameters of a method. Raises Invalid naming the first that is wrong."""
    try:
        return method.params.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["params", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            known = ", ".join(method.params.model_fields) or "none"
            raise Invalid(f"unknown; known are: {known}", field=place) from None
        raise Invalid(first["msg"].removeprefix("Value error, "), field=place) from None


def model_for(method: Method, params: Params, project: Project | None) -> ModelVersion | None:
    """The model version that the parameters name. Raises Invalid when it is not there or not ready."""
    named = method.model(params)
    if named is None:
        return None
    found = ModelVersion.objects.filter(pk=named, retired_at=None).first()
    if found is None or (found.project_id and (project is None or found.project_id != project.pk)):
        raise Invalid("no such model", field="params.model")
    if found.state != ModelVersion.State.READY and method.needs_project:
        raise Invalid(f"{found} is not ready: {found.problem or 'it was not checked yet'}", field="params.model")
    return found
