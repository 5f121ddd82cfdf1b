"""What may become rows: candidates of a project for a target, one after the other, each with where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import ModuleType

from curation.models import Project
from curation.services.deciding import Filters, last_annotation
from curation.services.freezing import answered, compared, critiqued, curated, decided, reasons
from curation.services.freezing.narrowing import narrowed
from curation.services.freezing.selecting import NOT_ANSWERED, Candidate, Fields, Selection
from workers.writers import Dropped, Target

SOURCES: Mapping[str, ModuleType] = {
    "decided": decided,
    "critiqued": critiqued,
    "compared": compared,
    "answered": answered,
}


def candidates(selection: Selection) -> Iterator[Candidate]:
    """Everything that may become a row, in an order that never changes."""
    found = narrowed(selection, SOURCES[selection.target.source].candidates)
    return reasons.told(selection, found) if selection.target.reasoned else found


def lineage_of(target: Target, *, flips: bool = False) -> Fields:
    """The columns of a candidate's lineage; where proposals are followed also whether its label was flipped."""
    fields: Fields = compared.lineage(target) if target.source == "compared" else SOURCES[target.source].LINEAGE
    return (*fields, *curated.LINEAGE) if flips else fields


def count(project: Project, target: Target, filters: Filters, *, most: int) -> tuple[int, int]:
    """Of up to `most` candidates: how many rows they give, and how many of them were answered."""
    selection = Selection(project, target, filters, last_annotation(project), project.protocol)
    rows = answered = 0
    for candidate in islice(candidates(selection), most):
        answered += candidate.reason != NOT_ANSWERED
        if candidate.reason is None:
            try:
                rows += len(target.rows(candidate.given))
            except Dropped:
                continue
    return rows, answered
