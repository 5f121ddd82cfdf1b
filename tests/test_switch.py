"""A project of another tool as one here: service and command, on exports that these tools wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError

from curation.errors import Conflict, Invalid
from curation.models import Annotation, Critique, Item, Preference, Project, Protocol, Run, Verdict
from curation.services import projects, running, switching
from tests.cast import Cast
from tests.imports import snapshot
from tests.test_commands import ran, refused
from workers.switching import Wanted

pytestmark = pytest.mark.django_db
EXPORTS = Path(__file__).parent / "exports"
ARGILLA, STUDIO, DOCCANO = (EXPORTS / name for name in ("argilla", "label_studio", "doccano"))


def switch(cast: Cast, path: Path, slug: str = "moved", *beside: Path, wanted: Wanted | None = None) -> Run:
    asked = switching.Asked(path, path.name, wanted=wanted or Wanted(), beside={one.name: one for one in beside})
    run = switching.switch_now(asked=asked, slug=slug, name="Moved", user=cast.ada)
    assert run.state == "succeeded", run.error
    return run


def protocol(project: Project) -> Protocol:
    assert project.protocol is not None
    return project.protocol


def test_argilla_pairs_are_a_project_with_its_answers(cast: Cast) -> None:
    run = switch(cast, ARGILLA / "pairs")
    project = run.home
    assert (project.kind, project.item_count, project.task_count) == ("preference", 3, 3)
    assert (protocol(project).version, protocol(project).axis_names) == (1, ["preference"])
    assert protocol(project).questions[0]["name"] == "quality"
    assert project.memberships.get().user == cast.ada
    said = Preference.objects.filter(annotation__project=project).order_by("pk")
    assert [(one.annotation.annotator.kind, one.value, one.both_bad) for one in said] == [
        ("person", -1, False), ("person", 0, False), ("model", -1, False), ("person", None, True),
    ]  # fmt: skip
    assert sorted(Verdict.objects.filter(annotation__project=project).values_list("answer", flat=True)) == [1, 1, 4, 5]
    assert run.result["left"]["vectors embedding"] == 1 and run.result["created"] == 3


def test_label_studio_regions_land_at_their_words(cast: Cast) -> None:
    project = switch(cast, STUDIO / "critique").home
    marked = Critique.objects.filter(annotation__project=project).order_by("pk").select_related("response")
    assert [one.response.text[one.start : one.end] for one in marked] == ["2 million", "🌊", "🌊", "Ulm", "🌊"]
    assert [one.quote for one in marked] == ["2 million", "🌊", "🌊", "Ulm", "🌊"]
    assert [label["name"] for label in protocol(project).critiques["severities"]] == ["minor", "major"]
    assert [one.severity for one in marked] == ["major", "", "", "", ""]


def test_suggestions_of_models_wait_for_people(cast: Cast) -> None:
    project = switch(cast, ARGILLA / "spans").home
    by_kind = Annotation.objects.answers().filter(project=project).order_by("pk")
    assert [one.annotator.kind for one in by_kind] == ["person", "model", "person", "model"]


def test_doccano_lands_with_its_labels(cast: Cast) -> None:
    project = switch(cast, DOCCANO / "spans.zip", "d", DOCCANO / "spans_label_config.json").home
    assert [label["name"] for label in protocol(project).critiques["types"]] == ["river", "place"]
    names = Annotation.objects.answers().filter(project=project).values_list("annotator__name", flat=True)
    assert sorted(names) == ["ann", "bob", "bob"]


@pytest.mark.parametrize("name", ["html", "dialogue", "ranker", "pairs"])
def test_every_row_of_label_studio_lands(cast: Cast, name: str) -> None:
    run = switch(cast, STUDIO / name)
    assert run.result["created"] == Item.objects.filter(project=run.home).count() > 0 and not run.result["rejected"]


def test_the_same_export_again_changes_nothing(cast: Cast) -> None:
    project = switch(cast, ARGILLA / "pairs").home
    projects.revise_protocol(project=project, guidelines="Our own.")
    before = snapshot(project)
    again = switch(cast, ARGILLA / "pairs")
    assert again.home == project and again.result["unchanged"] == 3 and not again.result["votes"]
    project.refresh_from_db()
    assert snapshot(project) == before and protocol(project).guidelines == "Our own."


def test_an_export_with_more_answers_brings_them(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "pairs"
    shutil.copytree(ARGILLA / "pairs", path)
    switch(cast, path)
    records = json.loads((path / "records.json").read_text())
    records[2]["responses"] = {"preference": [{"value": "2", "user_id": "somebody"}]}
    (path / "records.json").write_text(json.dumps(records))
    result = switch(cast, path).result
    assert (result["unchanged"], result["updated"], result["votes"]) == (2, 1, 1)


def test_a_project_made_otherwise_is_not_switched_into(cast: Cast) -> None:
    with pytest.raises(Conflict, match="another project has this address"):
        switch(cast, ARGILLA / "pairs", cast.project.slug)
    switch(cast, ARGILLA / "spans")
    with pytest.raises(Conflict, match="another project"):
        switch(cast, STUDIO / "critique")
    with pytest.raises(Conflict, match="compares something else"):
        switch(cast, ARGILLA / "pairs")


def test_nothing_is_made_of_an_export_that_cannot_be_read(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(Invalid, match="no export of") as told:
        switch(cast, tmp_path / "x.txt")
    assert told.value.field == "file" and not Project.objects.filter(slug="moved").exists()


def test_a_look_says_what_would_become_and_writes_nothing(cast: Cast) -> None:
    before = Run.objects.count(), Project.objects.count()
    seen = switching.look(switching.Asked(STUDIO / "critique"))
    assert seen.tool.name == "label-studio" and seen.plan.kind == "response" and seen.whole
    assert seen.counts == {"items": 2, "votes": 0, "answers": 4, "suggestions": 1}
    assert seen.protocol["questions"][0]["name"] == "correct" and seen.left["drafts"] == 1
    assert (Run.objects.count(), Project.objects.count()) == before


@pytest.mark.parametrize(
    "path", [ARGILLA / "pairs", ARGILLA / "ranking", ARGILLA / "spans", STUDIO / "critique", STUDIO / "pairs"]
)
def test_a_look_counts_what_the_switch_counts(cast: Cast, path: Path) -> None:
    seen, result = switching.look(switching.Asked(path), most=None).counts, switch(cast, path).result
    assert (seen["items"], seen["votes"], seen["answers"]) == (result["created"], result["votes"], result["answers"])
    assert seen["suggestions"] == Annotation.objects.answers().exclude(annotator__kind="person").count()


def test_the_command_says_how_many_are_of_models(cast: Cast) -> None:
    said = ran("switch", "x", str(ARGILLA / "pairs"), "--dry-run")[0]
    assert "would import 3 items, 4 votes, 3 answers (1 of these suggestions of models), 0 refused" in said


def test_a_look_at_the_first_rows_says_so(cast: Cast) -> None:
    seen = switching.look(switching.Asked(ARGILLA / "pairs"), most=1)
    assert seen.counts["items"] == 1 and not seen.whole


def test_a_queued_switch_is_done_by_a_worker_and_goes_on_where_it_stopped(cast: Cast) -> None:
    asked = switching.Asked(ARGILLA / "pairs", "pairs")
    run = switching.request_switch(asked=asked, slug="later", name="Later", user=cast.ada)
    assert (run.state, run.total) == ("queued", (ARGILLA / "pairs" / "records.json").stat().st_size)
    Run.objects.filter(pk=run.pk).update(checkpoint={"row": 1, "line": 1, "rejected_bytes": 0})
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and run.result["created"] == 2
    assert set(Item.objects.filter(project=run.home).values_list("external_id", flat=True)) == {"p2", "p3"}


def test_a_row_that_does_not_fit_is_refused_by_its_line(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    rows = [{"id": 1, "text": "ab", "label": [[0, 9, "x"]]}, {"id": 2, "text": "cd", "label": [[0, 1, "x"]]}]
    path.write_text("\n".join(map(json.dumps, rows)))
    result = switch(cast, path).result
    assert (result["created"], result["rejected"]) == (1, 1)
    assert [(one["line"], one["field"]) for one in result["problems"]] == [(1, "answers.0.critiques.0.end")]


# --- The command --------------------------------------------------------------------------------------


def test_the_command_makes_the_project_and_names_what_is_left(cast: Cast) -> None:
    said = ran("switch", "round-two", str(ARGILLA / "pairs"))[0].splitlines()
    assert said[0] == (
        "round-two, from argilla: 3 created, 0 updated, 0 unchanged, 0 rejected, 4 votes, 3 answers, 3 tasks"
    )
    assert said[1] == "not taken over:" and "  1 × vectors embedding" in said
    assert Project.objects.get(slug="round-two").name == "Round two"


def test_a_dry_run_tells_the_mapping_and_makes_nothing(cast: Cast) -> None:
    said = ran("switch", "x", str(STUDIO / "pairs"), "--dry-run", "--from", "label-studio")[0]
    assert "Label Studio: one task is a preference" in said
    assert "  prompt: prompt; responses: first_answer, second_answer\n" in said
    assert "  quality_answer2: the question quality of response 2\n" in said
    assert "would import 2 items, 3 votes, 1 answers, 0 refused" in said
    assert not Project.objects.filter(slug="x").exists()


def test_the_command_takes_fields_and_a_configuration(cast: Cast, tmp_path: Path) -> None:
    told = json.loads((STUDIO / "critique" / "project.json").read_text())
    (tmp_path / "labels.xml").write_text(told["label_config"])
    path = str(STUDIO / "critique" / "export.json")
    ran("switch", "a", path, "--config", str(tmp_path / "labels.xml"), "--owner", "mia")
    assert Project.objects.get(slug="a").memberships.get().user == cast.mia
    ran(
        "switch",
        "b",
        str(ARGILLA / "pairs"),
        "--response-fields",
        "response_1",
        "--prompt-fields",
        "instruction,context",
    )
    assert Project.objects.get(slug="b").kind == "response"


def test_the_command_says_why_it_gives_up(cast: Cast, tmp_path: Path) -> None:
    assert refused("switch", "x", str(tmp_path / "no")) == f"no such file: {tmp_path / 'no'}"
    (tmp_path / "x.txt").write_text("x")
    assert "is no export of Argilla" in refused("switch", "x", str(tmp_path / "x.txt"))
    assert "response_fields: no field 'z'" in refused("switch", "x", str(ARGILLA / "pairs"), "--response-fields", "z")
    with pytest.raises(CommandError, match="nothing landed"):
        (tmp_path / "all.jsonl").write_text('{"id": 1, "text": "", "label": [], "Comments": []}')
        ran("switch", "y", str(tmp_path / "all.jsonl"))
