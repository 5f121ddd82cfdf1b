"""What versions do with proposals that people accepted: drops leave out, flips exchange chosen and rejected.

A version follows what was accepted when it was asked for: both it and those who decide lock the run of the proposals,
and what a version has followed is not decided anew (services/curating/deciding.py). So it can be made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.utils import timezone

from curation import bulk
from curation.errors import Invalid
from curation.models import DatasetVersion, Project, Proposal, Run
from curation.services.deciding import BY_HAND
from curation.services.freezing.moments import in_utc
from curation.services.freezing.selecting import Candidate, Fields, Selection
from curation.services.reading import stream
from curation.statements import rows as fetched
from workers.rows import DecidedRow

if TYPE_CHECKING:
    from curation.services.filtering import Filters
    from workers.writers import Target

AT_ONCE = 500
LINEAGE: Fields = (("flipped", "flag"),)
COLUMNS: Fields = (
    ("proposal", "whole"), ("run", "text"), ("curator", "text"), ("item", "text"), ("pair", "whole"),
    ("response", "whole"), ("chosen", "whole"), ("rejected", "whole"), ("action", "text"), ("score", "real"),
    ("reason", "text"), ("cause", "text"), ("decided_by", "whole"), ("decided_at", "text"),
)  # fmt: skip
"""Of the companion file `proposals`."""
ACCEPTED = "WHERE p.run_id {} AND p.state = 'accepted' AND p.decided_at <= %s"
OF_ITEMS = f"""
SELECT p.item_id, p.response_id, p.chosen_id, p.rejected_id, p.action, p.cause FROM curation_proposal p
{ACCEPTED} AND p.action IN ('drop', 'flip') AND p.item_id {{}} ORDER BY p.id
"""
ALL = f"""
SELECT p.id, p.run_id, r.params, r.method, i.external_id, p.pair_id, p.response_id, p.chosen_id, p.rejected_id,
       p.action, p.score, p.reason, p.cause, p.decided_by_id, p.decided_at
FROM curation_proposal p
JOIN curation_run r ON r.id = p.run_id
JOIN curation_item i ON i.id = p.item_id
{ACCEPTED} ORDER BY p.id
"""


def checked(project: Project, target: Target, filters: Filters) -> list[str]:
    """The runs whose proposals are followed, by their ids. Raises Invalid for one that has none to follow."""
    found = []
    for number, given in enumerate(filters.curated):
        place = f"filters.curated.{number}"
        try:
            run = Run.objects.filter(pk=UUID(given), project=project, state=Run.State.SUCCEEDED).first()
        except ValueError:
            run = None
        if run is None or not Proposal.objects.filter(run=run).exists():
            raise Invalid("is no finished run of this project that made proposals", field=place)
        axis = run.params.get("axis", filters.axis)
        if target.source == "decided" and project.kind == "preference" and axis != filters.axis:
            raise Invalid(f"looked at the axis {axis}, and this version holds {filters.axis}", field=place)
        if str(run.pk) not in found:
            found.append(str(run.pk))
    return found


def held(runs: Sequence[str]) -> None:
    """Lock runs, in one order, so that nothing of them is accepted or refused while a version is asked for."""
    if runs:
        list(Run.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=runs).order_by("pk"))


def taken(run: Run) -> DatasetVersion | None:
    """The last version that follows what a run proposed, if any does."""
    after = DatasetVersion.objects.filter(dataset__project=run.project_id, created_at__gt=run.created_at)
    few = after.select_related("dataset").only("filters", "created_at", "number", "dataset__name")
    for version in few.order_by("-created_at").iterator(chunk_size=500):
        if str(run.pk) in version.filters.get("curated", ()):
            return version
    return None


def flips(version: DatasetVersion) -> bool:
    """Whether its lineage tells of flips."""
    return bool(version.filters.get("curated"))


def followed(selection: Selection, found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Candidates with what was accepted: a dropped one gets its cause as the reason, a flipped one is exchanged."""
    while some := list(islice(found, AT_ONCE)):
        known = accepted(selection, {one.item_id for one in some if one.reason is None})
        for one in some:
            yield one if one.reason is not None else known.applied(one)


@dataclass
class Accepted:
    """What was accepted of some items."""

    items: dict[int, str] = field(default_factory=dict)
    """Causes by what is dropped: whole items, responses, and pairs of responses."""
    responses: dict[int, str] = field(default_factory=dict)
    pairs: dict[frozenset[int], str] = field(default_factory=dict)
    flips: set[tuple[int, int]] = field(default_factory=set)
    """(chosen, rejected) as it was when it was proposed to be the other way round."""

    def applied(self, one: Candidate) -> Candidate:
        if cause := self.against(one):
            return replace(one, reason=f"curated: {cause}")
        flipped = isinstance(one.given, DecidedRow) and self.contradicts(one)
        if flipped:
            one = exchanged(one)
        return replace(one, lineage=[{**trace, "flipped": flipped} for trace in one.lineage])

    def against(self, one: Candidate) -> str | None:
        if one.item_id in self.items:
            return self.items[one.item_id]
        return next((self.responses[pk] for pk in one.responses if pk in self.responses), None) or self.pairs.get(
            frozenset(one.responses)
        )

    def contradicts(self, one: Candidate) -> bool:
        """Whether the label is the one that was to be flipped; what people settled by hand stays."""
        how = one.lineage[0].get("how", "") if one.lineage else ""
        return how not in BY_HAND and (one.responses[0], one.responses[1]) in self.flips


def accepted(selection: Selection, items: Collection[int]) -> Accepted:
    """Drops and flips of some items. Of several drops of one subject the first is the cause."""
    found = Accepted()
    if not items:
        return found
    for item, response, chosen, rejected, action, cause in of_items(selection, items):
        if action == "flip":
            found.flips.add((chosen, rejected))
        elif chosen is not None:
            found.pairs.setdefault(frozenset((chosen, rejected)), cause)
        elif response is not None:
            found.responses.setdefault(response, cause)
        else:
            found.items.setdefault(item, cause)
    return found


def of_items(selection: Selection, items: Collection[int]) -> list[tuple[Any, ...]]:
    among, runs = one_of_runs(selection.filters.curated)
    some, ids = bulk.one_of(sorted(items))
    moment = bulk.moment(selection.as_of or timezone.now())
    return fetched(OF_ITEMS.format(among, some), [runs, moment, ids])


def one_of_runs(runs: Sequence[str]) -> tuple[str, Any]:
    """A condition that a column is one of some runs, with its one parameter."""
    return bulk.one_of([bulk.uuid(UUID(run)) for run in runs])


def exchanged(one: Candidate) -> Candidate:
    """A candidate the other way round, its margin and confidence as they were decided."""
    given: DecidedRow = one.given
    other = replace(given, chosen=given.rejected, rejected=given.chosen, models=given.models[::-1])
    lineage = [swapped(trace) for trace in one.lineage]
    return replace(one, given=other, responses=one.responses[::-1], lineage=lineage)


def swapped(trace: Mapping[str, Any]) -> dict[str, Any]:
    value = trace["value"]
    turned = {"chosen": trace["rejected"], "rejected": trace["chosen"], "value": None if value is None else -value}
    return {**trace, **turned}


def read_by(project: Project, followed: list[str]) -> dict[str, Any]:
    """Whose answers decided the labels that a curator looked at, and on which axis: what follows begins with these."""
    ids = [pk for pk in followed if as_uuid(pk)]
    run = Run.objects.filter(project=project, method="curate", pk__in=ids).first()
    names = ("annotators", "decided_by", "axis")
    return {name: run.params[name] for name in names if run.params.get(name)} if run else {}


def as_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def proposals(version: DatasetVersion) -> Iterator[dict[str, Any]]:
    """What was accepted of the runs that a version follows, as its companion file has it."""
    among, runs = one_of_runs(version.filters["curated"])
    names = [name for name, _ in COLUMNS]
    for pk, run, params, method, *rest, decided_at in stream(
        ALL.format(among), [runs, bulk.moment(version.created_at)]
    ):
        told = orjson.loads(params) if isinstance(params, str) else params
        row = (pk, str(UUID(str(run))), told.get("curator") or method, *rest, in_utc(decided_at))
        yield dict(zip(names, row, strict=True))
