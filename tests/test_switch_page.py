"""The switch as a person meets it: choose an export, see what becomes of it, make the project, read the report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from curation.models import Item, Membership, Project, Run
from curation.services import running
from tests.cast import Cast
from tests.test_imports_page import page, press_import
from tests.test_people import browser

pytestmark = pytest.mark.django_db
EXPORTS = Path(__file__).parent / "exports"


def upload(client: Client, data: bytes, name: str, **more: bytes) -> Any:
    files = {"file": SimpleUploadedFile(name, data)}
    files |= {field: SimpleUploadedFile("config.xml", given) for field, given in more.items()}
    return client.post("/switch/", files)


def address(reply: Any) -> str:
    assert reply.status_code == 302, reply.content.decode()
    return reply["Location"]


def pairs(tmp_path: Path) -> bytes:
    return Path(shutil.make_archive(str(tmp_path / "pairs"), "zip", EXPORTS / "argilla" / "pairs")).read_bytes()


def test_an_export_is_shown_and_becomes_a_project(cast: Cast, tmp_path: Path) -> None:
    client = browser(cast.ada)
    where = address(upload(client, pairs(tmp_path), "sky-pairs.zip"))
    html = page(client, where)
    assert "Argilla" in html and "Which is better?" in html and "the axis preference" in html
    assert "Vectors embedding" in html and 'value="Sky pairs"' in html and 'value="sky-pairs"' in html
    assert not Project.objects.filter(slug="sky").exists()
    reply = press_import(client, where, name="Sky", slug="sky")
    run = Run.objects.get(method="switch")
    assert address(reply) == f"/projects/sky/imports/runs/{run.pk}/"
    running.execute(str(run.pk))
    report = page(client, reply["Location"])
    assert "What is not taken over" in report and "Vectors embedding" in report
    assert Item.objects.filter(project__slug="sky").count() == 3
    assert "sky-pairs.zip" in page(client, "/projects/sky/imports/")


def test_a_configuration_and_fields_may_be_given(cast: Cast) -> None:
    client = browser(cast.ada)
    told = json.loads((EXPORTS / "label_studio" / "pairs" / "project.json").read_text())
    tasks = (EXPORTS / "label_studio" / "pairs" / "export.json").read_bytes()
    where = address(upload(client, tasks, "export.json", config=told["label_config"].encode()))
    assert "Compare two responses" in page(client, where)
    assert "Judge one response" in page(client, f"{where}&response_fields=second_answer")
    assert "There is: prompt, first_answer, second_answer" not in page(client, where)
    wrong = page(client, f"{where}&response_fields=other")
    assert "No field &#x27;other&#x27;" in wrong and "Make the project" not in wrong


def test_what_is_no_export_says_so(cast: Cast) -> None:
    client = browser(cast.ada)
    where = address(upload(client, b'{"prompt": "?"}', "x.jsonl"))
    assert "Is no export of Argilla, doccano, Label Studio" in page(client, where)
    assert upload(client, b"", "empty.jsonl").status_code == 422


def test_an_address_that_is_taken_is_said_at_its_field(cast: Cast, tmp_path: Path) -> None:
    client = browser(cast.ada)
    where = address(upload(client, pairs(tmp_path), "p.zip"))
    reply = press_import(client, where, name="X", slug=cast.project.slug)
    assert reply.status_code == 422 and "Another project has this address" in reply.content.decode()
    assert "Which is better?" in reply.content.decode()
    assert press_import(client, where, name="X", slug="x").status_code == 302


def test_an_earlier_switch_is_gone_on_with_only_by_those_who_may_import(cast: Cast, tmp_path: Path) -> None:
    client = browser(cast.ada)
    press_import(client, address(upload(client, pairs(tmp_path), "p.zip")), name="X", slug="x")
    cast.zed.is_staff = True
    cast.zed.save()
    other = browser(cast.zed)
    where = address(upload(other, pairs(tmp_path), "p.zip"))
    assert press_import(other, where, name="X", slug="x").status_code == 422
    Membership.objects.create(project=Project.objects.get(slug="x"), user=cast.zed, role="manager")
    assert press_import(other, where, name="X", slug="x").status_code == 302
    assert Run.objects.filter(project__slug="x", method="switch").count() == 2


def test_somebody_elses_upload_is_not_found(cast: Cast, tmp_path: Path) -> None:
    where = address(upload(browser(cast.ada), pairs(tmp_path), "p.zip"))
    cast.mia.is_staff = True
    cast.mia.save()
    assert browser(cast.mia).get(where).status_code == 404


def test_the_ways_to_the_page_are_shown_to_those_who_may(cast: Cast) -> None:
    for where in ("/projects/", "/projects/new/", f"/projects/{cast.project.slug}/imports/"):
        assert 'href="/switch/"' in page(browser(cast.ada), where)
    assert 'href="/switch/"' not in page(browser(cast.mia), f"/projects/{cast.project.slug}/imports/")
