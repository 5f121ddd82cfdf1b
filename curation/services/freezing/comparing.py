"""Two versions held against each other by row, label and annotator: their lineages merged, in the order they share."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
import pyarrow.parquet as pq
from pydantic import Field

from curation.errors import Invalid, NotFound
from curation.models import Change, DatasetFile, DatasetVersion, Project, Run, User
from curation.services import running
from curation.services.freezing.making import ready
from curation.services.method import Method, Params
from curation.services.running import Report
from workers.writers import targets

KINDS = {
    "added": "only in the second",
    "removed": "only in the first",
    "corrected": "the same item with other content",
    "label": "another label: chosen and rejected changed places, or another answer",
    "strength": "another strength or confidence",
    "split": "in another split",
    "annotators": "other annotations behind it",
}
MEASURED = ("value", "confidence")
EXAMPLES = 1000
"""Examples that are kept of each kind of difference."""
Key = tuple[int, ...]
Line = dict[str, Any]


class CompareParams(Params):
    dataset: str = Field(description="the dataset of the first version")
    number: int = Field(ge=1, description="the first version: removed is what only this one has")
    other: int = Field(ge=1, description="the second, that it is compared with: added is what only this one has")
    other_dataset: str = Field(default="", description="its dataset, where it is another one")


def begin(project: Project | None, params: Any, user: User | None) -> Run:
    """Check that both are there and hold the same kind of row. Raises Invalid."""
    assert project is not None
    first, second = both(project, params.model_dump())
    if targets.get(first.target).source != targets.get(second.target).source:
        raise Invalid(f"{first.target} and {second.target} have different kinds of row", field="params.other")
    return running.start(project=project, method="compare", params=params.model_dump(), user=user, unit="rows")


def both(project: Project, params: dict[str, Any]) -> tuple[DatasetVersion, DatasetVersion]:
    names = params["dataset"], params["other_dataset"] or params["dataset"]
    wanted = zip(names, (params["number"], params["other"]), ("number", "other"), strict=True)
    return tuple(version_called(project, name, number, field) for name, number, field in wanted)  # type: ignore[return-value]


def version_called(project: Project, name: str, number: int, field: str) -> DatasetVersion:
    versions = DatasetVersion.objects.select_related("dataset__project")
    found = versions.filter(dataset__project=project, dataset__name=name, number=number).first()
    if found is None:
        raise Invalid(f"there is no {name} v{number}", field=f"params.{field}")
    return ready(found)


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Walk both lineages at once; counts of each kind of difference, and examples as NDJSON in the run's folder."""
    first, second = both(run.home, run.params)
    counts: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    people = {"before": People(first), "after": People(second)}
    run.folder.mkdir(parents=True, exist_ok=True)
    done = 0
    corrected = corrected_between(first, second)
    with (run.folder / "differences.jsonl").open("wb") as file:
        for key, before, after in merged(rows_of(first), rows_of(second), corrected):
            done += 1
            if done % 5000 == 0:
                report.checkpoint(done=done, total=max(first.counts["lineage"], second.counts["lineage"]))
            for side, lines in (("before", before), ("after", after)):
                people[side].add(lines)
            for kind in differences(before, after, corrected):
                counts[kind] += 1
                if counts[kind] <= EXAMPLES:
                    told = {"kind": kind, "key": key, "before": before, "after": after}
                    file.write(orjson.dumps(told, default=str, option=orjson.OPT_APPEND_NEWLINE))
    report.checkpoint(done=done, total=done)
    same = done - sum(counts[kind] for kind in ("added", "removed", "corrected"))
    return {
        "versions": [str(first), str(second)],
        "rows": [first.counts["total"], second.counts["total"]],
        "in_both": same,
        **counts,
        "people": by_annotator(people["before"].rows, people["after"].rows),
    }


class People:
    """Behind how many rows each annotator of a version stands. Twelve bytes are kept for each of its annotations."""

    def __init__(self, version: DatasetVersion) -> None:
        self.ids, self.codes, self.names = array("q"), array("i"), dict[str, int]()
        self.rows: Counter[str] = Counter()
        files = DatasetFile.objects.filter(version=version, split="annotations", name__endswith=".parquet")
        for file in files.order_by("shard"):
            table = pq.ParquetFile(version.folder / file.name)
            for batch in table.iter_batches(10_000, columns=["annotation", "annotator"]):
                for pk, name in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    self.ids.append(pk)
                    self.codes.append(self.names.setdefault(name, len(self.names)))
        self.called = list(self.names)

    def add(self, lines: list[Line]) -> None:
        for line in lines:
            ids = line["annotations"] if "annotations" in line else [line["annotation"]]
            self.rows.update({self.name_of(pk) for pk in ids})

    def name_of(self, annotation: int) -> str:
        at = bisect_left(self.ids, annotation)
        found = at < len(self.ids) and self.ids[at] == annotation
        return self.called[self.codes[at]] if found else "unknown"


def by_annotator(before: Counter[str], after: Counter[str]) -> dict[str, list[int]]:
    """Rows behind which each annotator stands, in the first and in the second version, where that differs."""
    return {name: [before[name], after[name]] for name in sorted({*before, *after}) if before[name] != after[name]}


def rows_of(version: DatasetVersion) -> Iterator[tuple[Key, list[Line]]]:
    """What each thing that became rows has in the lineage, under a key that is the same in every version."""
    yield from ((key, list(lines)) for key, lines in groupby(lineage(version), key=key_of))


def lineage(version: DatasetVersion) -> Iterator[Line]:
    files = DatasetFile.objects.filter(version=version, split="lineage", name__endswith=".parquet").order_by("shard")
    for file in files:
        for batch in pq.ParquetFile(version.folder / file.name).iter_batches(2000):
            yield from batch.to_pylist()


def key_of(line: Line) -> Key:
    """Of a decided pair its task and responses, of a wrong trace alone 0 for the other; of an answer its response, task
    and annotation."""
    if "chosen" in line:
        return line["task"], *sorted((line["chosen"] or 0, line["rejected"]))
    if "annotation" in line:
        return (line.get("response") or 0), line["task"], line["annotation"]
    return line["task"], line["pair"]


@dataclass(frozen=True, slots=True)
class Corrected:
    """Items that were corrected between what two versions have read: all of them, and those with another prompt or
    context, whose rows stand under the same key."""

    all: frozenset[str] = frozenset()
    itself: frozenset[str] = frozenset()


NOTHING = Corrected()


def merged(
    first: Iterator[tuple[Key, list[Line]]],
    second: Iterator[tuple[Key, list[Line]]],
    corrected: Corrected = NOTHING,
) -> Iterator[tuple[Key, list[Line], list[Line]]]:
    """Both in step. Each is in its own order, which is that of rising keys but for few; so what one lacks is looked
    for among what the other passed over."""
    waiting: tuple[dict[Key, list[Line]], dict[Key, list[Line]]] = ({}, {})
    sides = (first, second)
    open_sides = [True, True]
    while any(open_sides):
        for n in (0, 1):
            found = next(sides[n], None) if open_sides[n] else None
            if found is None:
                open_sides[n] = False
                continue
            key, lines = found
            other = waiting[1 - n].pop(key, None)
            if other is None:
                waiting[n].setdefault(key, []).extend(lines)
            else:
                yield (key, lines, other) if n == 0 else (key, other, lines)
    yield from left(*waiting, corrected)


def left(
    gone: dict[Key, list[Line]], came: dict[Key, list[Line]], corrected: Corrected
) -> Iterator[tuple[Key, list[Line], list[Line]]]:
    """What only one of them has; of a corrected item what went goes along with what came for it."""
    instead: dict[str, list[Key]] = defaultdict(list)
    for key, lines in came.items():
        if lines[0]["item"] in corrected.all:
            instead[lines[0]["item"]].append(key)
    for key, lines in gone.items():
        others = instead.get(lines[0]["item"])
        yield key, lines, came.pop(others.pop(0)) if others else []
    for key, lines in came.items():
        yield key, [], lines


def corrected_between(first: DatasetVersion, second: DatasetVersion) -> Corrected:
    """Whichever is the older one; none of versions that were made before changes were followed."""
    seen = [version.lineage.get("last_change") for version in (first, second)]
    if None in seen:
        return Corrected()
    changes = Change.objects.filter(project=first.dataset.project_id, kind=Change.Kind.CORRECTED)
    between = changes.filter(pk__gt=min(seen), pk__lte=max(seen)).values_list("item__external_id", "fields")
    told = [(item, {"prompt", "context", "responses"} & set(fields)) for item, fields in between.iterator()]
    return Corrected(
        frozenset(item for item, fields in told if fields),
        frozenset(item for item, fields in told if fields - {"responses"}),
    )


def differences(before: list[Line], after: list[Line], corrected: Corrected = NOTHING) -> Iterator[str]:
    """In what two lines on the same thing differ."""
    if not before or not after:
        yield "added" if after else "removed"
        return
    one, other = before[0], after[0]
    if key_of(one) != key_of(other):
        yield "corrected"
        return
    if one["item"] in corrected.itself:
        yield "corrected"
    if one.get("chosen") != other.get("chosen"):
        yield "label"
    elif any(one.get(name) != other.get(name) for name in MEASURED):
        yield "strength"
    if one["split"] != other["split"]:
        yield "split"
    if one.get("annotations") != other.get("annotations"):
        yield "annotators"


def examples(run: Run, kind: str, most: int = 20) -> list[dict[str, Any]]:
    """The first examples of one kind of difference. Raises NotFound for a comparison without a result."""
    path = run.folder / "differences.jsonl"
    if run.method != "compare" or not path.is_file():
        raise NotFound("this run compared nothing")
    found: list[dict[str, Any]] = []
    with path.open("rb") as lines:
        for line in lines:
            one = orjson.loads(line)
            if one["kind"] == kind:
                found.append({**one, "item": (one["before"] or one["after"])[0]["item"]})
                if len(found) == most:
                    break
    return found


METHOD = Method(
    name="compare",
    title="Compare two versions",
    about="Which rows came, went or changed, in label, strength, split and annotators.",
    params=CompareParams,
    execute=execute,
    begin=begin,
)
