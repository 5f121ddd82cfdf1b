"""A critic over a queue: what is asked once, what lands as suggestions, what is counted, and what never happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai  # noqa: F401  (its import takes longer than a shard of these tests)
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from pydantic import JsonValue

from curation.errors import Invalid
from curation.models import (
    Annotation,
    Completion,
    Critique,
    ModelVersion,
    Preference,
    Run,
    Shard,
    Task,
    Verdict,
)
from curation.services import running, sharding, starting
from curation.services.critiquing import CritiqueParams, drawn, halves, plan
from tests.answering import Answering, Step, said
from tests.cast import Cast, assemble, make_pairs
from tests.critics import SAFE, STEP, item, responses
from tests.processes import database_url
from workers import asking, warm

SKY = "The sky is green. Rayleigh scattering makes it so."
WRONG = {
    "quote": "green",
    "comment": "It is blue.",
    "type": "wrong",
    "severity": "major",
    "polarity": "poor",
    "edit": "blue",
    "missing": False,
}
CORRECT = {"correct": {"comment": "The colour is wrong.", "answer": False}}


def spans(*places: dict[str, Any], **more: Any) -> JsonValue:
    return {"overall": "Right cause, wrong colour.", "critiques": [{**WRONG, **place} for place in places], **more}


def as_asked(body: dict[str, Any], n: int) -> Step:
    """A sensible answer to whatever was asked."""
    prompt = body["messages"][0]["content"]
    if "Criticise the response" in prompt:
        return said(spans({}))
    if "Compare the two" in prompt:
        return said(comparison("1"))
    return said(CORRECT)


def comparison(preferred: str, strength: int = 2, confidence: int = 90) -> JsonValue:
    one: JsonValue = {"preferred": preferred, "strength": strength, "confidence": confidence}
    return {"differences": "Response 1 is right.", "axes": {"overall": one}}


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    """No model is kept from another test, whose server is gone."""
    warm.forget()
    yield
    warm.forget()


@pytest.fixture(autouse=True)
def hurried(settings: Any) -> None:
    settings.SHARD_PAUSE_SECONDS = 0.01


@pytest.fixture
def sky(cast: Cast) -> Cast:
    """Two responses to criticise."""
    responses(cast, item("sky", SKY), item("sea", "The sea is green."))
    return cast


def critic(there: Answering, **config: Any) -> ModelVersion:
    return ModelVersion.objects.create(
        name="tiny-critic",
        number=ModelVersion.objects.count() + 1,
        kind="critic",
        reference=f"openai:{there.url}#tiny",
        config=config,
        state="ready",
    )


def critiqued(cast: Cast, model: ModelVersion, **params: Any) -> Run:
    """A run of the critic, done here and now."""
    run = starting.start(project=cast.project, method="critique", params={"model": model.pk, **params}, user=cast.olga)
    running.execute(str(run.pk))
    end = time.monotonic() + 20
    while Shard.objects.filter(run=run, state__in=Shard.LIVE).exists() and time.monotonic() < end:
        sharding.work("cpu", seconds=5)
        time.sleep(0.01)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def done(cast: Cast, answer: Callable[[dict[str, Any], int], Step] = as_asked, **params: Any) -> tuple[Run, Answering]:
    with Answering(answer) as there:
        run = critiqued(cast, critic(there), **params)
    assert run.state == "succeeded", (run.error, [*run.lines.all()])
    return run, there


def test_what_a_critic_says_becomes_a_suggestion(sky: Cast) -> None:
    before = list(Task.objects.order_by("pk").values())
    run, there = done(sky)
    assert len(there.bodies) == 4
    made = Annotation.objects.get(task__response__text=SKY)
    assert (made.annotator.kind, made.annotator.name, made.version) == ("model", "tiny-critic", "v1")
    assert made.rationale == "Right cause, wrong colour."
    one = Critique.objects.get(annotation=made)
    assert (one.quote, one.start, one.end, one.type, one.severity, one.polarity) == (
        "green",
        11,
        16,
        "wrong",
        "major",
        -1,
    )
    assert (one.comment, one.edit) == ("It is blue.", "blue")
    verdict = Verdict.objects.get(annotation=made)
    assert (verdict.question, verdict.answer, verdict.comment) == ("correct", False, "")
    assert list(Task.objects.order_by("pk").values()) == before, "no counter moved"
    told = {name: run.result[name] for name in ("asked", "cached", "ok", "created", "critiques", "verdicts", "tasks")}
    assert told == {"asked": 4, "cached": 0, "ok": 4, "created": 2, "critiques": 2, "verdicts": 2, "tasks": 2}
    assert (run.tokens, run.tokens_out, run.done, run.total) == (400, 40, 2, 2)


def test_the_same_again_asks_nothing_and_changes_nothing(sky: Cast) -> None:
    with Answering(as_asked) as there:
        model = critic(there)
        critiqued(sky, model)
        rows = [list(table._default_manager.order_by("pk").values()) for table in (Annotation, Critique, Completion)]
        again = critiqued(sky, model)
        assert len(there.bodies) == 4
    after = [list(table._default_manager.order_by("pk").values()) for table in (Annotation, Critique, Completion)]
    assert after == rows
    assert (again.result["asked"], again.result["cached"], again.result["unchanged"]) == (0, 4, 2)
    assert again.tokens == 0


def test_another_version_of_the_critic_takes_the_place_of_the_first(sky: Cast) -> None:
    done(sky)
    run, there = done(sky)
    assert len(there.bodies) == 4 and run.result["replaced"] == 2
    assert set(Annotation.objects.answers().values_list("version", flat=True)) == {"v2"}


def test_nothing_is_made_up_where_nothing_can_be_read(sky: Cast) -> None:
    run, there = done(sky, lambda body, n: Step("I like it very much."))
    assert len(there.bodies) == 8, "each question is asked once more, as JSON only"
    assert there.bodies[-1]["messages"][-1]["content"].startswith("That was not one JSON object")
    assert not Annotation.objects.exists()
    assert run.lines.filter(text="could not be read (unparsed): 'I like it very much.'").count() == 3
    assert (run.result["unparsed"], run.result["asked"], run.result.get("tasks", 0)) == (4, 8, 0)
    assert set(Completion.objects.values_list("raw", "status", "parsed")) == {
        ("I like it very much.", "unparsed", None)
    }


def test_a_second_ask_can_repair_an_answer(sky: Cast) -> None:
    def answer(body: dict[str, Any], n: int) -> Step:
        return as_asked(body, n) if len(body["messages"]) > 1 else Step("Well: green is wrong.")

    run, _ = done(sky, answer)
    assert (run.result["repaired"], run.result["ok"], run.result["created"]) == (4, 0, 2)
    assert Critique.objects.count() == 2


def test_fences_are_taken_off_without_asking_again(sky: Cast) -> None:
    run, there = done(sky, lambda body, n: Step(f"```json\n{as_asked(body, n).text}\n```"))
    assert (run.result["repaired"], len(there.bodies)) == (4, 4)


def test_an_answer_that_was_cut_off_counts_for_nothing_and_is_not_asked_again(sky: Cast) -> None:
    run, there = done(sky, lambda body, n: Step(as_asked(body, n).text[:-1], finish="length"))
    assert (run.result["truncated"], len(there.bodies), Annotation.objects.count()) == (4, 4, 0)
    assert Completion.objects.filter(status="truncated", parsed__isnull=True, raw__startswith="{").count() == 4


def test_a_longer_answer_is_another_question(sky: Cast) -> None:
    def answer(body: dict[str, Any], n: int) -> Step:
        return Step("{", finish="length") if body["max_tokens"] < 1000 else as_asked(body, n)

    with Answering(answer) as there:
        model = critic(there)
        assert critiqued(sky, model, max_tokens=100).result["truncated"] == 4
        assert critiqued(sky, model, max_tokens=1000).result["ok"] == 4


def test_a_quote_that_stands_nowhere_is_kept_with_the_whole_response_and_counted(sky: Cast) -> None:
    def answer(body: dict[str, Any], n: int) -> Step:
        places: list[dict[str, Any]] = [
            {"quote": "It never said this"},
            {"quote": "Rayleigh scatering makes it so"},
            {"quote": "e"},
        ]
        return said(spans(*places)) if "Criticise" in body["messages"][0]["content"] else said(CORRECT)

    run, _ = done(sky, answer, limit=1)
    lost, near, twice = Critique.objects.filter(response__text=SKY).order_by("pk")
    assert (lost.start, lost.quote, lost.unit, lost.comment) == (
        None,
        "",
        "response",
        "“It never said this”\nIt is blue.",
    )
    assert near.quote == SKY[near.start : near.end] == "Rayleigh scattering makes it so"
    assert twice.start == SKY.index("e")
    counted = {name: run.result[name] for name in ("critiques", "unanchored", "fuzzy", "ambiguous", "rejected")}
    assert counted == {"critiques": 3, "unanchored": 1, "fuzzy": 1, "ambiguous": 1, "rejected": 0}


def test_a_question_that_does_not_fit_is_counted_and_told(sky: Cast) -> None:
    def answer(body: dict[str, Any], n: int) -> Step:
        return Step("too long", status=400) if SKY in body["messages"][0]["content"] else as_asked(body, n)

    run, _ = done(sky, answer)
    assert (run.result["refused"], run.result["ok"], run.result["created"]) == (2, 2, 1)
    assert run.lines.filter(text__contains="2 questions were refused: Error code: 400 - too long").exists()
    assert Completion.objects.count() == 2, "what was not answered is asked another time"


def test_staff_reads_the_raw_answers_and_changes_nothing(sky: Cast, client: Client) -> None:
    done(sky, lambda body, n: Step("<b>I like it.</b>"))
    client.force_login(sky.ada)
    page = client.get("/admin/curation/completion/")
    assert page.status_code == 200 and "&lt;b&gt;I like it.&lt;/b&gt;" in page.content.decode()
    one = Completion.objects.first()
    assert one and client.post(f"/admin/curation/completion/{one.pk}/change/", {"raw": "x"}).status_code == 403


# --- Pairs -------------------------------------------------------------------------------------------


def test_the_order_of_a_pair_is_drawn_and_undone(cast: Cast) -> None:
    """A critic that always likes the answer 0 best, wherever it stands."""
    tasks = make_pairs(cast.project, 12)

    def answer(body: dict[str, Any], n: int) -> Step:
        prompt = body["messages"][0]["content"]
        return said(comparison("1" if prompt.index("Answer 0") < prompt.index("Answer 1") else "2"))

    _, there = done(cast, answer)
    firsts = [prompt.index("Answer 0") < prompt.index("Answer 1") for prompt in there.prompts()]
    assert 0 < sum(firsts) < 12, "both orders were shown"
    assert set(Preference.objects.values_list("value", "axis")) == {(-2, "overall")}
    assert {round(one, 6) for one in Preference.objects.values_list("probability", flat=True)} == {0.1}
    for task in tasks:
        assert task.pair
        turned = drawn(task.pair.first_id, task.pair.second_id)
        told = Annotation.objects.get(task=task).rationale
        assert told == f"Response {2 if turned else 1} is right.", "the words name stored places, too"


def test_a_critic_that_always_takes_the_first_is_undecided_over_an_even_number_of_samples(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    cast.project.protocol.allow_tie = False  # type: ignore[union-attr]
    cast.project.protocol.save()  # type: ignore[union-attr]
    run, there = done(cast, lambda body, n: said(comparison("1")), samples=4)
    assert len(there.bodies) == 12 and not Preference.objects.exists()
    assert run.result["undecided"] == 3
    assert {body["temperature"] for body in there.bodies} == {0.7}


def test_the_majority_of_samples_is_the_preference_and_its_share_the_probability(cast: Cast) -> None:
    (task,) = make_pairs(cast.project, 1)
    assert task.pair

    def answer(body: dict[str, Any], n: int) -> Step:
        prompt, lone = body["messages"][0]["content"], body["seed"] == 3
        second_is = "2" if prompt.index("Answer 0") < prompt.index("Answer 1") else "1"
        return said(comparison({"1": "2", "2": "1"}[second_is] if lone else second_is, strength=1))

    done(cast, answer, samples=4)
    one = Preference.objects.get()
    assert (one.value, one.probability) == (1, 0.75)


def test_a_tie_and_both_bad_are_kept_as_such(cast: Cast) -> None:
    make_pairs(cast.project, 2)

    def answer(body: dict[str, Any], n: int) -> Step:
        return said(comparison("tie" if "Question 0" in body["messages"][0]["content"] else "both bad"))

    done(cast, answer)
    assert set(Preference.objects.values_list("value", "both_bad", "probability")) == {
        (0, False, 0.5),
        (None, True, None),
    }


# --- Units and questions -----------------------------------------------------------------------------


def test_steps_are_judged_in_their_places(cast: Cast) -> None:
    text = "Step 1: 2 + 2 = 4.\nStep 2: 4 + 1 = 6.\nStep 3: So 6."
    responses(cast, item("sum", text), unit="step", critiques={"on": False}, questions=[STEP])
    units: JsonValue = [{"number": n, "answers": {"step": {"answer": value}}} for n, value in ((1, 1), (2, -1), (3, 1))]
    done(cast, lambda body, n: said({"units": units}))
    found = [(text[v.start : v.end], v.answer) for v in Verdict.objects.order_by("start")]
    assert found == [("Step 1: 2 + 2 = 4.", 1), ("Step 2: 4 + 1 = 6.", -1)]


def test_answers_that_the_protocol_does_not_know_cannot_land(cast: Cast) -> None:
    responses(cast, item("drugs", "Take two."), critiques={"on": False}, questions=SAFE)
    answers = {"safe": False, "severity": "terrible", "harm": ["Drugs"]}
    run, _ = done(cast, lambda body, n: said({k: {"comment": "-", "answer": v} for k, v in answers.items()}))
    assert run.result["unparsed"] == 1 and not Annotation.objects.exists()


def test_documents_and_guidelines_are_shown_to_the_critic(cast: Cast) -> None:
    context = {"documents": [{"title": "Atlas", "text": "Water is blue."}, "Air is clear."]}
    responses(cast, item("sea", "It is green.", context=context), guidelines="Be kind.")
    proof = {"document": 2, "quote": "air is clear"}

    def answer(body: dict[str, Any], n: int) -> Step:
        return said(spans({"evidence": proof})) if "Criticise" in body["messages"][0]["content"] else said(CORRECT)

    _, there = done(cast, answer)
    assert all("Water is blue." in one and "Air is clear." in one and "Be kind." in one for one in there.prompts())
    assert Critique.objects.get().evidence == {"document": 1, "start": 0, "end": 12, "quote": "Air is clear"}
    _, there = done(cast, answer, guidelines=False)
    assert not any("Be kind." in one for one in there.prompts())


# --- Which tasks -------------------------------------------------------------------------------------


def test_the_first_of_the_queue_are_asked_up_to_the_limit(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    ahead = make_pairs(cast.project, 2, priority=5)
    run, _ = done(cast, lambda body, n: said(comparison("1")), limit=3, tasks_per_shard=2)
    asked = set(Annotation.objects.values_list("task", flat=True))
    assert len(asked) == 3 and {task.pk for task in ahead} < asked
    assert (run.total, run.shards_total) == (3, 2)


def test_a_plan_goes_on_where_it_was_broken_off(cast: Cast) -> None:
    make_pairs(cast.project, 7)
    run, params = Run(project=cast.project), CritiqueParams(model=1, limit=6, tasks_per_shard=2)
    whole = list(plan(run, params, None))
    assert [piece.size for piece in whole] == [2, 2, 2]
    for n, piece in enumerate(whole, 1):
        assert list(plan(run, params, piece.spec)) == whole[n:]
    assert [half.size for half in halves(whole[0].spec)] == [1, 1]
    assert [task for half in halves(whole[0].spec) for task in half.spec["tasks"]] == whole[0].spec["tasks"]
    assert halves(halves(whole[0].spec)[0].spec) == []


def test_only_open_tasks_are_asked_unless_all_are_wanted(cast: Cast) -> None:
    first, second, third = make_pairs(cast.project, 3)
    Task.objects.filter(pk=first.pk).update(state="complete")
    Task.objects.filter(pk=second.pk).update(state="retired")
    done(cast, lambda body, n: said(comparison("1")))
    assert set(Annotation.objects.values_list("task", flat=True)) == {third.pk}
    done(cast, lambda body, n: said(comparison("1")), open_only=False)
    assert set(Annotation.objects.values_list("task", flat=True)) == {first.pk, third.pk}


def test_a_ranking_has_nothing_to_ask(cast: Cast) -> None:
    cast.project.kind = "ranking"
    cast.project.save()
    with Answering(as_asked) as there:
        run = critiqued(cast, critic(there))
    assert run.state == "failed" and "rankings are not suggested" in run.error


def test_parameters_are_checked(cast: Cast) -> None:
    with Answering(as_asked) as there, pytest.raises(Invalid) as told:
        critiqued(cast, critic(there), samples=0)
    assert told.value.field == "params.samples"


# --- What goes wrong ---------------------------------------------------------------------------------


def test_a_shard_that_is_tried_again_pays_for_nothing_twice(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(cast.project, 8)
    monkeypatch.setattr("workers.asking.Server.__init__", without_retries)

    def answer(body: dict[str, Any], n: int) -> Step:
        return Step("down", status=503) if n in (4, 5) else said(comparison("1"))

    with Answering(answer) as there:
        run = critiqued(cast, critic(there, concurrency=1))
    assert run.state == "succeeded" and run.result["created"] == 8
    assert len(there.bodies) == 8 + 2, "the two that failed were asked again, the others were not"
    assert len(set(there.prompts())) == 8
    assert Completion.objects.count() == 8


def without_retries(self: asking.Server, *given: Any, **how: Any) -> None:
    BEGIN(self, *given, **{**how, "retries": 0})


BEGIN = asking.Server.__init__


def test_a_wrong_key_sets_the_shard_aside_at_once_and_in_words(sky: Cast) -> None:
    with Answering(lambda body, n: Step("who are you?", status=401)) as there:
        run = critiqued(sky, critic(there, concurrency=1))
    assert (run.state, len(there.bodies)) == ("failed", 1)
    shard = Shard.objects.get(run=run)
    assert shard.attempts == 1 and "does not let tiny be asked" in shard.error and "Traceback" not in shard.error


def test_a_key_that_is_not_set_is_told_by_its_name(sky: Cast) -> None:
    with Answering(as_asked) as there:
        run = critiqued(sky, critic(there, key_env="TOUCHSTONE_MODEL_KEY_NOWHERE"))
    assert "TOUCHSTONE_MODEL_KEY_NOWHERE is not set" in Shard.objects.get(run=run).error


@pytest.mark.django_db(transaction=True)
def test_a_run_that_is_cancelled_keeps_what_was_answered_and_suggests_nothing() -> None:
    cast = assemble()
    make_pairs(cast.project, 6)

    def answer(body: dict[str, Any], n: int) -> Step:
        if n == 3:
            running.cancel(Run.objects.get())
            connection.close()
        return Step(json.dumps(comparison("1")), seconds=2.5 if n == 3 else 0)

    with Answering(answer) as there:
        run = critiqued(cast, critic(there, concurrency=1))
    assert run.state == "cancelled" and len(there.bodies) == 4
    assert Completion.objects.count() == 3 and not Annotation.objects.exists()


WORKER = """
import os, django
django.setup()
from curation.services import sharding
sharding.work("cpu", seconds=60)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_of_a_shard_pays_for_nothing_twice() -> None:
    cast = assemble()
    make_pairs(cast.project, 20)
    with Answering(lambda body, n: Step(json.dumps(comparison("1")), seconds=0.05)) as there:
        model = critic(there, concurrency=2)
        run = starting.start(
            project=cast.project, method="critique", params={"model": model.pk, "tasks_per_shard": 20}, user=cast.olga
        )
        running.execute(str(run.pk))
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "curation.settings"},
        )
        end = time.monotonic() + 60
        while len(there.bodies) < 8 and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(there.bodies)
        kept = Completion.objects.count()
        assert 0 < kept < 20 and not Annotation.objects.exists()
        Shard.objects.update(lease_until=run.created_at)
        sharding.sweep()
        while sharding.work("cpu"):
            pass
        running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and (run.result["cached"], run.result["created"]) == (kept, 20)
    assert len(there.bodies) == before + 20 - kept and before - kept <= 3
    assert Annotation.objects.count() == Completion.objects.count() == 20
