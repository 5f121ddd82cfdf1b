"""A safety gate in a project: thresholds out of people's verdicts, proposals, other responses of a served policy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import openai  # noqa: F401  (its import takes longer than a shard of these tests)
import pytest
from django.conf import settings as conf

from curation.errors import Conflict, Invalid
from curation.models import (
    Change,
    Completion,
    Gold,
    ModelVersion,
    Pair,
    Preference,
    Project,
    Proposal,
    Response,
    Run,
    Score,
    Shard,
    Task,
)
from curation.services import running, sharding, starting
from curation.services.guarding import said
from curation.services.guarding.said import Safety, safety
from tests.answering import Answering, Step
from tests.cast import Cast, assemble
from tests.conftest import calling
from tests.critics import SAFE, ask, frozen, item, land, lines
from tests.judging import done, finish, model, teach
from tests.processes import database_url
from tests.test_decide import prefer
from tests.test_people import browser
from workers import warm

UNSAFE, FINE = {"question": "safe", "answer": False}, {"question": "safe", "answer": True}
WORDS = {0: "fine fine", 1: "bad fine fine", 2: "bad bad fine", 3: "bad bad bad"}
"""Texts whose cost, their bad words less one half, says how severe they are."""
LEVELS = ("none", "minor", "moderate", "severe")


def cost_of(candidate: Any) -> dict[str, Any]:
    return {"scores": {"": candidate.text.count("bad") - 0.5}, "tokens": 3}


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """A cost model that counts bad words; none is kept from another test, and nobody waits to try again."""
    settings.SHARD_PAUSE_SECONDS = 0.01
    teach(monkeypatch, "cost", cost_of)
    yield
    warm.forget()


def cost_model() -> ModelVersion:
    return model("harm", kind="cost", reference="hf:x")


def verdicts(severity: int, response: int = 0, annotator: str = "w") -> dict[str, Any]:
    given = [FINE if severity == 0 else UNSAFE]
    given += [{"question": "severity", "answer": LEVELS[severity]}] if severity else []
    return {"annotator": annotator, "response": response, "verdicts": given}


def of_prompt(unsafe: bool) -> dict[str, Any]:
    return {"question": "prompt_unsafe", "answer": unsafe}


PROMPT = {"name": "prompt_unsafe", "question": "Is the prompt unsafe?", "required": False}


def judged(project: Project, each: int = 6) -> Project:
    """Responses that people judged, as many of each severity, and prompts that they judged too."""
    ask(project, "response", critiques={}, questions=[*SAFE, PROMPT])
    rows = []
    for n in range(4 * each):
        said = verdicts(n % 4)
        said["verdicts"] = [*said["verdicts"], of_prompt(n % 4 == 3)]
        prompt = ("bad bad of " if n % 4 == 3 else "") + f"question {n}"
        rows.append({"id": f"j{n}", "prompt": prompt, "responses": [f"{WORDS[n % 4]} {n}"], "answers": [said]})
    land(project, *rows)
    return project


def learnt(project: Project, cost: ModelVersion, **params: Any) -> Run:
    run = done(project, "learn-gate", model=cost.pk, **{"fewest": 3, **params})
    assert run.state == "succeeded", run.error
    return run


def section(run: Run, what: str = "responses") -> dict[str, Any]:
    return next(one for one in run.result["sections"] if one.get("what", what) == what)


# --- What people said -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({"safe": [True]}, Safety(False, 0)),
        ({"safe": [False], "severity": ["severe"]}, Safety(True, 3)),
        ({"safe": [False]}, Safety(True, None)),
        ({"safe": [False], "severity": ["none"]}, Safety(True, None)),
        ({"safe": [True], "severity": ["minor"]}, Safety(False, 0)),
        ({"unsafe": ["Yes", "Yes", "No", "Unsure"]}, Safety(True, None)),
        ({"unsafe": ["unsafe", "safe", "safe"]}, Safety(False, 0)),
        ({"unsafe": ["Unsure", "Unsure", "Yes"]}, None),
        ({"safe": [True, False]}, None),
        ({"severity": [2, 2, 0]}, Safety(True, 2)),
        ({"severity": ["catastrophic"]}, None),
        ({}, None),
    ],
)
def test_what_several_people_say_comes_to_one_safety(answers: dict[str, Any], found: Safety | None) -> None:
    assert safety(answers) == found


def test_gold_goes_before_what_people_answered(cast: Cast) -> None:
    project = judged(cast.project, each=1)
    task = Task.objects.get(response__text=f"{WORDS[0]} 0")
    expected = {"verdicts": [{"response": task.response_id, "question": "safe", "start": None, "answer": False}]}
    Gold.objects.create(
        project=project, task=task, protocol=project.protocol, expected=expected, place=1, made_from="hand"
    )
    spec = {"from": 0, "to": 2**31}
    responses, prompts = said.said(project, spec, as_of=2**31, gold_only=False)
    assert responses[task.response_id] == Safety(True, None) and len(responses) == len(prompts) == 4
    only, none = said.said(project, spec, as_of=2**31, gold_only=True)
    assert list(only) == [task.response_id] and not none
    assert said.judged_items(project, gold_only=True).count() == 1


# --- Learning -----------------------------------------------------------------------------------------


def test_thresholds_are_learnt_on_peoples_verdicts_of_responses_and_prompts(cast: Cast) -> None:
    run = learnt(judged(cast.project), cost_model())
    found = section(run)
    assert found["thresholds"] == {"minor": 0.0, "moderate": 1.0, "severe": 2.0}
    assert (found["texts"], found["items"], found["unsafe"]) == (24, 24, 18)
    assert found["table"][:4] == [[6, 0, 0, 0], [0, 6, 0, 0], [0, 0, 6, 0], [0, 0, 0, 6]]
    assert sum(found["spread"]["safe"]) == 6 and sum(found["spread"]["unsafe"]) == 18
    assert found["boundaries"][0]["caught"]["count"] == 18 and found["boundaries"][0]["alarms"]["count"] == 0
    of_prompts = section(run, "prompts")
    assert of_prompts["thresholds"] == {"minor": 0.5, "moderate": None, "severe": None} and of_prompts["texts"] == 24
    assert run.result["thresholds of responses"] == {"minor": 0.0, "moderate": 1.0, "severe": 2.0}
    assert Score.objects.count() == 24


def test_too_little_gold_fails_in_words_and_leaves_no_gate(cast: Cast) -> None:
    run = done(judged(cast.project, each=1), "learn-gate", model=cost_model().pk)
    assert run.state == "failed"
    assert "people called 3 unsafe and 1 not; 20 of either are needed" in run.error


def test_the_same_whatever_the_shards_and_when_done_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.services.guarding import learning

    project, cost = judged(cast.project), cost_model()
    first = learnt(project, cost).result
    monkeypatch.setattr(learning, "ITEMS_PER_SHARD", 5)
    assert learnt(project, cost).result == first


# --- The gate -----------------------------------------------------------------------------------------


def gated(project: Project, cost: ModelVersion, **params: Any) -> Run:
    run = done(project, "safety-gate", model=cost.pk, **params)
    assert run.state == "succeeded", (run.error, [*run.lines.all()])
    return run


def proposals(run: Run) -> list[tuple[str, str, str]]:
    rows = Proposal.objects.filter(run=run).order_by("item_id", "pk")
    return [(one.item.external_id, one.action, one.cause) for one in rows.select_related("item")]


def test_a_gate_acts_by_the_thresholds_that_were_learnt_last(cast: Cast) -> None:
    project, cost = judged(cast.project, each=3), cost_model()
    gate = learnt(project, cost)
    run = gated(project, cost, action="filter", at="moderate", refuse_at="minor", near=0.1)
    assert run.params["thresholds"] == str(gate.pk)
    found = section(run)
    assert found["responses"] == {"safe": 3, "minor": 3, "moderate": 3, "severe": 3}
    assert found["prompts"] == {"safe": 9, "minor": 3} and found["actions"] == {"allow": 6, "refuse": 6}
    assert (run.result["delivered"], run.result["refused"], run.result["prompts refused"]) == (6, 3, 3)
    # of the last of each four the prompt is refused, and its response is severe
    assert [one for one in proposals(run) if one[0] == "j3"] == [
        ("j3", "drop", "unsafe: minor"),
        ("j3", "drop", "unsafe: severe"),
    ]
    assert [one for one in proposals(run) if one[0] == "j2"] == [("j2", "drop", "unsafe: moderate")]
    assert not [one for one in proposals(run) if one[0] in ("j0", "j1")]
    reason = Proposal.objects.get(run=run, item__external_id="j2").reason
    assert reason == "moderate: cost 1.50 is above 1.00"


def test_without_gold_the_boundary_is_zero_and_nothing_is_estimated(cast: Cast) -> None:
    ask(cast.project, "response", critiques={}, questions=SAFE)
    land(cast.project, item("a", "bad day"), item("b", "fine"), item("c", "bad bad bad"))
    run = gated(cast.project, cost_model(), near=1.0)
    assert run.params["thresholds"] == "zero" and section(run)["responses"] == {"minor": 2, "safe": 1}
    assert section(run)["unsafe"] is None and "no thresholds were learnt" in section(run)["why_not"]
    assert [near[1] for near in section(run)["near"]] == [-0.5, 0.5]
    assert proposals(run) == [("a", "ask", "unsafe: minor"), ("c", "ask", "unsafe: minor")]


def test_of_a_pair_the_preferred_response_counts_and_versions_leave_it_out(cast: Cast) -> None:
    votes = [{"annotator": "w", "value": -1}]
    land(
        cast.project,
        item("chosen", "bad bad", "fine", votes=votes),
        item("rejected", "fine", "bad bad", votes=votes),
        item("both", "good", "fine", votes=votes),
    )
    run = gated(cast.project, cost_model(), action="filter", accept=True)
    assert proposals(run) == [("chosen", "drop", "unsafe: minor")]
    version = frozen(cast.project, "trl-preference", filters={"curated": [str(run.pk)]})
    assert sorted(row["chosen"][0]["content"] for row in lines(version)) == ["fine", "good"]
    assert version.counts["dropped"] == {"curated: unsafe: minor": 1}


def test_what_the_gate_did_is_told_by_category(cast: Cast) -> None:
    ask(cast.project, "response", critiques={}, questions=SAFE)
    harm = {"annotator": "w", "response": 0, "verdicts": [UNSAFE, {"question": "harm", "answer": ["Drugs"]}]}
    land(
        cast.project,
        item("a", "bad bad", answers=[harm]),
        item("b", "bad", metadata={"category": "privacy"}),
        item("c", "fine"),
    )
    found = section(gated(cast.project, cost_model()))["categories"]
    assert found == {"Drugs": {"minor": 1}, "privacy": {"minor": 1}, "none named": {"safe": 1}}


def test_what_cannot_be_is_refused_at_the_start(cast: Cast) -> None:
    cost = cost_model()
    for params, error in (
        ({"thresholds": "never"}, "no finished run of learn-gate"),
        ({"thresholds": "zero", "at": "severe"}, "no threshold of severe was learnt"),
        ({"policy": cost.pk}, "no such policy"),
        ({"axis": "wit"}, "must be one of overall"),
    ):
        with pytest.raises(Invalid, match=error):
            starting.start(project=cast.project, method="safety-gate", params={"model": cost.pk, **params}, user=None)
    ask(cast.project, "ranking")
    policy = model("writer", kind="policy", reference="openai:http://127.0.0.1:9/v1#tiny")
    with pytest.raises(Conflict, match="rankings"):
        starting.start(
            project=cast.project, method="safety-gate", params={"model": cost.pk, "policy": policy.pk}, user=None
        )


# --- Page and API ---------------------------------------------------------------------------------------


def page(cast: Cast, name: str = "olga") -> str:
    reply = browser(cast.people[name]).get(f"/projects/{cast.project.slug}/safety/")
    assert reply.status_code == 200
    return reply.content.decode()


def test_the_page_tells_what_is_missing_then_what_was_learnt_and_done(cast: Cast) -> None:
    assert "No cost model yet" in page(cast)
    cost = cost_model()
    assert "Nobody is asked what is safe" in page(cast) and "No gate has been at work" in page(cast)
    project = judged(cast.project)
    learnt(project, cost)
    gated(project, cost, near=0.6)
    shown = page(cast)
    assert "Costs of responses that people called safe" in shown and "minor from 0.00" in shown
    assert "18 of them unsafe" in shown and "100 % (82 to 100) of 18" in shown
    assert "Not learnt: people called 0 moderate or worse" in shown  # of prompts
    assert "What the last gate did" in shown and "estimated from the gate’s errors on gold" in shown
    assert "Near the boundary" in shown and f"{WORDS[1]} 1" in shown
    assert f"/curation/{Run.objects.get(method='safety-gate').pk}/" in shown and "decide on 18 of them" in shown
    assert "Moderate this project" in shown and "Moderate this project" not in page(cast, "vic")


def test_buttons_start_runs_and_repeat_them(cast: Cast) -> None:
    project, cost = judged(cast.project), cost_model()
    client, address = browser(cast.olga), f"/projects/{cast.project.slug}/safety/"
    for given in ({"method": "learn-gate", "model": cost.pk, "aim": "recall"}, {"model": cost.pk, "action": "filter"}):
        assert client.post(address, given).status_code == 302
    learning, gate = Run.objects.exclude(method="import").order_by("created_at")
    assert (learning.method, learning.params["aim"]) == ("learn-gate", "recall")
    assert (gate.method, gate.params["action"], gate.params["thresholds"]) == ("safety-gate", "filter", "zero")
    finish(gate)
    newest = learnt(project, cost)
    client.post(address, {"again": str(gate.pk)})
    again = Run.objects.filter(method="safety-gate").order_by("-created_at")[0]
    assert again.params == {**gate.params, "thresholds": str(newest.pk)}
    assert browser(cast.vic).post(address, {"model": cost.pk}).status_code == 403
    assert client.post(address, {"method": "safety-gate", "model": 10**6}, follow=True).status_code == 200
    assert Run.objects.exclude(method="import").count() == 4


def test_the_settings_of_the_gate_are_read_over_the_api(cast: Cast) -> None:
    address = f"/api/v1/projects/{cast.project.slug}/safety"
    assert calling(cast.vic).get(address).json() == {"learnt": None, "last": None}
    project, cost = judged(cast.project), cost_model()
    run = learnt(project, cost)
    gate = gated(project, cost, at="moderate")
    told = calling(cast.vic).get(address).json()
    assert told["learnt"]["run"] == str(run.pk) and told["learnt"]["model"]["name"] == "harm"
    assert told["learnt"]["result"]["sections"][0]["thresholds"] == {"minor": 0.0, "moderate": 1.0, "severe": 2.0}
    assert told["last"]["params"]["at"] == "moderate" and told["last"]["result"] == gate.result


# --- A policy that writes others ------------------------------------------------------------------------


def policy(there: Answering) -> ModelVersion:
    return model("writer", kind="policy", reference=f"openai:{there.url}#tiny")


def asked_for(project: Project) -> None:
    """Three items: one that passes, one that will pass in the second round, one that never will."""
    land(project, item("good", "fine", "bad"), item("twice", "bad one", "bad two"), item("never", "bad three", "bad"))


def written(body: dict[str, Any], n: int) -> Step:
    """Bad in the first round; in later ones fine, but on what never passes."""
    prompt, number = body["messages"][0]["content"], body["seed"] % 1000
    return Step(f"fine {number}" if "twice" in prompt and number > 1 else f"bad again {number}")


def test_a_served_policy_writes_until_a_response_passes(cast: Cast) -> None:
    asked_for(cast.project)
    with Answering(written) as there:
        run = gated(cast.project, cost_model(), policy=policy(there).pk, rounds=3, temperature=0.7)
    assert len(there.bodies) == 2 + 3 and {body["temperature"] for body in there.bodies} == {0.7}
    made = Response.objects.filter(model="writer v1").order_by("item_id", "position")
    assert [(one.item.external_id, one.position, one.text) for one in made] == [
        ("twice", 2, "bad again 1"),
        ("twice", 3, "fine 2"),
        ("never", 2, "bad again 1"),
        ("never", 3, "bad again 2"),
        ("never", 4, "bad again 3"),
    ]
    assert list(Score.objects.filter(response__in=made).order_by("response").values_list("value", flat=True)) == [
        0.5, -0.5, 0.5, 0.5, 0.5,
    ]  # fmt: skip
    assert (run.result["delivered"], run.result["refused"], run.result["written"]) == (2, 1, 5)
    assert section(run)["rounds"] == {"1": 2, "2": 2, "3": 1} and section(run)["passed in"] == {"2": 1}
    assert made[0].metadata == {"gate": str(run.pk), "round": 1}
    assert sorted(Change.objects.values_list("item__external_id", "fields", "run")) == [
        ("never", ["responses"], run.pk),
        ("twice", ["responses"], run.pk),
    ]


def test_what_passes_is_paired_with_what_it_stands_in_for_and_the_cost_model_prefers_it(cast: Cast) -> None:
    asked_for(cast.project)
    land(cast.project, item("twice more", "bad bad a", "bad b"))
    decided = Task.objects.get(pair__item__external_id="twice more")
    prefer(cast.project, "ann", decided, -2)
    before, cost = Task.objects.count(), cost_model()
    with Answering(written) as there:
        writer = policy(there)
        run = gated(cast.project, cost, policy=writer.pk, rounds=2)
        assert run.result["paired"] == 2
        made = Pair.objects.filter(second__model="writer v1").order_by("item_id")
        assert [(one.item.external_id, one.first.text, one.second.text) for one in made] == [
            ("twice", "bad one", "fine 2"),  # nobody preferred one: the lowest cost, of equal ones the first
            ("twice more", "bad bad a", "fine 2"),  # ann did
        ]
        tasks = Task.objects.filter(pair__in=made).order_by("pair")
        assert {task.state for task in tasks} == {"open"} and Task.objects.count() == before + 2
        said = Preference.objects.filter(annotation__task__in=tasks)
        assert [(one.annotation.annotator.name, one.value > 0) for one in said] == [("harm", True)] * 2
        cast.project.refresh_from_db()
        assert cast.project.task_count == Task.objects.count()
        assert not Proposal.objects.filter(pair__in=made).exists()
        again = gated(cast.project, cost, policy=writer.pk, rounds=2)
    assert again.result["paired"] == 0 and not Proposal.objects.filter(pair__in=made).exists()
    prefer(cast.project, "ann", tasks[0], -2)
    gated(cast.project, cost, action="filter", near=0.0)
    dropped = Proposal.objects.filter(pair__in=made)
    assert [one.pair_id for one in dropped] == [made[0].pk], "decided for what is unsafe it is looked at like any pair"


def test_what_a_policy_wrote_is_not_paired_where_nobody_wants_it(cast: Cast) -> None:
    asked_for(cast.project)
    with Answering(written) as there:
        run = gated(cast.project, cost_model(), policy=policy(there).pk, rounds=2, pair=False)
    assert run.result["paired"] == 0 and not Pair.objects.filter(second__model="writer v1").exists()


def test_another_gate_asks_and_writes_nothing_twice(cast: Cast) -> None:
    asked_for(cast.project)
    cost = cost_model()
    with Answering(written) as there:
        writer = policy(there)
        gated(cast.project, cost, policy=writer.pk, rounds=3)
        before = list(Response.objects.order_by("pk").values_list("pk", "text")), len(there.bodies)
        run = gated(cast.project, cost, policy=writer.pk, rounds=3)
        assert (list(Response.objects.order_by("pk").values_list("pk", "text")), len(there.bodies)) == before
    assert (run.result["delivered"], run.result["refused"]) == (2, 1) and Change.objects.count() == 2


def test_the_last_sample_can_go_out_all_the_same_and_both_figures_are_told(cast: Cast) -> None:
    project, cost = judged(cast.project), cost_model()
    learnt(project, cost)
    with Answering(lambda body, n: Step("bad bad" if n % 2 else "fine")) as there:
        run = gated(project, cost, policy=policy(there).pk, rounds=1, fallback="deliver", prompts="no")
    found = section(run)
    assert (found["delivered"], found["refused"]) == (24, 0)
    assert found["unsafe"]["low"] <= found["unsafe"]["value"] <= found["unsafe"]["high"]
    assert found["unsafe"]["value"] == pytest.approx(9, abs=0.01)  # half of the 18 that were written anew
    assert found["closed"]["samples"] == 2 and found["closed"]["unsafe of the pool"] == pytest.approx(0.75)
    assert found["closed"]["refuse"]["refused"] == pytest.approx(0.75**2)
    assert Task.objects.filter(response__model="writer v1").count() == 18  # judged like every response here


def test_a_policy_that_may_not_or_will_not_write_refuses_the_prompt(cast: Cast) -> None:
    land(cast.project, item("a", "bad one", "bad two"), item("b", "bad three", "bad four"))
    answers = [Step("too long", status=400), Step("   ")]
    with Answering(lambda body, n: answers["of b?" in body["messages"][0]["content"]]) as there:
        run = gated(cast.project, cost_model(), policy=policy(there).pk, rounds=2)
    assert (run.result["refused"], run.result["written"], run.result["policy wrote nothing"]) == (2, 0, 4)
    assert any("refused a prompt" in line.text for line in run.lines.all())
    assert not Response.objects.filter(model="writer v1").exists() and not Change.objects.exists()


WORKER = """
import os, django
django.setup()
from workers.judging import Judge, judges
from tests.judging import Fake
from tests.test_safety_gate import cost_of
list(judges)
judges._methods["cost"] = Judge(name="cost", title="cost", gives=(), open=lambda spec: Fake(cost_of))
from curation.services import sharding
sharding.work("cpu", seconds=60)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_pays_for_nothing_twice_and_ends_with_the_same_rows() -> None:
    cast = assemble()
    land(cast.project, *(item(f"{n}", f"bad {n}", f"bad bad {n}") for n in range(12)))
    cost = cost_model()
    with Answering(lambda body, n: Step("fine" if body["seed"] % 1000 == 2 else "bad", seconds=0.05)) as there:
        writer = ModelVersion.objects.create(
            name="writer", kind="policy", reference=f"openai:{there.url}#tiny", state="ready"
        )
        run = starting.start(
            project=cast.project, method="safety-gate", params={"model": cost.pk, "policy": writer.pk}, user=None
        )
        running.execute(str(run.pk))
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=conf.BASE_DIR,
            env={**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "curation.settings"},
        )
        end = time.monotonic() + 60
        while len(there.bodies) < 16 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        paid, kept = len(there.bodies), Completion.objects.count()
        assert (
            0 < kept < 24 and not Proposal.objects.exists() and not Response.objects.filter(model="writer v1").exists()
        )
        Shard.objects.update(lease_until=run.created_at)
        sharding.sweep()
        finish(run)
        assert run.state == "succeeded", run.error
        assert len(there.bodies) == paid + 24 - kept
        mine = rows(run)
        again = done(cast.project, "safety-gate", model=cost.pk, policy=writer.pk, thresholds="zero")
    assert Response.objects.filter(model="writer v1").count() == 24 and len(mine) == 12
    assert rows(again) == mine and again.result["delivered"] == 12


def rows(run: Run) -> list[Any]:
    values = ("subject", "action", "score", "reason", "cause")
    return list(Proposal.objects.filter(run=run).order_by("subject").values_list(*values))
