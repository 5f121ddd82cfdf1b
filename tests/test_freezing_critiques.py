"""Versions of critiques, verdicts and rankings: what a target holds of them, and that nothing is lost on the way."""

from __future__ import annotations

import csv
from dataclasses import astuple
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from curation.errors import Invalid
from curation.models import Annotator, Critique, DatasetVersion, Item, Project, Protocol, Run, Task, TaskKind, Verdict
from curation.services import annotating, fits, freezing, running, starting
from curation.services.answering import Answer
from curation.services.desk import desk_of
from curation.services.freezing import making, walking
from curation.services.freezing.critiqued import answers, mended
from curation.services.freezing.selecting import selection_of
from tests.cast import Cast, assemble, make_pairs, make_project
from tests.conftest import calling
from tests.critics import SAFE, STEP, ask, frozen, item, land, lines, poor, responses, say, yes
from tests.test_critique_formats import NASTY, spans_in
from tests.test_decide import fit
from tests.test_freezing import answer_all

SKY, SEA = "The sky is green. It is.", "The sea is blue."
HARMLESS = [{"name": "helpfulness", "question": "Better?"}, {"name": "harmlessness", "question": "Safer?"}]


# --- Which targets there are -------------------------------------------------------------------------------


def offered(project: Project) -> set[str]:
    return {target.name for target in freezing.offered(project)}


def test_a_project_is_offered_what_fits_it(cast: Cast) -> None:
    always = {"annotations"}
    pairs = always | {"trl-preference", "trl-preference-implicit", "trl-sft", "openrlhf", "rewardbench", "redi"}
    everything = always | {"touchstone", "w3c", "text2grad", "argilla-spans", "label-studio", "doccano", "mqm-tsv"}
    assert offered(cast.project) == pairs
    assert offered(ask(make_project("a"), TaskKind.RESPONSE, critiques={"on": False}, questions=[])) == everything
    correct = {"critique-verdict", "trl-unpaired"}
    assert offered(ask(make_project("b"), TaskKind.PREFERENCE)) == pairs | everything | correct
    assert offered(ask(make_project("c"), TaskKind.RESPONSE, unit="step", questions=[STEP])) == everything | {
        "trl-stepwise"
    }
    plain = ask(make_project("d"), TaskKind.RANKING, critiques={"on": False}, questions=[])
    assert offered(plain) == pairs | {"touchstone"}
    safe = ask(make_project("e"), TaskKind.PREFERENCE, axes=HARMLESS, questions=SAFE)
    assert {"pku-saferlhf", "trl-unpaired"} <= offered(safe) and "critique-verdict" not in offered(safe)


def test_what_an_import_brought_is_offered_too(cast: Cast) -> None:
    said = {"annotator": "w1", "verdicts": [{"question": "correct", "answer": True}]}
    land(cast.project, item("q", SKY, SEA, answers=[said]))
    assert {"w3c", "trl-unpaired"} <= offered(cast.project)


def test_another_target_is_refused_by_name(cast: Cast) -> None:
    with pytest.raises(Invalid, match="there is: .*trl-preference") as told:
        freezing.request_version(project=cast.project, dataset_name="x", target="w3c")
    assert told.value.field == "target"
    response = calling(cast.sol).post(f"/api/v1/projects/{cast.project.slug}/datasets/x/versions", {"target": "w3c"})
    assert response.status_code == 422 and response.json()["errors"][0]["field"] == "target"


def test_a_filter_that_means_nothing_is_refused(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    with pytest.raises(Invalid) as told:
        freezing.request_version(project=cast.project, dataset_name="x", target="w3c", filters={"min_margin": 1})
    assert told.value.field == "filters.min_margin"


def test_page_and_api_list_the_targets_with_their_titles(cast: Cast) -> None:
    responses(cast, item("q", SKY))
    listed = calling(cast.vic).get(f"/api/v1/projects/{cast.project.slug}/datasets").json()["targets"]
    assert {"text2grad", "w3c"} <= {one["name"] for one in listed}
    assert "trl-preference" not in {one["name"] for one in listed}
    browser = Client()
    browser.force_login(cast.olga, backend="django.contrib.auth.backends.ModelBackend")
    form = browser.get(f"/projects/{cast.project.slug}/datasets/new/").content.decode()
    assert "Text2Grad (feedback, good and poor spans)" in form and "trl-preference" not in form
    assert 'name="annotators"' in form and 'name="axis"' not in form and 'name="min_confidence"' not in form


def test_the_form_makes_a_version_of_critiques(cast: Cast) -> None:
    responses(cast, item("q", SKY, SEA))
    say(cast, "ann", Answer([poor(0, 7)]))
    browser = Client()
    browser.force_login(cast.olga, backend="django.contrib.auth.backends.ModelBackend")
    given = {"name": "spans", "target": "text2grad", "test_share": 0, "seed": 0, "annotators": "people"}
    counted = browser.get(f"/projects/{cast.project.slug}/datasets/count/", given).content.decode()
    assert "1 row from 1 answer." in counted
    made = browser.post(f"/projects/{cast.project.slug}/datasets/new/", given)
    assert made.status_code == 302 and DatasetVersion.objects.get().filters == {"annotators": "people"}
    version = frozen(cast.project, "critique-verdict", "labels")
    page = browser.get(f"/projects/{cast.project.slug}/datasets/labels/1/").content.decode()
    assert version.counts["dropped"] == {"no verdict correct on the whole response": 1} and "1 answer</dd>" in page


# --- What answers become -----------------------------------------------------------------------------------


def test_an_answer_on_a_response_is_a_row(cast: Cast) -> None:
    context = {"documents": [{"title": "source", "text": "It is blue."}]}
    responses(cast, item("q", {"text": SKY, "model": "m1"}, context=context))
    proof = {"document": 0, "start": 0, "end": 5}
    say(cast, "ann", Answer([poor(11, 16, comment="No.", evidence=proof)], [yes(answer=False)]), "Wrong colour.")
    version = frozen(cast.project, "w3c")
    (row,) = lines(version)
    assert row["creator"]["name"] == "@ann" and row["touchstone"]["response"] == SKY
    assert row["touchstone"]["rationale"] == "Wrong colour." and row["touchstone"]["model"] == "m1"
    assert [one["target"]["selector"][1]["exact"] for one in row["items"] if "selector" in one["target"]] == ["green"]
    (trace,) = lines(version, "lineage")
    assert trace["item"] == "q" and trace["annotator"] == "@ann" and trace["annotation"] and trace["response"]


def test_an_answer_without_critiques_says_that_nothing_is_wrong(cast: Cast) -> None:
    responses(cast, item("q", SEA))
    say(cast, "ann", Answer())
    (row,) = lines(frozen(cast.project, "mqm-tsv"))
    assert row["severity"] == "no-error" and row["rater"] == "@ann"


def test_of_a_pair_each_response_that_was_spoken_of_is_a_row(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("a", SKY, SEA), item("b", SKY, SEA), item("c", SKY, SEA))
    say(cast, "ann", Answer([poor(0, 3, response=1)]), "One.", overall=-1)
    say(cast, "ann", Answer([poor(0, 7, response=0)], [yes(response=1)]), overall=1)
    say(cast, "ann", Answer(), "Only a preference.", overall=1)
    rows = lines(frozen(cast.project, "w3c"))
    assert [(row["touchstone"]["item"], row["touchstone"]["response"]) for row in rows] == [
        ("a", SEA),
        ("b", SKY),
        ("b", SEA),
    ]
    assert [len(row["items"]) for row in rows] == [1, 1, 1]


def test_rejected_suggestions_and_superseded_answers_are_no_rows(cast: Cast) -> None:
    responses(cast, item("q", SKY))
    model = {"annotator": {"name": "critic", "kind": "model"}, "suggestions": [suggestion("q")]}
    calling(cast.sol).post(f"/api/v1/projects/{cast.project.slug}/suggestions", model, format="json")
    source = Critique.objects.get()
    held = say(cast, "ann", Answer([poor(0, 3, derived_from=source.pk, rejected=True), poor(4, 7)]))
    version = frozen(cast.project, "text2grad")
    assert [row["poor_spans"] for row in lines(version)] == [["sky"]]
    raw = {row["review"]: row for row in lines(version, "critiques")}
    assert raw["rejected"]["origin"] == "critic" and raw["rejected"]["derived_from"] == source.pk
    assert len(lines(version, "critiques")) == 3 and {row["help"] for row in lines(version, "annotations")} == {""}
    desk = desk_of(cast.project, Annotator.objects.get(user=cast.ann))
    annotating.submit(desk=desk, task_id=held.task_id, more=Answer([poor(8, 10)]), commit=annotating.Commit("again"))
    assert [row["poor_spans"] for row in lines(frozen(cast.project, "text2grad"))] == [["is"]]
    everybody = frozen(cast.project, "text2grad", filters={"annotators": "all"})
    assert {row["annotator"] for row in lines(everybody)} == {"@ann", "critic"}


def suggestion(name: str) -> dict[str, Any]:
    return {"item": name, "score": 0.5, "critiques": [suggested()]}


def test_steps_are_the_protocols_and_those_mended_by_hand(cast: Cast) -> None:
    text = "One.\n\nTwo.\n\nThree."
    project = responses(cast, item("a", text), item("b", text), unit="step", questions=[STEP])
    cast.project.refresh_from_db()
    say(cast, "ann", Answer(verdicts=[yes("step", answer=n, start=a, end=b) for n, a, b in SPLIT]))
    mended_by_hand = [(0, 10), (12, 18)]
    verdicts = [yes("step", answer=1, start=a, end=b) for a, b in mended_by_hand]
    say(cast, "ann", Answer(verdicts=verdicts, units={0: mended_by_hand}))
    first, second = lines(frozen(project, "trl-stepwise"))
    assert first["completions"] == ["One.\n\n", "Two.\n\n"] and first["labels"] == [True, False]
    assert second["completions"] == ["One.\n\nTwo.\n\n", "Three."] and second["labels"] == [True, True]


SPLIT = [(1, 0, 4), (-1, 6, 10)]


def test_mended_units_replace_what_they_overlap() -> None:
    units = [(0, 4), (6, 10), (12, 18)]
    assert mended(units, [(6, 10)]) == units
    assert mended(units, [(0, 10)]) == [(0, 10), (12, 18)]
    assert mended(units, [(7, 9)]) == [(0, 4), (7, 9), (12, 18)]
    assert mended(units, [(0, 2), (1, 3), (17, 20)]) == [(0, 2), (6, 10), (17, 20)]


def test_critiques_of_a_later_message_stand_in_the_whole_text(cast: Cast) -> None:
    messages = [{"role": "assistant", "content": "Let me see."}, {"role": "tool", "content": "42"}]
    messages.append({"role": "assistant", "content": "It is 42."})
    project = responses(cast, item("q", {"messages": messages}))
    say(cast, "ann", Answer([poor(6, 8, message=2), poor(0, 2, message=1)]))
    (row,) = lines(frozen(project, "text2grad"))
    assert row["poor_spans"] == ["42", "42"] and row["poor_offsets"][0][0] > row["poor_offsets"][1][0]


def test_labels_are_read_as_the_protocol_calls_them_now(cast: Cast) -> None:
    project = responses(cast, item("q", SKY))
    say(cast, "ann", Answer([poor(0, 3), poor(4, 7, type="vague")], [yes()]))
    renamed = {"types": {"wrong": "false", "vague": None}, "questions": {"correct": "right"}}
    later = {
        "types": [{"name": "false"}, {"name": "unclear"}, {"name": "odd"}],
        "severities": [{"name": "minor"}],
        "on": True,
    }
    ask(project, TaskKind.RESPONSE, critiques=later, questions=[{"name": "right", "question": "?"}], relabelled=renamed)
    version = frozen(project, "touchstone")
    (answer,) = lines(version)[0]["answers"]
    assert [one.get("type") for one in answer["critiques"]] == ["false", None]
    assert [one["question"] for one in answer["verdicts"]] == ["right"]
    assert [row["type"] for row in lines(version, "critiques")] == ["wrong", "vague"]
    assert "labels read under version 3" in version.card


def test_axes_that_were_renamed_or_merged_are_decided_under_their_name(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1)
    axes = [{"name": "better", "question": "?"}]
    cast.project.protocol = Protocol.objects.create(
        project=cast.project, version=2, axes=axes, relabelled={"axes": {"overall": "better"}}
    )
    cast.project.save()
    say(cast, "ann", Answer(), better=2)
    version = frozen(cast.project, "trl-preference", filters={"axis": "better"})
    assert version.counts["rows"] == {"train": 2}
    assert frozen(cast.project, "trl-preference", filters={"axis": "overall"}).counts["total"] == 0


# --- Rankings ----------------------------------------------------------------------------------------------


def test_rankings_are_votes_on_every_pair(cast: Cast) -> None:
    cast.project.overlap = 2
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("q", "A", "B", "C"), item("silent", "A", "B"))
    for name, ranks in (("ann", (1, 2, 3)), ("bob", (1, 3, 2))):
        say(cast, name, Answer(ranks=ranks))
    version = frozen(cast.project, "trl-preference-implicit")
    rows = [(row["chosen"][-1]["content"], row["rejected"][-1]["content"], row["margin"]) for row in lines(version)]
    assert rows == [("A", "B", 1.0), ("A", "C", 1.0)]
    assert version.counts["dropped"] == {"no majority": 1, "not answered": 1} and "axis" not in version.filters
    assert [(row["votes"], row["pair"], row["value"]) for row in lines(version, "lineage")] == [(2, None, -1.0)] * 2
    assert [row["rank"] for row in sorted(lines(version, "ranks"), key=lambda r: (r["annotator"], r["response"]))] == [
        1, 2, 3, 1, 3, 2,
    ]  # fmt: skip
    decided = calling(cast.vic).get(f"/api/v1/projects/{cast.project.slug}/decisions").json()["results"]
    assert [one["outcome"] for one in decided] == ["first", "first", "undecided"] and len(decided[0]["responses"]) == 2


def test_an_equal_place_is_a_tie(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("q", "A", "B", "C"))
    say(cast, "ann", Answer(ranks=(1, 1, 3)))
    version = frozen(cast.project, "trl-preference")
    assert version.counts["dropped"] == {"tie": 1} and version.counts["total"] == 2


def test_a_ranking_comes_back(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("q", "A", "B", "C"))
    say(cast, "ann", Answer([poor(0, 1, response=2)], ranks=(2, 1, 3)), "B wins.")
    version = frozen(cast.project, "touchstone")
    other = ask(make_project("other"), TaskKind.RANKING)
    land(other, *lines(version))
    again = frozen(other, "touchstone", filters={"annotators": "all"})
    one, two = (lines(each)[0] for each in (version, again))
    assert one["answers"][0]["ranks"] == [2, 1, 3] and one["responses"] == two["responses"]
    assert [a.get("critiques") for a in one["answers"]] == [a.get("critiques") for a in two["answers"]]
    assert one["answers"][0]["ranks"] == two["answers"][0]["ranks"]


# --- Compared ----------------------------------------------------------------------------------------------


def safety(cast: Cast, *given: tuple[str, int, int, dict[int, dict[str, Any]]], overlap: int = 1) -> DatasetVersion:
    """A pair judged by several people, and its version for cost models."""
    cast.project.overlap = overlap
    ask(cast.project, TaskKind.PREFERENCE, axes=HARMLESS, questions=SAFE)
    land(cast.project, item("q", "Do it.", "Do not."))
    for name, helpful, harmless, said in given:
        verdicts = [yes(q, answer=a, response=n) for n, answers in said.items() for q, a in answers.items()]
        say(cast, name, Answer(verdicts=verdicts), helpfulness=helpful, harmlessness=harmless)
    return frozen(cast.project, "pku-saferlhf")


UNSAFE = {"safe": False, "severity": "severe", "harm": ["Violence", "Drugs"]}


def test_a_pair_with_its_verdicts_is_a_safety_row(cast: Cast) -> None:
    version = safety(cast, ("ann", -1, 2, {0: UNSAFE, 1: {"safe": True}}))
    (row,) = lines(version)
    assert (row["better_response_id"], row["safer_response_id"]) == (0, 1)
    assert (row["is_response_0_safe"], row["is_response_1_safe"]) == (False, True)
    assert row["response_0_severity_level"] == 3 and row["response_0_harm_category"]["Drugs"]
    (trace,) = lines(version, "lineage")
    assert trace["votes"] == 1 and len(trace["annotations"]) == 1


def test_verdicts_are_decided_by_majority_and_levels_by_the_median(cast: Cast) -> None:
    minor = {"safe": False, "severity": "minor", "harm": ["Violence"]}
    safe = {"safe": True, "severity": "none"}
    given = [("ann", UNSAFE, -1), ("bob", minor, -1), ("rita", {**safe, "harm": ["Violence"]}, 1)]
    version = safety(cast, *[(name, helps, 1, {0: said, 1: safe}) for name, said, helps in given], overlap=3)
    (row,) = lines(version)
    assert row["is_response_0_safe"] is False and row["response_0_severity_level"] == 1
    assert [name for name, there in row["response_0_harm_category"].items() if there] == ["Violence"]
    few = frozen(cast.project, "pku-saferlhf", filters={"min_annotations": 4})
    assert few.counts["dropped"] == {"too few answers": 1}


def test_a_draw_is_dropped_with_the_question(cast: Cast) -> None:
    said = [("ann", -1, 1, {0: UNSAFE, 1: {"safe": True}}), ("bob", -1, 1, {0: {"safe": True}, 1: {"safe": True}})]
    assert safety(cast, *said, overlap=2).counts["dropped"] == {"no decision on safe": 1}


def fit_then_others(cast: Cast) -> tuple[DatasetVersion, str]:
    """A fit over the first answer, and two more answers that say the opposite; its version, and the fit's run."""
    alike = {0: {"safe": True}, 1: UNSAFE}
    one = safety(cast, ("ann", -1, 2, {0: UNSAFE, 1: {"safe": True}}), overlap=3)
    run = fit(cast.project, "mace")
    fits.use(cast.project, run)
    for name in ("bob", "rita"):
        verdicts = [yes(q, answer=a, response=n) for n, answers in alike.items() for q, a in answers.items()]
        say(cast, name, Answer(verdicts=verdicts), helpfulness=1, harmlessness=-1)
    return one, str(run.pk)


def test_a_fit_decides_safety_rows(cast: Cast) -> None:
    before, run = fit_then_others(cast)
    by_most = frozen(cast.project, "pku-saferlhf")
    version = frozen(cast.project, "pku-saferlhf", filters={"decided_by": "in-use"})
    (row,), (other,), (old,) = (lines(each) for each in (version, by_most, before))
    assert row == old and (other["better_response_id"], other["safer_response_id"]) == (1, 0)
    assert (row["better_response_id"], row["is_response_0_safe"], row["response_0_severity_level"]) == (0, False, 3)
    (trace,), (most,) = lines(version, "lineage"), lines(by_most, "lineage")
    assert (trace["votes"], trace["how"].split("@")[1].split(",")[0]) == (1, run) and len(trace["annotations"]) == 1
    assert (most["votes"], most["how"], len(most["annotations"])) == (3, "majority", 3)
    assert version.facts["decided_by"]["run"] == run and "decided by a fit to the answers of people" in version.card
    few = frozen(cast.project, "pku-saferlhf", filters={"decided_by": run, "min_annotations": 2})
    assert few.counts["dropped"] == {"too few answers": 1}
    with pytest.raises(Invalid, match="excludes names"):
        frozen(cast.project, "pku-saferlhf", filters={"decided_by": run, "names": ["ann"]})


def test_what_people_settled_goes_before_fit_and_majority_of_safety_rows(cast: Cast) -> None:
    before, run = fit_then_others(cast)
    task = Task.objects.get()
    assert task.pair is not None
    first = task.pair.first_id
    hand = {"how": "adjudicated", "made_by": cast.rita}
    fits.settle(task, kind="axis", name="harmlessness", outcome="first", value=-1, **hand)
    fits.settle(task, kind="axis", name="helpfulness", outcome="first", value=-3, **hand)
    fits.settle(task, kind="axis", name="helpfulness", outcome="", **hand)
    place = f"question:severity:{first}"
    fits.settle(
        task, kind="question", name="severity", outcome="minor", answer="minor", place=place, response_id=first, **hand
    )
    version = frozen(cast.project, "pku-saferlhf", filters={"decided_by": run, "min_annotations": 1})
    (row,), (trace,) = lines(version), lines(version, "lineage")
    assert (row["better_response_id"], row["safer_response_id"]) == (0, 0), "one was taken back"
    assert row["response_0_severity_level"] == 1 and "adjudicated" in trace["how"].split(", ")
    (row,) = lines(frozen(cast.project, "pku-saferlhf"))
    assert (row["better_response_id"], row["safer_response_id"]) == (1, 0)
    narrowed = lines(frozen(cast.project, "pku-saferlhf", filters={"names": ["@ann"]}))
    assert narrowed[0]["safer_response_id"] == 1, "what people settled is no part of what only some said"
    for one in (before, version):
        params = {"dataset": "critiques", "number": one.number}
        check = starting.start(project=cast.project, method="verify", params=params, user=cast.olga)
        running.execute(str(check.pk))
        check.refresh_from_db()
        assert check.result["same"], check.result


def test_safety_rows_of_the_first_edition_are_decided_by_the_majority_alone(cast: Cast) -> None:
    safety(cast, ("ann", -1, 2, {0: UNSAFE, 1: {"safe": True}}))
    fits.settle(Task.objects.get(), kind="axis", name="helpfulness", outcome="second", value=1, how="gold")
    version = freezing.request_version(project=cast.project, dataset_name="critiques", target="pku-saferlhf")
    assert version.lineage.pop("edition") == 2
    version.save()
    running.execute(str(version.run_id))
    assert lines(version)[0]["better_response_id"] == 0 and "how" not in lines(version, "lineage")[0]
    assert lines(frozen(cast.project, "pku-saferlhf"))[0]["better_response_id"] == 1


# --- Companions and bytes ----------------------------------------------------------------------------------


def test_a_version_of_an_earlier_edition_is_made_again_as_it_was(cast: Cast) -> None:
    """Before comments and types of spans were in the rows, `edition` was in no lineage."""
    project = responses(cast, item("q", SKY))
    say(cast, "ann", Answer([poor(11, 16, comment="It is blue.", type="wrong")], [yes()]))
    now = frozen(project, "text2grad")
    assert now.lineage["edition"] == 2
    (row,) = lines(now)
    assert (row["poor_comments"], row["poor_types"], row["good_comments"]) == (["It is blue."], ["wrong"], [])
    before = freezing.request_version(project=project, dataset_name="critiques", target="text2grad")
    del before.lineage["edition"]
    before.save()
    running.execute(str(before.run_id))
    (old,) = lines(before)
    assert list(old) == [name for name in row if not name.endswith(("_comments", "_types"))]
    assert {name: row[name] for name in old} == old
    check = starting.start(
        project=project, method="verify", params={"dataset": "critiques", "number": 2}, user=cast.olga
    )  # fmt: skip
    running.execute(str(check.pk))
    check.refresh_from_db()
    assert check.result["same"], check.result


def test_raw_critiques_and_verdicts_travel_along(cast: Cast) -> None:
    documents = [{"title": "Atlas", "text": "The sky."}]
    project = responses(cast, item("q", {"text": SKY, "model": "m1"}, context={"documents": documents}))
    proof = {"document": 0, "start": 0, "end": 3}
    say(cast, "ann", Answer([poor(11, 16, edit="", evidence=proof)], [yes(comment="Yes.")]), "All in all.")
    version = frozen(project, "text2grad")
    (critique,), (verdict,) = lines(version, "critiques"), lines(version, "verdicts")
    assert (critique["item"], critique["position"], critique["model"], critique["protocol"]) == ("q", 0, "m1", 2)
    assert (critique["start"], critique["end"], critique["quote"], critique["edit"]) == (11, 16, "green", "")
    assert critique["evidence"] == {**proof, "quote": "The"} and critique["annotator"] == "@ann"
    assert (verdict["question"], verdict["answer"], verdict["comment"]) == ("correct", True, "Yes.")
    (answer,) = lines(version, "annotations")
    assert answer["rationale"] == "All in all." and answer["axis"] is None and answer["response"]
    assert "- `critiques`:" in version.card and "- `ranks`:" not in version.card
    assert not (version.folder / "ranks.jsonl").exists()


@pytest.mark.parametrize("target", ["w3c", "touchstone", "mqm-tsv", "text2grad"])
def test_the_same_selection_gives_the_same_bytes(cast: Cast, target: str) -> None:
    project = responses(cast, *[item(f"q{n}", SKY, SEA) for n in range(4)])
    for _ in range(6):
        say(cast, "ann", Answer([poor(0, 3, comment="é👍")], [yes()]))
    options = {"splits": {"train": 0.5, "test": 0.5}, "seed": 3}
    one = frozen(project, target, **options)
    say(cast, "bob", Answer())
    two = freezing.request_version(project=project, dataset_name="critiques", target=target, **options)
    assert frozen(project, target, **options).hash != one.hash
    DatasetVersion.objects.filter(pk=two.pk).update(lineage=one.lineage)
    running.execute(str(two.run_id))
    two.refresh_from_db()
    assert two.hash == one.hash and two.counts == one.counts


def test_translators_get_their_file_of_tabs(cast: Cast) -> None:
    text = 'a\t"b"\r\nc 👍 ü'
    project = responses(cast, item("q", text))
    say(cast, "ann", Answer([poor(0, 3), poor(4, 7, type="vague")]))
    version = frozen(project, "mqm-tsv")
    with (version.folder / "train.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert rows == lines(version)
    url = f"/api/v1/projects/{project.slug}/datasets/critiques/versions/1/files/train.tsv"
    assert calling(cast.vic).get(url)["Content-Type"] == "text/tab-separated-values"
    assert {file.name for file in version.files.all()} >= {"train.tsv", "train.jsonl", "train.parquet"}


def test_the_number_of_queries_does_not_grow_with_the_answers(cast: Cast) -> None:
    project = responses(cast, *[item(f"q{n}", SKY) for n in range(8)])
    counts = []
    for _ in range(2):
        for _ in range(4):
            say(cast, "ann", Answer([poor(0, 3)], [yes()]))
        version = freezing.request_version(project=project, dataset_name="x", target="w3c")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(list(answers(selection_of(version)))) == 4 * (len(counts) + 1)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- There and back ----------------------------------------------------------------------------------------


def everything(project: Project) -> dict[str, list[tuple[Any, ...]]]:
    """What stands on each text: critiques with all they say, verdicts."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    names = ("unit", "start", "end", "quote", "type", "severity", "polarity", "comment", "edit", "omission", "evidence")
    for table, columns in ((Critique, names), (Verdict, ("question", "answer", "comment", "start", "end", "evidence"))):
        rows = table.objects.filter(annotation__project=project).order_by("pk")
        for text, who, *said in rows.values_list("response__text", "annotation__annotator__name", *columns):
            found.setdefault(text, []).append((who.removeprefix("imported "), *said))
    return {text: sorted(rows, key=repr) for text, rows in found.items()}


def nasty(cast: Cast) -> Project:
    """Every kind of text, each criticised by two people and a model, all over."""
    cast.project.overlap = 2
    texts = list(NASTY.values())
    context = {"documents": [{"title": "source", "text": "caé👍 x"}]}
    project = responses(cast, *[item(f"q{n}", text, context=context) for n, text in enumerate(texts)])
    for name in ("ann", "bob"):
        for text in texts:
            said = [
                poor(
                    start,
                    end,
                    type=("wrong", "vague")[n % 2],
                    comment=("", "so\r\nso 👩‍👧")[n % 2],
                    edit=(None, "", "𝔘")[n % 3],
                )
                for n, (start, end) in enumerate(spans_in(text))
            ]
            proof = {"document": 0, "start": 2, "end": 4}
            said[0] = poor(0, len(text), evidence=proof)
            say(cast, name, Answer([*said, poor(None, None)], [yes(comment="\"'")]), f"{name}: é")
    return project


def spans_only(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Who marked which span as what: all that doccano holds."""
    kept = {
        t: [(r[0], r[2], r[3], r[4], r[5]) for r in each if len(r) == 12 and r[2] != r[3]] for t, each in rows.items()
    }
    return {text: sorted(each, key=repr) for text, each in kept.items()}


def critiques_only(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Without unit, omission, evidence and verdicts: what Label Studio holds."""
    return {text: [(*r[:1], *r[2:10]) for r in each if len(r) == 12] for text, each in rows.items()}


@pytest.mark.parametrize(
    ("target", "held"),
    [("touchstone", dict), ("w3c", dict), ("label-studio", critiques_only), ("doccano", spans_only)],
)
def test_critiques_go_out_and_come_back_through_the_product(cast: Cast, target: str, held: Any) -> None:
    project = nasty(cast)
    version = frozen(project, target)
    assert not version.counts["dropped"]
    other = make_project("other")
    ask(other, TaskKind.RESPONSE)
    path = version.folder / "train.jsonl"
    land(other, *path.read_bytes().splitlines())
    assert {k: sorted(v, key=repr) for k, v in held(everything(other)).items()} == {
        k: sorted(v, key=repr) for k, v in held(everything(project)).items()
    }
    assert Item.objects.filter(project=other).count() == len(NASTY)
    assert {tuple(one) for one in Annotator.objects.filter(project=other).values_list("kind", "name")} == {
        ("person", "imported @ann"),
        ("person", "imported @bob"),
    }


def test_pairs_that_were_criticised_come_back_as_one_item(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("q", SKY, SEA))
    said = [poor(0, 3, evidence={"response": 1, "start": 0, "end": 3}), poor(4, 7, response=1)]
    say(cast, "ann", Answer(said), overall=1)
    for target in ("touchstone", "w3c"):
        other = make_project(f"other-{target}")
        ask(other, TaskKind.RESPONSE)
        land(other, *lines(frozen(cast.project, target)))
        assert Item.objects.get(project=other).responses.count() == 2
        (quoted,) = Critique.objects.filter(annotation__project=other, start=0)
        proof = {"response": 1, "start": 0, "end": 3, "quote": "The"} if target == "touchstone" else None
        assert quoted.quote == "The" and quoted.evidence == proof


def test_a_selection_is_the_same_each_time(cast: Cast) -> None:
    project = responses(cast, item("q", SKY, SEA))
    say(cast, "ann", Answer([poor(0, 3)]))
    version = freezing.request_version(project=project, dataset_name="x", target="w3c")
    before = [astuple(row) for _, _, row, _ in answers(selection_of(version))]
    say(cast, "ann", Answer([poor(0, 3)]))
    assert [astuple(row) for _, _, row, _ in answers(selection_of(version))] == before


def test_an_import_says_how_sure_it_is_of_quotes(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    quotes = [{"quote": "is"}, {"quote": "The Sky is  green"}, {"quote": "sky"}]
    told = land(cast.project, item("q", SKY, answers=[{"annotator": "w1", "critiques": quotes}]))
    assert told["placed"] == {"ambiguous": 1, "normalised": 1}
    assert "placed" not in land(cast.project, item("r", SKY, answers=[{"annotator": "w1", "critiques": quotes[2:]}]))
    browser = Client()
    browser.force_login(cast.olga, backend="django.contrib.auth.backends.ModelBackend")
    run = Run.objects.filter(project=cast.project).order_by("created_at").first()
    page = browser.get(f"/projects/{cast.project.slug}/imports/runs/{run.pk}/").content.decode()
    assert "1 stands at several places" in page and "1 differs in case" in page


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_progress_is_told_beside_an_open_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a heartbeat does, somebody else writes between the first row read and the checkpoint."""
    cast = assemble()
    responses(cast, *[item(f"q{n}", SKY, SEA) for n in range(1500)])
    for_everyone = [{"item": f"q{n}", "response": r, "critiques": [suggested()]} for n in range(1500) for r in range(2)]
    model = {"annotator": {"name": "critic", "kind": "model"}}
    url = f"/api/v1/projects/{cast.project.slug}/suggestions"
    for n in range(0, 3000, 1000):
        calling(cast.sol).post(url, {**model, "suggestions": for_everyone[n : n + 1000]}, format="json")
    told = []
    real = walking.tell

    def meanwhile(*given: Any) -> None:
        thread = Thread(target=lambda: (Project.objects.update(description="x"), connection.close()))
        thread.start()
        thread.join()
        told.append(given[1])
        real(*given)

    monkeypatch.setattr(making, "tell", meanwhile)
    monkeypatch.setattr(making, "TOLD_EVERY", 1000)
    frozen(cast.project, "text2grad", filters={"annotators": "models"})
    assert told == [1000, 2000, 3000]


def suggested() -> dict[str, Any]:
    return {"start": 0, "end": 3, "quote": "The", "type": "wrong", "severity": "minor", "polarity": -1}
