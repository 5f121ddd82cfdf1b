"""The switch over REST: what an export would become, the project that it becomes, and who may."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.core.files.uploadedfile import SimpleUploadedFile

from curation.models import Project, Run
from curation.services import running
from tests.cast import Cast
from tests.conftest import calling
from tests.test_switch import ARGILLA, DOCCANO


def zipped(folder: Path) -> bytes:
    into = BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return into.getvalue()


def send(user: Any, body: bytes, **query: Any) -> Any:
    address = f"/api/v1/switch?{urlencode(query)}"
    return calling(user).generic("POST", address, body, content_type="application/octet-stream")


def test_what_would_become_of_an_export_is_told_and_nothing_is_written(cast: Cast) -> None:
    before = Project.objects.count(), Run.objects.count()
    told = send(cast.ada, zipped(ARGILLA / "pairs"), dry_run=True, filename="pairs.zip").json()
    assert told["tool"] == "argilla" and told["kind"] == "preference" and told["protocol"]["axes"]
    assert told["counts"]["items"] > 0 and told["whole"] is True
    assert (Project.objects.count(), Run.objects.count()) == before


def test_an_export_becomes_a_project_and_the_same_again_changes_nothing(cast: Cast) -> None:
    body = zipped(ARGILLA / "pairs")
    for created in (True, False):
        response = send(cast.ada, body, slug="moved", name="Moved", filename="pairs.zip")
        assert response.status_code == 202, response.content
        run = Run.objects.get(pk=response.json()["id"])
        running.execute(str(run.pk))
        run.refresh_from_db()
        assert run.state == Run.State.SUCCEEDED and bool(run.result["created"]) is created
    assert Project.objects.get(slug="moved").name == "Moved"


def test_settings_come_beside_the_export_in_a_form(cast: Cast) -> None:
    files = {
        "file": SimpleUploadedFile("spans.zip", (DOCCANO / "spans.zip").read_bytes()),
        "config": SimpleUploadedFile("label_config.json", (DOCCANO / "spans_label_config.json").read_bytes()),
    }
    told = calling(cast.ada).post("/api/v1/switch?dry_run=true", files, format="multipart").json()
    assert told["tool"] == "doccano" and not any("label_config" in what for what in told["left"])


def test_what_is_wrong_is_named(cast: Cast) -> None:
    assert send(cast.ada, b"{}").json()["errors"] == [{"field": "slug", "detail": "is missing"}]
    assert "is no export" in send(cast.ada, b"oops", slug="moved", filename="x.txt").content.decode()
    assert send(cast.mia, zipped(ARGILLA / "pairs"), slug="moved").status_code == 403
    taken = send(cast.ada, zipped(ARGILLA / "pairs"), slug=cast.project.slug, filename="pairs.zip")
    assert taken.status_code == 409 and taken.json()["errors"][0]["field"] == "slug"
    assert not Project.objects.filter(slug="moved").exists()
