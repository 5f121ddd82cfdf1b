"""Large splits are cut into shards, kept by their digests and read by everybody; and are one file all the same."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from django.conf import settings as installed
from django.test import Client

from curation.errors import Invalid, NotFound
from curation.models import DatasetVersion
from curation.services import exporting, freezing, running, starting
from curation.services.freezing import storing, tracing
from curation.services.tidying import tidy
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_freezing import answer_all, frozen
from workers import blobs, joining
from workers.tables import MESSAGES, Table, sha256, shards

MOST = 3


@pytest.fixture
def version(cast: Cast, settings: Any) -> DatasetVersion:
    """Eight pairs in three shards."""
    settings.DATASET_SHARD_ROWS = MOST
    make_pairs(cast.project, 10)
    answer_all(cast, "ann", *[-1, 2] * 4)
    return frozen(cast)


def sent(version: DatasetVersion, name: str, wanted: str = "") -> bytes:
    return b"".join(exporting.part(exporting.content_of(version, name), wanted).chunks())


def done(cast: Cast, method: str, **params: Any) -> dict[str, Any]:
    run = starting.start(project=cast.project, method=method, params=params, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run.result


def names(version: DatasetVersion, split: str, kind: str = "parquet") -> list[str]:
    return [one.name for one in version.files.filter(split=split, name__endswith=kind).order_by("shard")]


def test_a_large_split_is_cut_and_named_as_the_hub_does(version: DatasetVersion) -> None:
    assert version.state == "ready", version.run and version.run.error
    for kind in ("parquet", "jsonl"):
        assert names(version, "train", kind) == [f"train-{n:05d}-of-00003.{kind}" for n in range(3)]
    rows = dict(version.files.filter(name__startswith="train", name__endswith="parquet").values_list("shard", "rows"))
    assert rows == {0: 3, 1: 3, 2: 2} and version.counts["rows"] == {"train": 8}
    for file in version.files.filter(name__endswith="parquet"):
        assert pq.read_metadata(version.folder / file.name).num_rows == file.rows, file.name
    manifest = orjson.loads((version.folder / "manifest.json").read_bytes())["files"]
    assert manifest == {f.name: {"sha256": f.sha256, "rows": f.rows, "bytes": f.bytes} for f in version.files.all()}
    for file in version.files.all():
        assert hashlib.sha256((version.folder / file.name).read_bytes()).hexdigest() == file.sha256


def test_a_split_of_just_one_shard_is_one_file(cast: Cast, settings: Any) -> None:
    settings.DATASET_SHARD_ROWS = MOST
    make_pairs(cast.project, MOST)
    answer_all(cast, "ann", 1, 1, 1)
    made = frozen(cast)
    assert names(made, "train") == ["train.parquet"] and made.wholes == {}


def test_under_its_own_name_a_cut_split_is_one_file(version: DatasetVersion, tmp_path: Path) -> None:
    """The bytes of the lines one behind the other; the row groups of all Parquet files under one footer."""
    lines = sent(version, "train.jsonl")
    assert lines == b"".join((version.folder / name).read_bytes() for name in names(version, "train", "jsonl"))
    (tmp_path / "train.parquet").write_bytes(sent(version, "train.parquet"))
    table = pq.read_table(tmp_path / "train.parquet")
    assert table.to_pylist() == [orjson.loads(line) for line in lines.splitlines()] and table.num_rows == 8
    for name, told in version.wholes.items():
        assert (len(sent(version, name)), hashlib.sha256(sent(version, name)).hexdigest()) == (
            told["bytes"], told["sha256"],
        ), name  # fmt: skip
    assert {"train.parquet", "train.jsonl", "lineage.parquet", "annotations.jsonl"} <= version.wholes.keys()
    assert not (version.folder / "train.parquet").exists()


def test_any_part_of_the_whole_is_sent(version: DatasetVersion) -> None:
    for name in ("train.parquet", "train.jsonl"):
        whole = sent(version, name)
        for _ in range(40):
            start = random.randrange(len(whole))
            end = random.randrange(start, len(whole))
            assert sent(version, name, f"bytes={start}-{end}") == whole[start : end + 1], (name, start, end)
        assert sent(version, name, "bytes=-7") == whole[-7:]


@pytest.mark.parametrize("groups", [(5000, 5000, 1), (1, 1), (2000,), (9999, 2000, 2001)])
def test_parquet_is_joined_whatever_its_row_groups_are(tmp_path: Path, groups: tuple[int, ...]) -> None:
    """Lists, structs, nulls, several row groups a file, dictionaries and many columns."""
    pieces = [
        pa.table(
            {
                "a": pa.array([n if n % 3 else None for n in range(size)], pa.int64()),
                "b": pa.array([["x", f"{n}"] if n % 2 else [] for n in range(size)], pa.list_(pa.string())),
                "c": [{"role": "user", "content": "y" * (n % 50)} for n in range(size)],
                **{f"more{n}": pa.array([n / 7] * size) for n in range(20)},
            }
        )
        for size in groups
    ]
    paths = [tmp_path / f"{n}.parquet" for n in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        pq.write_table(piece, path, row_group_size=700, compression="zstd")
    end = tmp_path / "tail"
    end.write_bytes(joining.tail(paths))
    whole = tmp_path / "whole.parquet"
    whole.write_bytes(b"".join(storing.read(joining.joined(paths, end))))
    assert pq.read_table(whole).equals(pa.concat_tables(pieces))
    found = pq.read_metadata(whole)
    assert found.num_rows == sum(groups) and found.schema.equals(pq.read_metadata(paths[0]).schema)
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [
        pq.read_metadata(path).row_group(n).num_rows
        for path in paths
        for n in range(pq.read_metadata(path).num_row_groups)
    ]


def test_what_is_no_parquet_is_not_joined(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"PAR1 and more")
    with pytest.raises(ValueError, match="no Parquet"):
        joining.tail([tmp_path / "a"])


def test_chunks_never_lie_in_two_shards(tmp_path: Path) -> None:
    """Shards larger and smaller than a chunk, and not a multiple of it."""
    schema = pa.schema([("n", pa.int64())])
    for rows, most in ((0, 3), (1, 3), (7, 3), (9, 3), (9001, 4500), (5000, 2100), (4000, None)):
        folder = tmp_path / f"{rows}-{most}"
        folder.mkdir()
        with Table(folder, "t", schema, most) as table:
            for n in range(rows):
                table.add({"n": n})
        assert table.rows == rows
        found = [pq.read_table(path)["n"].to_pylist() for path in shards(folder, "t", "parquet")]
        assert [n for one in found for n in one] == list(range(rows))
        assert [len(one) for one in found[:-1]] == [most] * (len(found) - 1)
        assert len(found) == max(1, -(-rows // (most or 10**9)))


def test_equal_shards_are_the_same_bytes_on_the_disk(cast: Cast, version: DatasetVersion) -> None:
    """A second version shares all of them; after more answers, those that are full."""
    again = frozen(cast)
    assert again.hash == version.hash
    for file in version.files.all():
        one, two = (made.folder / file.name for made in (version, again))
        assert one.stat().st_ino == two.stat().st_ino == blobs.place(storing.root(), file.sha256).stat().st_ino
    answer_all(cast, "ann", 1, 1)
    later = frozen(cast)
    shared = {f.name for f in later.files.all() if (later.folder / f.name).stat().st_nlink == 4}
    renamed = set(version.files.values_list("sha256", flat=True)) & set(later.files.values_list("sha256", flat=True))
    assert names(later, "train")[:2] == ["train-00000-of-00004.parquet", "train-00001-of-00004.parquet"]
    assert len(shared) == len(renamed) == 12, "two shards of three each, in two formats: rows, lineage, answers"


def test_a_damaged_blob_is_replaced_and_not_shared(cast: Cast, version: DatasetVersion) -> None:
    file = version.files.get(name="train-00000-of-00003.parquet")
    blob = blobs.place(storing.root(), file.sha256)
    blob.chmod(0o600)
    data = bytearray(blob.read_bytes())
    data[9] ^= 1
    blob.write_bytes(data)
    again = frozen(cast)
    told = done(cast, "verify", dataset="prefs", number=again.number)
    assert told["files_ok"] and told["same"], told
    told = done(cast, "verify", dataset="prefs", number=version.number)
    assert told["damaged"][0] == f"{file.name} has other bytes than it had" and told["same"]
    assert any("train.parquet: its shards" in words for words in told["damaged"])


def test_a_missing_shard_is_told_by_everybody(cast: Cast, version: DatasetVersion) -> None:
    (version.folder / "train-00001-of-00003.parquet").unlink()
    (version.folder / ".train.parquet.tail").unlink()
    with pytest.raises(NotFound, match="not whole"):
        exporting.content_of(version, "train.parquet")
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1/files/train.parquet"
    assert calling(cast.vic).get(url).status_code == 404
    told = done(cast, "verify", dataset="prefs", number=1)
    assert "train-00001-of-00003.parquet is missing" in told["damaged"] and told["same"]


def test_where_links_cannot_be_made_files_keep_their_own_bytes(
    cast: Cast, version: DatasetVersion, monkeypatch: Any
) -> None:
    def refuses(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuses)
    again = frozen(cast)
    assert again.state == "ready" and again.hash == version.hash
    assert {path.stat().st_nlink for path in again.folder.iterdir()} == {1}
    assert done(cast, "verify", dataset="prefs", number=again.number)["files_ok"]


def test_verify_makes_the_same_shards_whatever_their_size_is_now(
    cast: Cast, version: DatasetVersion, settings: Any
) -> None:
    settings.DATASET_SHARD_ROWS = 5
    assert done(cast, "verify", dataset="prefs", number=1)["same"]
    other = frozen(cast)
    assert names(other, "train") == [f"train-{n:05d}-of-00002.parquet" for n in range(2)]
    assert done(cast, "verify", dataset="prefs", number=2)["same"]


def test_a_version_of_before_is_made_again_uncut(cast: Cast, settings: Any) -> None:
    make_pairs(cast.project, 5)
    answer_all(cast, "ann", *[1] * 5)
    made = frozen(cast)
    settings.DATASET_SHARD_ROWS = MOST
    del made.lineage["shard_rows"]
    made.save()
    assert done(cast, "verify", dataset="prefs", number=1)["same"]


def test_rows_are_traced_and_versions_compared_over_all_shards(cast: Cast, version: DatasetVersion) -> None:
    for n in range(8):
        assert tracing.trace(version, "train", n).lines[0]["item"] == f"item-{n}"
    with pytest.raises(NotFound):
        tracing.trace(version, "train", 8)
    answer_all(cast, "ann", 1, 1)
    frozen(cast)
    told = done(cast, "compare", dataset="prefs", number=1, other=2)
    assert told["added"] == 2 and told["in_both"] == 8 and told["removed"] == told["label"] == 0
    assert told["people"] == {"@ann": [8, 10]}


@pytest.mark.parametrize("name", ["train-00000-of-00003", "train-00001"])
def test_no_split_is_called_like_a_shard(cast: Cast, name: str) -> None:
    with pytest.raises(Invalid):
        freezing.request_version(project=cast.project, dataset_name="prefs", splits={name: 1.0})


def test_digests_are_taken_while_files_are_written(tmp_path: Path) -> None:
    schema = pa.schema([("name", pa.string()), ("said", MESSAGES)])
    with Table(tmp_path, "train", schema, most=3) as table:
        for n in range(7):
            table.add({"name": f"é{n}", "said": [{"role": "user", "content": "x" * n}]})
    assert table.digests == {path.name: sha256(path) for path in tmp_path.iterdir()} and len(table.digests) == 6


def test_the_card_and_croissant_name_all_shards(version: DatasetVersion) -> None:
    import mlcroissant

    told = yaml.safe_load(version.card.split("---\n")[1])
    assert told["configs"][0]["data_files"] == [{"split": "train", "path": "train-?????-of-00003.parquet"}]
    assert told["dataset_info"]["splits"][0]["num_examples"] == 8
    document = json.loads((version.folder / "croissant.json").read_text())
    assert {one["name"] for one in document["distribution"]} == {
        *version.files.values_list("name", flat=True), "train-shards",
    }  # fmt: skip
    data = mlcroissant.Dataset(jsonld=version.folder / "croissant.json")
    assert not data.metadata.ctx.issues.errors
    assert len(list(data.records("train"))) == 8


@pytest.mark.training
def test_its_folder_is_loaded_by_its_card(version: DatasetVersion, tmp_path: Path) -> None:
    from datasets import load_dataset

    assert load_dataset(str(version.folder), cache_dir=str(tmp_path))["train"].num_rows == 8


@pytest.mark.training
def test_the_consumers_read_all_shards(cast: Cast, version: DatasetVersion, settings: Any) -> None:
    settings.CONSUMERS = "all"
    made = frozen(cast)
    assert made.state == "ready", made.run and made.run.error
    told = {one["consumer"]: one for one in made.checks}
    assert told["datasets"]["ok"] and told["trl-dpo"]["ok"] and "8 rows" in told["datasets"]["detail"]


def test_shards_are_told_and_sent_by_pages_and_api(cast: Cast, version: DatasetVersion) -> None:
    client, base = calling(cast.vic), f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1"
    told = client.get(base).json()
    assert {file["name"] for file in told["wholes"]} == version.wholes.keys()
    shard = next(file for file in told["files"] if file["name"] == "train-00002-of-00003.parquet")
    assert shard["rows"] == 2 and client.get(shard["url"])["ETag"] == f'"{shard["sha256"]}"'
    whole = client.get(f"{base}/files/train.parquet")
    assert whole["ETag"] == f'"{version.wholes["train.parquet"]["sha256"]}"'
    assert whole["Content-Disposition"] == 'attachment; filename="train.parquet"'
    assert b"".join(whole.streaming_content)[-4:] == b"PAR1"
    part = client.get(f"{base}/files/train.parquet", headers={"range": "bytes=0-3", "if-range": whole["ETag"]})
    assert part.status_code == 206 and b"".join(part.streaming_content) == b"PAR1"
    assert client.head(f"{base}/files/train.jsonl")["Content-Length"] == str(version.wholes["train.jsonl"]["bytes"])
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get(f"/projects/{cast.project.slug}/datasets/prefs/1/").content.decode()
    for name in ("train-00000-of-00003.parquet", "train.parquet", "Answer 0 to 0"):
        assert name in page, name


def test_the_sweep_takes_only_what_no_version_has(version: DatasetVersion) -> None:
    root = storing.root()
    old, young = (blobs.place(root, letter * 64) for letter in "ab")
    for blob in (old, young):
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"left by a dead worker")
    hours_ago = time.time() - 3 * 3600
    os.utime(old, (hours_ago, hours_ago))
    for file in version.files.all():
        os.utime(version.folder / file.name, (hours_ago, hours_ago))
    assert tidy() == 1
    assert not old.exists() and young.exists()
    assert all(blobs.place(root, file.sha256).is_file() for file in version.files.all())


def test_a_killed_worker_leaves_no_half_blob(tmp_path: Path) -> None:
    """Killed at any moment, everything under a digest has that digest."""
    program = """
import hashlib, os, sys
from pathlib import Path
from workers import blobs
root, work = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while True:
    data = os.urandom(2**20)
    file = work / "train.parquet"
    file.unlink(missing_ok=True)
    file.write_bytes(data)
    blobs.keep(root, file, hashlib.sha256(data).hexdigest())
    print("kept", flush=True)
"""
    root, kept = tmp_path / "blobs", 0
    for n in range(4):
        work = tmp_path / f"work-{n}"
        work.mkdir()
        command = [sys.executable, "-c", program, str(root), str(work)]
        process = subprocess.Popen(command, cwd=installed.BASE_DIR, stdout=subprocess.PIPE, text=True)
        assert process.stdout and process.stdout.readline() == "ready\n"
        kept += process.stdout.readline() == "kept\n"
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = list(root.glob("??/*"))
    assert len(found) >= kept == 4
    for blob in found:
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
