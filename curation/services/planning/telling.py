"""What the board of a plan shows: its rounds with what every gate counted, accuracies, what was spent, what it awaits.

Everything comes from the steps' own counts, but for the pairs that it took: no table of the project is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count

from curation.models import Plan, PlanPair, PlanStep, Run, Task
from curation.services.planning.recipe import recipe_of
from workers.intervals import Share, wilson

HIDDEN = ("method", "version", "model", "low", "high", "accuracy", "gold accuracy", "answers up to", "scores", "states")
SPENT = (*PlanPair.VERIFIED, PlanPair.Role.DISCARDED)
MOST_ROWS = 50_000
"""Larger versions are compared by a run, from the versions' own pages."""
MOST_COMPARED = 200
"""So many pairs on which two plans differ are named."""


@dataclass(frozen=True, slots=True)
class Line:
    """A step as the board shows it. `state`: done, running, waiting, failed."""

    title: str
    state: str
    step: PlanStep
    counts: list[tuple[str, Any]]


@dataclass(slots=True)
class Round:
    title: str
    lines: list[Line] = field(default_factory=list)
    accuracy: Share | None = None


@dataclass(frozen=True, slots=True)
class Board:
    rounds: list[Round]
    accuracies: list[tuple[int, Share]]
    roles: dict[str, int]
    labels: int
    """Pairs on which people answered."""
    calls: int
    """Questions that judges were paid for."""
    open_tasks: int
    """What people are waited for, at most `MOST_COUNTED`."""


MOST_COUNTED = 10_000


def board(plan: Plan) -> Board:
    """Everything that the page of a plan and its API tell."""
    steps = list(PlanStep.objects.filter(plan=plan).select_related("run").order_by("pk"))
    titles = {name: stage.title for name, stage in recipe_of(plan).stages.items()}
    rounds: dict[int, Round] = {}
    accuracies = []
    for step in steps:
        mine = rounds.setdefault(step.round, Round(title_of(step)))
        line = Line(titles.get(step.stage, step.stage), state_of(plan, step), step, said(step))
        mine.lines.append(line)
        if step.stage == "measure" and step.ended_at and step.counts.get("n"):
            mine.accuracy = wilson(step.counts["right"], step.counts["n"])
            accuracies.append((step.round, mine.accuracy))
    roles = roles_of(plan)
    return Board(
        rounds=list(rounds.values()),
        accuracies=accuracies,
        roles=roles,
        labels=sum(roles.get(role, 0) for role in SPENT),
        calls=sum(step.counts.get("calls", 0) for step in steps),
        open_tasks=open_tasks(plan) if plan.state == Plan.State.WAITING else 0,
    )


def roles_of(plan: Plan) -> dict[str, int]:
    """How many pairs the plan took, by what became of them."""
    rows = PlanPair.objects.filter(plan=plan).order_by().values_list("role").annotate(n=Count("pk"))
    return dict(rows)


def open_tasks(plan: Plan) -> int:
    asked = PlanPair.objects.filter(plan=plan, role=PlanPair.Role.ASKED, task__state=Task.State.OPEN)
    return len(asked.values_list("pk", flat=True)[:MOST_COUNTED])


def title_of(step: PlanStep) -> str:
    """A round begins with its labels; what comes before the first is the beginning, the last filter is stage 2."""
    if step.round == 0:
        return "Beginning"
    return "Stage 2" if step.stage == "gold-labels" else f"Round {step.round}"


def state_of(plan: Plan, step: PlanStep) -> str:
    if step.ended_at:
        return "done"
    if plan.state == Plan.State.FAILED or (step.run and step.run.state in (Run.State.FAILED, Run.State.CANCELLED)):
        return "failed"
    if not plan.live:
        return "stopped"
    return "running" if step.run else "waiting"


def said(step: PlanStep) -> list[tuple[str, Any]]:
    """What a step counted, with the model or version that it made."""
    named = [(name, step.counts[name]) for name in ("version", "model") if step.counts.get(name)]
    rest = [(name, value) for name, value in step.counts.items() if name not in HIDDEN and isinstance(value, int)]
    return [*named, *rest]


# --- Two plans side by side ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """Two plans: settings that differ, what each gate counted in both, accuracies, and what was labelled otherwise."""

    settings: list[tuple[str, Any, Any]]
    gates: list[tuple[str, str, Any, Any]]
    accuracies: list[tuple[int, Share | None, Share | None]]
    both: int
    """Pairs that people verified in both."""
    otherwise: list[tuple[str, str, str]]
    """Of these, those with different labels: the item, and both labels; at most MOST_COMPARED."""
    kept: dict[str, int]
    """Rows of the versions: in both, only in the first, only in the second."""


def difference(one: Plan, other: Plan) -> Difference:
    first, second = board(one), board(other)
    names = sorted(one.params.keys() | other.params.keys())
    settings = [(name, one.params.get(name), other.params.get(name)) for name in names]
    accuracies = dict(first.accuracies), dict(second.accuracies)
    rounds = sorted(accuracies[0].keys() | accuracies[1].keys())
    both, otherwise = labels_compared(one, other)
    return Difference(
        settings=[row for row in settings if row[1] != row[2]],
        gates=gates(first, second),
        accuracies=[(n, accuracies[0].get(n), accuracies[1].get(n)) for n in rounds],
        both=both,
        otherwise=otherwise,
        kept=kept(one, other),
    )


def gates(first: Board, second: Board) -> list[tuple[str, str, Any, Any]]:
    """Round, gate and the two numbers, in the order of the first plan."""
    told = [
        {(mine.title, f"{line.title}: {name}"): value for mine in found.rounds for line in mine.lines
         for name, value in line.counts if isinstance(value, int)}
        for found in (first, second)
    ]  # fmt: skip
    keys = list(dict.fromkeys([*told[0], *told[1]]))
    return [(*key, told[0].get(key), told[1].get(key)) for key in keys]


def labels_compared(one: Plan, other: Plan) -> tuple[int, list[tuple[str, str, str]]]:
    """How many pairs people verified in both plans, and those of which they said otherwise."""
    labels = [
        dict(PlanPair.objects.filter(plan=plan, role__in=PlanPair.VERIFIED).values_list("task_id", "label"))
        for plan in (one, other)
    ]
    shared = sorted(labels[0].keys() & labels[1].keys())
    differing = [task for task in shared if labels[0][task] != labels[1][task]][:MOST_COMPARED]
    names = dict(Task.objects.filter(pk__in=differing).values_list("pk", "pair__item__external_id"))
    return len(shared), [(names[task], labels[0][task], labels[1][task]) for task in differing]


def kept(one: Plan, other: Plan) -> dict[str, int]:
    """How many rows the versions of two plans share: pairs with the same side chosen. Of large ones nothing is told."""
    made = [plan.version for plan in (one, other) if plan.version is not None]
    if len(made) < 2 or any(version.counts.get("total", 0) > MOST_ROWS for version in made):
        return {}
    digests = [rows_in(plan) for plan in (one, other)]
    shared = sum((digests[0] & digests[1]).values())
    return {
        "both": shared,
        "only in the first": digests[0].total() - shared,
        "only in the second": digests[1].total() - shared,
    }


def rows_in(plan: Plan) -> Counter[bytes]:
    """A digest of 8 bytes for each row of a plan's version."""
    import hashlib

    from workers.tables import shards

    assert plan.version is not None
    found: Counter[bytes] = Counter()
    for split in plan.version.filled_splits:
        for path in shards(plan.version.folder, split, "jsonl"):
            with path.open("rb") as lines:
                found.update(hashlib.blake2b(line, digest_size=8).digest() for line in lines)
    return found


def plans_of(project_id: int, before: int = 0, most: int = 50) -> Sequence[Plan]:
    """The plans of a project, the newest first, some at a time."""
    rows = Plan.objects.filter(project=project_id).select_related("version__dataset", "created_by").order_by("-pk")
    return list((rows.filter(pk__lt=before) if before else rows)[:most])
