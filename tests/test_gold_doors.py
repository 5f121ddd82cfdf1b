"""Gold by its doors: pages, API, files, versions and evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils import timezone

from curation.access import annotator_for
from curation.models import Annotation, Annotator, DatasetVersion, Gold, GoldResult, ModelVersion, Task
from curation.services import freezing, importing, pausing, projects, running, starting
from curation.services.gold import marking, pooling, rules
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.sharded import through
from tests.test_freezing import answer_all
from tests.test_gold import Person, expected, is_gold, make_gold, work
from tests.test_people import browser
from tests.test_rebuilding import checked


def land(cast: Cast, folder: Path, *rows: dict[str, Any]) -> Any:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return importing.import_now(project=cast.project, user=cast.mia, path=folder / "rows.jsonl", filename="rows.jsonl")


# --- Files ----------------------------------------------------------------------------------------------


def test_rows_bring_gold_and_the_same_file_again_changes_nothing(cast: Cast, tmp_path: Path) -> None:
    rows = [
        {
            "id": f"q{n}",
            "prompt": "Why?",
            "responses": [f"So {n}.", f"Thus {n}."],
            "gold": [{"first": 1, "second": 0, "value": -2, "explanation": "It **is**."}],
        }
        for n in range(3)
    ]
    rows[2]["gold"][0]["phase"] = "training"
    assert land(cast, tmp_path, *rows).result["gold"] == 3
    cast.project.refresh_from_db()
    assert (cast.project.gold_count, cast.project.training_count, cast.project.task_count) == (2, 1, 0)
    gold = Gold.objects.order_by("pk")[0]
    assert gold.expected == {"preferences": {"overall": ["second"]}} and gold.made_from == "import"
    assert gold.explanation == "It **is**." and gold.task.state == "gold"
    assert land(cast, tmp_path, *rows).result["unchanged"] == 3 and Gold.objects.count() == 3


def test_rows_bring_gold_of_verdicts_and_marked_text(cast: Cast, tmp_path: Path) -> None:
    made = projects.create_project(slug="steps", name="Steps", user=cast.olga, preset="error-spans")
    own = Cast(made, cast.people)
    kind = [label["name"] for label in made.protocol.critiques["types"]][0]
    said = {"response": 0, "critiques": [{"quote": "wrong", "type": kind}]}
    land(own, tmp_path, {"id": "a", "prompt": "?", "responses": ["It is wrong.", "Right."], "gold": [said]})
    [critique] = Gold.objects.get().expected["critiques"]
    assert (critique["start"], critique["end"], critique["type"]) == (6, 11, kind)


def test_gold_that_cannot_be_is_refused_with_its_line(cast: Cast, tmp_path: Path) -> None:
    row = {"prompt": "?", "responses": ["a", "b"], "gold": [{"first": 0, "second": 1, "value": 9}]}
    [problem] = land(cast, tmp_path, row).result["problems"]
    assert problem["field"] == "gold.0.value"


# --- Decided --------------------------------------------------------------------------------------------


def test_gold_is_made_of_what_enough_people_agree_on(cast: Cast, tmp_path: Path) -> None:
    votes = [(-1, -1, -1, -1), (1, 1, 1, -1), (1, 1, 1, 1), (1, -1)]
    rows = [
        {
            "id": f"q{n}",
            "prompt": f"{n}?",
            "responses": ["a", "b"],
            "votes": [{"annotator": f"w{who}", "value": value} for who, value in enumerate(given)],
        }
        for n, given in enumerate(votes)
    ]
    land(cast, tmp_path, *rows)
    made = pooling.make_from_decisions(project=cast.project, min_votes=3, min_confidence=0.8, most=10, by=cast.mia)
    assert sorted(gold.side for gold in made) == ["first", "second"]
    assert {gold.made_from for gold in made} == {"decision"}
    assert not pooling.make_from_decisions(project=cast.project, min_votes=3, min_confidence=0.8)
    assert len(pooling.make_from_decisions(project=cast.project, min_votes=3, min_confidence=0.7)) == 1


def test_gold_of_a_ranking_is_its_order_where_all_agree(cast: Cast, tmp_path: Path) -> None:
    own = Cast(projects.create_project(slug="order", name="Order", user=cast.olga, preset="ranking"), cast.people)
    answers = [{"annotator": f"w{n}", "ranks": [2, 1, 3]} for n in range(3)]
    land(own, tmp_path, {"id": "a", "prompt": "?", "responses": ["x", "y", "z"], "answers": answers})
    [gold] = pooling.make_from_decisions(project=own.project)
    item = gold.task.item
    first, second, third = item.responses.order_by("position").values_list("pk", flat=True)
    assert gold.expected["ranks"] == {str(second): 1, str(first): 2, str(third): 3}


# --- Versions and evaluations ---------------------------------------------------------------------------


def frozen(cast: Cast, **filters: Any) -> DatasetVersion:
    version = freezing.request_version(
        project=cast.project, dataset_name="prefs", filters=filters, user=cast.olga, splits={"train": 1.0}
    )
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.state == "ready"
    return version


def test_gold_is_nothing_to_learn_from_unless_it_is_asked_for(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    answer_all(cast, "ann", -1, -1, 1, 1)
    before = frozen(cast)
    make_gold(cast, tasks[:1], -1)
    left_out, all_of_it, only = frozen(cast), frozen(cast, gold="include"), frozen(cast, gold="only")
    assert [one.counts["total"] for one in (before, left_out, all_of_it, only)] == [4, 3, 4, 1]
    assert left_out.counts["dropped"] == {"kept apart as gold": 1} and "gold" not in before.filters
    assert "are left out of all splits" in left_out.card and "not to learn from" in only.card


def test_versions_from_before_and_after_are_made_again_as_they_were(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    answer_all(cast, "ann", -1, -1, 1, 1)
    before = frozen(cast)
    make_gold(cast, tasks[:1], -1)
    between = frozen(cast)
    marking.retire(golds=Gold.objects.all())
    make_gold(cast, tasks[1:3], -1)
    for version in (before, between):
        told = checked(cast, version)
        assert told["rebuilt"] and told["same"], told


def test_a_model_is_evaluated_on_the_gold_of_a_project(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    make_gold(cast, tasks[:3], -1, 1)
    length = ModelVersion.objects.create(name="length", kind="reward", reference="program:length", state="ready")
    params = {"model": length.pk, "benchmark": "gold", "labels": "gold"}
    run = starting.start(project=cast.project, method="evaluate", params=params, user=cast.olga)
    through(run)
    made = length.evaluations.get()
    assert (made.n, made.source["labels"]) == (3, "gold")


# --- API and pages --------------------------------------------------------------------------------------


def test_gold_is_made_corrected_and_taken_back_over_the_api(cast: Cast) -> None:
    first, second = make_pairs(cast.project, 2)
    client, root = calling(cast.mia), f"/api/v1/projects/{cast.project.slug}/gold"
    body = {"task": first.pk, "expected": {"preferences": {"overall": "first"}}, "explanation": "So."}
    made = client.post(root, body, format="json")
    assert made.status_code == 201 and made.json()["expected"] == {"preferences": {"overall": ["first"]}}
    assert client.post(root, body, format="json").status_code == 409
    wrong = client.post(root, {"task": second.pk, "expected": {"preferences": {"x": "first"}}}, format="json")
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "expected.preferences.x"
    address = f"{root}/{made.json()['id']}"
    changed = client.patch(address, {"expected": {"preferences": {"overall": ["tie", "second"]}}}, format="json")
    assert changed.json()["expected"] == {"preferences": {"overall": ["tie", "second"]}}
    assert [row["id"] for row in client.get(f"{root}?state=live").json()["results"]] == [made.json()["id"]]
    assert client.delete(address).status_code == 204
    assert Task.objects.get(pk=first.pk).state == "open" and not client.get(f"{root}?state=live").json()["results"]
    assert client.patch(f"{root}/rules", {"rate": 5}, format="json").json()["rate"] == 5
    assert client.patch(f"{root}/rules", {"rate": 99}, format="json").status_code == 400


def test_an_annotator_cannot_tell_hidden_gold_over_the_api(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 20)
    make_gold(cast, tasks[:10], -1, 1)
    rules.change_rules(project=cast.project, changes={"rate": 50})
    client, root = calling(cast.ann), f"/api/v1/projects/{cast.project.slug}"
    shapes, totals = set(), set()
    for n in range(12):
        body = client.post(f"{root}/tasks/next", {}, format="json").json()
        task = body["task"]["id"]
        shapes.add((is_gold(task), tuple(sorted(body["task"]))))
        answer = {"preferences": [{"axis": "overall", "value": 1}]}
        done = client.post(f"/api/v1/tasks/{task}/submit", answer, format="json", headers={"Idempotency-Key": str(n)})
        totals |= {body["progress"]["total"], done.json()["progress"]["total"]}
        assert client.get(f"/api/v1/tasks/{task}/lesson").status_code == 404
    assert len(totals) == 1 and {golden for golden, _ in shapes} == {True, False}
    assert len({names for _, names in shapes}) == 1
    assert client.get(f"{root}/gold/mine").json()["shown"] == []
    for path in ("gold", "gold/results", "gold/people"):
        assert client.get(f"{root}/{path}").status_code == 403


def test_a_lesson_follows_a_task_of_the_training(cast: Cast) -> None:
    make_gold(cast, make_pairs(cast.project, 2), -1, phase="training")
    Gold.objects.update(explanation="Because.")
    rules.change_rules(project=cast.project, changes={"training": 2})
    client, root = calling(cast.ann), f"/api/v1/projects/{cast.project.slug}"
    task = client.post(f"{root}/tasks/next", {}, format="json").json()["task"]
    assert task["training"] is True
    ann = Person(cast, cast.ann)
    ann.answer(task["id"], 1)
    told = client.get(f"/api/v1/tasks/{task['id']}/lesson").json()
    assert (told["correct"], told["explanation"]) == (False, "Because.")
    shown = browser(cast.ann).get(f"/projects/{cast.project.slug}/annotate/tasks/{task['id']}/lesson/")
    page = shown.content.decode()
    number = 1 if GoldResult.objects.get().annotation.order == "ab" else 2
    assert f"Response {number} is better" in page and "1 of 2 answered, 0 of them right" in page
    assert "Because." in browser(cast.ann).get(f"/projects/{cast.project.slug}/gold/mine/").content.decode()


def test_a_pause_is_seen_by_both_sides(cast: Cast) -> None:
    make_gold(cast, make_pairs(cast.project, 30)[:20], -1, 1)
    rules.change_rules(project=cast.project, changes={"rate": 50, "pause_below": 70, "pause_after": 5})
    work(Person(cast, cast.ann), 40, lambda task: -expected(task))
    ann = annotator_for(cast.ann, cast.project)
    root = f"/projects/{cast.project.slug}"
    assert "You are paused" in browser(cast.ann).get(f"{root}/annotate/").content.decode()
    own = browser(cast.ann).get(f"{root}/gold/mine/").content.decode()
    assert "0 of 5 checks were right" in own and own.count('id="result-') == 5
    result = GoldResult.objects.order_by("-pk")[0]
    browser(cast.ann).post(f"{root}/gold/mine/{result.pk}/object/", {"words": "It is the other one."})
    theirs = browser(cast.mia).get(f"{root}/gold/people/{ann.pk}/").content.decode()
    assert "0 of 5 checks were right" in theirs and "It is the other one." in theirs
    browser(cast.mia).post(f"{root}/gold/people/{ann.pk}/resume/")
    assert Annotator.objects.get(pk=ann.pk).paused_at is None
    assert "data-task" in browser(cast.ann).get(f"{root}/annotate/").content.decode()


def test_an_item_offers_its_answers_as_gold(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1)
    answered = Annotation.objects.get()
    item, root = answered.task.pair.item, f"/projects/{cast.project.slug}"
    client = browser(cast.mia)
    assert "what ann said" in client.get(f"{root}/items/{item.pk}/").content.decode()
    reply = client.post(f"{root}/gold/mark/", {"task": answered.task_id, "source": "decided", "phase": "hidden"})
    assert reply.status_code == 302 and reply["Location"].endswith(f"/gold/{Gold.objects.get().pk}/")
    assert "what ann said" not in client.get(f"{root}/items/{item.pk}/").content.decode()
    assert "/gold/mark/" not in browser(cast.rita).get(f"{root}/items/{item.pk}/").content.decode()


def test_the_forms_say_what_is_wrong(cast: Cast) -> None:
    client, root = browser(cast.mia), f"/projects/{cast.project.slug}/gold"
    assert client.post(f"{root}/rules/", {"rate": 80}).status_code == 422
    good = {name: getattr(rules.GoldRules(), name) for name in rules.GoldRules.model_fields} | {"rate": 7}
    assert client.post(f"{root}/rules/", good).status_code == 302
    cast.project.refresh_from_db()
    assert cast.project.gold == {"rate": 7}
    wanted = {"most": 5, "min_votes": 3, "min_confidence": 80, "phase": "hidden"}
    reply = client.post(f"{root}/pool/", {f"pool-{name}": value for name, value in wanted.items()})
    assert reply.status_code == 302
    assert "No task has so many answers" in client.get(f"{root}/").content.decode()


def test_a_pause_by_hand_shows_no_hidden_gold(cast: Cast) -> None:
    make_gold(cast, make_pairs(cast.project, 10)[:5], -1)
    rules.change_rules(project=cast.project, changes={"rate": 50})
    ann = Person(cast, cast.ann)
    work(ann, 5)
    pausing.pause(ann.annotator, "Talk to me.")
    assert ann.next() is None and not GoldResult.objects.filter(revealed_at__lte=timezone.now()).exists()
