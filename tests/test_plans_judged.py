"""Judges in a plan: they see the nearest verified pairs, never their own; they describe pairs, and are paid once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.utils import timezone

from curation import access
from curation.errors import Invalid
from curation.models import Assignment, AttributesEdit, Completion, PairAttributes, Plan, PlanPair, PlanStep
from curation.services.plans import attributing
from tests import judging
from tests.cast import Cast, make_pairs
from tests.plans import ABOUT, begin, go_through, install, populate, truth, waiting_plan
from tests.test_people import browser
from workers.asking import Reply, Request
from workers.criticising import Way
from workers.judging import Judge, judges

pytestmark = pytest.mark.django_db


DESCRIBED = {**ABOUT, "reason": "it can be computed"}


class Follower:
    """Says what its examples of the same topic say; without any it always names the first candidate."""

    device, max_tokens, temperature = "cpu", 64, 0.0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, requests: Sequence[Request], tick: Callable[[], None] = lambda: None) -> Iterator[tuple[int, Reply]]:
        for number, request in enumerate(requests):
            text = request.messages[0]["content"]
            self.asked.append(text)
            yield number, Reply(json.dumps(DESCRIBED if "Describe the pair" in text else self.compare(text)))

    def answers(self, way: Way) -> bool:
        return True

    def compare(self, text: str) -> dict[str, str]:
        examples = re.findall(r"<example .*?>\n(.*?)\n</example>", text, re.S)
        target = text.rpartition("</example>")[2]
        topic = re.findall(r"topic\d", target)[0]
        liked = [words_of(one)[preferred(one) - 1] for one in examples if topic in one]
        if not liked:
            return {"differences": "none", "verdict": "1"}
        favourite = max(sorted(set(liked)), key=liked.count)
        return {"differences": "taste", "verdict": str(words_of(target).index(favourite) + 1)}


def words_of(text: str) -> list[str]:
    return re.findall(r"(alpha|beta) answer", text)


def preferred(text: str) -> int:
    return int(re.findall(r"Better: Response (\d)", text)[0])


@pytest.fixture
def follower(monkeypatch: Any) -> Follower:
    assert list(judges)
    made = Follower()
    monkeypatch.setitem(judges._methods, "critic", Judge("critic", "Follower", (), lambda spec: made))
    return made


@pytest.fixture
def plan(cast: Cast, follower: Follower, monkeypatch: Any) -> Plan:
    embedder = install(monkeypatch)
    populate(cast.project, 100)
    critic = judging.model("follower", kind="critic", reference="openai:http://127.0.0.1:1/v1#follower")
    given = {"judge": critic.pk, "judged": 12, "samples": 2, "rounds": 2, "per_round": 4}
    return go_through(begin(cast.project, cast.olga, embedder, **given), cast.ann)


def test_judges_label_with_verified_examples_and_describe_without_the_label(plan: Plan, follower: Follower) -> None:
    assert plan.state == Plan.State.FINISHED, plan.error
    stages = list(PlanStep.objects.filter(plan=plan).order_by("pk").values_list("stage", flat=True))
    assert stages[:5] == ["embed", "seed", "describe", "verify", "judge"] and "doubt" in stages
    label_what_people_are_not_asked(plan)
    compared = [text for text in follower.asked if "the number of the better response" in text]
    assert compared
    for text in compared:
        *examples, target = re.findall(r"question \d+", text)
        assert target not in examples and len(examples) <= 8
    described = [text for text in follower.asked if "Describe the pair" in text]
    assert described and not any("Better: Response" in text for text in described)
    assert PairAttributes.objects.count() == len(described)
    assert Completion.objects.count() == len(follower.asked), "each question is paid for once"


def label_what_people_are_not_asked(plan: Plan) -> None:
    first = PlanStep.objects.get(plan=plan, round=0, stage="judge")
    judged = PlanPair.objects.filter(plan=plan, round=0, role__in=("judged", "split"))
    assert judged.count() == 12
    assert first.counts["calls"] == 24 and first.counts["judged"] + first.counts["split"] == 12
    right = [(row.label == "first") == (truth(row.task) < 0) for row in judged.filter(role="judged")]
    assert len(right) >= 8 and sum(right) / len(right) > 0.9  # their examples are verified
    for row in judged.filter(role="split"):
        assert len(set(row.votes["follower v1"])) == 2, "a judge that names a place and no answer says nothing"


def test_people_change_attributes_and_the_edit_is_kept(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    plan = waiting_plan(cast.project, cast.olga)
    row = PlanPair.objects.filter(plan=plan).order_by("pk")[0]
    attributing.edit(plan, row.task_id, ABOUT, cast.mia)
    address = f"/projects/{cast.project.slug}/plans/{plan.pk}/pairs/{row.task_id}/"
    client = browser(cast.rita)
    assert "Nobody has changed anything yet" not in client.get(address).content.decode()
    given = {**ABOUT, "category": "code", "desired": "it runs\nit is short"}
    assert client.post(address, given).status_code == 302
    edit = AttributesEdit.objects.get(by=cast.rita)
    assert (edit.before["category"], edit.after["category"]) == ("math", "code")
    assert edit.after["desired"] == ["it runs", "it is short"]
    assert client.post(address, {**given, "guideline": "word " * 90}).status_code == 422
    assert "code, objective" in client.get(f"/projects/{cast.project.slug}/plans/{plan.pk}/pairs/").content.decode()
    with pytest.raises(Invalid):
        attributing.edit(plan, row.task_id, {**ABOUT, "category": "x"}, cast.rita)
    attributing.edit(plan, row.task_id, {**given, "desired": ["it runs", "it is short"]}, cast.rita)
    assert AttributesEdit.objects.count() == 2, "what changes nothing is no edit"


def test_who_verifies_sees_guideline_and_category_while_the_plan_asks(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    plan = waiting_plan(cast.project, cast.olga)
    asked = PlanPair.objects.get(plan=plan, role="asked")
    guideline = "Prefer <the one> whose result is right."
    for row in PlanPair.objects.filter(plan=plan):
        attributing.edit(plan, row.task_id, {**ABOUT, "guideline": guideline}, cast.olga)

    def screen(task: int) -> str:
        Assignment.objects.get_or_create(
            task_id=task, annotator=access.annotator_for(cast.ann, cast.project), order="ab",
            defaults={"expires_at": timezone.now()},
        )  # fmt: skip
        client = browser(cast.ann)
        client.get(f"/projects/{cast.project.slug}/annotate/")
        return client.get(f"/projects/{cast.project.slug}/annotate/tasks/{task}/").content.decode()

    shown = screen(asked.task_id)
    assert "Prefer &lt;the one&gt; whose result is right." in shown and '<span class="badge">math</span>' in shown
    assert "objective" not in shown
    others = [task.pk for task in tasks if task.pk != asked.task_id]
    assert not any("task__about" in screen(task) for task in others), "verified before, or never asked"
    Plan.objects.filter(pk=plan.pk).update(state=Plan.State.CANCELLED)
    assert "task__about" not in screen(asked.task_id)
