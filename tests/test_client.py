"""touchstone-client against a served instance: every verb, lost connections, damaged downloads; and its example."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as conf

sys.path.insert(0, str(conf.BASE_DIR / "client" / "src"))

from curation.models import Item, Run, User  # noqa: E402
from curation.services import running  # noqa: E402
from tests import cast as people  # noqa: E402
from tests.cast import Cast, make_pairs  # noqa: E402
from tests.test_freezing import answer_all  # noqa: E402
from touchstone_client import AsyncClient, Client, Problem, RunFailed, Unreachable, Version  # noqa: E402
from touchstone_client.files import Damaged  # noqa: E402

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [{"id": f"q{n}", "prompt": f"Why {n}? 🐟", "chosen": f"Because {n}.", "rejected": f"No {n}."} for n in range(5)]


@pytest.fixture
def crew(transactional_db: None) -> Cast:
    return people.assemble()


@pytest.fixture
def client(crew: Cast, live_server: Any) -> Iterator[Client]:
    with Client(live_server.url, people.token_for(crew.olga)) as made:
        yield made


def work(run_id: str) -> None:
    """What a worker would do."""
    running.execute(run_id)


def test_rows_are_imported_and_the_same_again_change_nothing(crew: Cast, client: Client) -> None:
    project = client.project(crew.project.slug)
    run = project.import_((row for row in [*ROWS, {"prompt": "", "chosen": "a"}]), source="Made up", licence="CC0-1.0")
    assert run.wait().result["created"] == 5 and run.result["rejected"] == 1
    assert project.import_(ROWS).wait().result["unchanged"] == 5
    assert Item.objects.count() == 5 and [one["external_id"] for one in project.items()] == [row["id"] for row in ROWS]


def test_a_file_is_imported(crew: Cast, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("prompt,chosen,rejected\nWhy?,Because.,No.\n")
    assert client.project(crew.project.slug).import_(path, format="auto").wait().result["created"] == 1


def test_a_version_is_made_and_pulled(crew: Cast, client: Client, tmp_path: Path) -> None:
    make_pairs(crew.project, 6)
    answer_all(crew, "ann", -1, 1, 2, -2, 1)
    project = client.project(crew.project.slug)
    run = project.dataset("prefs").make(splits={"train": 0.5, "test": 0.5}, seed=3)
    work(run.id)
    version = run.wait(progress=True).version()
    assert version.number == 1 and version.info.counts["total"] == 5
    paths = version.download(tmp_path, [file.name for file in version.info.files])
    assert len(paths) == len(version.info.files) >= 6
    before = {path: path.stat().st_mtime_ns for path in paths}
    version.download(tmp_path, [file.name for file in version.info.files])
    assert {path: path.stat().st_mtime_ns for path in paths} == before
    rows = [row for split in version.info.splits for row in version.rows(split)]
    assert len(rows) == 5 and rows[0].keys() == {"prompt", "chosen", "rejected"}
    assert len(list(version.rows("annotations"))) == 5
    assert_a_row_is_traced(version, rows[0])
    assert [one.number for one in project.dataset("prefs").versions()] == [1]
    assert [one.name for one in project.datasets()] == ["prefs"]


def assert_a_row_is_traced(version: Version, first: dict[str, Any]) -> None:
    """The first row of the first split: what it says, who said it, and that there is no row behind the last."""
    split = next(iter(version.info.splits))
    found = version.trace(split, 0)
    assert found.row == first and found.item and found.changes == found.suggestions == []
    assert [one["annotator"] for one in found.annotations] == ["@ann"]
    assert found.lineage[0]["annotations"] == [one["annotation"] for one in found.annotations]
    with pytest.raises(Problem, match="has no row 99"):
        version.trace(split, 99)


@pytest.mark.training
def test_tables_of_a_version(crew: Cast, client: Client, tmp_path: Path) -> None:
    make_pairs(crew.project, 4)
    answer_all(crew, "ann", -1, 1, 2, -2)
    run = client.project(crew.project.slug).dataset("prefs").make()
    work(run.id)
    version = run.wait().version()
    assert len(version.to_pandas("train", tmp_path)) == version.to_datasets(tmp_path)["train"].num_rows == 4


@pytest.mark.training
def test_shards_are_pulled_as_they_are_or_as_one_file(
    crew: Cast, client: Client, live_server: Any, settings: Any, tmp_path: Path
) -> None:
    settings.DATASET_SHARD_ROWS = 2
    make_pairs(crew.project, 5)
    answer_all(crew, "ann", -1, 1, 2, -2, 1)
    run = client.project(crew.project.slug).dataset("prefs").make()
    work(run.id)
    version = run.wait().version()
    shards = [f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    assert [path.name for path in version.download(tmp_path)] == shards
    assert len(version.to_pandas("train", tmp_path)) == version.to_datasets(tmp_path)["train"].num_rows == 5
    (whole,) = version.download(tmp_path, ["train.parquet"])
    rows = list(version.rows("train"))
    import pandas

    assert len(pandas.read_parquet(whole)) == len(rows) == len(list(version.rows("annotations"))) == 5

    async def pulled() -> int:
        async with AsyncClient(live_server.url, people.token_for(crew.olga)) as other:
            there = await (await other.project(crew.project.slug)).dataset("prefs").version(1)
            return len(await there.download(tmp_path / "other"))

    # a browser test in the same process leaves a loop running in its thread
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, pulled()).result() == 3


def test_raw_rows_come_lazily(crew: Cast, client: Client) -> None:
    make_pairs(crew.project, 3)
    answer_all(crew, "ann", -1, 0, 2)
    project = client.project(crew.project.slug)
    assert [one["outcome"] for one in project.decisions()] == ["first", "tie", "second"]
    first = next(project.annotations())
    assert first["annotator"] == {"kind": "person", "name": "@ann"}
    assert list(project.critiques(annotator_kind="person")) == list(project.verdicts()) == list(project.scores()) == []
    assert crew.project.slug in [one.slug for one in client.projects()]


def test_a_critic_speaks_and_its_errors_are_named_by_their_place(crew: Cast, client: Client) -> None:
    items = make_pairs(crew.project, 3)
    del items
    project = client.project(crew.project.slug)
    said = [
        {"item": one["external_id"], "responses": [0, 1], "preferences": [{"axis": "overall", "value": 1}]}
        for one in project.items()
    ]
    landed = project.suggest("judge", [*said, {"item": "nothing"}])
    assert landed.created == 3 and [one["index"] for one in landed.rejected] == [3]
    assert project.suggest({"name": "judge", "kind": "model"}, said).unchanged == 3
    assert list(project.items(without="judge")) == []


def test_problems_name_the_field(crew: Cast, client: Client) -> None:
    with pytest.raises(Problem) as wrong:
        client.project(crew.project.slug).dataset("prefs").make("no-such-target")
    assert wrong.value.status == 422 and wrong.value.errors[0]["field"] == "target" and "target" in str(wrong.value)
    with pytest.raises(Problem) as lost:
        client.project("nothing")
    assert lost.value.status == 404
    with pytest.raises(LookupError, match="no version"):
        client.project(crew.project.slug).import_(ROWS)
        run = client.project(crew.project.slug).dataset("prefs").make()
        client.project(crew.project.slug).dataset("prefs").version()
    run.cancel()
    with pytest.raises(RunFailed, match="cancelled"):
        run.wait()


def test_a_run_that_takes_too_long(crew: Cast, client: Client) -> None:
    run = client.project(crew.project.slug).dataset("prefs").make()
    with pytest.raises(TimeoutError, match="still queued"):
        run.wait(timeout=0.2, every=0.05)
    assert run.log() == "" and next(client.project(crew.project.slug).runs()).id == run.id


class Flaky(httpx.BaseTransport):
    """A connection that breaks, or a server that is busy, some times before it works."""

    def __init__(self, *moods: Any) -> None:
        self.moods, self.real, self.seen = list(moods), httpx.HTTPTransport(), 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.seen += 1
        mood = self.moods.pop(0) if self.moods else None
        if isinstance(mood, Exception):
            raise mood
        if isinstance(mood, int):
            return httpx.Response(mood, request=request)
        return self.real.handle_request(request)


def test_lost_connections_are_tried_again_and_nothing_is_done_twice(
    crew: Cast, client: Client, monkeypatch: Any
) -> None:
    monkeypatch.setattr("touchstone_client.calls.pause", lambda *_: 0.0)
    flaky = Flaky(httpx.ConnectError("gone"), 503, httpx.ReadError("gone"))
    client.http._transport = flaky
    for pattern in list(client.http._mounts):
        client.http._mounts[pattern] = flaky
    project = client.project(crew.project.slug)
    assert flaky.seen == 4
    flaky.moods = [502]
    project.dataset("prefs").make()
    assert Run.objects.filter(method="freeze").count() == 1
    flaky.moods = [httpx.ConnectError("gone")] * 9
    with pytest.raises(Unreachable, match="gone"):
        client.project(crew.project.slug)


def test_a_damaged_file_is_not_taken(crew: Cast, client: Client, tmp_path: Path) -> None:
    make_pairs(crew.project, 1)
    answer_all(crew, "ann", -1)
    run = client.project(crew.project.slug).dataset("prefs").make()
    work(run.id)
    version = run.wait().version()
    good = version.download(tmp_path / "good", ["train.jsonl"])[0].read_bytes()
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "train.jsonl.part").write_bytes(good[:7])
    assert version.download(folder, ["train.jsonl"])[0].read_bytes() == good
    (folder / "train.jsonl").unlink()
    (folder / "train.jsonl.part").write_bytes(b"x" * 7)
    with pytest.raises(Damaged, match="digest"):
        version.download(folder, ["train.jsonl"])
    assert version.download(folder, ["train.jsonl"])[0].read_bytes() == good
    with pytest.raises(KeyError, match="annotations"):
        version.download(folder, ["no.jsonl"])


def test_the_awaiting_client(crew: Cast, live_server: Any, tmp_path: Path) -> None:
    make_pairs(crew.project, 3)
    answer_all(crew, "ann", -1, 2, 1)
    token = people.token_for(crew.olga)

    async def everything() -> Any:
        async with AsyncClient(live_server.url, token) as client:
            slugs = [one.slug async for one in client.projects()]
            project = await client.project(crew.project.slug)
            landed = await (await project.import_(ROWS)).wait()
            outcomes = [one["outcome"] async for one in project.decisions()]
            said = {"item": "q0", "responses": [0, 1], "preferences": [{"axis": "overall", "value": 1}]}
            suggested = await project.suggest("judge", [said])
            run = await project.dataset("prefs").make(splits={"train": 1.0}, filters={"annotators": "signed-in"})
            await asyncio.to_thread(in_a_thread, run.id)
            version = await (await run.wait()).version()
            paths = await version.download(tmp_path)
            rows = [row async for row in version.rows()]
            assert (await version.trace("train", 1)).row == rows[1]
            with pytest.raises(Problem):
                await client.project("nothing")
            return slugs, landed.result["created"], outcomes, suggested.created, [p.name for p in paths], len(rows)

    def in_a_thread(run_id: str) -> None:
        from django.db import connection

        work(run_id)
        connection.close()

    with ThreadPoolExecutor(1) as apart:  # a browser's test may have left a loop in this thread
        told = apart.submit(asyncio.run, everything()).result()
    assert told[0] == [crew.project.slug] and told[1] == 5 and told[2][:3] == ["first", "second", "second"]
    assert told[3:] == (1, ["train.parquet"], 3)


def test_the_address_and_the_token_may_come_from_the_environment(monkeypatch: Any) -> None:
    for name in ("TOUCHSTONE_URL", "TOUCHSTONE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="TOUCHSTONE_URL"):
        Client()
    monkeypatch.setenv("TOUCHSTONE_URL", "http://here/api/v1/")
    with pytest.raises(ValueError, match="TOUCHSTONE_TOKEN"):
        Client()
    assert Client(token="ts_x").url == "http://here"


def test_it_is_a_package_of_its_own(tmp_path: Path) -> None:
    """Built as a wheel and imported alone: nothing of the server's is in it, and it needs neither torch nor Django."""
    shutil.copytree(conf.BASE_DIR / "client", tmp_path / "client")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(tmp_path / "client")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        packed.extractall(tmp_path / "alone")
    assert "touchstone_client/py.typed" in names and not [name for name in names if "curation" in name]
    code = (
        "import sys; import touchstone_client; "
        "bad = {'django', 'torch', 'datasets', 'pandas', 'rest_framework'} & set(sys.modules); "
        "assert not bad, bad; print(touchstone_client.__file__)"
    )
    alone = {**os.environ, "PYTHONPATH": str(tmp_path / "alone")}
    told = subprocess.run([sys.executable, "-c", code], env=alone, cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0 and str(tmp_path) in told.stdout, told.stderr


@pytest.mark.training
def test_the_example_runs(live_server: Any, transactional_db: None, tmp_path: Path, settings: Any) -> None:
    """With a worker of its own, as a user would."""
    from tests.processes import Workers

    user = User.objects.create_superuser("example")
    workers = Workers(tmp_path)
    workers()
    try:
        done = subprocess.run(
            [sys.executable, str(conf.BASE_DIR / "examples" / "preference_loop.py")],
            env={
                **os.environ,
                "TOUCHSTONE_URL": live_server.url,
                "TOUCHSTONE_TOKEN": people.token_for(user),
                "PYTHONPATH": str(conf.BASE_DIR / "client" / "src"),
                "HOME": str(tmp_path),
            },
            capture_output=True,
            text=True,
            timeout=240,
        )
    finally:
        workers.end()
    assert done.returncode == 0, done.stderr[-3000:]
    assert "12 suggestions, 0 rejected" in done.stdout and "12 answers" in done.stdout
    assert "0.07 minutes in all" in done.stdout
