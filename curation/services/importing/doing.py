"""The run of an import: batches land one after the other, each with its checkpoint in the same transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from django.db import transaction

from curation import bulk
from curation.models import (
    Annotation,
    Critique,
    Item,
    Pair,
    Preference,
    Project,
    Rank,
    Response,
    Run,
    Task,
    Verdict,
)
from curation.services import images
from curation.services.importing.judged import land_judgements
from curation.services.importing.landing import land
from curation.services.importing.origin import source_of
from curation.services.importing.placing import placements
from curation.services.importing.reading import BATCH, Batch, Refused, batches
from curation.services.importing.sources import Outcome, options_for, outcomes, reader_for
from curation.services.importing.votes import VoteBox
from curation.services.running import Report
from workers.ahead import ahead
from workers.collecting import uncollected

SHOWN_PROBLEMS = 1000
TOLD_FROM = 50_000
"""New items of which the planner is told while the import is under way, where ids are looked up."""
COUNTED = ("created", "updated", "unchanged", "rejected", "votes", "answers", "tasks")
GOLD = ("gold",)
"""Told where a file had any."""


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Do an import run from its checkpoint on; its result."""
    path = run.folder / run.params["file"]
    mapping = run.params.get("mapping", {})
    reader = reader_for(path, run.params.get("format", "auto"), mapping)
    companion = run.folder / run.params["companion"] if run.params.get("companion") else None
    options = options_for(reader, mapping, companion)
    return land_all(run, report, reader.name, outcomes(path, reader, options))


def land_all(run: Run, report: Report, format: str, found: Iterator[Outcome]) -> dict[str, Any]:
    """Write all rows from the run's checkpoint on; its result. The next batch is read while one lands."""
    under_way = Import(run, report, format)
    pairing = run.params.get("pairing", "auto")
    rows = batches(found, pairing=pairing, kind=run.home.kind, after=run.checkpoint.get("row", 0))
    with closing(ahead(rows)) as ready, uncollected():
        for batch in ready:
            under_way.land(batch)
    return under_way.result()


def ended(run: Run) -> None:
    """Tell the database's planner of a large import; its run has ended by then."""
    new = sum(run.result.get(name, 0) for name in ("created", "votes", "answers"))
    if new > BATCH and 10 * new >= run.home.item_count:
        bulk.refresh_statistics(Item, Response, Pair, Task, Annotation, Preference, Critique, Verdict, Rank)


class Import:
    """One import under way: what was counted and refused so far."""

    def __init__(self, run: Run, report: Report, format: str) -> None:
        self.run, self.report, self.format = run, report, format
        before = run.result if run.checkpoint else {}
        self.counts: Counter[str] = Counter({name: before.get(name, 0) for name in (*COUNTED, *GOLD)})
        self.placed: Counter[str] = Counter(before.get("placed", {}))
        self.problems: list[dict[str, Any]] = list(before.get("problems", []))
        self.votes = VoteBox(run.home)
        self.source_id = source_of(run.home, run.params)
        self.alone = not run.checkpoint
        self.newest = 0
        """Whether the project has nothing but what this attempt brought, whose newest item is `newest`."""
        self.told = 0
        """How many new items there were when the planner was told of them last."""
        self.rejected = run.folder / "rejected.jsonl"
        self.rejected.parent.mkdir(parents=True, exist_ok=True)
        truncate(self.rejected, run.checkpoint.get("rejected_bytes", 0))

    def land(self, batch: Batch) -> None:
        """Write a batch with its checkpoint in one transaction, one import of a project at a time."""
        items = list({row.external_id: row for row in batch.items}.values())
        with transaction.atomic():
            bulk.commit_later()
            locked = Project.objects.select_for_update(no_key=True, of=("self",))
            self.run.home.refresh_from_db(fields=["overlap", "cap", "protocol"], from_queryset=locked)
            self.counts["unchanged"] += len(batch.items) - len(items)
            self.alone = self.alone and bulk.newest(Item, self.run.home.pk, self.newest) is None
            perhaps = batch.perhaps if self.alone else None
            if perhaps or perhaps is None:
                self.tell_planner()
            self.counts.update(land(self.run.home, items, self.votes, self.source_id, self.run, perhaps))
            if self.alone:
                self.newest = bulk.newest(Item, self.run.home.pk, self.newest) or self.newest
            self.placed.update(placements(answer for row in items for answer in row.answers))
            images.enter(self.run.home, (kept for row in items for kept in row.images))
            new, lost = land_judgements(self.run.home, batch.judgements, self.votes)
            self.counts["votes"] += new
            self.reject(batch.refused + lost)
            size = self.rejected.stat().st_size if self.rejected.exists() else 0
            at = {"row": batch.number, "line": batch.line, "rejected_bytes": size}
            self.report.checkpoint(done=batch.at, at=at, result=self.result())

    def tell_planner(self) -> None:
        """Before ids are looked up: let the database's planner know how a project has grown under this run. It would
        walk through one that it thinks small, batch after batch."""
        if self.counts["created"] >= max(TOLD_FROM, 2 * self.told):
            bulk.refresh_statistics(Item)
            self.told = self.counts["created"]

    def reject(self, refused: list[Refused]) -> None:
        """Count and keep what did not land, in the order of the file."""
        if not refused:
            return
        entries = [entry(one) for one in sorted(refused, key=lambda one: one.line)]
        with self.rejected.open("ab") as file:
            file.writelines(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in entries)
        self.counts["rejected"] += len(entries)
        self.problems += entries[: SHOWN_PROBLEMS - len(self.problems)]

    def result(self) -> dict[str, Any]:
        """What the run's page and the API tell."""
        placed = {"placed": dict(self.placed)} if self.placed else {}
        counts = {name: self.counts[name] for name in COUNTED}
        counts |= {name: self.counts[name] for name in GOLD if self.counts[name]}
        return {"format": self.format, **counts, **placed, "problems": self.problems}


def entry(refused: Refused) -> dict[str, Any]:
    problem = refused.problem
    words = {"field": problem.field, "reason": problem.reason, "excerpt": refused.excerpt}
    return {"line": refused.line, **{name: showable(text) for name, text in words.items()}}


def showable(text: str) -> str:
    """Without what no database stores."""
    return text.encode("utf-8", "replace").decode().replace("\0", "␀")


def truncate(path: Path, size: int) -> None:
    """Forget what was refused after the last checkpoint; it is refused again."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(size)
