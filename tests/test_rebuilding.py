"""A version is checked: its files, and whether the same selection still gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from curation.models import Annotation, Change, DatasetVersion, Item
from curation.services import annotating, importing, running, starting
from curation.services.desk import desk_in
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_freezing import answer_all, frozen


@pytest.fixture
def version(cast: Cast) -> DatasetVersion:
    cast.project.overlap = 2
    cast.project.save()
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", -1, 2, 1)
    return frozen(cast, splits={"train": 0.5, "test": 0.5})


def checked(cast: Cast, version: DatasetVersion, **params: Any) -> dict[str, Any]:
    given = {"dataset": "prefs", "number": version.number, **params}
    run = starting.start(project=cast.project, method="verify", params=given, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    version.refresh_from_db()
    assert version.verified["run"] == str(run.pk) and not (run.folder / "rebuilt").exists()
    return run.result


def test_it_is_the_same_whatever_was_answered_or_taken_back_since(cast: Cast, version: DatasetVersion) -> None:
    answer_all(cast, "bob", 1, -2)
    last = Annotation.objects.filter(annotator__name="@ann").order_by("-pk")[0]
    annotating.undo(desk=desk_in(cast.ann, cast.project.slug), annotation_id=last.pk, commit=annotating.Commit("u"))
    make_pairs(cast.project, 2)
    told = checked(cast, version)
    assert told["files_ok"] and told["rebuilt"] and told["same"], told
    assert told["files"] == version.files.count() and told["damaged"] == []


@pytest.mark.parametrize("target", ["annotations", "rewardbench", "openrlhf"])
def test_other_targets_are_rebuilt_too(cast: Cast, version: DatasetVersion, target: str) -> None:
    made = frozen(cast, target=target)
    answer_all(cast, "bob", 1)
    assert checked(cast, made)["same"]


def test_a_flipped_byte_is_found_and_named(cast: Cast, version: DatasetVersion) -> None:
    path = version.folder / "annotations.jsonl"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    (version.folder / "lineage.parquet").unlink()
    (version.folder / "manifest.json").write_text("{}")
    told = checked(cast, version)
    assert not told["files_ok"] and told["same"], "the database still gives what was made"
    assert sorted(told["damaged"]) == [
        "annotations.jsonl has other bytes than it had",
        "lineage.parquet is missing",
        "manifest.json is not the one that the hash was taken over",
    ]


def test_items_put_away_since_are_named(cast: Cast, version: DatasetVersion) -> None:
    item = Item.objects.order_by("pk")[0]
    Item.objects.filter(pk=item.pk).update(deleted_at=timezone.now())
    told = checked(cast, version)
    assert told["files_ok"] and not told["same"] and told["changed_items"] == [item.external_id]
    assert "lineage.parquet" in told["differing"] and "annotations.parquet" not in told["differing"]


@pytest.mark.parametrize("followed", [True, False])
def test_items_corrected_by_a_later_import(cast: Cast, version: DatasetVersion, tmp_path: Path, followed: bool) -> None:
    """What they were is kept beside, and read: by versions that know which changes they have seen."""
    if not followed:
        version.lineage.pop("last_change")
        version.save(update_fields=["lineage"])
    item = Item.objects.order_by("pk")[0]
    texts = [response.text for response in item.responses.order_by("position")]
    given = {"id": item.external_id, "prompt": "Corrected?", "responses": texts}
    path = tmp_path / "again.jsonl"
    path.write_text(json.dumps(given))
    before = item.prompt
    assert importing.import_now(project=cast.project, user=cast.olga, path=path).result["updated"] == 1
    told = checked(cast, version)
    assert told["files_ok"] and told["same"] == followed
    if not followed:
        assert told["items_as_now"] and told["changed_items"] == [item.external_id]
    (change,) = Change.objects.all()
    assert (change.kind, change.before["prompt"]) == ("corrected", before)


def test_files_alone_can_be_read(cast: Cast, version: DatasetVersion) -> None:
    told = checked(cast, version, rebuild=False)
    assert told == {"files": version.files.count(), "files_ok": True, "damaged": []}


def test_the_doors(cast: Cast, version: DatasetVersion) -> None:
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions"
    answer = calling(cast.sol).post(f"{url}/1/verify")
    assert answer.status_code == 202 and answer.json()["method"] == "verify"
    running.execute(answer.json()["id"])
    assert calling(cast.vic).get(f"{url}/1").json()["verified"]["same"] is True
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    page = f"/projects/{cast.project.slug}/datasets/prefs/1/"
    assert b"as it was made" in browser.get(page).content
    assert "/runs/" in browser.post(f"{page}verify/").url
    params = {"dataset": "prefs", "number": 9}
    wrong = calling(cast.sol).post(f"/api/v1/projects/{cast.project.slug}/runs", {"method": "verify", "params": params})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "params.number"
