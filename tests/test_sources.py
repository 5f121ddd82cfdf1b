"""Items know the source that their import named; its licence reaches those who read versions."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from curation.errors import Invalid
from curation.models import Item, Project, Run, Source
from curation.services import importing
from tests.cast import Cast
from tests.conftest import calling
from tests.imports import bring, counts, file_of, row
from tests.test_imports_page import jsonl, press_import, uploaded
from tests.test_people import browser


def sources(project: Project) -> dict[str, str | None]:
    found = Item.objects.filter(project=project).select_related("source")
    return {item.external_id: item.source.name if item.source else None for item in found}


def test_created_and_changed_items_are_of_the_source_that_is_named(project: Project) -> None:
    bring(project, row("1"), row("2"), row("3"))
    told = {"source": " Nectar 🍯 ", "licence": "Apache-2.0", "source_url": "https://example.org/nectar"}
    assert counts(bring(project, row("1"), row("2", "other", "words"), row("4"), **told)) == (1, 1, 1, 0)
    assert sources(project) == {"1": None, "2": "Nectar 🍯", "3": None, "4": "Nectar 🍯"}
    source = Source.objects.get(project=project)
    assert (source.licence, source.url) == ("Apache-2.0", "https://example.org/nectar")
    bring(project, row("2", "again", "changed"))
    assert sources(project)["2"] == "Nectar 🍯"


def test_a_licence_that_is_told_later_counts_and_silence_takes_none_back(project: Project) -> None:
    bring(project, row("1"), source="ours")
    bring(project, row("2"), source="ours", licence="CC-BY-4.0")
    bring(project, row("3"), source="ours")
    assert [(s.name, s.licence) for s in Source.objects.all()] == [("ours", "CC-BY-4.0")]
    assert set(sources(project).values()) == {"ours"}


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"licence": "MIT"}, "licence"),
        ({"source": "x" * 201}, "source"),
        ({"source": "a\0b"}, "source"),
        ({"source": "a\ud800"}, "source"),
        ({"source": "a", "source_url": "javascript:alert(1)"}, "source_url"),
    ],
)
def test_a_wrong_origin_names_its_field(project: Project, told: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as error:
        importing.import_now(project=project, user=None, path=file_of([row("1")]), **told)
    assert error.value.field == field and not Run.objects.exists() and not Source.objects.exists()


def test_over_the_api(cast: Cast) -> None:
    reply = calling(cast.sol).post(
        f"/api/v1/projects/{cast.project.slug}/import?source=ours&licence=CC0-1.0",
        jsonl(row("1")),
        content_type="application/x-ndjson",
    )
    assert reply.status_code == 200, reply.content
    assert sources(cast.project) == {"1": "ours"} and Source.objects.get().licence == "CC0-1.0"


def test_by_the_command(project: Project) -> None:
    path = str(file_of([row("1")]))
    with pytest.raises(CommandError, match="licence"):
        call_command("import_data", project.slug, path, "--licence", "MIT")
    call_command("import_data", project.slug, path, "--source", "ours", "--licence", "MIT")
    assert sources(project) == {"1": "ours"} and Source.objects.get().licence == "MIT"


def test_on_the_page(cast: Cast) -> None:
    mia = browser(cast.mia)
    address = uploaded(mia, cast.project, jsonl(row("1")))
    wrong = press_import(mia, address, licence="MIT")
    assert wrong.status_code == 422 and "Needs the name of its source." in wrong.content.decode()
    assert 'value="MIT"' in wrong.content.decode() and not Source.objects.exists()
    done = press_import(mia, address, source="ours", licence="MIT")
    assert done.status_code == 302
    run = Run.objects.get(pk=done["Location"].rstrip("/").split("/")[-1])
    assert run.params["source"] == "ours" and run.params["licence"] == "MIT"
