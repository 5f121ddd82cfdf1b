"""Freeze: a selection of decided pairs into an immutable, numbered, hashed dataset version.

Two ordered streams are merged: decisions, and the contents of their pairs. Files are written into a folder
beside the final one and moved into place at the end, so a run broken off leaves nothing half done.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F

from curation.errors import Conflict, Invalid
from curation.models import Dataset, DatasetFile, DatasetVersion, Project, Run, User
from curation.services import cards, running
from curation.services.deciding import (
    STANDING,
    Decision,
    Filters,
    decisions,
    dropped_because,
    filters_from,
    last_annotation,
)
from curation.services.reading import stream
from curation.services.running import Report
from workers.rows import DecidedRow, Message
from workers.writers import MESSAGE_COLUMNS, Target, targets

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
RESERVED = {"annotations", "lineage", "readme", "manifest"}

CONTENT = """
SELECT t.id, i.external_id, i.prompt, i.prompt_hash, f.text, f.messages, s.text, s.messages
FROM curation_task t
JOIN curation_pair p ON p.id = t.pair_id
JOIN curation_item i ON i.id = p.item_id
JOIN curation_response f ON f.id = p.first_id
JOIN curation_response s ON s.id = p.second_id
WHERE t.project_id = %s AND p.deleted_at IS NULL AND i.deleted_at IS NULL
ORDER BY t.id
"""

ANSWERS = f"""
SELECT a.id, a.task_id, t.pair_id, r.kind, r.name,
       (SELECT c.version FROM curation_protocol c WHERE c.id = a.protocol_id),
       a.source, a."order", a.active_ms, a.created_at, a.rationale, p.axis, p.value, p.both_bad, p.probability
{STANDING}
ORDER BY a.id, p.id
"""
ANSWER_COLUMNS = (
    "annotation", "task", "pair", "annotator_kind", "annotator", "protocol", "source", "shown_order", "active_ms",
    "created_at", "rationale", "axis", "value", "both_bad", "probability",
)  # fmt: skip


def request_version(
    *,
    project: Project,
    dataset_name: str,
    target: str = "trl-preference",
    filters: Any = None,
    splits: Any = None,
    seed: Any = 0,
    user: User | None = None,
) -> DatasetVersion:
    """Number a new version and queue the run that makes it. Raises Invalid naming the wrong field."""
    if not NAME.fullmatch(dataset_name):
        raise Invalid("must be lower-case letters, digits, - and _, starting with a letter", field="name")
    try:
        targets.get(target)
    except KeyError as error:
        raise Invalid(str(error.args[0]), field="target") from None
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise Invalid("must be a whole number from 0 to 2147483647", field="seed")
    checked = filters_from(filters or {})
    shares = check_splits(splits if splits is not None else {"train": 1.0})
    with transaction.atomic():
        dataset, _ = Dataset.objects.get_or_create(project=project, name=dataset_name)
        Dataset.objects.filter(pk=dataset.pk).update(last_number=F("last_number") + 1)
        dataset.refresh_from_db()
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=dataset.last_number,
            target=target,
            filters=checked.model_dump(),
            splits=shares,
            seed=seed,
            lineage={"last_annotation": last_annotation(project)},
            created_by=user,
        )
        params = {"version": version.pk, "dataset": dataset_name, "number": version.number, "target": target}
        version.run = running.start(project=project, method="freeze", params=params, user=user, unit="pairs")
        version.save(update_fields=["run"])
    return version


def check_splits(given: Any) -> dict[str, float]:
    """Shares by split name that sum to 1. Raises Invalid."""
    if not isinstance(given, dict) or not 1 <= len(given) <= 10:
        raise Invalid("must be an object of split names and shares, such as {train: 0.9, test: 0.1}", field="splits")
    for name, share in given.items():
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in RESERVED:
            raise Invalid("is no name for a split", field=f"splits.{name}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise Invalid("must be a share above 0 and up to 1", field=f"splits.{name}")
    if abs(sum(given.values()) - 1) > 1e-6:
        raise Invalid(f"must sum to 1, not {sum(given.values()):g}", field="splits")
    return {name: float(share) for name, share in given.items()}


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Make the version of a run; its result names the version and its counts."""
    version = DatasetVersion.objects.select_related("dataset__project").get(pk=run.params["version"])
    if version.state == DatasetVersion.State.READY:
        return result_of(version)
    building = version.folder.with_name(f"{version.folder.name}-{run.holder.rsplit(':', 1)[-1]}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        write(version, building, report)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return result_of(version)


def write(version: DatasetVersion, building: Path, report: Report) -> None:
    """All files of a version, then its row and its place, in that order of commitment."""
    counts = write_splits(version, building, report)
    counts["annotations"] = write_answers(version, building)
    files = describe(version, building, counts)
    manifest = manifest_of(version, files)
    version.hash = hashlib.sha256(manifest).hexdigest()
    version.counts = counts
    version.card = cards.card(version, files)
    (building / "manifest.json").write_bytes(manifest)
    (building / "README.md").write_text(version.card)
    with transaction.atomic():
        report.checkpoint(done=counts["looked_at"], total=counts["looked_at"])
        DatasetFile.objects.filter(version=version).delete()
        DatasetFile.objects.bulk_create(files)
        version.state = DatasetVersion.State.READY
        version.save()
        shutil.rmtree(version.folder, ignore_errors=True)
        building.rename(version.folder)


def write_splits(version: DatasetVersion, building: Path, report: Report) -> dict[str, Any]:
    """The rows of every split and their lineage; how many, and what was dropped and why."""
    from workers.tables import Table

    target, filters = targets.get(version.target), Filters.model_validate(version.filters)
    project, shares = version.dataset.project, version.splits
    dropped: Counter[str] = Counter()
    looked_at = decided = 0
    with ExitStack() as files:
        tables = {n: files.enter_context(Table(building, n, schema_of(target))) for n in shares}
        lineage = files.enter_context(Table(building, "lineage", lineage_schema()))
        for content, decision in with_contents(version, filters):
            looked_at += 1
            if looked_at % 5000 == 0:
                report.checkpoint(done=looked_at, total=project.task_count)
            reason = dropped_because(decision, filters) if decision else "not answered"
            if reason or decision is None:
                dropped[reason or ""] += 1
                continue
            decided += 1
            split = split_of(version.seed, content[3], shares)
            table = tables[split]
            table.add(target.row(decided_row(content, decision)))
            lineage.add(lineage_row(split, table, content, decision))
        for table in tables.values():
            table.flush()
    rows = {name: table.rows for name, table in tables.items()}
    return {"rows": rows, "total": decided, "dropped": dict(dropped), "looked_at": looked_at}


def with_contents(version: DatasetVersion, filters: Filters) -> Iterator[tuple[tuple[Any, ...], Decision | None]]:
    """Every pair of the project with its decision, or None where nobody answered: a merge of two ordered streams."""
    project = version.dataset.project
    found = decisions(project, filters, as_of=version.lineage["last_annotation"])
    decision = next(found, None)
    for content in stream(CONTENT, [project.pk]):
        while decision is not None and decision.task_id < content[0]:
            decision = next(found, None)
        yield content, decision if decision is not None and decision.task_id == content[0] else None


def split_of(seed: int, prompt_hash: str, shares: dict[str, float]) -> str:
    """The split of a prompt: equal prompts are always in one split, whatever else is in the version."""
    digest = hashlib.blake2b(f"{seed}:{prompt_hash}".encode(), digest_size=8).digest()
    point, reached = int.from_bytes(digest, "big") / 2**64, 0.0
    for name, share in shares.items():
        reached += share
        if point < reached:
            return name
    return name


def decided_row(content: tuple[Any, ...], decision: Decision) -> DecidedRow:
    _, _, prompt, _, first_text, first_messages, second_text, second_messages = content
    first, second = continuation(first_text, first_messages), continuation(second_text, second_messages)
    chosen, rejected = (first, second) if decision.outcome == "first" else (second, first)
    return DecidedRow(orjson.loads(prompt), chosen, rejected, abs(decision.value or 0.0), decision.confidence)


def continuation(text: str, messages: str | None) -> list[Message]:
    return orjson.loads(messages) if messages else [{"role": "assistant", "content": text}]


def lineage_row(split: str, table: Any, content: tuple[Any, ...], decision: Decision) -> dict[str, Any]:
    """Where a row of a split came from; `row` counts from 0 within the split."""
    return {
        "split": split,
        "row": table.rows + len(table.waiting) - 1,
        "item": content[1],
        "pair": decision.pair_id,
        "task": decision.task_id,
        "value": decision.value,
        "confidence": decision.confidence,
        "votes": decision.votes,
        "how": decision.how,
        "annotations": decision.annotations,
    }


def write_answers(version: DatasetVersion, building: Path) -> int:
    """The companion file: every annotator's standing answer, decided or not."""
    from workers.tables import Table

    upto = version.lineage["last_annotation"]
    with Table(building, "annotations", answer_schema()) as table:
        for row in stream(ANSWERS, [version.dataset.project_id, upto, upto]):
            answer = dict(zip(ANSWER_COLUMNS, row, strict=True))
            answer["created_at"] = in_utc(answer["created_at"])
            answer["both_bad"] = bool(answer["both_bad"])
            table.add(answer)
    return table.rows


def in_utc(moment: Any) -> str:
    """A time as ISO 8601 in UTC; SQLite gives it as a text without its zone, which is UTC."""
    given = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")


def schema_of(target: Target) -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    return pa.schema([(name, MESSAGES if name in MESSAGE_COLUMNS else pa.float64()) for name in target.columns])


def lineage_schema() -> Any:
    import pyarrow as pa

    texts, whole, real = ("split", "item", "how"), ("row", "pair", "task", "votes"), ("value", "confidence")
    names = ("split", "row", "item", "pair", "task", "value", "confidence", "votes", "how")
    types = {
        **dict.fromkeys(texts, pa.string()),
        **dict.fromkeys(whole, pa.int64()),
        **dict.fromkeys(real, pa.float64()),
    }
    return pa.schema([*((name, types[name]) for name in names), ("annotations", pa.list_(pa.int64()))])


def answer_schema() -> Any:
    import pyarrow as pa

    whole = {"annotation", "task", "pair", "protocol", "active_ms", "value"}
    special = {"both_bad": pa.bool_(), "probability": pa.float64()}
    return pa.schema([(n, special.get(n, pa.int64() if n in whole else pa.string())) for n in ANSWER_COLUMNS])


def describe(version: DatasetVersion, building: Path, counts: dict[str, Any]) -> list[DatasetFile]:
    """Name, size, rows and SHA-256 of every data file."""
    from workers.tables import sha256

    rows = {**counts["rows"], "annotations": counts["annotations"], "lineage": counts["total"]}
    return [
        DatasetFile(
            version=version,
            name=path.name,
            split=path.stem,
            rows=rows[path.stem],
            bytes=path.stat().st_size,
            sha256=sha256(path),
        )
        for path in sorted(building.iterdir())
    ]


def manifest_of(version: DatasetVersion, files: list[DatasetFile]) -> bytes:
    """What the version's hash is taken over: the selection and its files, nothing that changes by the hour."""
    return orjson.dumps(
        {
            "target": version.target,
            "filters": version.filters,
            "splits": version.splits,
            "seed": version.seed,
            "files": {file.name: {"sha256": file.sha256, "rows": file.rows, "bytes": file.bytes} for file in files},
        },
        option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2,
    )


def result_of(version: DatasetVersion) -> dict[str, Any]:
    return {"dataset": version.dataset.name, "number": version.number, "hash": version.hash, "counts": version.counts}


def ended(run: Run) -> None:
    """A version whose run did not succeed is failed; it can be made again under the next number."""
    if run.state != Run.State.SUCCEEDED:
        DatasetVersion.objects.filter(run=run).exclude(state=DatasetVersion.State.READY).update(
            state=DatasetVersion.State.FAILED
        )


def ready(version: DatasetVersion) -> DatasetVersion:
    """The version, if its files are there. Raises Conflict while it is made, or when that failed."""
    if version.state != DatasetVersion.State.READY:
        raise Conflict(f"this version is not ready: {version.get_state_display().lower()}")
    return version
