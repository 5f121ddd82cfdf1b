"""Judgements: votes on pairs that the project has already, found by their item's external id."""

from __future__ import annotations

from collections.abc import Mapping

from curation.models import Project, Task
from curation.services.importing.reading import Refused
from curation.services.importing.votes import Place, VoteBox
from workers.rows import JudgementRow, RowError

Places = dict[tuple[int, int], Place]
"""Pair and task, by the places of the two responses in the file that brought them."""


def land_judgements(
    project: Project, judgements: list[tuple[int, JudgementRow]], votes: VoteBox
) -> tuple[int, list[Refused]]:
    """Write judgements inside the caller's transaction; how many were new, and those without a pair."""
    if not judgements:
        return 0, []
    places = pairs_of(project, {row.external_id for _, row in judgements})
    votes.unsure = True
    lost = [
        Refused(line, RowError(missing(row, places), "id"), row.external_id)
        for line, row in judgements
        if not votes.put(row.vote, places.get(row.external_id, {}))
    ]
    return votes.flush(), lost


def missing(row: JudgementRow, places: Mapping[str, Places]) -> str:
    if row.external_id in places:
        return "names an item of this project, but no pair of it with these two responses"
    return "names no pair of this project; import the pairs first"


def pairs_of(project: Project, names: set[str]) -> dict[str, Places]:
    """The live pairs of each item. Places count the responses that are compared, whatever was there before."""
    rows = Task.objects.filter(
        project=project, pair__item__project=project, pair__item__external_id__in=names, pair__deleted_at=None
    ).values_list("pair__item__external_id", "pair__first__position", "pair__second__position", "pair_id", "pk")
    found: dict[str, Places] = {}
    for name, first, second, pair_id, task_id in rows:
        places = found.setdefault(name, {})
        places[min(first, second), max(first, second)] = Place(pair_id, task_id, first > second)
    return {name: ranked(places) for name, places in found.items()}


def ranked(places: Places) -> Places:
    """Positions as places: 0 for the first response that is compared."""
    rank = {position: n for n, position in enumerate(sorted({p for pair in places for p in pair}))}
    return {(rank[first], rank[second]): place for (first, second), place in places.items()}
