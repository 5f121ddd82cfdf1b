"""What may become rows: candidates of a project for a target, one after the other, each with where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import ModuleType

from curation.models import Dataset, DatasetVersion
from curation.services.freezing import answered, compared, critiqued, curated, decided, reasons
from curation.services.freezing.narrowing import narrowed
from curation.services.freezing.proposing import as_kept
from curation.services.freezing.selecting import NOT_ANSWERED, Candidate, Fields, Selection
from curation.services.freezing.splitting import splitter
from workers.writers import Dropped, Target

SOURCES: Mapping[str, ModuleType] = {
    "decided": decided,
    "critiqued": critiqued,
    "compared": compared,
    "answered": answered,
}

WHOLE = {"train": 1.0}
CLUSTERED = 2000
"""In projects of more tasks near-duplicates are not looked for only to count: they count as prompts of their own."""


def candidates(selection: Selection) -> Iterator[Candidate]:
    """Everything that may become a row, in an order that never changes."""
    found = narrowed(selection, SOURCES[selection.target.source].candidates)
    return reasons.told(selection, found) if selection.target.reasoned else found


def lineage_of(target: Target, *, flips: bool = False) -> Fields:
    """The columns of a candidate's lineage; where proposals are followed also whether its label was flipped."""
    fields: Fields = compared.lineage(target) if target.source == "compared" else SOURCES[target.source].LINEAGE
    return (*fields, *curated.LINEAGE) if flips else fields


def count(selection: Selection, splits: Mapping[str, float] = WHOLE, *, most: int) -> tuple[dict[str, int], int]:
    """Of up to `most` candidates: how many rows they give to each split, and how many of them were answered."""
    project = selection.project
    asked = DatasetVersion(
        dataset=Dataset(project=project), splits=as_kept(dict(splits)), split_by=selection.split_by, seed=selection.seed
    )
    if asked.split_by == DatasetVersion.SplitBy.CLUSTER and project.task_count > CLUSTERED:
        asked.split_by = DatasetVersion.SplitBy.PROMPT
    where, rows, answered = splitter(asked), dict.fromkeys(splits, 0), 0
    for candidate in islice(candidates(selection), most):
        answered += candidate.reason != NOT_ANSWERED
        if candidate.reason is None:
            try:
                rows[where(candidate)] += len(selection.target.rows(candidate.given))
            except Dropped:
                continue
    return rows, answered
