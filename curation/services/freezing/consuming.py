"""The consumers of a target read a version's files before it is offered, and its rows are held against the database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from curation.errors import Conflict
from curation.models import DatasetFile, DatasetVersion, Response
from workers.consumers import Consumer, Files, Refused, consumers
from workers.tables import shards
from workers.writers import Target, targets

TRACED = 500
"""Lines of the lineage whose rows are held against the database."""
LONGEST = 900
OFF = "not asked: TOUCHSTONE_CONSUMERS is light here"
SIDES = {"chosen": ("chosen", "completion"), "rejected": ("rejected",)}


def check(version: DatasetVersion, building: Path, made: Sequence[DatasetFile]) -> list[dict[str, Any]]:
    """What each consumer said: `{consumer, version, ok, detail}`. Raises Conflict if one cannot read the files.

    `ok` is None of one that could not be asked, since its package is not installed or is turned off.
    """
    target = targets.get(version.target)
    files = files_of(version, building, made)
    wanted = [consumers.get(name) for name in ("rules", *target.consumers)]
    said = [here(consumer, files) for consumer in wanted if not consumer.package]
    accepted(said)
    said.append(traced(version, target, files))
    accepted(said)
    if files.total:
        said += elsewhere([consumer for consumer in wanted if consumer.package], files)
        accepted(said)
    return said


def accepted(said: Sequence[Mapping[str, Any]]) -> None:
    """Raises Conflict in the words of the first consumer that refuses."""
    for one in said:
        if one["ok"] is False:
            raise Conflict(f"the files were made, but {one['consumer']} would not read them: {one['detail']}")


def files_of(version: DatasetVersion, folder: Path, made: Sequence[DatasetFile]) -> Files:
    """The data files, without splits that have no rows."""
    parquet: dict[str, list[str]] = {}
    lines: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for file in made:
        if file.split in version.splits and file.rows:
            if file.name.endswith(".parquet"):
                parquet.setdefault(file.split, []).append(file.name)
                rows[file.split] = rows.get(file.split, 0) + file.rows
            elif file.name.endswith(".jsonl"):
                lines.setdefault(file.split, []).append(file.name)
    return Files(folder, version.target, parquet, lines, rows)


def here(consumer: Consumer, files: Files) -> dict[str, Any]:
    made = {"consumer": consumer.name, "version": ""}
    try:
        return made | {"ok": True, "detail": consumer.read(files)}
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return made | {"ok": False, "detail": f"it has not the shape that is read: {error!r}"}


def elsewhere(wanted: Sequence[Consumer], files: Files) -> list[dict[str, Any]]:
    """Consumers with packages of their own, in one process that ends with them."""
    if not wanted:
        return []
    if settings.CONSUMERS != "all":
        return [{"consumer": one.name, "version": "", "ok": None, "detail": OFF} for one in wanted]
    request = {"files": {**asdict(files), "folder": str(files.folder)}, "consumers": [one.name for one in wanted]}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "workers.consumers"],
            input=orjson.dumps(request),
            capture_output=True,
            cwd=settings.BASE_DIR,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Conflict(f"the consumers did not answer within {LONGEST} s") from None
    if done.returncode:
        raise Conflict(f"the consumers could not be asked: {done.stderr[-500:].decode('utf-8', 'replace')}")
    found: list[dict[str, Any]] = orjson.loads(done.stdout)
    return found


def traced(version: DatasetVersion, target: Target, files: Files) -> dict[str, Any]:
    """Whether rows say what the database says of the responses that their lineage names, and raw answers are along."""
    made = {"consumer": "lineage", "version": ""}
    if not shards(files.folder, "annotations", "parquet"):
        return made | {"ok": False, "detail": "the raw answers are missing"}
    count = 0
    try:
        for trace, row, place in with_rows(files):
            count += 1
            if target.source == "decided":
                same_responses(trace, row, place)
        if unknown := unanswered(files):
            raise Refused(f"annotation {unknown} is not among the raw answers", file="lineage.jsonl")
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    return made | {
        "ok": True,
        "detail": f"the first {count} rows are as the database has them, their raw answers along",
    }


def with_rows(files: Files) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], tuple[str, int]]]:
    """The first lines of the lineage, each with its row."""
    splits = {split: files.read_lines(split) for split in files.lines}
    last: dict[str, tuple[int, Any]] = {}
    for trace in traces(files):
        split, number = trace["split"], trace["row"]
        while split not in last or last[split][0] < number:
            last[split] = next(splits[split], (2**62, None))
        if last[split][0] == number:
            yield trace, last[split][1], (f"{split}.jsonl", number)


def traces(files: Files) -> Iterator[dict[str, Any]]:
    """The first lines of the lineage; those of its first shard are enough."""
    with shards(files.folder, "lineage", "jsonl")[0].open("rb") as lines:
        yield from map(orjson.loads, islice(lines, TRACED))


def same_responses(trace: Mapping[str, Any], row: Mapping[str, Any], place: tuple[str, int]) -> None:
    """Raises Refused when a side of a decided pair is not the response that was decided."""
    known = Response.objects.in_bulk([trace["chosen"], trace["rejected"]])
    for side, columns in SIDES.items():
        for column in columns:
            if column in row:
                wanted, found = known[trace[side]].as_messages(), row[column]
                same = found == wanted[0]["content"] if isinstance(found, str) else found[-len(wanted) :] == wanted
                if not same:
                    raise Refused(
                        f"is not the response that was decided to be {side}", file=place[0], row=place[1], column=column
                    )


def unanswered(files: Files) -> int | None:
    """An annotation that the first lines of the lineage name and the raw answers lack."""
    import pyarrow.parquet as pq

    named: set[int] = set()
    for trace in traces(files):
        named.update(trace["annotations"] if "annotations" in trace else [trace["annotation"]])
    for path in shards(files.folder, "annotations", "parquet"):
        table = pq.ParquetFile(path)
        for group in range(table.num_row_groups):
            if not named:
                return None
            named -= set(table.read_row_group(group, columns=["annotation"])["annotation"].to_pylist())
    return min(named, default=None)
