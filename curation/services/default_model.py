"""Models that every installation has: the encoder `minilm`, and a small reward model trained on first use.

Method `train-default` trains on the sample pairs that Touchstone ships, with the labels of
`samples/helpfulness-labels.json`. It is small and says so: it is there so that pre-labels appear out of the box and
can be replaced by a better model, not to be relied upon.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.db import transaction

from curation.errors import Conflict
from curation.models import ModelVersion, Project, Run, User
from curation.services import inspecting, running
from curation.services.method import Method, Params
from curation.services.running import Report
from workers import weights
from workers.judging import Unusable
from workers.training import TRAIN, Job, trainers

SAMPLES = Path(__file__).parents[1] / "samples"
PAIRS, LABELS = SAMPLES / "helpfulness.jsonl", SAMPLES / "helpfulness-labels.json"
SAMPLE_PROJECT = "sample-helpfulness"
ENCODER, REWARD = "minilm", "default-reward"
METHOD_NAME = "train-default"
CARD = """# Default reward model

A reward model that Touchstone trained when it was first started, so that there is one to try. **Do not rely on it.**

| ranking by | right | of | 95 % interval |
|---|---:|---:|---|
| this model, on pairs that it was not trained on | {held[accuracy]:.2f} | {held[n]} | {held[range]} |
| "the longer response is better" | {longer[accuracy]:.2f} | {longer[n]} | {longer[range]} |

The first row is {folds}-fold cross-validation, whole prompts in a fold. The model itself was then trained on all \
{pairs} pairs, and ranks {trained_on:.0%} of these right: what it says of the sample project, whose pairs they are, \
looks better than it is.

**Data.** The pairs of `helpfulness.jsonl`, which Touchstone ships, short of those without a clear preference. One \
reader, a language model, labelled them; no person checked the labels. In most pairs one response is plainly wrong, so \
that real pairs are harder.

**Method.** A Bradley-Terry head on the frozen encoder all-MiniLM-L6-v2 (22.7 million parameters, mostly English): \
`workers/trainers/frozen_head.py`. Trained by run {run}, seed {seed}.
"""


class TrainParams(Params):
    pass


def ensure_builtin(user: User | None = None) -> ModelVersion:
    """The encoder that an installed package brings, looked at here and now: no worker and no network is needed."""
    version = ModelVersion.objects.filter(name=ENCODER, retired_at=None).order_by("-number").first()
    if version is not None and version.state == ModelVersion.State.READY:
        return version
    if version is None:
        version, _ = ModelVersion.objects.get_or_create(
            name=ENCODER,
            number=1,
            defaults={"kind": ModelVersion.Kind.EMBEDDER, "reference": "builtin:minilm", "created_by": user},
        )
    try:
        found = inspecting.look(version, lambda line: None)
    except Unusable as error:
        version.state, version.problem = ModelVersion.State.BROKEN, str(error)
    else:
        inspecting.keep(version, found)
        version.state, version.problem = ModelVersion.State.READY, ""
    version.save()
    return version


def ensure_default(user: User | None = None) -> Run | None:
    """Queue the training of the default reward model, unless there is one, one is being made, or it cannot be made."""
    if ModelVersion.objects.filter(name=REWARD).exists() or importlib.util.find_spec("torch") is None:
        return None
    if Run.objects.filter(method=METHOD_NAME, state__in=Run.LIVE).exists():
        return None
    return running.start(project=None, method=METHOD_NAME, params={}, user=user, unit="pairs")


def queue_defaults(user: User | None = None) -> None:
    """What `make run` asks for at each start; does nothing where everything is there."""
    ensure_builtin(user)
    if ensure_default(user) is None:
        prelabel_sample(user)


def pairs() -> Iterator[dict[str, Any]]:
    """The sample's pairs that have a clear preference, as rows of `trl-preference`."""
    values = orjson.loads(LABELS.read_bytes())["values"]
    for line in PAIRS.read_bytes().splitlines():
        row = orjson.loads(line)
        value = values.get(row["id"])
        if not value:
            continue
        prompt = row["prompt"]
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        first, second = (text if isinstance(text, str) else text["text"] for text in row["responses"])
        chosen, rejected = (first, second) if value < 0 else (second, first)
        sides = {"chosen": chosen, "rejected": rejected}
        yield {"prompt": messages} | {side: [{"role": "assistant", "content": text}] for side, text in sides.items()}


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Train, look at what came out as at any model, and register it; all of it again if the worker died midway."""
    job = job_of(run, report)
    out = job.model
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    try:
        metrics = trainers.get("frozen-head").train(job)
    except ImportError as error:
        raise Conflict(f"{error.name} is not installed on the worker: pip install -r requirements-models.txt") from None
    except Unusable as error:
        raise Conflict(str(error)) from None
    (out / "README.md").write_text(f"---\nlicense: apache-2.0\n---\n{card(run, metrics)}", encoding="utf-8")
    found = weights.inspect(weights.Folder(out), kind=ModelVersion.Kind.REWARD)
    with transaction.atomic():
        version = register(run, metrics, found)
        report.checkpoint(done=metrics["pairs"], total=metrics["pairs"])
    return {"model": version.pk, "name": str(version), **metrics}


def job_of(run: Run, report: Report) -> Job:
    """The sample's pairs as a file, and where the model is to go."""
    run.folder.mkdir(parents=True, exist_ok=True)
    (run.folder / "pairs.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in pairs()))
    lines = {TRAIN: "pairs.jsonl"}
    trainer = trainers.get("frozen-head")
    return Job(
        run.folder,
        trainer.reads[0],
        lines,
        None,
        run.folder,
        trainer.settings.model_validate({}),
        run.seed,
        log=report.log,
    )


def register(run: Run, metrics: dict[str, Any], found: weights.Found) -> ModelVersion:
    """The model as a version, made by the run; the same again if the run is done twice."""
    last = ModelVersion.objects.filter(name=REWARD).exclude(made_by=run).order_by("-number").first()
    version, _ = ModelVersion.objects.update_or_create(
        made_by=run,
        name=REWARD,
        defaults={
            "number": last.number + 1 if last else 1,
            "kind": ModelVersion.Kind.REWARD,
            "reference": f"run:{run.pk}",
            "config": {"template": "plain"},
            "fingerprint": found.fingerprint,
            "licence": found.licence,
            "card": found.card,
            "facts": {**found.facts, **metrics},
            "state": ModelVersion.State.READY,
            "created_by": run.created_by,
        },
    )
    return version


def card(run: Run, metrics: dict[str, Any]) -> str:
    def row(name: str) -> dict[str, Any]:
        return {**metrics[name], "range": f"{metrics[name]['low']:.2f} to {metrics[name]['high']:.2f}"}

    return CARD.format(
        held=row("cross_validated"),
        longer=row("longer_is_better"),
        folds=metrics["folds"],
        pairs=metrics["pairs"],
        trained_on=metrics["trained_on"],
        run=run.pk,
        seed=run.seed,
    )


def ended(run: Run) -> None:
    if run.state == Run.State.SUCCEEDED:
        prelabel_sample(run.created_by)


def prelabel_sample(user: User | None) -> Run | None:
    """Let the default reward model say what it prefers in the sample project, once."""
    from curation.services import starting
    from curation.services.methods import METHODS

    project = Project.objects.filter(slug=SAMPLE_PROJECT, deleted_at=None).first()
    version = (
        ModelVersion.objects.filter(name=REWARD, state=ModelVersion.State.READY, retired_at=None)
        .order_by("-number")
        .first()
    )
    if project is None or version is None or "prelabel" not in METHODS:
        return None
    if Run.objects.filter(project=project, method="prelabel").exists():
        return None
    return starting.start(project=project, method="prelabel", params={"model": version.pk}, user=user)


METHOD = Method(
    name=METHOD_NAME,
    title="Train the default reward model",
    about="A small reward model from the sample pairs that Touchstone ships.",
    params=TrainParams,
    unit="pairs",
    execute=execute,
    ended=ended,
    startable=False,
    needs_project=False,
)
