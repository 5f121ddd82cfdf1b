"""Proposals accepted and refused: one, some, or all of a run that match, as statements over sets.

Who decides locks the run, as a version does that follows its proposals: what a version has followed stays as it is, and
everything else may be decided anew. The counts in the run's result follow, so that no page counts rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Act, Proposal, Run, User
from curation.services import auditing
from curation.services.curating import asked
from curation.services.freezing import curated

State = Proposal.State
Action = Proposal.Action
MOST_NAMED = 1000
"""So many proposals may be named one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which proposals of a run: of an action, in a state, with a score in a range, both ends in it; or by their ids."""

    action: str = ""
    state: str = ""
    low: float | None = None
    high: float | None = None
    ids: Collection[int] | None = None

    @property
    def condition(self) -> Q:
        found = Q()
        for name, value in (("action", self.action), ("state", self.state)):
            found &= Q(**{name: value}) if value else Q()
        for name, bound in (("score__gte", self.low), ("score__lte", self.high)):
            found &= Q(**{name: bound}) if bound is not None else Q()
        return found & Q(pk__in=self.ids) if self.ids is not None else found


def matching(run: Run, wanted: Wanted) -> QuerySet[Proposal]:
    """Raises Invalid for an action or a state that there is not, for too many ids and for a range without a middle."""
    for name, value, known in (("action", wanted.action, Action.values), ("state", wanted.state, State.values)):
        if value and value not in known:
            raise Invalid(f"must be one of: {', '.join(known)}", field=name)
    if wanted.ids is not None and len(wanted.ids) > MOST_NAMED:
        raise Invalid(f"at most {MOST_NAMED}; name an action or a range of scores instead", field="ids")
    if wanted.low is not None and wanted.high is not None and wanted.low > wanted.high:
        raise Invalid("is above the upper end", field="low")
    return Proposal.objects.filter(wanted.condition, run=run)


def accept(run: Run, wanted: Wanted, *, user: User | None) -> int:
    """Accept what matches and is open, or named by its id; how many are accepted by this. Pairs to be asked again are
    asked. Raises Conflict where a version has followed a decision that would change."""
    return decide(run, wanted, State.ACCEPTED, user)


def refuse(run: Run, wanted: Wanted, *, user: User | None) -> int:
    """Refuse what matches and is open, or named by its id; how many are refused by this. Raises Conflict likewise."""
    return decide(run, wanted, State.REFUSED, user)


def reopen(run: Run, wanted: Wanted, *, user: User | None) -> int:
    """Take decisions back; how many. Raises Conflict likewise."""
    return decide(run, wanted, State.OPEN, user)


@transaction.atomic
def decide(run: Run, wanted: Wanted, state: str, user: User | None) -> int:
    matching(run, wanted)
    state = State(state).value
    locked = Run.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.pk)
    if locked.state != Run.State.SUCCEEDED:
        raise Conflict("this run has not finished: its proposals cannot be decided yet")
    if wanted.ids is None and not wanted.state and state != State.OPEN:
        wanted = Wanted(wanted.action, State.OPEN, wanted.low, wanted.high)
    found = matching(run, wanted).exclude(state=state)
    unfollowed(locked, found)
    counts = found.order_by().values_list("action", "state").distinct()
    now = None if state == State.OPEN else timezone.now()
    moved: list[tuple[str, str, int]] = []
    for action, before in sorted(counts):
        mine = found.filter(action=action, state=before)
        if action == Action.ASK and state == State.ACCEPTED:
            asked.again(run.home, mine)
        moved.append((action, before, mine.update(state=state, decided_at=now, decided_by=user if now else None)))
    total = sum(n for _, _, n in moved)
    recounted(locked, moved, state)
    run.result = locked.result
    if total:
        asks = {"action": wanted.action, "low": wanted.low, "high": wanted.high}
        named = sorted(wanted.ids)[:20] if wanted.ids is not None else []
        auditing.record(
            Act.PROPOSALS_DECIDED, project=run.project, by=user, thing=run, to=state, count=total, ids=named, **asks
        )
    return total


def unfollowed(run: Run, found: QuerySet[Proposal]) -> None:
    """Raises Conflict where a version was made of what is to be decided anew."""
    version = curated.taken(run)
    if version and found.filter(decided_at__lte=version.created_at).exists():
        raise Conflict(
            f"{version} follows what was decided here, and never changes; run the curator again to decide anew"
        )


def recounted(run: Run, moved: list[tuple[str, str, int]], state: str) -> None:
    """Move counts in the run's result from one state to another."""
    states = {action: dict(each) for action, each in run.result.get("states", {}).items()}
    for action, before, n in moved:
        mine = states.setdefault(action, {})
        mine[before] = mine.get(before, 0) - n
        mine[state] = mine.get(state, 0) + n
        states[action] = {name: count for name, count in mine.items() if count}
    run.result = {**run.result, "states": states}
    Run.objects.filter(pk=run.pk).update(result=run.result)
