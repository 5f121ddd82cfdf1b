"""Token rewards for tests: a model and its maps, a value a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from curation.models import ModelVersion, Project, Protocol, Response, Run, Task
from curation.services import maps
from workers.judging import Judged, Mapped


def with_help(project: Project, mode: str = "shown", holdout: float = 0.0, **more: Any) -> Project:
    """The project under another protocol, with help of models."""
    version = project.protocols.count() + 1
    help = {"mode": mode, "holdout": holdout}
    project.protocol = Protocol.objects.create(project=project, version=version, help=help, **more)
    project.save()
    return project


def model(name: str = "spans", kind: str = "token", **fields: Any) -> ModelVersion:
    return ModelVersion.objects.create(name=name, kind=kind, reference="hf:x", **{"state": "ready", **fields})


def by_word(text: str, value: Callable[[str], float]) -> Mapped:
    words = [(found.start(), found.end()) for found in re.finditer(r"\S+", text)]
    return Mapped("token", words, [value(text[start:end]) for start, end in words])


def judge(project: Project, by: ModelVersion, *responses: Response, value: Callable[[str], float] = len) -> None:
    """Maps of these responses; without any, of all."""
    run = Run.objects.create(project=project, method="score", model=by)
    found = responses or tuple(Response.objects.filter(item__project=project))
    maps.write(run, [Judged(one.pk, maps=[by_word(one.text, value)]) for one in found])


def responses_of(task: Task) -> list[Response]:
    assert task.pair is not None
    return [task.pair.first, task.pair.second]
