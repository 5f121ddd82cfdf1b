"""The Hub's own clients, unmodified, against a served Touchstone: datasets, huggingface_hub, transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client as Browser
from django.test import RequestFactory

from curation.models import DatasetVersion, ModelVersion, Project, User
from curation.services import freezing, running
from tests import cast as people
from tests import tiny
from tests.cast import Cast, make_pairs
from tests.test_freezing import answer_all

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def crew(transactional_db: None) -> Cast:
    return people.assemble()


def version(project: Project, user: User, name: str = "preferences", **selection: Any) -> DatasetVersion:
    made = freezing.request_version(project=project, dataset_name=name, user=user, **selection)
    running.execute(str(made.run_id))
    made.refresh_from_db()
    assert made.state == DatasetVersion.State.READY, made.run and made.run.error
    return made


class Client:
    """Python code in a process of its own, with HF_ENDPOINT at the served instance; what it prints as JSON."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def __call__(self, code: str, token: str | None) -> Any:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
            "HF_ENDPOINT": f"{self.url}/hub",
            "HF_HOME": str(self.folder),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **({"HF_TOKEN": token} if token else {}),
        }
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def client(live_server: Any, tmp_path: Path) -> Client:
    return Client(live_server.url, tmp_path / "hf")


@pytest.fixture
def two(crew: Cast) -> list[DatasetVersion]:
    """Two versions of one dataset: of three rows, and of five."""
    make_pairs(crew.project, 5)
    answer_all(crew, "ann", -1, -1, 1)
    first = version(crew.project, crew.olga)
    answer_all(crew, "ann", 1, 2)
    return [first, version(crew.project, crew.olga, splits={"train": 0.6, "test": 0.4})]


@pytest.mark.training
def test_load_dataset(crew: Cast, two: list[DatasetVersion], client: Client) -> None:
    """By number, by commit, the newest; whole and streamed; without the companions among the rows."""
    token, slug = people.token_for(crew.vic, "read"), crew.project.slug
    told = client(
        f"""
        import json
        from datasets import load_dataset
        one = load_dataset("{slug}/preferences", revision="v1", split="train")
        by_commit = load_dataset("{slug}/preferences", revision="{two[0].hash[:40]}", split="train")
        newest = load_dataset("{slug}/preferences")
        streamed = load_dataset("{slug}/preferences", revision="v1", split="train", streaming=True)
        print(json.dumps([one.num_rows, by_commit.to_list() == one.to_list(), list(streamed) == one.to_list(),
                          {{name: part.num_rows for name, part in newest.items()}}, one.column_names]))
        """,
        token,
    )
    assert told[:3] == [3, True, True] and told[4] == ["prompt", "chosen", "rejected"]
    assert told[3] == {name: n for name, n in two[1].counts["rows"].items() if n} and sum(told[3].values()) == 5


@pytest.mark.training
def test_load_dataset_reads_all_shards(crew: Cast, client: Client, settings: Any) -> None:
    settings.DATASET_SHARD_ROWS = 2
    make_pairs(crew.project, 9)
    answer_all(crew, "ann", *[-1, 1, 2] * 3)
    made = version(crew.project, crew.olga, splits={"train": 0.7, "test": 0.3})
    assert made.files.filter(split="train", name__endswith=".parquet").count() > 1
    slug = crew.project.slug
    told = client(
        f"""
        import json
        from datasets import load_dataset
        from huggingface_hub import HfApi, snapshot_download
        whole = load_dataset("{slug}/preferences")
        streamed = load_dataset("{slug}/preferences", streaming=True)
        files = HfApi().list_repo_files("{slug}/preferences", repo_type="dataset")
        local = load_dataset(snapshot_download("{slug}/preferences", repo_type="dataset"))
        print(json.dumps([{{name: part.to_list() for name, part in whole.items()}},
                          {{name: list(part) for name, part in streamed.items()}},
                          {{name: part.to_list() for name, part in local.items()}}, files]))
        """,
        people.token_for(crew.vic, "read"),
    )
    assert {name: len(rows) for name, rows in told[0].items()} == made.counts["rows"]
    assert told[0] == told[1] == told[2]
    assert {one.name for one in made.files.all()} < set(told[3]) and "train.parquet" not in told[3]


@pytest.mark.training
def test_snapshots_lists_and_refs(crew: Cast, two: list[DatasetVersion], client: Client, live_server: Any) -> None:
    token, repo = people.token_for(crew.vic, "read"), f"{crew.project.slug}/preferences"
    told = client(
        f"""
        import json, hashlib, pathlib
        from huggingface_hub import HfApi, hf_hub_download, snapshot_download
        api = HfApi()
        folder = pathlib.Path(snapshot_download("{repo}", repo_type="dataset", revision="v1"))
        files = {{p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}}
        again = snapshot_download("{repo}", repo_type="dataset", revision="v1")
        card = pathlib.Path(hf_hub_download("{repo}", "README.md", repo_type="dataset")).read_text()
        refs = api.list_repo_refs("{repo}", repo_type="dataset")
        info = api.dataset_info("{repo}", files_metadata=True)
        tree = list(api.list_repo_tree("{repo}", repo_type="dataset", recursive=True, expand=True))
        paths = api.get_paths_info("{repo}", ["train.parquet", "not-there"], repo_type="dataset")
        commits = api.list_repo_commits("{repo}", repo_type="dataset")
        print(json.dumps([files, again == str(folder), card.startswith("---"), folder.name,
            [tag.name for tag in refs.tags], refs.branches[0].target_commit, info.sha, info.private,
            sorted(s.rfilename for s in info.siblings), sorted(t.path for t in tree), [p.path for p in paths],
            [c.title for c in commits], api.whoami()["name"], [d.id for d in api.list_datasets()],
            sorted(api.list_repo_files("{repo}", repo_type="dataset", revision="v2")),
            [api.repo_exists("{repo}", repo_type="dataset"), api.file_exists("{repo}", "nope", repo_type="dataset")]]))
        """,
        token,
    )
    files = told[0]
    assert {name: files[name] for name in ("train.parquet", "annotations.jsonl")} == {
        file.name: file.sha256 for file in two[0].files.filter(name__in=("train.parquet", "annotations.jsonl"))
    }
    assert {"README.md", "manifest.json", "croissant.json", "lineage.parquet"} <= files.keys()
    assert told[1:4] == [True, True, two[0].hash[:40]]
    assert told[4] == ["v2", "v1"] and told[5] == told[6] == two[1].hash[:40] and told[7] is True
    assert told[8] == told[9] and "test.parquet" in told[8] and told[10] == ["train.parquet"]
    assert told[11] == ["v2", "v1"] and told[12] == "vic" and told[13] == [repo] and told[14] == told[8]
    assert told[15] == [True, False]


@pytest.mark.training
@pytest.mark.parametrize("who", ["nobody", "stranger", "annotator", "wrong"])
def test_nothing_is_public(crew: Cast, two: list[DatasetVersion], client: Client, who: str) -> None:
    """Who may not read learns no more than that nothing is there."""
    tokens = {"stranger": people.token_for(crew.zed), "annotator": people.token_for(crew.ann), "wrong": "ts_wrong"}
    told = client(
        f"""
        import json
        from huggingface_hub import snapshot_download, HfApi
        from huggingface_hub.errors import HfHubHTTPError
        found = []
        for repo in ("{crew.project.slug}/preferences", "{crew.project.slug}/nothing", "no/thing"):
            try:
                snapshot_download(repo, repo_type="dataset")
                found.append("read")
            except Exception as error:
                found.append(type(error).__name__)
        print(json.dumps(found))
        """,
        tokens.get(who),
    )
    assert len(set(told)) == 1 and told[0] in ("RepositoryNotFoundError", "HfHubHTTPError", "LocalEntryNotFoundError")


@pytest.mark.training
def test_a_version_that_is_not_there(crew: Cast, two: list[DatasetVersion], client: Client) -> None:
    told = client(
        f"""
        import json
        from huggingface_hub import hf_hub_download
        found = []
        asked = (("v9", "README.md"), ("deadbeef" * 5, "README.md"), ("v1", "../../secret"), ("v1", "x.bin"))
        for revision, file in asked:
            try:
                hf_hub_download("{crew.project.slug}/preferences", file, repo_type="dataset", revision=revision)
            except Exception as error:
                found.append(type(error).__name__)
        print(json.dumps(found))
        """,
        people.token_for(crew.vic, "read"),
    )
    assert told[:2] == ["RevisionNotFoundError"] * 2 and told[3] == "RemoteEntryNotFoundError" and len(told) == 4


@pytest.mark.training
def test_a_model_is_loaded_from_pretrained(crew: Cast, client: Client, tmp_path: Path) -> None:
    """Of a project by its slug, of everybody under models/; code and pickles in its folder are not given out."""
    folder = tmp_path / "weights"
    tiny.saved(folder, tiny.model("BertForSequenceClassification", 8, num_labels=1), tiny.tokenizer(["a", "b"]))
    (folder / "modeling_evil.py").write_text("print('run')")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "secrets.json").symlink_to("/etc/hostname")
    for project, name in ((crew.project, "judge"), (None, "common")):
        ModelVersion.objects.create(
            name=name, kind="reward", reference=f"hf:{folder}", state="ready", fingerprint="f", project=project
        )
    told = client(
        f"""
        import json
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from huggingface_hub import HfApi
        here = AutoModelForSequenceClassification.from_pretrained("{crew.project.slug}/judge", revision="v1")
        common = AutoModelForSequenceClassification.from_pretrained("models/common")
        tokenizer = AutoTokenizer.from_pretrained("models/common")
        logits = here(**tokenizer("a b", return_tensors="pt")).logits
        print(json.dumps([type(here).__name__, logits.shape[0], HfApi().list_repo_files("models/common"),
                          sorted(m.id for m in HfApi().list_models())]))
        """,
        people.token_for(crew.vic, "read"),
    )
    assert told[1] == 1 and {"config.json", "model.safetensors"} <= set(told[2])
    assert not {"modeling_evil.py", "pytorch_model.bin", "secrets.json"} & set(told[2])
    assert told[3] == [f"{crew.project.slug}/judge", "models/common"]


def test_parts_of_a_file_and_what_is_not_there(crew: Cast, two: list[DatasetVersion], live_server: Any) -> None:
    """As curl would: ranges, a range behind the end, a cached file, an address that is none."""
    headers = {"Authorization": f"Bearer {people.token_for(crew.vic, 'read')}"}
    base = f"{live_server.url}/hub/datasets/{crew.project.slug}/preferences/resolve/v1"
    with httpx.Client(headers=headers) as http:
        whole = http.get(f"{base}/train.jsonl")
        head = http.head(f"{base}/train.jsonl")
        assert head.headers["Content-Length"] == str(len(whole.content)) and head.content == b""
        assert head.headers["X-Repo-Commit"] == two[0].hash[:40] and head.headers["ETag"] == whole.headers["ETag"]
        part = http.get(f"{base}/train.jsonl", headers={"Range": "bytes=3-8"})
        assert (part.status_code, part.content) == (206, whole.content[3:9])
        behind = http.get(f"{base}/train.jsonl", headers={"Range": "bytes=99999999-"})
        assert behind.status_code == 416 and behind.headers["Content-Range"] == f"bytes */{len(whole.content)}"
        assert http.get(f"{base}/train.jsonl", headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
        lost = http.get(f"{live_server.url}/hub/api/spaces/a/b")
        assert lost.status_code == 404 and lost.headers["Content-Type"] == "application/problem+json"
    bare = httpx.get(f"{base}/train.jsonl")
    assert bare.status_code == 401 and bare.headers["X-Error-Code"] == "RepoNotFound"


def as_served(path: str) -> tuple[str, dict[str, str], bytes]:
    """What the server is given to send in answer to HEAD: status, headers and body."""
    said: list[Any] = []
    environ = RequestFactory().head(path).environ
    body = WSGIHandler()(environ, lambda status, headers, *_: said.extend((status, dict(headers))))
    return said[0], said[1], b"".join(body)


def test_head_has_no_body_that_the_server_would_complain_of(crew: Cast) -> None:
    status, headers, body = as_served("/hub/datasets/a/b/resolve/main/config.json")
    assert status.startswith("401") and body == b"" and int(headers["Content-Length"]) > 50
    assert headers["X-Error-Code"] == "RepoNotFound" and headers["X-Error-Message"]
    status, headers, body = as_served("/healthz")
    assert status.startswith("200") and body == b"" and int(headers["Content-Length"]) > 0


def test_what_clients_ask_in_vain_is_no_warning(crew: Cast, caplog: Any) -> None:
    browser = Browser(headers={"Authorization": f"Bearer {people.token_for(crew.vic, 'read')}"})
    caplog.set_level("WARNING", "django.request")
    assert browser.head("/hub/api/datasets/no/where").status_code == 404
    assert Browser().head("/hub/api/datasets/no/where").status_code == 401
    assert not caplog.records
    assert browser.get("/api/v1/nowhere").status_code == 404 and Browser().get("/nowhere").status_code == 404
    assert [record.getMessage() for record in caplog.records] == ["Not Found: /api/v1/nowhere", "Not Found: /nowhere"]


def test_a_tree_is_paged(crew: Cast, two: list[DatasetVersion], live_server: Any) -> None:
    headers = {"Authorization": f"Bearer {people.token_for(crew.vic, 'read')}"}
    url: str | None = f"{live_server.url}/hub/api/datasets/{crew.project.slug}/preferences/tree/v1?limit=2"
    seen: list[str] = []
    while url:
        page = httpx.get(url, headers=headers)
        seen += [one["path"] for one in page.json()]
        url = page.links.get("next", {}).get("url")
    assert len(seen) == len(set(seen)) == two[0].files.count() + 3


def test_odd_requests_are_answered(crew: Cast, two: list[DatasetVersion], live_server: Any) -> None:
    """Bodies of the wrong shape, revisions with a slash, and a folder with links into nowhere and elsewhere."""
    headers = {"Authorization": f"Bearer {people.token_for(crew.vic, 'read')}"}
    api = f"{live_server.url}/hub/api/datasets/{crew.project.slug}/preferences"
    for body, found in (([1], 0), ({"paths": 5}, 0), ({"paths": "train.jsonl"}, 1), ("x", 0)):
        answer = httpx.post(f"{api}/paths-info/v1", json=body, headers=headers)
        assert answer.status_code == 200 and len(answer.json()) == found, body
    for path in ("revision/refs/pr/1", "commits/refs/pr/1", "tree/refs/pr/1"):
        answer = httpx.get(f"{api}/{path}", headers=headers)
        assert answer.status_code == 404 and answer.headers["X-Error-Code"] == "RevisionNotFound", path


def test_links_in_a_models_folder_lead_nowhere(crew: Cast, live_server: Any, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "secret.pkl").write_text("pickled")
    (folder / "dangling.json").symlink_to(folder / "nothing.json")
    (folder / "pickle.json").symlink_to(folder / "secret.pkl")
    (folder / "outside.json").symlink_to("/etc/hostname")
    common = {"kind": "reward", "reference": f"hf:{folder}", "state": "ready", "project": crew.project}
    for number in (1, 2):
        ModelVersion.objects.create(name="judge", number=number, fingerprint=str(number), **common)
    headers = {"Authorization": f"Bearer {people.token_for(crew.vic, 'read')}"}
    api = f"{live_server.url}/hub/api/models"
    told = httpx.get(f"{api}/{crew.project.slug}/judge/revision/v1", headers=headers).json()
    assert [one["rfilename"] for one in told["siblings"]] == ["config.json"]
    again = httpx.get(f"{api}/{crew.project.slug}/judge/revision/{told['sha']}", headers=headers).json()
    assert again["sha"] == told["sha"] != httpx.get(f"{api}/{crew.project.slug}/judge", headers=headers).json()["sha"]
    listed = httpx.get(api, params={"author": crew.project.slug}, headers=headers).json()
    assert [one["id"] for one in listed] == [f"{crew.project.slug}/judge"]
    assert httpx.get(api, params={"author": "models"}, headers=headers).json() == []
