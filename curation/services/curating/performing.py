"""The run of `curate`: what a curator proposes, written in pieces.

A worker that dies leaves whole pieces. The next one goes through the same rows again, which gives the same proposals
(what is read was fixed when the run began, and curators draw by the seed alone), and goes on behind the last piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min
from django.utils import timezone

from curation import bulk
from curation.errors import Conflict, Invalid
from curation.models import ModelVersion, Proposal, Run
from curation.services import protecting
from curation.services.curating import asked
from curation.services.curating.asking import CurateParams, begun, curator_of, selection_of, settings_of
from curation.services.curating.rows import Rows
from curation.services.embedding import prompts_to_vectors
from curation.services.freezing.walking import apart, sorting_on_disk, tell
from curation.services.running import Report
from curation.statements import rows as fetched
from workers import curating
from workers.aggregating import Missing
from workers.curating import MOST_CAUSE, MOST_REASON, Aid, Curator, Settings, Unfit

AT_ONCE = 1000
BINS = 20
STATE = Proposal.State
BINNED = f"""
SELECT action, CASE WHEN score >= %s THEN {BINS - 1} ELSE CAST(FLOOR((score - %s) / %s * {BINS}) AS INTEGER) END,
       COUNT(*)
FROM curation_proposal WHERE run_id = %s GROUP BY 1, 2
"""


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Propose; the result counts proposals by action and state, and has their scores in bins."""
    params = CurateParams.model_validate(run.params)
    curator = curator_of(params.curator)
    settings = settings_of(curator, params.settings)
    at = begun(run)
    if "references" in curator.needs and "references" not in at:
        at["references"] = protecting.gathered(run.home, getattr(settings, "against", []), run.created_at)
    report.checkpoint(done=0, at=at)
    rows = Rows(selection_of(run, params, at), curator, settings, at["last_embedding"], lambda n: tell(report, n, None))
    try:
        with sorting_on_disk():
            proposals = curator.propose(rows, settings, aid_of(run, report, curator, settings, at))
            write(run, report, at, islice(proposals, at["written"], None), params.accept)
    except (Missing, Unfit) as problem:
        raise Conflict(str(problem)) from None
    except Invalid as problem:  # a fit or an axis that is not there any more
        raise Conflict(problem.detail) from None
    with transaction.atomic():
        if params.accept and not at.get("asked"):
            asked.again(run.home, Proposal.objects.filter(run=run, action=Proposal.Action.ASK, state=STATE.ACCEPTED))
        report.checkpoint(done=rows.seen, total=rows.seen, at={**at, "asked": True})
    return {"curator": curator.title, "rows": rows.seen, **told(run)}


def ended(run: Run) -> None:
    """Tell the database's planner of many proposals: versions and reviews that follow at once ask for them by item."""
    if run.done > AT_ONCE:
        bulk.refresh_statistics(Proposal)


def aid_of(run: Run, report: Report, curator: Curator, settings: Settings, at: dict[str, Any]) -> Aid:
    """The texts to compare with, and the embedder of prompts, where the curator needs them."""
    references = protecting.references(at.get("references", []))
    pk = getattr(settings, "embedder", None) if "prompt vectors" in curator.needs else None
    embedder = ModelVersion.objects.get(pk=pk) if pk is not None else None
    embed = partial(prompts_to_vectors, embedder) if embedder else None
    return Aid(run.seed, report.log, references, embed, run.folder)


def write(run: Run, report: Report, at: dict[str, Any], proposals: Iterable[curating.Proposal], accept: bool) -> None:
    """Some at a time, each with where to go on."""
    source: Iterator[curating.Proposal] = iter(proposals)
    while some := list(islice(source, AT_ONCE)):
        made = [row_of(run, one, accept) for one in some]
        moved = {**at, "written": at["written"] + len(made)}
        apart(lambda made=made, moved=moved: keep(report, made, moved))  # type: ignore[misc]
        at.update(moved)


def keep(report: Report, made: list[Proposal], at: dict[str, Any]) -> None:
    with transaction.atomic():
        Proposal.objects.bulk_create(made, ignore_conflicts=True, batch_size=AT_ONCE)
        report.checkpoint(done=report.run.done, at=at)


def row_of(run: Run, one: curating.Proposal, accept: bool) -> Proposal:
    """A proposal as a row; accepted by who started the run, if that was asked for."""
    subject = one.subject
    decided = {"state": STATE.ACCEPTED, "decided_at": timezone.now(), "decided_by": run.created_by} if accept else {}
    return Proposal(
        project=run.home,
        run=run,
        subject=subject.key,
        item_id=subject.item,
        pair_id=subject.pair,
        response_id=subject.response,
        chosen_id=subject.chosen,
        rejected_id=subject.rejected,
        action=one.action,
        score=one.score,
        reason=one.reason[:MOST_REASON],
        cause=one.cause[:MOST_CAUSE],
        **decided,  # type: ignore[arg-type]
    )


def told(run: Run) -> dict[str, Any]:
    """Counts by action and state, and the scores of each action in bins: what pages show without counting."""
    counts = Proposal.objects.filter(run=run).order_by().values_list("action", "state").annotate(n=Count("pk"))
    states: dict[str, dict[str, int]] = {}
    for action, state, n in counts:
        states.setdefault(action, {})[state] = n
    total = sum(sum(each.values()) for each in states.values())
    return {"proposals": total, "states": states, "scores": binned(run)}


def binned(run: Run) -> dict[str, Any]:
    ends = Proposal.objects.filter(run=run).aggregate(low=Min("score"), high=Max("score"))
    low, high = ends["low"], ends["high"]
    if low is None:
        return {}
    bins: dict[str, list[int]] = {}
    for action, place, n in fetched(BINNED, [high, low, (high - low) or 1.0, bulk.uuid(run.pk)]):
        bins.setdefault(action, [0] * BINS)[place] += n
    return {"low": low, "high": high, "bins": bins}
