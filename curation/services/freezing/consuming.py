"""The consumers of a target read a version's files before it is offered, and its rows are held against the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from curation.errors import Conflict
from curation.models import DatasetVersion, Response
from curation.services.freezing.selecting import target_of
from workers.consumers import Consumer, Files, Refused, consumers
from workers.standing import Asked, Silent
from workers.tables import shards
from workers.writers import Target

TRACED = 500
"""Lines of the lineage whose rows are held against the database."""
LONGEST = 3600
APART = 10_000
"""Beyond so many rows our own consumers read in a process of their own, beside the making of the companions."""
OFF = "not asked: TOUCHSTONE_CONSUMERS is light here"
SIDES = {"chosen": ("chosen", "completion"), "rejected": ("rejected",)}


class Reading:
    """The consumers of a version at work; a context manager, opened before anything is written.

    Those with packages of their own read in a fork of a process that loads these, which takes seconds, while the
    splits of its first version are written, and stays for the next (`workers/standing.py`). Those of ours read here at
    the end, or, of many rows, in another such fork meanwhile.
    """

    def __init__(self, version: DatasetVersion) -> None:
        self.version, self.target = version, target_of(version)
        wanted = [consumers.get(name) for name in ("rules", *self.target.consumers)]
        self.ours = [one for one in wanted if not one.package]
        self.theirs = [one for one in wanted if one.package]
        self.off = settings.CONSUMERS != "all"
        self.ends = [called(self.theirs)] if self.theirs and not self.off else []

    def begin(self, building: Path, rows: Mapping[str, int]) -> None:
        """Let them read, now that the splits are written."""
        self.files = files_of(self.version, building, rows)
        if not self.files.total:
            return
        if self.files.total > APART and not self.off:
            self.ends.insert(0, called(self.ours))
        for one in self.ends:
            one.ask(self.files)

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.ends:
            one.end()

    def said(self) -> list[dict[str, Any]]:
        """What each said, once all files of the version are there: `{consumer, version, ok, detail}`.

        Raises Conflict if one cannot read the files. `ok` is None of one that could not be asked, since its package is
        not installed or is turned off.
        """
        ends = iter(self.ends)
        apart = self.files.total > APART and not self.off
        told = answer_of(next(ends)) if apart else [here(one, self.files) for one in self.ours]
        accepted(told)
        told.append(traced(self.version, self.target, self.files))
        accepted(told)
        if self.files.total and self.theirs:
            told += [turned_off(one) for one in self.theirs] if self.off else answer_of(next(ends))
            accepted(told)
        return told


def called(wanted: Sequence[Consumer]) -> Asked:
    return Asked([one.name for one in wanted], stay=settings.CONSUMERS_STAY)


def accepted(said: Sequence[Mapping[str, Any]]) -> None:
    """Raises Conflict in the words of the first consumer that refuses."""
    for one in said:
        if one["ok"] is False:
            raise Conflict(f"the files were made, but {one['consumer']} would not read them: {one['detail']}")


def files_of(version: DatasetVersion, folder: Path, rows: Mapping[str, int]) -> Files:
    """The data files, without splits that have no rows."""
    filled = {split: rows[split] for split in sorted(version.splits) if rows.get(split)}
    parquet, lines = (
        {split: [path.name for path in shards(folder, split, kind)] for split in filled}
        for kind in ("parquet", "jsonl")
    )
    return Files(folder, version.target, parquet, lines, filled, target_of(version).edition)


def here(consumer: Consumer, files: Files) -> dict[str, Any]:
    made = {"consumer": consumer.name, "version": ""}
    try:
        return made | {"ok": True, "detail": consumer.read(files)}
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return made | {"ok": False, "detail": f"it has not the shape that is read: {error!r}"}


def turned_off(one: Consumer) -> dict[str, Any]:
    return {"consumer": one.name, "version": "", "ok": None, "detail": OFF}


def answer_of(one: Asked) -> list[dict[str, Any]]:
    """What consumers said elsewhere. Raises Conflict when they ended without a word, or not in time."""
    try:
        return one.said(LONGEST)
    except Silent as problem:
        raise Conflict(f"the consumers could not be asked: {problem}") from None


def traced(version: DatasetVersion, target: Target, files: Files) -> dict[str, Any]:
    """Whether rows say what the database says of the responses that their lineage names, and raw answers are along."""
    made = {"consumer": "lineage", "version": ""}
    if not shards(files.folder, "annotations", "parquet"):
        return made | {"ok": False, "detail": "the raw answers are missing"}
    try:
        looked = list(with_rows(files))
        if target.source == "decided":
            known = Response.objects.in_bulk({trace[side] for trace, _, _ in looked for side in SIDES} - {None})
            for one in looked:
                same_responses(*one, known)
        if unknown := unanswered(files):
            raise Refused(f"annotation {unknown} is not among the raw answers", file="lineage.jsonl")
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    return made | {
        "ok": True,
        "detail": f"the first {len(looked)} rows are as the database has them, their raw answers along",
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


def same_responses(
    trace: Mapping[str, Any], row: Mapping[str, Any], place: tuple[str, int], known: Mapping[int, Response]
) -> None:
    """Raises Refused when a side of a decided pair is not the response that was decided."""
    for side, columns in SIDES.items():
        for column in columns:
            if column in row and not says(row[column], known[trace[side]] if trace[side] is not None else None):
                raise Refused(
                    f"is not the response that was decided to be {side}", file=place[0], row=place[1], column=column
                )


def says(found: Any, response: Response | None) -> bool:
    """Whether a column holds a response; nothing of a wrong trace that has no right one beside it."""
    if response is None:
        return bool(found == [])
    wanted = response.as_messages()
    return bool(found == wanted[0]["content"] if isinstance(found, str) else found[-len(wanted) :] == wanted)


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
