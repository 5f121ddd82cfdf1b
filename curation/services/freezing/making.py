"""A version made: its splits, their lineage and companions, then its manifest and its place."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from django.db import transaction

from curation.errors import Conflict
from curation.models import DatasetFile, DatasetVersion, Run, RunLine
from curation.services import cards, telling
from curation.services.freezing import changed, consuming, curated, facts, storing, unseen
from curation.services.freezing.companions import schema_of, write_companions
from curation.services.freezing.croissant import croissant
from curation.services.freezing.members import Members
from curation.services.freezing.selecting import Candidate, Fields, Selection, selection_of, target_of
from curation.services.freezing.sources import candidates, lineage_of
from curation.services.freezing.splitting import splitter
from curation.services.freezing.walking import sorting_on_disk, tell
from curation.services.running import Report
from workers import blobs
from workers.collecting import uncollected
from workers.writers import Dropped, Target

ROW: Fields = (("split", "text"), ("row", "whole"))
TOLD_EVERY = 5000
READING = "reading what is decided, and writing the splits"
BESIDE = "writing the raw answers, and counting who is behind the rows"
CONSUMERS = "waiting for the consumers, which read the files with their own loaders"
PLACING = "putting the files into their place"
STEPS = (READING, BESIDE, CONSUMERS, PLACING)
"""What a version under way is told to be at, in its run's log: its page shows the last one."""


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Make the version of a run; its result names the version and its counts."""
    version = DatasetVersion.objects.select_related("dataset__project__protocol").get(pk=run.params["version"])
    if version.state == DatasetVersion.State.READY:
        return result_of(version)
    building = version.folder.with_name(f"{version.folder.name}-{run.holder.rsplit(':', 1)[-1]}")
    for begun in version.folder.parent.glob(f"{version.folder.name}-*"):
        shutil.rmtree(begun, ignore_errors=True)  # of a worker that died, or lost its lease
    building.mkdir(parents=True)
    try:
        write(version, building, report)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return result_of(version)


def write(version: DatasetVersion, building: Path, report: Report) -> None:
    """All files of a version, then its row and its place, in that order of commitment."""
    members, digests = Members(), dict[str, str]()
    report.log(READING)
    with sorting_on_disk(), uncollected(), consuming.Reading(version) as reading, ThreadPoolExecutor(1) as disk:
        counts = write_splits(version, building, report, members, digests)
        alive = partial(report.checkpoint, done=counts["looked_at"], total=counts["looked_at"])
        alive()
        report.log(BESIDE)
        reading.begin(building, counts["rows"])
        disk.submit(storing.flush, sorted(building.iterdir()))  # the disk is slow: it need not wait for the end
        counts |= write_companions(version, building, digests)
        files = describe(version, building, counts, digests)
        version.counts = counts
        version.facts = facts.facts_of(version, alive)
        report.log(CONSUMERS)
        version.checks = reading.said()
    report.log(PLACING)
    manifest = manifest_of(version, files)
    version.hash = hashlib.sha256(manifest).hexdigest()
    version.wholes = storing.wholes_of(building, files)
    version.counts = counts
    version.card = cards.card(version, files)
    members.write(building)
    (building / "manifest.json").write_bytes(manifest)
    (building / "README.md").write_text(version.card)
    (building / "croissant.json").write_bytes(orjson.dumps(croissant(version, files), option=orjson.OPT_INDENT_2))
    storing.keep(building, files)
    with transaction.atomic():
        report.checkpoint(done=counts["looked_at"], total=counts["looked_at"])
        DatasetFile.objects.filter(version=version).delete()
        DatasetFile.objects.bulk_create(files)
        version.state = DatasetVersion.State.READY
        version.changed_items = changed.so_far(version, building)
        version.save()
        telling.version_told(version, "dataset.version.ready")
        shutil.rmtree(version.folder, ignore_errors=True)
        building.rename(version.folder)
        blobs.flush(version.folder.parent)


def write_splits(
    version: DatasetVersion, building: Path, report: Report, members: Members, digests: dict[str, str]
) -> dict[str, Any]:
    """The rows of every split and their lineage; how many, and what was dropped and why. `members` get their items,
    `digests` the SHA-256 of the files by their names."""
    from workers.tables import Table

    target, shares = target_of(version), version.splits
    dropped: Counter[str] = Counter()
    looked_at = 0
    with ExitStack() as files:
        most = most_of(version)
        splits = {name: files.enter_context(Split(building, name, target, most)) for name in shares}
        columns = (*ROW, *lineage_of(target, flips=curated.flips(version)))
        lineage = files.enter_context(Table(building, "lineage", schema_of(columns), most))
        where = splitter(version)
        for candidate in candidates(selected(version, where)):
            looked_at += 1
            if looked_at % TOLD_EVERY == 0:
                tell(report, looked_at, expected(version, target))
            try:
                made = rows_of(target, candidate)
            except Dropped as problem:
                dropped[problem.reason] += 1
                continue
            if made:
                members.add(candidate.item_id)
            split = splits[where(candidate)]
            for row in made:
                number = split.add(row)
                for trace in candidate.lineage:
                    lineage.add({"split": split.name, "row": number, **trace})
    for table in (*(split.table for split in splits.values()), lineage):
        digests |= table.digests
    rows = {name: split.table.rows for name, split in splits.items()}
    total = sum(rows.values())
    return {"rows": rows, "total": total, "dropped": dict(dropped), "looked_at": looked_at, "lineage": lineage.rows}


def selected(version: DatasetVersion, where: Callable[[Candidate], str]) -> Selection:
    """What a version holds, without what must stay unseen in the split that it would go to."""
    kept_out = unseen.unseen(version, where)
    selection = selection_of(version)
    return replace(selection, kept_out=kept_out.kept_out) if kept_out else selection


def rows_of(target: Target, candidate: Candidate) -> list[dict[str, Any]]:
    """The rows that a target makes of a candidate. Raises Dropped."""
    if candidate.reason:
        raise Dropped(candidate.reason)
    return target.rows(candidate.given)


def expected(version: DatasetVersion, target: Target) -> int | None:
    """How many candidates there will be; only of pairs of tasks is that known."""
    project = version.dataset.project
    return project.task_count if target.source != "critiqued" and project.kind == "preference" else None


class Split:
    """The files of one split under way: JSON lines and Parquet, and tab-separated values where a target has them."""

    def __init__(self, folder: Path, name: str, target: Target, most: int | None) -> None:
        from workers.tables import Table

        self.name, self.columns = name, target.columns
        self.files = ExitStack()
        self.table = self.files.enter_context(Table(folder, name, target.schema(), most))
        self.separated: Any = None
        if target.separated:
            file = self.files.enter_context((folder / f"{name}.tsv").open("w", encoding="utf-8", newline=""))
            self.separated = csv.writer(file, delimiter="\t", lineterminator="\n")
            self.separated.writerow(self.columns)

    def __enter__(self) -> Split:
        return self

    def __exit__(self, *error: Any) -> None:
        self.files.__exit__(*error)

    def add(self, row: dict[str, Any]) -> int:
        """Keep a row; its number in the split, from 0."""
        number = self.table.rows + len(self.table.waiting)
        self.table.add(row)
        if self.separated:
            self.separated.writerow([row[column] for column in self.columns])
        return number


def most_of(version: DatasetVersion) -> int | None:
    """Rows that a file of a version holds at most, as it was when it was asked for; None before files were cut."""
    most: int | None = version.lineage.get("shard_rows")
    return most


def describe(
    version: DatasetVersion, building: Path, counts: dict[str, Any], digests: Mapping[str, str]
) -> list[DatasetFile]:
    """Name, split, place in it, size, rows and SHA-256 of every data file; what has no digest yet is read for it."""
    from workers.tables import SHARD, sha256

    rows, most = {**counts, **counts["rows"]}, most_of(version)
    made = []
    for path in sorted(building.iterdir()):
        cut = SHARD.fullmatch(path.stem)
        split, shard = (cut["stem"], int(cut["number"])) if cut else (path.stem, 0)
        held = min(most, rows[split] - shard * most) if cut and most else rows[split]
        size, digest = path.stat().st_size, digests.get(path.name) or sha256(path)
        made.append(
            DatasetFile(version=version, name=path.name, split=split, shard=shard, rows=held, bytes=size, sha256=digest)
        )
    return made


def manifest_of(version: DatasetVersion, files: list[DatasetFile]) -> bytes:
    """What the version's hash is taken over: the selection and its files, nothing that changes by the hour."""
    return orjson.dumps(
        {
            "target": version.target,
            "filters": version.filters,
            "splits": version.splits,
            "seed": version.seed,
            **({} if version.split_by == DatasetVersion.SplitBy.PROMPT else {"split_by": version.split_by}),
            "files": {file.name: {"sha256": file.sha256, "rows": file.rows, "bytes": file.bytes} for file in files},
        },
        option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2,
    )


def step(run: Run) -> str:
    """What a run that makes a version is at, in words; empty before it began."""
    told = RunLine.objects.filter(run=run, text__in=STEPS)
    return told.order_by("-pk").values_list("text", flat=True).first() or ""


def result_of(version: DatasetVersion) -> dict[str, Any]:
    return {"dataset": version.dataset.name, "number": version.number, "hash": version.hash, "counts": version.counts}


def ended(run: Run) -> None:
    """A version whose run did not succeed is failed; it can be made again under the next number."""
    if run.state == Run.State.SUCCEEDED:
        return
    unmade = DatasetVersion.objects.filter(run=run).exclude(state=DatasetVersion.State.READY)
    with transaction.atomic():
        if unmade.update(state=DatasetVersion.State.FAILED):
            for version in DatasetVersion.objects.filter(run=run).select_related("dataset__project", "run"):
                telling.version_told(version, "dataset.version.failed")


def ready(version: DatasetVersion) -> DatasetVersion:
    """The version, if its files are there. Raises Conflict while it is made, or when that failed."""
    if version.state != DatasetVersion.State.READY:
        raise Conflict(f"this version is not ready: {version.get_state_display().lower()}")
    return version
