"""What pages and API tell of proposals: runs with their counts, and proposals by keyset, none counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from curation.errors import NotFound
from curation.models import Project, Proposal, Run
from curation.services.curating.asking import METHOD
from curation.services.curating.deciding import Wanted, matching

RUNS = 50
SHOWN = 20
ORDER = ("flip", "drop", "ask", "keep")
"""Actions, what changes most first."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Proposals of one action of a run, by state."""

    action: str
    open: int = 0
    accepted: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        return self.open + self.accepted + self.refused


def runs(project: Project) -> list[Run]:
    """The last runs that curate, or made proposals otherwise, the newest first."""
    found = Run.objects.filter(Q(method=METHOD) | Q(result__states__isnull=False), project=project)
    return list(found.select_related("created_by").defer("checkpoint").order_by("-created_at")[:RUNS])


def run_in(project: Project, run_id: UUID) -> Run:
    """Raises NotFound for what is no run of the project."""
    run = Run.objects.filter(pk=run_id, project=project).select_related("created_by", "project__protocol").first()
    if run is None:
        raise NotFound("no such run")
    return run


def counts(run: Run) -> list[Counts]:
    """What a run proposes, as its result keeps it."""
    states = run.result.get("states", {})
    return [Counts(action, **states[action]) for action in ORDER if action in states]


def listed(
    run: Run, wanted: Wanted, after: tuple[float, int] | None
) -> tuple[list[Proposal], tuple[float, int] | None]:
    """Some proposals of one action, the highest score first, and behind which the next are. Raises Invalid."""
    found = matching(run, wanted)
    if after is not None:
        found = found.filter(Q(score__lt=after[0]) | Q(score=after[0], pk__lt=after[1]))
    rows = list(with_texts(found).order_by("-score", "-pk")[: SHOWN + 1])
    shown = rows[:SHOWN]
    return shown, (shown[-1].score, shown[-1].pk) if len(rows) > SHOWN else None


def with_texts(found: QuerySet[Proposal]) -> QuerySet[Proposal]:
    return found.select_related("item", "response", "chosen", "rejected", "decided_by")


def find(run: Run, proposal_id: int) -> Proposal:
    """Raises NotFound for what is no proposal of the run."""
    found = with_texts(Proposal.objects.filter(run=run, pk=proposal_id)).first() if proposal_id < 2**63 else None
    if found is None:
        raise NotFound("no such proposal")
    return found


def every(run: Run, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """All that match, by id, as the API tells them."""
    for one in matching(run, wanted).select_related("item", "decided_by").order_by("pk").iterator(chunk_size=1000):
        yield told(one)


def told(one: Proposal) -> dict[str, Any]:
    same = ("action", "score", "reason", "cause", "state")
    return {
        "id": one.pk,
        "run": one.run_id,
        "item": one.item.external_id,
        "pair": one.pair_id,
        "response": one.response_id,
        "chosen": one.chosen_id,
        "rejected": one.rejected_id,
        **{name: getattr(one, name) for name in same},
        "decided_by": one.decided_by.username if one.decided_by else None,
        "decided_at": one.decided_at,
    }
