"""New projects from presets with their samples, their protocol's versions and their removal."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import call_command

from curation import access
from curation.errors import Conflict, DomainError, Invalid
from curation.models import (
    Annotation,
    Annotator,
    Membership,
    Project,
    Response,
    Role,
    Run,
    Task,
    TaskKind,
)
from curation.presets import GROUPS, PRESETS, grouped
from curation.protocols import Asked
from curation.rendering import markdown
from curation.services import answering, projects, protocols
from curation.services.answering import Answer, Judged, Said
from curation.services.taking import ShownResponse
from tests.cast import Cast
from tests.test_people import browser

SUGGESTED = {
    "span-critique": "shown",
    "step-critique": "shown",
    "error-spans": "shown",
    "verdict-critique": "reveal",
}
"""Presets whose samples bring suggestions, and how they are shown."""


def made_from(preset: str, cast: Cast) -> Project:
    made = projects.create_project(slug="new-one", name="New one", user=cast.zed, preset=preset)
    run = projects.load_sample(project=made, user=cast.zed)
    assert run.result["rejected"] == 0, run.result["problems"]
    return Project.objects.select_related("protocol").get(pk=made.pk)


def sample(preset: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (projects.SAMPLES / PRESETS[preset].sample).read_bytes().splitlines()]


# --- Presets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_makes_a_project_that_its_maker_owns(cast: Cast, preset: str) -> None:
    made = projects.create_project(slug="new-one", name="New one", user=cast.zed, preset=preset)
    assert made.protocol is not None and made.protocol.version == 1
    assert made.protocol.strengths == PRESETS[preset].strengths and made.protocol.preset == preset
    assert made.kind == PRESETS[preset].kind and len(made.protocol.axes) == len(PRESETS[preset].axes)
    assert Membership.objects.get(project=made).role == Role.OWNER
    assert access.project_for(cast.zed, "new-one", access.OWN) == made


@pytest.mark.parametrize("preset", PRESETS.values())
def test_the_guidelines_of_a_preset_are_well_formed(preset: object) -> None:
    html = markdown(preset.guidelines)  # type: ignore[attr-defined]
    assert "<h2" in html and "<li" in html and "**" not in html and "<br" not in html
    assert "Borderline cases" in html or "Ties" in html


def test_the_presets_are_told_apart_and_stand_under_their_headings() -> None:
    assert [group for group, _ in grouped()] == list(GROUPS)
    assert [preset.name for _, presets in grouped() for preset in presets] == list(PRESETS)
    for texts in ("title", "about", "guidelines"):
        assert len({getattr(preset, texts) for preset in PRESETS.values()}) == len(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_protocol_of_a_preset_would_be_taken_as_a_revision(cast: Cast, preset: str) -> None:
    """Its columns fit each other, and saving them again changes nothing."""
    made = projects.create_project(slug="new-one", name="New one", user=cast.zed, preset=preset)
    given = {name: value for name, value in PRESETS[preset].protocol().items() if name in protocols.REVISABLE}
    assert projects.revise_protocol(project=made, **given).version == 1
    assert Asked.model_validate({name: given[name] for name in protocols.ASKED}).help.mode == SUGGESTED.get(
        preset, "off"
    )


def test_colours_tell_the_labels_of_a_preset_apart() -> None:
    for preset in PRESETS.values():
        colours = [label.color for label in preset.asked.critiques.types]
        assert all(colours) and len(set(colours)) >= min(len(colours), 10), preset.name


# --- Samples ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_the_sample_of_a_preset_lands_whole(cast: Cast, preset: str) -> None:
    made, rows = made_from(preset, cast), sample(preset)
    assert made.item_count == len(rows) >= (10 if made.kind == TaskKind.RANKING else 12)
    assert Task.objects.filter(project=made, kind=made.kind).count() == made.task_count >= len(rows)
    again = projects.load_sample(project=made, user=cast.zed)
    assert again.result["unchanged"] == len(rows) and again.result["answers"] == 0


@pytest.mark.parametrize("preset", SUGGESTED)
def test_a_critic_has_suggested_something_on_a_part_of_the_sample(cast: Cast, preset: str) -> None:
    made = made_from(preset, cast)
    found = Annotation.objects.answers().filter(project=made)
    assert {annotation.annotator.kind for annotation in found} <= {Annotator.Kind.MODEL, Annotator.Kind.PROGRAM}
    by_critic = found.filter(annotator__name="example-critic")
    assert made.task_count > by_critic.count() >= made.task_count / 2
    assert set(by_critic.values_list("version", flat=True)) == {"1"}
    assert all(0 < annotation.score < 1 for annotation in by_critic if annotation.score is not None)
    assert all(annotation.critiques.exists() or annotation.verdicts.exists() for annotation in found)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(SUGGESTED)))
def test_the_other_samples_bring_no_answers(cast: Cast, preset: str) -> None:
    made = made_from(preset, cast)
    assert made.vote_count == 0 and not Annotation.objects.filter(project=made).exists()


@pytest.mark.parametrize("preset", SUGGESTED)
def test_every_suggestion_of_a_sample_fits_its_protocol(cast: Cast, preset: str) -> None:
    """Labels are those of the protocol, quotes stand at their offsets, evidence is in its document."""
    made = made_from(preset, cast)
    assert made.protocol is not None
    asked = Asked.model_validate({name: getattr(made.protocol, name) for name in protocols.ASKED})
    for annotation in Annotation.objects.answers().filter(project=made).select_related("task__response__item"):
        response = annotation.task.response
        assert response is not None
        for said in annotation.critiques.all():
            assert said.start is None or response.text[said.start : said.end] == said.quote
        checked = answering.check(asked, [shown(response)], said_in(annotation), context_of(response), whole=False)
        assert all(not critique.quote or critique.quote in response.text for critique in checked.critiques)


def shown(response: Response) -> ShownResponse:
    units = orjson.dumps(response.units).decode() if response.units else None
    return ShownResponse(response.pk, response.text, None, response.unit, units)


def context_of(response: Response) -> str:
    return orjson.dumps(response.item.context).decode()


def said_in(annotation: Annotation) -> Answer:
    same = ("start", "end", "comment", "evidence")
    critique = (*same, "quote", "unit", "type", "severity", "polarity", "edit", "omission")
    verdict = (*same, "question", "answer")
    return Answer(
        critiques=[Said(**{name: getattr(one, name) for name in critique}) for one in annotation.critiques.all()],
        verdicts=[Judged(**{name: getattr(one, name) for name in verdict}) for one in annotation.verdicts.all()],
    )


@pytest.mark.parametrize("preset", SUGGESTED)
def test_the_file_of_a_sample_says_where_each_quote_stands(preset: str) -> None:
    for text, said in critiques_in(preset):
        if "start" in said:
            assert text[said["start"] : said["end"]] == said["quote"], said
            assert said.get("omission", False) == (said["start"] == said["end"])


def critiques_in(preset: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in sample(preset):
        given = row["responses"][0]
        text = given["text"] if "text" in given else "\n".join(given["steps"])
        for answer in row.get("answers", []):
            yield from ((text, said) for said in answer.get("critiques", []))


def test_suggestions_are_right_and_wrong(cast: Cast) -> None:
    """On the first wrong step and on the verdict the critic agrees with the truth often, not always."""
    steps, verdicts = sample("step-critique"), sample("verdict-critique")
    agrees = [first_wrong(row) == row["metadata"]["first_error"] for row in steps if "answers" in row]
    agrees += [
        row["answers"][0]["verdicts"][0]["answer"] == row["metadata"]["correct"] for row in verdicts if "answers" in row
    ]
    assert 0.5 < sum(agrees) / len(agrees) < 0.9
    assert sum(row["metadata"]["first_error"] >= 0 for row in steps) in range(6, 11)
    assert sum(row["metadata"]["correct"] for row in verdicts) == len(verdicts) / 2


def first_wrong(row: dict[str, Any]) -> int:
    ratings = [verdict["answer"] for verdict in row["answers"][0]["verdicts"]]
    return ratings.index(-1) if -1 in ratings else -1


def test_the_grounded_sentences_hold_all_four_cells(cast: Cast) -> None:
    for row in sample("grounded-sentences"):
        assert len(row["metadata"]["cells"]) == len(row["responses"][0]["units"])
        assert {"FW", "UC", "UW"} <= set(row["metadata"]["cells"]) and 2 <= len(row["context"]["documents"]) <= 4


def test_the_samples_speak_several_languages() -> None:
    for preset, languages in {
        "helpful-harmless": 5,
        "span-critique": 5,
        "ranking": 5,
        "grounded-sentences": 5,
        "step-critique": 4,
        "verdict-critique": 4,
        "error-spans": 2,
    }.items():
        assert len({row["metadata"]["language"] for row in sample(preset)}) == languages, preset


# --- Projects -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slug": "helpfulness"}, "slug"),
        ({"slug": "with space"}, "slug"),
        ({"slug": "new"}, "slug"),
        ({"name": "  "}, "name"),
        ({"preset": "none"}, "preset"),
    ],
)
def test_a_project_that_cannot_be_made_names_the_field(cast: Cast, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(DomainError) as refused:
        projects.create_project(**{"slug": "fine", "name": "Fine", "user": cast.zed, **wrong})  # type: ignore[arg-type]
    assert refused.value.field == field
    assert Project.objects.count() == 1


def test_a_revised_protocol_is_a_new_version_and_the_old_one_stays(cast: Cast) -> None:
    first = cast.project.protocol
    second = projects.revise_protocol(project=cast.project, strengths=3, guidelines="Be fair.")
    assert (second.version, second.strengths, second.guidelines) == (2, 3, "Be fair.")
    assert second.axes == first.axes and Project.objects.get(pk=cast.project.pk).protocol == second
    first.refresh_from_db()
    assert first.strengths == 2 and first.guidelines == ""


def test_a_revision_that_changes_nothing_makes_no_version(cast: Cast) -> None:
    assert projects.revise_protocol(project=cast.project, strengths=2).version == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"strengths": 4},
        {"axes": []},
        {"axes": [{"name": "a", "question": "?"}, {"name": "a", "question": "?"}]},
        {"axes": [{"name": "a", "question": " "}]},
        {"axes": ["overall"]},
        {"rationale": "maybe"},
        {"colour": "red"},
    ],
)
def test_a_revision_that_makes_no_sense_is_refused(cast: Cast, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        projects.revise_protocol(project=cast.project, **wrong)
    assert cast.project.protocols.count() == 1


def test_a_removed_project_is_gone_for_all_and_frees_its_address(cast: Cast) -> None:
    projects.remove_project(project=cast.project)
    with pytest.raises(DomainError, match="no such project"):
        access.project_for(cast.olga, "helpfulness", access.SEE)
    again = projects.create_project(slug="helpfulness", name="Again", user=cast.olga)
    removed = Project.objects.get(pk=cast.project.pk)
    projects.restore_project(project=removed)
    assert access.project_for(cast.olga, removed.slug, access.SEE) == removed != again


def test_a_project_with_a_run_at_work_is_not_removed(cast: Cast) -> None:
    Run.objects.create(project=cast.project, method="import", state=Run.State.RUNNING)
    with pytest.raises(Conflict):
        projects.remove_project(project=cast.project)


def test_create_project_on_the_command_line(cast: Cast) -> None:
    out = StringIO()
    call_command("create_project", "from-shell", "--preset", "pairwise-fine", stdout=out)
    made = Project.objects.get(slug="from-shell")
    assert made.name == "From shell" and made.protocol is not None and made.protocol.strengths == 3
    assert "owned by ada" in out.getvalue()


@pytest.mark.parametrize("preset", PRESETS)
def test_create_project_brings_the_sample_of_its_preset(cast: Cast, preset: str) -> None:
    out = StringIO()
    call_command("create_project", "from-shell", "--preset", preset, "--sample", stdout=out)
    made = Project.objects.get(slug="from-shell")
    assert made.task_count > 0 and f"imported {made.item_count} items, {made.task_count} tasks" in out.getvalue()


def test_a_new_project_shows_the_presets_in_groups_and_loads_the_sample(cast: Cast) -> None:
    client = browser(cast.ada)
    shown = client.get("/projects/new/").content.decode()
    assert all(f"<legend>{group}</legend>" in shown for group in GROUPS)
    form = {"name": "Steps", "slug": "steps", "preset": "step-critique"}
    assert client.post("/projects/new/", {**form, "sample": "on"}).status_code == 302
    made = Project.objects.get(slug="steps")
    assert made.kind == TaskKind.RESPONSE and made.task_count == len(sample("step-critique"))


def test_an_empty_project_offers_its_sample_to_who_may_import(cast: Cast) -> None:
    path = f"/projects/{cast.project.slug}/"
    assert "Load the sample" in browser(cast.mia).get(path).content.decode()
    assert "Load the sample" not in browser(cast.vic).get(path).content.decode()
    assert browser(cast.vic).post(path, {"action": "sample"}).status_code == 403
    assert browser(cast.mia).post(path, {"action": "sample"}).status_code == 302
    cast.project.refresh_from_db()
    assert cast.project.task_count > 0
    assert "Load the sample" not in browser(cast.mia).get(path).content.decode()
