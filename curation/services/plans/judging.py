"""Judges label what they are given, with the nearest verified pairs as examples. Each question is paid for once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.db import transaction

from curation.models import ModelVersion, Plan, PlanPair, PlanStep, Run
from curation.services import candidates, completions, guiding, rounds
from curation.services.critiquing import SEVERAL
from curation.services.plans import measuring, pool
from curation.services.plans.pool import PoolPair
from curation.services.plans.settings import settings_of
from curation.services.plans.verifying import confidence
from curation.services.running import Report
from workers import acquiring
from workers.asking import Reply
from workers.criticising import Critic, request, ways
from workers.critics.guided import round_of
from workers.critics.voting import Side, majority, of_models

ROLE = PlanPair.Role
AT_ONCE = 16
SIDES: dict[Side, str] = {"a": "first", "b": "second", "": ""}
NAMED: dict[str, Side] = {name: side for side, name in SIDES.items()}


def judge(plan: Plan, step: PlanStep, run: Run, report: Report) -> dict[str, Any]:
    """Label the candidates of a round."""
    return label(plan, step, report, run, ROLE.CANDIDATE, ROLE.JUDGED)


def label(plan: Plan, step: PlanStep, report: Report, run: Run, role: str, becomes: str) -> dict[str, Any]:
    """Put pairs of a role to the judges, in pieces; where these do not agree it stays without a label."""
    at = run.checkpoint or {"after": 0, "judged": 0, "split": 0, "calls": 0}
    verified = Verified(plan)
    wanted = PlanPair.objects.filter(plan=plan, role=role, round=step.round).order_by("task_id")
    while rows := list(wanted.filter(task_id__gt=at["after"])[:AT_ONCE]):
        pairs = [pool.some([row.task_id])[row.task_id] for row in rows]
        sure = sureness(plan, step, rows, pairs, report)
        votes, calls = asked(plan, pairs, sure, verified, report)
        for row in rows:
            row.votes = votes[row.task_id]
            row.label = came_to(row.votes)
            row.role = becomes if row.label or becomes == ROLE.HEARD else ROLE.SPLIT
        at = {
            "after": rows[-1].task_id,
            "judged": at["judged"] + sum(bool(row.label) for row in rows),
            "split": at["split"] + sum(not row.label for row in rows),
            "calls": at["calls"] + calls,
        }
        with transaction.atomic():
            PlanPair.objects.bulk_update(rows, ["votes", "label", "role"])
            report.checkpoint(done=at["judged"] + at["split"], at=at)
    return {name: at[name] for name in ("judged", "split", "calls")}


def sureness(
    plan: Plan, step: PlanStep, rows: Sequence[PlanPair], pairs: Sequence[PoolPair], report: Report
) -> dict[int, float]:
    """How sure the round's model is of each pair's own label; before there is a model, and without a label, a half."""
    half = dict.fromkeys((row.task_id for row in rows), 0.5)
    if step.round == 0 or step.stage != "judge":
        return half
    model = pool.trained(plan, step.round)
    measuring.score(model, plan, pairs, report)
    above = pool.margins(plan, model, pairs)
    known = {row.task_id: row.before for row in rows if row.before and row.task_id in above}
    return half | {task: confidence(above[task], before) for task, before in known.items()}


class Verified:
    """What may be an example: the verified pairs to learn from, with their vectors and texts."""

    def __init__(self, plan: Plan) -> None:
        labels = pool.taken(plan, ROLE.GOLD)
        self.pairs = list(pool.some(list(labels)).values())
        self.vectors = pool.vectors(plan, self.pairs)
        self.prompts = [pair.prompt_hash for pair in self.pairs]
        self.labels = [labels[pair.task].label for pair in self.pairs]


def asked(
    plan: Plan, pairs: Sequence[PoolPair], sure: dict[int, float], verified: Verified, report: Report
) -> tuple[dict[int, dict[str, list[str]]], int]:
    """What each judge said of each pair, and how many calls that took now. Raises Conflict for a model that was made
    for other questions."""
    params, project = settings_of(plan), plan.project
    examples = {pair.task: examples_for(plan, pair, sure[pair.task], verified) for pair in pairs}
    wanted_tasks = {pair.task for pair in pairs} | {one.task for each in examples.values() for one, _ in each}
    known = {one.task: one for one in rounds.pairs_of(project, sorted(wanted_tasks))}
    subjects = [
        (pair.task, subject)
        for pair in pairs
        if pair.task in known
        for subject in known[pair.task].subjects(
            params.samples,
            shown=[guiding.shown(known[one.task], label) for one, label in examples[pair.task] if one.task in known],
        )
    ]
    guidelines = project.protocol.guidelines if project.protocol else ""
    wanted, way = rounds.wanted_of(project, params.axis, guidelines=guidelines), ways.get(guiding.NAME)
    votes: dict[int, dict[str, list[str]]] = {pair.task: {} for pair in pairs}
    calls = 0

    def told(_reply: Reply | None) -> None:
        report.checkpoint(done=report.run.done)

    for model in ModelVersion.objects.filter(pk__in=params.judges).order_by("pk"):
        critic = cast(Critic, candidates.opened(model))
        rounds.may_ask(critic, way, model)
        how = {"temperature": critic.temperature or SEVERAL, "max_tokens": critic.max_tokens}
        questions = [request(way, wanted, one, seed=n % params.samples, **how) for n, (_, one) in enumerate(subjects)]
        done = completions.completed(model, critic, questions, told)
        calls += sum(one.calls for one in done)
        for (task, subject), one in zip(subjects, done, strict=True):
            side = round_of(subject, one.parsed).verdict if one.parsed is not None else ""
            votes[task].setdefault(str(model), []).append(SIDES[side])
    return votes, calls


def came_to(by_judge: Mapping[str, Sequence[str]]) -> str:
    """The side of more than half of the judges, each with the majority of its samples; nothing where there is none."""
    sides = [majority([NAMED[vote] for vote in votes]) for votes in by_judge.values()]
    return SIDES[of_models(sides).side]


def examples_for(plan: Plan, pair: PoolPair, sure: float, verified: Verified) -> list[tuple[PoolPair, str]]:
    """The nearest verified pairs with their labels, as many as the model's doubt asks for."""
    if not verified.pairs:
        return []
    target = pool.vectors(plan, [pair])
    if target.shape[1] != verified.vectors.shape[1]:
        return []
    places = acquiring.demonstrations(target[0], verified.vectors, sure, pair.prompt_hash, verified.prompts)
    return [(verified.pairs[place], verified.labels[place]) for place in places]
