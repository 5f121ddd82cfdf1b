"""A version pushed by the real huggingface_hub to a double of the Hub's write side, and read back from it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from django.conf import settings as installed
from django.core.management import call_command
from django.test import Client

from curation.errors import Conflict, Invalid
from curation.models import DatasetVersion, Run, RunLine
from curation.services import health, running, starting
from curation.services.freezing import pushing
from tests import cast as people
from tests import hub_writes
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.hub_writes import TOKEN, Hub, sha256
from tests.test_freezing import answer_all, frozen
from tests.test_mutations import given
from workers.writers import targets

pytestmark = pytest.mark.once

REPO = "my-team/prefs"


@pytest.fixture
def hub(settings: Any) -> Iterator[Hub]:
    with hub_writes.serving() as made:
        settings.HUB_TOKEN = TOKEN
        settings.HUB_ENDPOINTS = [made.url]
        yield made


@pytest.fixture
def version(cast: Cast, settings: Any) -> DatasetVersion:
    """Eight pairs in three shards."""
    settings.DATASET_SHARD_ROWS = 3
    make_pairs(cast.project, 10)
    answer_all(cast, "ann", *[-1, 2] * 4)
    return frozen(cast)


@pytest.fixture
def crew(transactional_db: None) -> Cast:
    """A version of three pairs, seen from other threads too."""
    made = people.assemble()
    make_pairs(made.project, 3)
    answer_all(made, "ann", 1, 1, 1)
    frozen(made)
    return made


def started(cast: Cast, **params: Any) -> Run:
    asked = {"dataset": "prefs", "number": 1, "repo": REPO, **params}
    return starting.start(project=cast.project, method="push", params=asked, user=cast.olga)


def pushed(cast: Cast, **params: Any) -> Run:
    run = started(cast, **params)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def done(cast: Cast, **params: Any) -> dict[str, Any]:
    run = pushed(cast, **params)
    assert run.state == "succeeded", (run.error, [str(line) for line in run.lines.all()])
    return run.result


def test_a_version_is_pushed_in_one_commit_and_read_back(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    told = done(cast)
    files = hub.files(REPO)
    shards = {f"train-{n:05d}-of-00003.parquet" for n in range(3)}
    assert files.keys() == {*shards, "README.md", "manifest.json", "croissant.json", ".gitattributes"}
    for file in version.files.filter(name__in=shards):
        assert sha256(files[file.name]) == file.sha256
    rows = [row for name in sorted(shards) for row in pq.read_table(io.BytesIO(files[name])).to_pylist()]
    lines = [line for n in range(3) for line in (version.folder / f"train-{n:05d}-of-00003.jsonl").open("rb")]
    assert rows == [orjson.loads(line) for line in lines] and len(rows) == 8
    manifest = json.loads(files["manifest.json"])["files"]
    assert manifest.keys() == shards and all(manifest[name]["sha256"] == sha256(files[name]) for name in shards)
    card = files["README.md"].decode()
    assert yaml.safe_load(card.split("---\n")[1])["configs"][0]["data_files"] == [
        {"split": "train", "path": "train-?????-of-00003.parquet"}
    ]
    assert f'load_dataset("{REPO}", revision="v1")' in card and version.hash in card
    document = json.loads(files["croissant.json"])
    assert {one["name"] for one in document["distribution"]} == {*shards, "train-shards"}
    assert document["url"] == f"{hub.url}/datasets/{REPO}"
    repository = hub.repositories[REPO]
    assert repository.private and len(repository.commits) == 2 and repository.tags == {"v1": told["commit"]}
    assert repository.branches["main"] == told["commit"] and told["changed"] and told["deleted"] == []
    version.refresh_from_db()
    (kept,) = version.pushed.values()
    assert kept["commit_url"] == told["commit_url"] == f"{hub.url}/datasets/{REPO}/commit/{told['commit']}"


@pytest.mark.training
def test_it_is_loaded_from_there(cast: Cast, version: DatasetVersion, hub: Hub, tmp_path: Path) -> None:
    from datasets import load_dataset

    done(cast)
    for name, data in hub.files(REPO).items():
        (tmp_path / name).write_bytes(data)
    assert load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))["train"].num_rows == 8


def test_the_same_version_again_changes_nothing(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    first = done(cast)
    puts = hub.times("PUT", "/upload/")
    again = done(cast)
    assert not again["changed"] and again["commit"] == first["commit"] and again["commit_url"] == first["commit_url"]
    assert len(hub.repositories[REPO].commits) == 2 and hub.times("PUT", "/upload/") == puts
    assert hub.times("POST", "/commit/") == 1
    version.refresh_from_db()
    assert len(version.pushed) == 1


def test_the_next_version_replaces_the_files_of_the_last_and_no_others(
    cast: Cast, version: DatasetVersion, hub: Hub
) -> None:
    done(cast)
    repository = hub.repositories[REPO]
    repository.commit("main", {**hub.files(REPO), "LICENSE": b"ours"})
    answer_all(cast, "ann", 1, 1)
    frozen(cast)
    told = done(cast, number=2)
    assert told["deleted"] == [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    names = {f"train-{n:05d}-of-00004.parquet" for n in range(4)}
    assert hub.files(REPO).keys() == {
        *names,
        "README.md",
        "manifest.json",
        "croissant.json",
        ".gitattributes",
        "LICENSE",
    }
    assert repository.tags.keys() == {"v1", "v2"}
    assert "train-00000-of-00003.parquet" in hub.files(REPO, "v1"), "the tag names what it named"


def test_people_stay_under_pseudonyms(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    done(cast)
    assert not any("annotations" in name for name in hub.files(REPO))
    done(cast, companions=True, repo="my-team/all")
    files = hub.files("my-team/all")
    assert not any(b"@ann" in data for data in files.values())
    rows = pq.read_table(io.BytesIO(files["annotations-00000-of-00003.parquet"])).to_pylist()
    assert {row["annotator"] for row in rows} == {pushing.pseudonym(cast.project, "@ann")}
    ours = pq.read_table(version.folder / "annotations-00000-of-00003.parquet").to_pylist()
    assert [{**row, "annotator": ""} for row in rows] == [{**row, "annotator": ""} for row in ours]
    manifest = json.loads(files["manifest.json"])["files"]
    assert all(one["sha256"] == sha256(files[name]) for name, one in manifest.items())
    assert "lineage-00000-of-00003.parquet" in manifest
    again = done(cast, companions=True, repo="my-team/all")
    assert not again["changed"], "pseudonyms are the same each time"
    done(cast, companions=True, names=True, repo="my-team/named")
    named = hub.files("my-team/named")
    for file in version.files.exclude(name__endswith=".jsonl"):
        assert sha256(named[file.name]) == file.sha256


def test_a_selection_by_names_is_told_without_them(cast: Cast, hub: Hub) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", 1, 1)
    frozen(cast, filters={"names": ["@ann"]})
    done(cast)
    assert not any(b"@ann" in data for data in hub.files(REPO).values())


def test_targets_whose_rows_name_annotators_ask_first(cast: Cast, hub: Hub) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", 1, 1)
    frozen(cast, target="annotations")
    with pytest.raises(Invalid) as told:
        started(cast)
    assert told.value.field == "params.names" and not Run.objects.filter(method="push").exists()
    done(cast, names=True)
    assert any(b"@ann" in data for name, data in hub.files(REPO).items() if name == "train.parquet")


@pytest.mark.parametrize("name", [target.name for target in targets if target.name != "annotations"])
def test_targets_that_name_nobody_hold_no_name(name: str) -> None:
    """`named` of a target is true exactly where its rows hold the annotator, here `w 1`."""
    if targets.get(name).source == "critiqued":
        assert (b'"w 1"' in orjson.dumps(given(name))) == targets.get(name).named
    else:
        assert not targets.get(name).named


def test_another_branch_and_tag(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    told = done(cast, branch="drafts", tag="trial.1", private=False)
    repository = hub.repositories[REPO]
    assert not repository.private and repository.branches["drafts"] == told["commit"] != repository.branches["main"]
    assert hub.files(REPO, "main").keys() == {".gitattributes"} and repository.tags == {"trial.1": told["commit"]}


def test_a_tag_that_is_there_stays(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    first = done(cast)
    run = pushed(cast, companions=True)
    assert run.state == "succeeded" and run.result["changed"]
    assert hub.repositories[REPO].tags == {"v1": first["commit"]} and run.result["tag_at"] == first["commit"]
    assert "stays there" in running.log_of(run)


@pytest.mark.parametrize(
    ("part", "status", "words"),
    [
        ("repos/create", 403, "the token may not write to my-team/prefs (403: no rights)"),
        ("/commit/", 409, "my-team/prefs is being changed by somebody else; try again (409"),
        ("/commit/", 412, "was changed by somebody else meanwhile"),
        ("/preupload/", 413, "no file of this size"),
        ("objects/batch", 403, "the token may not write"),
        ("PUT /upload/", 400, "the Hub refuses (400"),
    ],
)
def test_what_the_hub_refuses_is_told_in_words(
    cast: Cast, version: DatasetVersion, hub: Hub, monkeypatch: Any, part: str, status: int, words: str
) -> None:
    monkeypatch.setattr(hub_writes, "SMALL", 100)
    hub.fails[part] = [status, 99, "no rights"]
    run = pushed(cast)
    assert run.state == "failed" and words in run.error, run.error
    version.refresh_from_db()
    assert version.pushed == {} and not (run.folder / "push").exists()
    hub.fails.clear()
    running.retry(run)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded"


@pytest.mark.parametrize("part", ["repos/create", "POST /api/datasets/my-team/prefs/commit", "/tag/", "PUT /upload/"])
def test_a_hub_that_fails_for_a_while_is_asked_again(
    cast: Cast, version: DatasetVersion, hub: Hub, monkeypatch: Any, part: str
) -> None:
    monkeypatch.setattr(hub_writes, "SMALL", 100)
    hub.fails[part] = [503, 2]
    done(cast)
    assert hub.fails[part][1] == 0 and len(hub.repositories[REPO].commits) == 2
    assert hub.repositories[REPO].tags.keys() == {"v1"}


def test_a_commit_whose_answer_was_lost_is_not_made_twice(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    """The Hub did it, and then answered 502."""
    real = hub_writes.committed

    def lost(*given: Any) -> Any:
        told = real(*given)
        if len(hub.repositories[REPO].commits) == 2 and not hub.fails:
            hub.fails["never"] = [502, 0]
            raise hub_writes.Answer(502, {"error": "bad gateway"})
        return told

    hub_writes.committed, told = lost, {}
    try:
        told = done(cast)
    finally:
        hub_writes.committed = real
    assert len(hub.repositories[REPO].commits) == 2 and told["commit"] == hub.repositories[REPO].branches["main"]


def test_a_wrong_token_is_told_and_never_shown(cast: Cast, version: DatasetVersion, hub: Hub, settings: Any) -> None:
    settings.HUB_TOKEN = "hf_wrong_and_secret"
    run = pushed(cast)
    assert run.state == "failed" and "does not accept the token" in run.error and "(401" in run.error
    hub.fails["repos/create"] = [403, 1, "the token hf_wrong_and_secret may not"]
    second = pushed(cast)
    assert "the token … may not" in second.error
    everything = str([*Run.objects.values(), *RunLine.objects.values(), *DatasetVersion.objects.values()])
    assert "hf_wrong_and_secret" not in everything


def test_the_token_is_in_no_result_log_or_page(cast: Cast, version: DatasetVersion, hub: Hub, caplog: Any) -> None:
    run = pushed(cast)
    assert any(TOKEN in str(headers) for headers in hub.headers)
    everything = str([*Run.objects.values(), *RunLine.objects.values(), *DatasetVersion.objects.values()])
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    pages = [f"/projects/{cast.project.slug}/datasets/prefs/1/", run.address]
    everything += "".join(browser.get(page).content.decode() for page in pages)
    everything += caplog.text + calling(cast.sol).get(f"/api/v1/runs/{run.pk}").content.decode()
    assert TOKEN not in everything and REPO in everything


def test_nothing_private_is_pushed_to_a_repository_that_is_public(
    cast: Cast, version: DatasetVersion, hub: Hub
) -> None:
    done(cast, private=False, number=1)
    before = len(hub.repositories[REPO].commits)
    run = pushed(cast, companions=True)
    assert run.state == "failed" and "public" in run.error and len(hub.repositories[REPO].commits) == before


def test_a_damaged_file_is_not_pushed(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    path = version.folder / "train-00001-of-00003.parquet"
    data = bytearray(path.read_bytes())
    path.unlink()
    data[9] ^= 1
    path.write_bytes(data)
    run = pushed(cast)
    assert run.state == "failed" and "train-00001-of-00003.parquet has other bytes" in run.error
    assert hub.repositories == {}


def test_uploads_are_not_led_into_the_house(cast: Cast, version: DatasetVersion, hub: Hub, monkeypatch: Any) -> None:
    """A Hub names where large files go; that may be the internet, or what an administrator listed."""
    monkeypatch.setattr(hub_writes, "SMALL", 100)
    with hub_writes.serving() as inside:
        hub.uploads_elsewhere = inside.url
        run = pushed(cast)
        assert run.state == "failed" and "not on the public internet" in run.error, run.error
        assert inside.asked == []


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"repo": "prefs"}, "params.repo"),
        ({"repo": "a/b/c"}, "params.repo"),
        ({"repo": "../x"}, "params.repo"),
        ({"repo": "a/b?x=1"}, "params.repo"),
        ({"branch": "refs/pr/1"}, "params.branch"),
        ({"branch": ""}, "params.branch"),
        ({"tag": "a b"}, "params.tag"),
        ({"endpoint": "http://169.254.169.254"}, "params.endpoint"),
        ({"endpoint": "https://huggingface.co.evil.example"}, "params.endpoint"),
        ({"number": 9}, "params.number"),
        ({"more": 1}, "params.more"),
    ],
)
def test_a_wrong_request_names_its_field(
    cast: Cast, version: DatasetVersion, hub: Hub, params: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as told:
        started(cast, **params)
    assert told.value.field == field and hub.asked == []


def test_without_a_token_nothing_is_begun(cast: Cast, version: DatasetVersion, settings: Any) -> None:
    settings.HUB_TOKEN = ""
    with pytest.raises(Conflict, match="TOUCHSTONE_HUB_TOKEN"):
        started(cast)
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get(f"/projects/{cast.project.slug}/datasets/prefs/1/").content.decode()
    assert "TOUCHSTONE_HUB_TOKEN" in page and 'name="repo"' not in page


def test_the_doors(cast: Cast, version: DatasetVersion, hub: Hub) -> None:
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1"
    answer = calling(cast.sol).post(f"{url}/push", {"repo": REPO})
    assert answer.status_code == 202 and answer.json()["method"] == "push", answer.content
    running.execute(answer.json()["id"])
    told = calling(cast.vic).get(url).json()["pushed"]
    assert [one["repo"] for one in told.values()] == [REPO]
    wrong = calling(cast.sol).post(f"{url}/push", {"repo": "x"})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "params.repo"
    assert calling(cast.vic).post(f"{url}/push", {"repo": REPO}).status_code == 403
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    page = f"/projects/{cast.project.slug}/datasets/prefs/1/"
    seen = browser.get(page).content.decode()
    assert told[next(iter(told))]["commit_url"] in seen and 'name="repo"' in seen
    form = {"repo": "my-team/by-hand", "branch": "main", "tag": "v1", "private": "on"}
    posted = browser.post(f"{page}push/", form)
    assert "/runs/" in posted.url
    running.execute(str(Run.objects.filter(method="push").order_by("-created_at")[0].pk))
    assert hub.repositories["my-team/by-hand"].private


def test_doctor_says_whether_versions_can_be_pushed(hub: Hub, settings: Any) -> None:
    assert health.pushing() == health.Check("push", True, f"versions can be pushed to {hub.url}")
    settings.HUB_TOKEN = ""
    assert health.pushing().ok is None
    for wrong in ("huggingface.co", "https://user:secret@hub.example", "file:///etc"):
        settings.HUB_ENDPOINTS = [wrong]
        assert health.pushing().ok is False, wrong


@pytest.mark.django_db(transaction=True)
def test_it_is_pushed_by_command(crew: Cast, hub: Hub) -> None:
    said = io.StringIO()
    params = ["dataset=prefs", "number=1", f"repo={REPO}"]
    call_command("run", "push", crew.project.slug, param=params, stdout=said)
    assert hub.repositories[REPO].tags.keys() == {"v1"} and TOKEN not in said.getvalue()


def test_a_killed_push_goes_on_with_what_was_sent(
    cast: Cast, version: DatasetVersion, hub: Hub, monkeypatch: Any, tmp_path: Path
) -> None:
    """Killed between two uploads: nothing is committed; made again, what the Hub has is not sent again."""
    monkeypatch.setattr(hub_writes, "SMALL", 100)
    hub.slow = 0.3
    data = {f"part-{n}.parquet": os.urandom(5000) for n in range(6)}
    for name, each in data.items():
        (tmp_path / name).write_bytes(each)
    request = {
        "endpoint": hub.url, "token": TOKEN, "repo": REPO, "tag": "v1",
        "files": [{"name": name, "path": str(tmp_path / name), "sha256": sha256(each), "bytes": len(each)}
                  for name, each in data.items()],
    }  # fmt: skip

    def process() -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            [sys.executable, "-m", "workers.pushing"],
            cwd=installed.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"},
        )  # fmt: skip
        assert made.stdin
        made.stdin.write(orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE))
        made.stdin.flush()
        return made

    first = process()
    end = time.monotonic() + 60
    while len(hub.objects) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert hub.files(REPO).keys() == {".gitattributes"} and len(hub.objects) >= 2
    sent = hub.times("PUT", "/upload/")
    second = process()
    assert second.stdout
    told = [orjson.loads(line) for line in second.stdout]
    assert told[-1]["result"]["changed"] and {"done", "total"} <= told[0].keys()
    assert {name: each for name, each in hub.files(REPO).items() if name in data} == data
    assert hub.times("PUT", "/upload/") - sent <= 6 - 1, "those that had arrived were not sent again"


def test_a_push_ends_with_its_worker(hub: Hub, tmp_path: Path) -> None:
    """When the other end of its input is gone, it goes too."""
    hub.slow = 30
    (tmp_path / "a").write_bytes(os.urandom(5000))
    digest = hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()
    file = {"name": "a.parquet", "path": str(tmp_path / "a"), "sha256": digest, "bytes": 5000}
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.pushing"], cwd=installed.BASE_DIR, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"},
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(orjson.dumps({"endpoint": hub.url, "token": TOKEN, "repo": REPO, "files": [file]}) + b"\n")
    process.stdin.flush()
    end = time.monotonic() + 60
    while not hub.times("PUT", "/upload/") and time.monotonic() < end:
        time.sleep(0.02)
    process.stdin.close()
    assert process.wait(10) == 1 and hub.files(REPO).keys() == {".gitattributes"}


@pytest.mark.django_db(transaction=True)
def test_a_push_is_cancelled_while_it_sends(crew: Cast, hub: Hub, monkeypatch: Any) -> None:
    monkeypatch.setattr(hub_writes, "SMALL", 100)
    monkeypatch.setattr(pushing, "WATCHED", 0.1)
    hub.slow = 20
    run = started(crew)

    def stop() -> None:
        from django.db import connection

        end = time.monotonic() + 60
        while not hub.times("PUT", "/upload/") and time.monotonic() < end:
            time.sleep(0.05)
        running.cancel(Run.objects.get(pk=run.pk))
        connection.close()

    thread = threading.Thread(target=stop)
    thread.start()
    running.execute(str(run.pk))
    thread.join()
    run.refresh_from_db()
    assert run.state == "cancelled" and hub.files(REPO).keys() == {".gitattributes"}
