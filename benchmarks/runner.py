"""The measures in their order: for each size the product beside its floors, then Label Studio on the same rows."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import data, databases, floors, label_studio, lists
from benchmarks.annotators import Annotator, in_turns, latencies, together
from benchmarks.databases import Database
from benchmarks.floors import BareView
from benchmarks.measuring import Sampled, forget_peaks, machine, median, peak_mb, watched
from benchmarks.product import ANNOTATORS, Touchstone

PACKAGES = ("Django", "gunicorn", "psycopg", "pyarrow", "orjson", "celery")
SERIAL_PAIRS, PEER_PAIRS = 400, 120
CROWD_SECONDS = 15.0
WORKER_MB = ("before", "peak", "together")
PEER_EXPORT_MOST = 120.0
"""Label Studio's export is left out when the size before says that it would take longer."""


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    sizes: tuple[int, ...]
    kind: str
    broker: str
    peer_sizes: tuple[int, ...]
    out: Path
    steps: tuple[str, ...]
    """In the order of STEPS; lists need the project of the export, annotators that of the import."""


def repeats(size: int) -> int:
    return 2 if size <= 10_000 else 1


def project_of(size: int, number: int) -> str:
    return f"bench-{size}-{number}"


def answered_of(size: int) -> str:
    return f"bench-{size}-answered"


def run(plan: Plan) -> dict[str, Any]:
    """Every measure of the plan; what is known so far is in `plan.out` after each."""
    told = {
        "begun": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "broker": plan.broker or "embedded",
        "sizes": {},
    }
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as name:
        folder = Path(name)
        ours(plan, folder, told)
        if plan.peer_sizes:
            peer(plan, folder, told)
    return told


def ours(plan: Plan, folder: Path, told: dict[str, Any]) -> None:
    database = databases.create(plan.kind, folder, databases.OURS)
    try:
        told["database"] = database.version()
        slugs = [project_of(size, number) for size in plan.sizes for number in range(repeats(size))]
        slugs += [answered_of(size) for size in plan.sizes]
        with Touchstone(database, folder, slugs, plan.broker) as touchstone, BareView(database, folder) as bare:
            for size in plan.sizes:
                here = told["sizes"].setdefault(str(size), {})
                measure(touchstone, bare, size, here, plan.steps, partial(keep, plan, told))
    finally:
        databases.drop(database)


def measure(
    touchstone: Touchstone,
    bare: BareView,
    size: int,
    here: dict[str, Any],
    steps: Sequence[str],
    kept: Callable[[], None],
) -> None:
    """One size: import, one annotator alone, sixteen at once, export with downloads, then every list."""
    for name in steps:
        say(f"{size} pairs: {name}")
        note: dict[str, Any] = {}
        with watched(note):
            here[name] = STEPS[name](touchstone, bare, size)
        here[name] |= note
        kept()


def imports(touchstone: Touchstone, bare: BareView, size: int) -> dict[str, Any]:
    path = data.write(touchstone.folder / f"rows-{size}.jsonl", size)
    seconds, floor = [], []
    together_mb = 0.0
    with touchstone.working() as worker:
        forget_peaks([worker.pid, touchstone.web.pid])
        for number in range(repeats(size)):
            with Sampled([worker.pid]) as sampled:
                seconds.append(touchstone.import_file(project_of(size, number), path, size))
            together_mb = max(together_mb, sampled.most_mb)
            floor.append(floors.import_floor(bare.database, project_of(size, number), touchstone.folder))
        peaks = {"worker_peak_mb": peak_mb([worker.pid]), "web_peak_mb": peak_mb([touchstone.web.pid])}
    return {
        "bytes_per_row": round(path.stat().st_size / size),
        "seconds": rounded(seconds),
        "rows_per_second": round(size / median(seconds)),
        "floor_seconds": rounded(floor),
        "floor_rows_per_second": round(size / median(floor)),
        **peaks,
        "worker_together_mb": together_mb,
    }


def alone(touchstone: Touchstone, bare: BareView, size: int) -> dict[str, Any]:
    slug = project_of(size, 0)
    pair: list[Annotator] = [touchstone.annotators(slug, ANNOTATORS[:1])[0], bare.readers(slug, 1)[0]]
    pairs = min(SERIAL_PAIRS, size // 2)
    ours, floor = in_turns(pair, pairs)
    return {**latencies(ours), "floor": latencies(floor)["next"]}


def crowds(touchstone: Touchstone, bare: BareView, size: int) -> dict[str, Any]:
    slug = project_of(size, repeats(size) - 1)
    ours = together(touchstone.annotators(slug, ANNOTATORS[1:]), CROWD_SECONDS)
    floor = together(bare.readers(slug, len(ANNOTATORS) - 1), CROWD_SECONDS)
    return {
        **ours,
        "floor": {name: floor[name] for name in ("per_second", "errors", "next")},
        "stored_twice": stored_twice(bare.database, slug),
    }


def stored_twice(database: Database, slug: str) -> int:
    """Tasks with more counted answers than their overlap, as the database has them."""
    sql = f"""
    SELECT COUNT(*) FROM (
      SELECT t.id FROM curation_task t
      JOIN curation_project p ON p.id = t.project_id
      JOIN curation_annotation a ON a.task_id = t.id
      WHERE p.slug = '{slug}' AND a.event = 'answer' AND a.counted
      GROUP BY t.id, t.overlap HAVING COUNT(*) > t.overlap
    ) doubled"""
    count: int = database.ask(sql)[0][0]
    return count


def exports(touchstone: Touchstone, bare: BareView, size: int) -> dict[str, Any]:
    """A version of a project where every pair is answered."""
    slug = answered_of(size)
    with touchstone.working():
        rows = data.write(touchstone.folder / f"answered-{size}.jsonl", size, votes=True)
        loading = touchstone.import_file(slug, rows, size)
    made = [touchstone.export(slug, f"export-{number}", size) for number in range(repeats(size))]
    jsonl, parquet = made[-1]["files"]
    floor = [floors.export_floor(jsonl, parquet, touchstone.folder) for _ in made]
    making, pulling = median(m["making"] for m in made), median(m["pulling"] for m in made)
    writing = median(f["jsonl"] + f["parquet"] for f in floor)
    return {
        "import_with_answers_rows_per_second": round(size / loading),
        "making_seconds": rounded([m["making"] for m in made]),
        "first_version_seconds": round(median(m["first"] for m in made), 3),
        "pulling_seconds": rounded([m["pulling"] for m in made]),
        "making_rows_per_second": round(size / making),
        "rows_per_second": round(size / (making + pulling)),
        "floor_seconds": {name: round(median(f[name] for f in floor), 4) for name in ("jsonl", "parquet")},
        "floor_rows_per_second": round(size / writing),
        "worker_mb": {k: max((m["worker_mb"][k] for m in made), key=lambda x: x or 0) for k in WORKER_MB},
        "web_peak_mb": max((m["web_peak_mb"] for m in made), key=lambda x: x or 0),
        "bytes": {path.name: path.stat().st_size for path in (jsonl, parquet)},
        "first_byte": touchstone.first_bytes(slug, "export-0"),
    }


def listings(touchstone: Touchstone, _bare: BareView, size: int) -> dict[str, Any]:
    """Every list of that project, once it is filled with all that a project may have."""
    calls = lists.measure(touchstone, answered_of(size), size)
    return {"calls": calls, "slowest": {kind: lists.slowest(calls, kind) for kind in lists.KINDS}}


STEPS = {"import": imports, "alone": alone, "together": crowds, "export": exports, "lists": listings}


def peer(plan: Plan, folder: Path, told: dict[str, Any]) -> None:
    """Label Studio with the same rows, on the same database server."""
    say("Label Studio: installing and starting")
    label_studio.install()
    database = databases.create(plan.kind, folder, databases.PEERS)
    try:
        with label_studio.LabelStudio(database, folder) as studio:
            told["label_studio"] = {"version": label_studio.version(), "command": studio.command}
            people = studio.annotators(len(ANNOTATORS))
            for size in plan.peer_sizes:
                here = told["sizes"].setdefault(str(size), {})
                peer_measure(studio, people, folder, size, told)
                here["label_studio"]["size"] = size
                keep(plan, told)
    finally:
        databases.drop(database)


def peer_measure(studio: Any, people: list[Any], folder: Path, size: int, told: dict[str, Any]) -> None:
    """One size of Label Studio: the same four measures."""
    here: dict[str, Any] = {}
    told["sizes"][str(size)]["label_studio"] = here
    path = data.write(folder / f"rows-{size}.jsonl", size)
    say(f"{size} pairs: Label Studio")
    with watched(here):
        project, seconds = studio.import_file(path)
        here["import"] = {"rows_per_second": round(size / seconds), "seconds": round(seconds, 3)}
        annotators = [label_studio.Annotator(client, project) for client in people]
        (shift,) = in_turns(annotators[:1], PEER_PAIRS, warm=5)
        here["alone"] = latencies(shift)
        here["together"] = together(annotators[1:], CROWD_SECONDS)
        here["export"] = peer_export(studio, folder, size, told)


def peer_export(studio: Any, folder: Path, size: int, told: dict[str, Any]) -> dict[str, Any]:
    """Its export of a project where every task is answered, unless it would take too long."""
    rates = [known_rate(sizes) for sizes in told["sizes"].values() if known_rate(sizes)]
    if rates and size / rates[-1] > PEER_EXPORT_MOST:
        return {"left_out": f"would take about {size / rates[-1]:.0f} s"}
    rows = data.write(folder / f"answered-{size}.jsonl", size, votes=True)
    project, _ = studio.import_file(rows, answered=True)
    made = studio.export(project, size)
    return {**made, "rows_per_second": round(size / made["seconds"], 1)}


def known_rate(sizes: dict[str, Any]) -> float:
    rate: float = sizes.get("label_studio", {}).get("export", {}).get("rows_per_second", 0)
    return rate


def rounded(seconds: list[float]) -> list[float]:
    return [round(value, 4) for value in seconds]


def keep(plan: Plan, told: dict[str, Any]) -> None:
    told["ended"] = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    plan.out.write_text(json.dumps(told, indent=1) + "\n")


def say(line: str) -> None:
    print(f"{dt.datetime.now():%H:%M:%S} {line}", file=sys.stderr, flush=True)
