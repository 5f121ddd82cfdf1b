"""A plan from its pool to its version: runs and people in turn, killed anywhere, waited for, stopped and repeated."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Decision, ModelVersion, Plan, PlanPair, PlanStep, Proposal, Run, Score, Task
from curation.services import removing
from curation.services.planning import advancing, asking, telling
from curation.services.plans import pool
from curation.services.plans.skywork_reward_v2 import MORE_ROUNDS, stops
from curation.services.running import Report
from tests import judging
from tests.cast import Cast
from tests.plans import SEED, SMALL, begin, go_through, install, populate, truth, verify

pytestmark = pytest.mark.django_db
PAIRS = 120


@pytest.fixture
def embedder(db: None, monkeypatch: Any) -> ModelVersion:
    return install(monkeypatch)


@pytest.fixture
def world(cast: Cast) -> Cast:
    populate(cast.project, PAIRS)
    cast.project.refresh_from_db()
    return cast


def steps(plan: Plan) -> list[str]:
    return [f"{step.round} {step.stage}" for step in PlanStep.objects.filter(plan=plan).order_by("pk")]


def counts(plan: Plan, stage: str, round_: int) -> dict[str, Any]:
    found: dict[str, Any] = PlanStep.objects.get(plan=plan, stage=stage, round=round_).counts
    return found


def rows(plan: Plan) -> dict[str, Any]:
    """All that a plan left, by the names of items: the same wherever it was broken off."""
    pairs = PlanPair.objects.filter(plan=plan).values_list(
        "task__pair__item__external_id", "role", "label", "before", "round", "pulls"
    )
    proposals = Proposal.objects.filter(run__plan_steps__plan=plan)
    labels = Decision.objects.filter(run__plan_steps__plan=plan)
    counted = PlanStep.objects.filter(plan=plan).exclude(stage="embed")  # what has a vector gets no other
    assert plan.version is not None
    return {
        "pairs": sorted(pairs),
        "proposals": sorted(proposals.values_list("item__external_id", "action", "score", "state", "reason")),
        "labels": sorted(labels.values_list("run__plan_steps__stage", "task__pair__item__external_id", "outcome")),
        "counts": [(step.stage, step.round, told(step)) for step in counted],
        "version": (plan.version.folder / "train.jsonl").read_bytes(),
    }


def told(step: PlanStep) -> dict[str, Any]:
    """Counts short of what has another name in every plan."""
    named = ("version", "model", "method", "answers up to")
    return {name: value for name, value in step.counts.items() if name not in named}


def test_a_plan_goes_from_its_pool_to_a_cleaner_version_and_killed_anywhere_leaves_the_same(
    world: Cast, embedder: ModelVersion, monkeypatch: Any
) -> None:
    plan = go_through(begin(world.project, world.olga, embedder), world.ann)
    assert plan.state == Plan.State.FINISHED, plan.error
    goes_through_its_stages(plan)
    keeps_apart_what_it_should(plan)
    assert purity(plan) > 0.9 > labels_right(world)
    other = killed_again_and_again(asking.again(plan, user=world.olga), world, monkeypatch)
    assert rows(other) == rows(plan)
    found = telling.difference(plan, other)
    assert found.settings == found.otherwise == []
    assert found.both == PlanPair.objects.filter(plan=plan).count()
    assert plan.version is not None
    total = plan.version.counts["total"]
    assert found.kept == {"both": total, "only in the first": 0, "only in the second": 0}


def goes_through_its_stages(plan: Plan) -> None:
    """Stage by stage, with counts that add up; errors lie where labels are wrong, and so does what they pull."""
    folds = [f"fold-{n}-{part}" for n in (1, 2) for part in ("labels", "set", "train")]
    verified = ["labels", "set", "train", "measure", *folds, "acquire", "verify"]
    assert steps(plan) == [
        *("0 embed", "0 seed", "0 verify"),
        *(f"1 {stage}" for stage in verified),
        *(f"2 {stage}" for stage in verified[:4]),
        *("3 gold-labels", "3 gold-set", "3 gold-train", "3 gold-score", "3 best-score", "3 sift"),
        *("3 final-labels", "3 final-set"),
    ]
    drawn, pulled = counts(plan, "verify", 0), counts(plan, "verify", 1)
    assert drawn | {"turned": 0} == {
        "asked": SEED, "verified": SEED, "discarded": 0, "unanswered": 0, "with a label": SEED, "turned": 0,
    }  # fmt: skip
    assert PlanPair.objects.filter(plan=plan, role="validation").count() == SMALL["validation"]
    assert pulled["turned"] / pulled["asked"] > 1.3 * drawn["turned"] / SEED
    sifted = counts(plan, "sift", 3)
    assert sifted["keep"] + sifted["flip"] + sifted["drop"] + sifted["ask"] + SEED + pulled["asked"] == PAIRS
    assert plan.version is not None and plan.version.counts["total"] == counts(plan, "final-set", 3)["rows"]


def keeps_apart_what_it_should(plan: Plan) -> None:
    """Nothing of a held-out prompt is learnt, and the gold model sifts nothing that it knows."""
    held = set(PlanPair.objects.filter(plan=plan, role="validation").values_list("task", flat=True))
    gold = set(PlanPair.objects.filter(plan=plan, role="gold").values_list("task", flat=True))
    labelled = Decision.objects.filter(run__plan_steps__plan=plan)
    assert not held & set(labelled.values_list("task", flat=True))
    assert set(labelled.filter(run__plan_steps__stage="gold-labels").values_list("task", flat=True)) == gold
    sifted = set(Proposal.objects.filter(run__plan_steps__plan=plan).values_list("pair__tasks", flat=True))
    assert sifted and not sifted & (held | gold)
    judged_by_who_never_saw_it(plan)


def judged_by_who_never_saw_it(plan: Plan) -> None:
    """What a verified pair pulls follows from a model that learnt nothing of its prompt."""
    learnt = dict(PlanPair.objects.filter(plan=plan, role="gold", round=0).values_list("task", "task__pair__first"))
    parts = []
    for stage in ("fold-1", "fold-2"):
        labels = Decision.objects.filter(run__plan_steps__plan=plan, run__plan_steps__stage=f"{stage}-labels")
        known = set(labels.values_list("task", flat=True))
        left_out = {task for task in learnt if task not in known}
        model = pool.trained(plan, 1, f"{stage}-train")
        scored = set(Score.objects.filter(model=model).values_list("response", flat=True))
        assert scored & set(learnt.values()) == {learnt[task] for task in left_out}
        parts.append(left_out)
    assert parts[0] and parts[1] and not parts[0] & parts[1] and parts[0] | parts[1] == set(learnt)


def labels_right(world: Cast) -> float:
    tasks = Task.objects.filter(project=world.project).select_related("pair__item", "pair__first")
    right = [task.annotations.get(source="import").preferences.get().value == truth(task) for task in tasks]
    return sum(right) / len(right)


def purity(plan: Plan) -> float:
    """The share of rows of its version in which the better response is chosen."""
    assert plan.version is not None
    right = []
    for line in (plan.version.folder / "train.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        topic = int(row["prompt"][0]["content"].split()[0].removeprefix("topic"))
        right.append(row["chosen"][0]["content"].startswith(("alpha", "beta")[topic % 2]))
    return sum(right) / len(right)


class Killed(BaseException):
    """A worker that is gone."""


def killed_again_and_again(plan: Plan, world: Cast, monkeypatch: Any) -> Plan:
    """The plan at its end; of each of its runs two workers died, one before its first sign of progress, one behind."""
    checkpoint, deaths = Report.checkpoint, Counter[str]()

    def dying(self: Report, **told: Any) -> None:
        died = deaths[f"{self.run.method} {self.run.pk}"]
        deaths[f"{self.run.method} {self.run.pk}"] = died + 1
        if died == 0:
            raise Killed
        checkpoint(self, **told)
        if died == 1:
            raise Killed

    monkeypatch.setattr(Report, "checkpoint", dying)
    for _ in range(200):
        try:
            plan = go_through(plan, world.ann)
            break
        except Killed:
            long_ago = timezone.now() - timedelta(minutes=1)
            Run.objects.filter(state=Run.State.RUNNING).update(lease_until=long_ago, attempts=0)
    monkeypatch.setattr(Report, "checkpoint", checkpoint)
    assert plan.state == Plan.State.FINISHED, plan.error
    assert {"plan-step", "plan-label", "freeze", "score"} <= {one.split()[0] for one in deaths}
    return plan


def at_people(world: Cast, embedder: ModelVersion, **params: Any) -> Plan:
    """A plan that waits for its seed."""
    plan = begin(world.project, world.olga, embedder, **params)
    while plan.state == Plan.State.RUNNING:
        step = asking.standing(plan)
        assert step is not None and step.run is not None
        judging.finish(step.run)
        plan.refresh_from_db()
    assert plan.state == Plan.State.WAITING, plan.error
    return plan


def test_it_waits_for_people_and_goes_on_at_the_deadline_without_those_who_did_not_answer(
    world: Cast, embedder: ModelVersion
) -> None:
    plan = at_people(world, embedder)
    assert plan.queue is not None and plan.queue.tasks.count() == SEED
    assert verify(plan, world.ann, most=SEED - 10) == SEED - 10
    assert advancing.advance(plan).state == Plan.State.WAITING
    Plan.objects.filter(pk=plan.pk).update(deadline=timezone.now())
    assert advancing.advance_all() == 1
    plan.refresh_from_db()
    assert (plan.state, plan.round, plan.stage) == (Plan.State.RUNNING, 1, "labels")
    assert counts(plan, "verify", 0)["unanswered"] == 10
    assert plan.queue.tasks.filter(state=Task.State.OPEN).count() == 0
    assert PlanPair.objects.filter(plan=plan).count() == SEED - 10


def test_nobody_by_the_deadline_fails_and_going_on_asks_again(world: Cast, embedder: ModelVersion) -> None:
    plan = at_people(world, embedder)
    Plan.objects.filter(pk=plan.pk).update(deadline=timezone.now())
    plan = advancing.advance(plan)
    assert plan.state == Plan.State.FAILED and "nobody verified a pair" in plan.error
    plan = asking.go_on(plan, world.olga)
    assert plan.state == Plan.State.WAITING and plan.deadline is not None and plan.deadline > timezone.now()


def test_nobody_is_waited_for_on_a_pair_that_was_taken_out(world: Cast, embedder: ModelVersion) -> None:
    plan = at_people(world, embedder)
    verify(plan, world.ann, most=SEED - 1)
    left = PlanPair.objects.get(plan=plan, task__state=Task.State.OPEN).task
    assert left.pair is not None
    removing.remove(project=world.project, ids=[left.pair.item_id], user=world.mia)
    assert advancing.advance(plan).stage == "labels"


def test_a_button_goes_on_without_waiting(world: Cast, embedder: ModelVersion) -> None:
    plan = at_people(world, embedder)
    verify(plan, world.ann, most=30)
    plan = asking.go_on(plan, world.olga, without_waiting=True)
    assert (plan.state, plan.stage) == (Plan.State.RUNNING, "labels")


def test_a_tie_is_left_out_and_is_learnt_from_by_nobody(world: Cast, embedder: ModelVersion, monkeypatch: Any) -> None:
    plan = at_people(world, embedder)
    first = PlanPair.objects.filter(plan=plan, held_out=False).order_by("pk").first()
    assert first is not None
    monkeypatch.setattr("tests.plans.truth", lambda task: 0 if task.pk == first.task_id else truth(task))
    verify(plan, world.ann)
    advancing.advance(plan)
    first.refresh_from_db()
    assert (first.role, first.label) == ("discarded", "")
    plan = go_through(plan, world.ann)
    assert not Decision.objects.filter(run__plan_steps__plan=plan, task=first.task_id).exists()


def test_a_run_that_failed_fails_the_plan_and_both_go_on(world: Cast, embedder: ModelVersion, monkeypatch: Any) -> None:
    from curation.services.plans import verifying

    plan = begin(world.project, world.olga, embedder)
    with monkeypatch.context() as broken:
        broken.setattr(verifying, "draw", lambda plan, wanted: 1 / 0)
        plan = go_through(plan, world.ann)
    assert plan.state == Plan.State.FAILED and "ZeroDivisionError" in plan.error
    plan = asking.go_on(plan, world.olga)
    assert plan.state == Plan.State.RUNNING
    assert go_through(plan, world.ann).state == Plan.State.FINISHED


def test_stopped_while_it_waits_it_asks_nobody_any_more(world: Cast, embedder: ModelVersion) -> None:
    plan = at_people(world, embedder)
    verify(plan, world.ann, most=5)
    plan = asking.cancel(plan, world.olga)
    assert plan.queue is not None
    assert plan.queue.tasks.filter(state=Task.State.OPEN).count() == 0
    assert world.project.tasks.filter(state=Task.State.OPEN).count() == PAIRS - 5


def test_stopped_it_asks_nobody_and_its_run_stops(world: Cast, embedder: ModelVersion) -> None:
    plan = begin(world.project, world.olga, embedder)
    step = asking.standing(plan)
    plan = asking.cancel(plan, world.olga)
    assert step is not None and step.run is not None
    step.run.refresh_from_db()
    assert (plan.state, step.run.state) == (Plan.State.CANCELLED, Run.State.CANCELLED)
    assert advancing.advance_all() == 0
    with pytest.raises(Conflict, match="already ended"):
        asking.go_on(plan, world.olga)


def test_the_same_step_starts_one_run_however_often_it_is_moved(world: Cast, embedder: ModelVersion) -> None:
    plan = begin(world.project, world.olga, embedder)
    for _ in range(3):
        advancing.advance(plan)
    assert Run.objects.filter(project=world.project).count() == PlanStep.objects.filter(plan=plan).count() == 1


def test_the_budget_bounds_what_people_are_asked_and_ends_the_rounds(world: Cast, embedder: ModelVersion) -> None:
    plan = go_through(begin(world.project, world.olga, embedder, rounds=6, budget=40), world.ann)
    assert plan.state == Plan.State.FINISHED, plan.error
    assert PlanPair.objects.filter(plan=plan, role__in=("gold", "validation", "discarded")).count() == 40
    assert "budget of 40" in plan.advice


def test_another_plan_has_the_same_settings_and_the_pairs_that_came_since(world: Cast, embedder: ModelVersion) -> None:
    plan = at_people(world, embedder)
    asking.cancel(plan, world.olga)
    populate(world.project, 2, seed=1, first=PAIRS)
    other = asking.again(plan, user=world.olga)
    assert other.params == plan.params and other.seed == plan.seed and other.again_of == plan
    assert other.last_task > plan.last_task


def test_too_few_verified_pairs_for_a_gold_model_bring_another_round(world: Cast, embedder: ModelVersion) -> None:
    plan = begin(world.project, world.olga, embedder, seed_pairs=16, rounds=1)
    while plan.state != Plan.State.WAITING:
        step = asking.standing(plan)
        assert step is not None and step.run is not None
        judging.finish(step.run)
        plan.refresh_from_db()
    verify(plan, world.ann)
    advancing.advance(plan)
    gold = PlanPair.objects.filter(plan=plan, role="gold")
    assert gold.count() == 16 and stops(plan, 1)
    PlanPair.objects.filter(pk=gold.first().pk).update(role="discarded")  # type: ignore[union-attr]
    assert not stops(plan, 1) and stops(plan, 1 + MORE_ROUNDS)
    plan.params["budget"] = 5
    assert stops(plan, 1), "nobody may be asked any more"


def test_what_does_not_fit_is_refused(cast: Cast, embedder: ModelVersion) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"axis": "taste"}, "params.axis"),
        ({"embedder": 999}, "params.embedder"),
        ({"judge": 999}, "params.judge"),
        ({"source": "nowhere"}, "params.source"),
        ({"validation": 3}, "params.validation"),
        ({"budget": 12}, "params.budget"),
        ({"seed_pairs": 10, "rounds": 1}, "params.seed_pairs"),
        ({"budget": 20}, "params.seed_pairs"),
        ({"colour": 1}, "params.colour"),
        ({"training": {"epochs": 1}}, "params.epochs"),
    ]
    for params, field in wrong:
        with pytest.raises(Invalid) as refused:
            given = {**SMALL, "embedder": embedder.pk, **params}
            asking.start(project=cast.project, method="skywork-reward-v2", params=given, user=cast.olga)
        assert refused.value.field == field
    assert not Plan.objects.exists()


def test_a_pool_that_is_too_small_says_so(cast: Cast, embedder: ModelVersion) -> None:
    populate(cast.project, 9)
    plan = go_through(begin(cast.project, cast.olga, embedder), cast.ann)
    assert plan.state == Plan.State.FAILED and "9 pairs of different prompts" in plan.error


def test_a_pool_may_be_one_source(world: Cast, embedder: ModelVersion) -> None:
    from curation.models import Item, Source

    source = Source.objects.create(project=world.project, name="new")
    some = Item.objects.filter(project=world.project).order_by("pk").values_list("pk", flat=True)[:60]
    Item.objects.filter(pk__in=list(some)).update(source=source)
    plan = at_people(world, embedder, source="new")
    asked = PlanPair.objects.filter(plan=plan)
    assert asked.count() == SEED and not asked.exclude(task__pair__item__source=source).exists()
    plan = go_through(plan, world.ann)
    assert plan.state == Plan.State.FINISHED, plan.error
    scored = Score.objects.filter(model=pool.trained(plan, plan.round, "gold-train"))
    assert scored.count() >= 2 * (60 - SEED) and not scored.exclude(response__item__source=source).exists()
