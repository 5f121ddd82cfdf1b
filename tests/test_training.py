"""A reward model trained from a dataset version, end to end: asked for, trained in a process, registered, used."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.errors import Invalid
from curation.models import ModelVersion, Project, Run, TrainingPoint
from curation.services import inspecting, running, starting
from tests.cast import Cast, make_pairs
from tests.test_freezing import answer_all, frozen
from tests.tiny import model, saved, tokenizer

pytestmark = pytest.mark.training
PAIRS = 40
QUICK = {"step_tokens": 256, "batch_tokens": 256, "max_length": 64, "learning_rate": 3e-3, "precision": "fp32"}


@pytest.fixture
def version(cast: Cast) -> Any:
    """Pairs of which the second response was always preferred: `Answer 1 to 7` over `Answer 0 to 7`."""
    make_pairs(cast.project, PAIRS)
    answer_all(cast, "ann", *[2] * PAIRS)
    return frozen(cast, splits={"train": 0.75, "test": 0.25})


@pytest.fixture
def base(cast: Cast, tmp_path: Path) -> ModelVersion:
    return encoder(cast.project, tmp_path / "base")


def encoder(project: Project, folder: Path) -> ModelVersion:
    """A tiny encoder that knows the words of `make_pairs`, checked like any model."""
    words = ["Question", "Answer", "to", *(f"{n}?" for n in range(PAIRS)), *(str(n) for n in range(PAIRS))]
    tokens = tokenizer(words, pairs=True)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    made = model("BertModel", len(tokens), **sizes, type_vocab_size=2)
    found = ModelVersion.objects.create(
        name="tiny", kind="embedder", reference=saved(folder, made, tokens), project=project, state="ready"
    )
    inspecting.keep(found, inspecting.look(found, lambda line: None))
    found.save()
    return found


def trained(cast: Cast, method: str, **params: Any) -> Run:
    run = starting.start(project=cast.project, method=method, params={**QUICK, **params}, user=cast.olga, seed=1)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def test_a_reward_model_learns_what_people_prefer_and_can_be_used_at_once(
    cast: Cast, version: Any, base: ModelVersion
) -> None:
    run = trained(cast, "train-bradley-terry", base=base.pk, name="liked", epochs=12)
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    assert run.params["dataset"] == "prefs@1"
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert (made.name, made.kind, made.state, made.project) == ("liked", "reward", "ready", cast.project)
    assert made.made_by == run and made.facts["trained"]["held_out"]["accuracy"] == 1.0
    assert "prefs@1" in made.card and "bradley-terry" in made.card
    assert not (run.folder / "checkpoints").exists()
    points = list(TrainingPoint.objects.filter(run=run))
    assert points[-1].step == run.total == run.done
    assert {"loss", "learning_rate", "accuracy", "margin"} <= points[0].values.keys()
    assert points[-1].values["loss"] < points[0].values["loss"]
    assert any("held_out_accuracy" in point.values for point in points)
    scored = starting.start(project=cast.project, method="score", params={"model": made.pk}, user=cast.olga)
    from tests.sharded import through

    assert through(scored).state == Run.State.SUCCEEDED


def test_what_cannot_be_trained_is_refused_by_the_name_of_its_field(
    cast: Cast, version: Any, base: ModelVersion
) -> None:
    for params, field in [
        ({"dataset": "prefs@7"}, "params.dataset"),
        ({"dataset": "nothing"}, "params.dataset"),
        ({"base": 999_999}, "params.base"),
        ({"base": base.pk, "name": "Not a name"}, "params.name"),
        ({"base": base.pk, "learning_rate": -1}, "params.learning_rate"),
        ({"base": base.pk, "unheard": 1}, "params.unheard"),
    ]:
        with pytest.raises(Invalid) as error:
            starting.start(project=cast.project, method="train-bradley-terry", params=params, user=cast.olga)
        assert error.value.field == field


def test_a_training_that_dies_says_its_last_words(cast: Cast, version: Any, base: ModelVersion) -> None:
    (Path(base.reference.removeprefix("hf:")) / "model.safetensors").write_bytes(b"no weights")
    run = trained(cast, "train-bradley-terry", base=base.pk)
    assert run.state == Run.State.FAILED and not ModelVersion.objects.filter(made_by=run).exists()
    assert run.error


@pytest.mark.django_db(transaction=True)
def test_a_training_that_is_cancelled_ends_its_process(cast: Cast, version: Any, base: ModelVersion) -> None:
    run = starting.start(
        project=cast.project,
        method="train-bradley-terry",
        params={**QUICK, "base": base.pk, "epochs": 100, "save_every": 5},
        user=cast.olga,
    )
    Run.objects.filter(pk=run.pk).update(cancel_requested=False)
    import threading

    def stop_it() -> None:
        from django.db import connection

        while not TrainingPoint.objects.filter(run=run).exists():
            time.sleep(0.1)
        Run.objects.filter(pk=run.pk).update(cancel_requested=True)
        connection.close()

    stopper = threading.Thread(target=stop_it)
    stopper.start()
    running.execute(str(run.pk))
    stopper.join()
    run.refresh_from_db()
    assert run.state == Run.State.CANCELLED
    assert trainings(run) == []


def trainings(run: Run) -> list[int]:
    """Processes that train for this run."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(run.folder).encode() in one.read_bytes():
                found.append(int(one.parent.name))
        except OSError:
            continue
    return found


def test_a_killed_training_goes_on_from_its_checkpoint_and_ends_the_same(
    cast: Cast, version: Any, base: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curation.services.training import performing

    params = {"base": base.pk, "epochs": 20, "save_every": 5}
    whole = trained(cast, "train-bradley-terry", name="whole", **params)
    assert whole.state == Run.State.SUCCEEDED, whole.error

    class Killed(BaseException):
        pass

    taking = performing.take

    def kill(run: Run, report: Any, lines: Any) -> None:
        taking(run, report, lines)
        if list(run.folder.glob("checkpoints/checkpoint-*/touchstone-whole")):
            for pid in trainings(run):
                os.kill(pid, signal.SIGKILL)
            raise Killed

    run = starting.start(
        project=cast.project,
        method="train-bradley-terry",
        params={**QUICK, **params, "name": "broken"},
        user=cast.olga,
        seed=1,
    )
    with monkeypatch.context() as patch:
        patch.setattr(performing, "take", kill)
        patch.setattr(performing, "LOOKED", 0.01)
        with pytest.raises(Killed):
            running.execute(str(run.pk))
    Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED, holder="", lease_until=None)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error
    assert "going on from checkpoint-" in running.log_of(run)
    assert run.result["held_out"] == whole.result["held_out"]
    steps = list(TrainingPoint.objects.filter(run=run).values_list("step", flat=True))
    assert len(steps) == len(set(steps)) and steps[-1] == whole.total


def test_two_processes_learn_together(
    cast: Cast, version: Any, base: ModelVersion, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings.TRAIN_LAUNCH = f"{sys.executable} -m torch.distributed.run --standalone --nproc_per_node 2"
    run = trained(cast, "train-bradley-terry", base=base.pk, name="two", epochs=12)
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    alone = trained_alone_in(run)
    assert run.total == -(-alone // 2), "each does every second step of the plan"
    assert run.result["held_out"]["accuracy"] == 1.0
    assert not list(run.folder.glob("process-*"))


def trained_alone_in(run: Run) -> int:
    """How many steps one process would take."""
    from workers.nn.fitting import plan
    from workers.nn.pairs import Encoded, Reading, opened
    from workers.training import TRAIN, Job, trainers

    given = orjson.loads((run.folder / "job.json").read_bytes())
    own = trainers.get("bradley-terry").settings.model_validate(given["settings"])
    place = Path(given["base"]["reference"].removeprefix("hf:"))
    job = Job(Path(given["folder"]), given["target"], given["lines"], place, run.folder, own, given["seed"])
    model, tokenizer = opened(job)
    _, texts = Encoded(job, tokenizer, model).split(TRAIN)
    reading = Reading(model, tokenizer, own.shared_prefix)
    return len(plan([reading.size(both) for both in texts], own, job.seed))
