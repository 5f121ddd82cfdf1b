"""A small world for plans: prompts of eight topics, each with its own taste, and labels that are wrong where it hurts.

Reward models are tables of (topic, word) counted from the rows that they learn from; prompts are embedded by topic.
People answer what is true. Everything else is as it is in use: runs, versions, queues, proposals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import log
from pathlib import Path
from random import Random
from typing import Any

import orjson
from django.utils import timezone

from curation.access import annotator_for
from curation.models import (
    Annotation,
    Annotator,
    Item,
    ModelVersion,
    Pair,
    Plan,
    PlanPair,
    PlanStep,
    Preference,
    Project,
    Queue,
    Response,
    Run,
    Task,
    User,
    queue_position,
)
from curation.services import annotating, assigning
from curation.services.desk import desk_of
from curation.services.method import Method, Params
from curation.services.methods import METHODS
from curation.services.planning import advancing, asking
from curation.services.plans import attributing
from curation.services.running import Report
from tests import judging
from workers import warm
from workers.judging import Given, Judge, Judged, judges

TOPICS = 8
WORDS = ("alpha", "beta")
WRONG = {0: 0.65, 1: 0.65}
"""Share of wrong labels by topic; elsewhere a tenth."""
SMALL = {"validation": 12, "seed_pairs": 24, "per_round": 12, "rounds": 2, "days": 1}
SEED = SMALL["validation"] + SMALL["seed_pairs"]


def populate(project: Project, count: int, seed: int = 0, first: int = 0) -> None:
    """So many pairs with an imported label each; the response at the better place is drawn."""
    chance = Random(seed)
    who, _ = Annotator.objects.get_or_create(project=project, kind="person", name="imported")
    for number in range(first, first + count):
        topic = number % TOPICS
        words = list(WORDS)
        chance.shuffle(words)
        item = Item.objects.create(
            project=project,
            external_id=f"item-{number}",
            prompt=[{"role": "user", "content": f"topic{topic} question {number}"}],
            prompt_hash=f"{seed}-prompt-{number}",
            content_hash=f"{seed}-content-{number}",
        )
        sides = [
            Response.objects.create(item=item, position=place, text=f"{word} answer {number}", text_hash=f"{place}")
            for place, word in enumerate(words)
        ]
        pair = Pair.objects.create(item=item, first=sides[0], second=sides[1])
        task = Task.objects.create(project=project, pair=pair, position=0)
        Task.objects.filter(pk=task.pk).update(position=queue_position(0, task.pk))
        right = truth(task)
        wrong = chance.random() < WRONG.get(topic, 0.1)
        said = Annotation.objects.create(
            project=project, task=task, annotator=who, protocol=project.protocol, event="answer", source="import",
            idempotency_key=f"import-{task.pk}",
        )  # fmt: skip
        Preference.objects.create(annotation=said, axis="overall", value=-right if wrong else right)
    Project.objects.filter(pk=project.pk).update(
        item_count=project.item_count + count, task_count=project.task_count + count
    )


def truth(task: Task) -> int:
    """-1 where the first response is better: alpha in even topics, beta in odd ones."""
    assert task.pair is not None
    topic = topic_of(task.pair.item.prompt)
    return -1 if task.pair.first.text.startswith(WORDS[topic % 2]) else 1


def topic_of(prompt: Any) -> int:
    return int(prompt[0]["content"].split()[0].removeprefix("topic"))


# --- Models -------------------------------------------------------------------------------------------


class TrainParams(Params):
    dataset: str = ""
    name: str = ""
    base: int | None = None


def learn(run: Run, report: Report) -> dict[str, Any]:
    """Count which word is chosen in which topic."""
    from curation.services.training.performing import version_of

    counts: Counter[str] = Counter()
    version = version_of(run)
    for line in (version.folder / "train.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        topic = topic_of(row["prompt"])
        for side in ("chosen", "rejected"):
            counts[f"{topic} {row[side][0]['content'].split()[0]} {side}"] += 1
    folder = run.folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.json").write_bytes(orjson.dumps(counts))
    made, _ = ModelVersion.objects.get_or_create(
        made_by=run,
        defaults={
            "name": run.params["name"], "number": 1, "kind": "reward", "reference": f"run:{run.pk}", "state": "ready",
            "project": run.project,
        },
    )  # fmt: skip
    return {"model": made.pk, "name": str(made)}


class Table:
    device = "cpu"

    def __init__(self, folder: str) -> None:
        self.counts = orjson.loads((Path(folder) / "table.json").read_bytes())

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for row in given:
            topic = topic_of(row.prompt)
            for one in row.candidates:
                won, lost = (self.counts.get(f"{topic} {one.text.split()[0]} {n}", 0) for n in ("chosen", "rejected"))
                yield Judged(one.key, scores={"": log((won + 1) / (lost + 1))})


class Topics:
    """An embedder: prompts of one topic are alike, and a little apart."""

    device = "cpu"

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for row in given:
            vector = [0.0] * (TOPICS + 1)
            vector[topic_of(row.prompt)] = 1.0
            vector[TOPICS] = (int(row.prompt[0]["content"].split()[2]) % 97) / 970
            yield Judged(row.key, vector=vector)


def install(monkeypatch: Any) -> ModelVersion:
    """Tables for reward models and topics for embedders, in this test; the embedder."""
    warm.forget()
    assert list(judges)
    reward = Judge(name="reward", title="Table", gives=(), open=lambda spec: Table(spec.folder))
    monkeypatch.setitem(judges._methods, "reward", reward)
    monkeypatch.setitem(judges._methods, "embedder", Judge("embedder", "Topics", (), lambda spec: Topics()))
    method = Method(name="train-frozen-head", title="Table", params=TrainParams, execute=learn)
    monkeypatch.setitem(METHODS, method.name, method)
    return judging.model("topics", kind="embedder", reference="hf:topics")


# --- Going through ------------------------------------------------------------------------------------


def begin(project: Project, user: User, embedder: ModelVersion, **params: Any) -> Plan:
    given = {**SMALL, "embedder": embedder.pk, **params}
    return asking.start(project=project, method="skywork-reward-v2", params=given, user=user, seed=3)


def go_through(plan: Plan, user: User) -> Plan:
    """Workers and people do what a plan asks for, until it ends."""
    for _ in range(60):
        plan.refresh_from_db()
        step = asking.standing(plan)
        if not plan.live:
            return plan
        if plan.state == Plan.State.WAITING:
            verify(plan, user)
            advancing.advance(plan)
        elif step is not None and step.run is not None:
            judging.finish(step.run)
    raise AssertionError(f"{plan} came to no end: {plan.stage} of round {plan.round}")


def verify(plan: Plan, user: User, most: int = 10_000) -> int:
    """Answer what the plan asks for, as the queue gives it out; how many."""
    annotator = annotator_for(user, plan.project)
    waiting = PlanPair.objects.filter(plan=plan, role=PlanPair.Role.ASKED, task__state=Task.State.OPEN)
    answered = 0
    while answered < most and waiting.exists():
        held = assigning.next_for(project=plan.project, annotator=annotator)
        assert held is not None
        task = Task.objects.select_related("pair__item", "pair__first").get(pk=held.task_id)
        assert task.queue_id == plan.queue_id, "the plan's queue comes first"
        value = truth(task)
        judgement = annotating.Judgement("overall", -value if held.order == "ba" else value, False)
        desk = desk_of(plan.project, annotator)
        annotating.submit(
            desk=desk, task_id=task.pk, judgements=[judgement], commit=annotating.Commit(f"{user}{task.pk}")
        )
        answered += 1
    return answered


def waiting_plan(project: Project, user: User, words: str = "") -> Plan:
    """A plan after two rounds that waits for people, as its rows are; without running anything."""
    queue = Queue.objects.create(project=project, name=f"Plan of {user} {words}"[:120])
    plan = Plan.objects.create(
        project=project, method="skywork-reward-v2", state="waiting", stage="verify", round=2, created_by=user,
        params={"axis": "overall", "source": words, "budget": 500}, queue=queue, advice="gold accuracy still moves",
        deadline=timezone.now(),
    )  # fmt: skip
    gates = [
        (0, "seed", {"asked": 40, "held out": 24}), (0, "verify", {"asked": 40, "verified": 39, "turned": 11}),
        (1, "labels", {"gold": 15, "pool": 800}), (1, "measure", measured(18)), (1, "acquire", {"errors": 5}),
        (2, "measure", measured(20)), (2, "judge", {"calls": 8, "judged": 2}), (2, "verify", {}),
    ]  # fmt: skip
    for place, (number, stage, counts) in enumerate(gates, 1):
        ended = timezone.now() if place < len(gates) else None
        PlanStep.objects.create(plan=plan, round=number, stage=stage, counts=counts, ended_at=ended)
    tasks = Task.objects.filter(project=project, pair__isnull=False).order_by("pk")[:3]
    for task, role in zip(tasks, ("gold", "validation", "asked"), strict=False):
        label = "first" if role != "asked" else ""
        PlanPair.objects.create(plan=plan, task=task, role=role, label=label, before="second")
    if words and tasks:
        described = {**ABOUT, "guideline": words[:200]}
        attributing.edit(plan, tasks[0].pk, described, user)
    return plan


ABOUT = {
    "category": "math",
    "objectivity": "objective",
    "controversiality": "low",
    "desired": ["a correct result", "short steps"],
    "guideline": "Work it out first; prefer the one whose result is right.",
}


def measured(right: int) -> dict[str, Any]:
    return {"model": "reward v1", "right": right, "n": 24, "accuracy": right / 24, "low": 0.5, "high": 0.9}
