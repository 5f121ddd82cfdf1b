"""Which targets fit a project: by what its tasks are, by what its protocols ask, by what its imports brought."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from curation.models import Annotation, Critique, Preference, Project, Response, TaskKind, Verdict
from curation.presets import PRESETS
from curation.services.deciding import last_annotation
from curation.services.relabelling import readable
from workers.writers import Target, targets

USUAL = ("trl-preference", "touchstone")
"""Proposed where the preset's own target does not fit (any more)."""


def offered(project: Project) -> list[Target]:
    """The targets that a version of this project can have."""
    known = Known(project)
    return [target for target in targets if fits(target, project, known)]


def usual(project: Project, fitting: list[Target]) -> str:
    """The one that is proposed: what fits the preset that the project was made from, if it fits."""
    names = [target.name for target in fitting]
    first = project.protocols.order_by("version").values_list("preset", flat=True).first() or ""
    wanted = ([PRESETS[first].target] if first in PRESETS else []) + list(USUAL)
    return next((name for name in wanted if name in names), names[0] if names else "")


def fits(target: Target, project: Project, known: Known) -> bool:
    if target.source == "answered":
        return True
    if target.source == "decided":
        return project.kind in (TaskKind.PREFERENCE, TaskKind.RANKING)
    if target.source == "compared":
        return project.kind == TaskKind.PREFERENCE and known.axes(target.axes) and known.questions(target.questions)
    if target.questions:
        return known.questions(target.questions) and known.cut(target.unit)
    return (
        project.kind == TaskKind.RESPONSE
        or known.criticised
        or (target.per == "item" and project.kind == TaskKind.RANKING)
    )


class Known:
    """What answers of a project may say: what its protocols asked, and what came with its imports. Whatever is not
    there takes a walk to find out, so that each thing is looked for once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.asked = readable(project)
        self.answered: dict[str, bool] = {}

    @cached_property
    def criticised(self) -> bool:
        """Whether critiques or questions are asked, or were answered elsewhere."""
        protocol = self.project.protocol
        if self.asked["questions"] or self.asked["types"] or (protocol and protocol.critiques.get("on")):
            return True
        return self.imported and any(table.objects.filter(**self.mine).exists() for table in (Critique, Verdict))

    @cached_property
    def mine(self) -> dict[str, Any]:
        """What is said in answers of the project. Between its first and its last: what earlier projects have is passed
        over at once."""
        first = Annotation.objects.filter(project__gte=self.project.pk, project__lte=self.project.pk)
        begin = first.order_by("project_id", "pk").values_list("pk", flat=True).first() or 0
        between = {"annotation__gte": begin, "annotation__lte": last_annotation(self.project)}
        return {"annotation__project": self.project, **between}

    @property
    def imported(self) -> bool:
        return bool(self.project.vote_count)

    def questions(self, names: tuple[str, ...]) -> bool:
        """Whether any of these questions was asked, or answered in an import."""
        if self.asked["questions"] & set(names):
            return True
        return self.imported and any(map(self.answered_elsewhere, names))

    def answered_elsewhere(self, question: str) -> bool:
        """Whether an import brought answers to it."""
        if question not in self.answered:
            found = Verdict.objects.filter(**self.mine, question=question)
            self.answered[question] = found.exists()
        return self.answered[question]

    def cut(self, unit: str) -> bool:
        """Whether responses are cut into such units, by the protocol or by an import."""
        if not unit or (self.project.protocol and self.project.protocol.unit == unit):
            return True
        return self.imported and Response.objects.filter(item__project=self.project, unit=unit).exists()

    def axes(self, names: tuple[str, ...]) -> bool:
        """Whether all of these axes are compared, or were in an import."""
        left = set(names) - self.asked["axes"]
        if not left or not self.imported:
            return not left
        found = Preference.objects.filter(**self.mine)
        return all(found.filter(axis=name).exists() for name in left)
