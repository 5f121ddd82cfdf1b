"""New projects from presets, their protocol's versions and their removal."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from curation import access
from curation.errors import Conflict, DomainError, Invalid
from curation.models import Membership, Project, Role, Run
from curation.presets import PRESETS
from curation.rendering import markdown
from curation.services import projects
from tests.cast import Cast


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_makes_a_project_that_its_maker_owns(cast: Cast, preset: str) -> None:
    made = projects.create_project(slug="new-one", name="New one", user=cast.zed, preset=preset)
    assert made.protocol is not None and made.protocol.version == 1
    assert made.protocol.strengths == PRESETS[preset].strengths and made.protocol.axis_names == ["overall"]
    assert Membership.objects.get(project=made).role == Role.OWNER
    assert access.project_for(cast.zed, "new-one", access.OWN) == made


@pytest.mark.parametrize("preset", PRESETS.values())
def test_the_guidelines_of_a_preset_are_well_formed(preset: object) -> None:
    html = markdown(preset.guidelines)  # type: ignore[attr-defined]
    assert "<h2" in html and "<li" in html and "**" not in html


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
