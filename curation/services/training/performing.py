"""The process that trains, watched: its progress into the database, its end into a model version.

It is a process of its own, so that its memory is gone with it, and so that `accelerate launch` can start several
(TOUCHSTONE_TRAIN_LAUNCH). It ends when this worker does; another attempt goes on from its last whole checkpoint.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from curation.errors import Conflict
from curation.models import DatasetVersion, ModelVersion, Run, TrainingPoint
from curation.services import candidates
from curation.services.desk import asked
from curation.services.running import Report
from curation.services.training.asking import trainer_of
from curation.services.training.registering import register
from workers import weights
from workers.judging import Unusable

LOOKED = 0.5
"""Seconds between two looks at the process."""
PATIENCE = 10.0
"""Seconds that it has to end when it is asked to."""
LAST_WORDS = 2000


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Train, look at what came out as at any model, and register it."""
    folder = run.folder
    folder.mkdir(parents=True, exist_ok=True)
    describe(run, folder)
    done = folder / "done.json"
    if not done.exists():
        shutil.rmtree(folder / "model", ignore_errors=True)
        watch(run, report, folder)
    told = orjson.loads(done.read_bytes())
    if "error" in told:
        done.unlink()
        raise Conflict(told["error"])
    trainer = trainer_of(run)
    try:
        found = weights.inspect(weights.Folder(folder / "model"), kind=trainer.makes)
    except Unusable as error:
        raise Conflict(f"what came out is no {trainer.makes} model: {error}") from None
    with transaction.atomic():
        version = register(run, trainer, told["metrics"], found)
        report.checkpoint(done=run.total or run.done, total=run.total)
    for left in (folder / "checkpoints", *folder.glob("process-*")):
        shutil.rmtree(left, ignore_errors=True)
    return {"model": version.pk, "name": str(version), **told["metrics"]}


def describe(run: Run, folder: Path) -> None:
    """Write what the process is to do. Raises Conflict when the version is not there any more."""
    version = version_of(run)
    trainer = trainer_of(run)
    own = {name: run.params[name] for name in trainer.settings.model_fields if name in run.params}
    base = ModelVersion.objects.select_related("made_by").get(pk=run.params["base"]) if run.params.get("base") else None
    job = {
        "trainer": trainer.name,
        "folder": str(version.folder),
        "target": version.target,
        "lines": {split: f"{split}.jsonl" for split in version.filled_splits},
        "base": asdict(candidates.spec_of(base)) if base else None,
        "template": base.config.get("template", "") if base else "",
        "protocol": asked_in(version),
        "settings": own,
        "seed": run.seed,
    }
    (folder / "job.json").write_bytes(orjson.dumps(job, option=orjson.OPT_INDENT_2))


def version_of(run: Run) -> DatasetVersion:
    name, _, number = run.params["dataset"].partition("@")
    found = DatasetVersion.objects.select_related("dataset__project").get(
        dataset__project=run.project, dataset__name=name, number=int(number)
    )
    if found.state != DatasetVersion.State.READY:
        raise Conflict(f"{found} is not ready")
    return found


def asked_in(version: DatasetVersion) -> dict[str, Any]:
    """What the people were asked whose answers are in a version, as critics are asked it."""
    number = version.lineage.get("protocol")
    protocol = version.dataset.project.protocols.filter(version=number).first() if number else None
    if protocol is None:
        return {}
    shape = asked(protocol).model_dump()
    names = ("unit", "critiques", "questions")
    return {**{name: shape[name] for name in names}, "guidelines": protocol.guidelines}


def watch(run: Run, report: Report, folder: Path) -> None:
    """Start the process and follow it to its end. Raises Conflict in its last words when it dies."""
    process = subprocess.Popen(
        [*launcher(), "-m", "workers.trainers", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr.txt").open("wb"),
        cwd=settings.BASE_DIR,
        start_new_session=True,
    )
    lines = told_in(folder / "progress.jsonl")
    try:
        while process.poll() is None:
            take(run, report, lines)
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOKED)
        take(run, report, lines)
    finally:
        end(process)
    if not (folder / "done.json").exists():
        words = (folder / "stderr.txt").read_bytes()[-LAST_WORDS:].decode("utf-8", "replace").strip()
        report.log(words)
        raise Conflict(f"the training died ({process.returncode}): {words.splitlines()[-1] if words else 'no words'}")


def launcher() -> list[str]:
    """`python`, or what the administrator says: `accelerate launch --num_processes 4`."""
    return shlex.split(settings.TRAIN_LAUNCH) or [sys.executable]


def told_in(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The whole lines that were added to a file since the last look, for ever."""
    place = path.stat().st_size if path.exists() else 0
    rest = b""
    while True:
        if path.exists():
            with path.open("rb") as file:
                file.seek(place)
                new = file.read()
            place += len(new)
            *whole, rest = (rest + new).split(b"\n")
            yield [orjson.loads(line) for line in whole if line]
        else:
            yield []


def take(run: Run, report: Report, lines: Iterator[list[dict[str, Any]]]) -> None:
    """Keep what was told since the last look; raises Cancelled when the run is to stop."""
    new = next(lines)
    points: dict[int, dict[str, float]] = {}
    step, steps = run.done, run.total
    for line in new:
        if "log" in line:
            report.log(line["log"])
        else:
            step, steps = line["step"], line["steps"]
            if line["values"]:
                points.setdefault(step, {}).update(line["values"])
    with transaction.atomic():
        keep(run, points)
        report.checkpoint(done=step, total=steps)


def keep(run: Run, points: dict[int, dict[str, float]]) -> None:
    """The numbers of steps; a step that is done again after a restart counts once."""
    known = {point.step: point for point in TrainingPoint.objects.filter(run=run, step__in=points)}
    for step, values in points.items():
        point = known.get(step) or TrainingPoint(run=run, step=step)
        point.values = {**point.values, **values}
        point.save()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and see to it."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
