"""Models are registered by reference, looked at by a worker, and refused where they could run code or do not fit."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from curation.errors import Conflict, Forbidden, Invalid, NotFound
from curation.models import ModelVersion, Run
from curation.services import candidates, model_config, registry, running, starting
from tests import hub as hubs
from tests.cast import Cast, make_project
from tests.models import files, laid, safetensors
from workers import references
from workers.judging import judges


def registered(cast: Cast, reference: str, kind: str = "reward", **more: Any) -> ModelVersion:
    return registry.register(name="tiny", kind=kind, reference=reference, user=cast.ada, **more)


def looked_at(version: ModelVersion) -> ModelVersion:
    """After a worker did what is queued for it."""
    run = Run.objects.filter(model=version, method="check-model", state__in=Run.LIVE).get()
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error
    version.refresh_from_db()
    return version


def problem(cast: Cast, folder: Path, given: dict[str, bytes], kind: str = "reward", **more: Any) -> str:
    """What is said against a model; it must be something."""
    version = looked_at(registered(cast, laid(folder, given), kind, **more))
    assert version.state == ModelVersion.State.BROKEN
    return version.problem


# --- References and configuration -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scheme", "place", "extra"),
    [
        ("hf:Skywork/Reward-V2", "hf", "Skywork/Reward-V2", ""),
        ("hf:gpt2@main", "hf", "gpt2", "main"),
        ("hf:/srv/models/rm", "hf", "/srv/models/rm", ""),
        ("builtin:minilm", "builtin", "minilm", ""),
        ("openai:http://localhost:8001/v1/#Qwen/Qwen3-8B", "openai", "http://localhost:8001/v1", "Qwen/Qwen3-8B"),
        ("run:4b1c8d66-0b5c-4bfb-8f0f-6f3e6a3f3b43", "run", "4b1c8d66-0b5c-4bfb-8f0f-6f3e6a3f3b43", ""),
        ("program:length", "program", "length", ""),
    ],
)
def test_a_reference_is_taken_apart(text: str, scheme: str, place: str, extra: str) -> None:
    assert references.parse(text) == references.Reference(scheme, place, extra)


@pytest.mark.parametrize(
    "text",
    [
        "", "gpt2", "s3:bucket", "hf:", "hf:../../etc", "hf:a/b/c", "hf:/srv/../etc", "hf:a/b@-x", "builtin:bert",
        "openai:file:///etc/passwd#x", "openai:http://host/v1", "openai:http://u:p@host/v1#x", "run:7", "program:A b",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=".+"):
        references.parse(text)


@pytest.mark.parametrize(
    ("kind", "config", "word"),
    [
        ("reward", {"max_length": 4}, "max_length"),
        ("reward", {"beta": 0.1}, "beta: unknown"),
        ("reward", {"members": ["openai:http://h/v1#x"]}, "members"),
        ("implicit", {}, "reference_model: needed"),
        ("implicit", {"reference_model": "program:length"}, "reference_model"),
        ("critic", {"key_env": "PATH"}, "key_env"),
        ("critic", {"key_env": "SECRET_KEY"}, "key_env"),
        ("embedder", {"dtype": "int4"}, "dtype"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_key(kind: str, config: dict[str, Any], word: str) -> None:
    with pytest.raises(Invalid) as refused:
        model_config.checked(kind, config)
    assert refused.value.field == "config" and word in refused.value.detail


def test_only_what_was_said_is_stored() -> None:
    assert model_config.checked("critic", {"temperature": 0.7}) == {"temperature": 0.7}


def test_every_key_that_a_judge_reads_can_be_configured() -> None:
    for judge in judges:
        known = model_config.CONFIGS.get(judge.name)
        assert known is None or set(judge.config) <= set(known.model_fields), judge.name


# --- Registering ------------------------------------------------------------------------------------


def test_versions_of_a_name_are_numbered_and_each_is_checked(cast: Cast, tmp_path: Path) -> None:
    reference = laid(tmp_path, files())
    first, second = registered(cast, reference), registered(cast, reference)
    assert (first.number, second.number, str(second)) == (1, 2, "tiny v2")
    assert Run.objects.filter(method="check-model").count() == 2
    assert first.state == ModelVersion.State.NEW


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Tiny Model"}, "name"),
        ({"kind": "judge"}, "kind"),
        ({"reference": "nowhere"}, "reference"),
        ({"reference": "openai:http://h/v1#x"}, "reference"),
        ({"reference": "run:4b1c8d66-0b5c-4bfb-8f0f-6f3e6a3f3b43"}, "reference"),
        ({"reference": "hf:/srv/rm", "revision": "main"}, "revision"),
        ({"revision": "--upload"}, "revision"),
        ({"config": {"max_length": 0}}, "config"),
        ({"trust": "another"}, "trust"),
    ],
)
def test_what_is_wrong_is_named(cast: Cast, changes: dict[str, Any], field: str) -> None:
    given = {"name": "tiny", "kind": "reward", "reference": "hf:a/b", "user": cast.ada} | changes
    with pytest.raises(Invalid) as refused:
        registry.register(**given)
    assert refused.value.field == field
    assert not ModelVersion.objects.exists()


def test_only_an_administrator_lets_code_run(cast: Cast) -> None:
    cast.mia.is_staff = True
    with pytest.raises(Forbidden):
        registry.register(name="tiny", kind="reward", reference="hf:a/b", trust="tiny", user=cast.mia)


def test_a_model_of_a_project_is_known_to_its_readers_only(cast: Cast, tmp_path: Path) -> None:
    mine = registered(cast, laid(tmp_path, files()), project=cast.project)
    other = registered(cast, laid(tmp_path, files()), project=make_project("other"))
    everybody = registered(cast, laid(tmp_path, files()))
    assert set(registry.visible(cast.vic)) == {mine, everybody}
    assert set(registry.visible(cast.ann)) == {everybody}, "an annotator must not learn which models judge"
    assert set(registry.visible(cast.zed)) == {everybody}
    assert set(registry.visible(cast.ada)) == {mine, other, everybody}
    with pytest.raises(NotFound):
        registry.find(cast.vic, other.pk)
    with pytest.raises(Forbidden):
        registry.for_staff(cast.vic, mine.pk)


def test_what_a_run_of_a_project_trained_stays_in_it(cast: Cast) -> None:
    run = Run.objects.create(project=cast.project, method="train", state=Run.State.SUCCEEDED)
    laid(run.folder / "model", files())
    version = looked_at(registered(cast, f"run:{run.pk}"))
    assert version.project == cast.project and version.made_by == run
    assert version.state == ModelVersion.State.READY
    with pytest.raises(Invalid, match="another project"):
        registered(cast, f"run:{run.pk}", project=make_project("other"))


def test_people_cannot_start_checks_by_name_in_a_project(cast: Cast) -> None:
    for method in ("check-model", "try-model", "train-default"):
        with pytest.raises(Invalid, match="no method"):
            starting.start(project=cast.project, method=method, params={"model": 1}, user=cast.mia)


def test_a_retired_model_is_checked_no_more(cast: Cast, tmp_path: Path) -> None:
    version = registry.retire(looked_at(registered(cast, laid(tmp_path, files()))))
    with pytest.raises(Conflict, match="retired"):
        registry.retire(version)
    with pytest.raises(Conflict, match="retired"):
        registry.check(version, user=cast.ada)


def test_one_check_at_a_time(cast: Cast, tmp_path: Path) -> None:
    version = registered(cast, laid(tmp_path, files()))
    with pytest.raises(Conflict, match="being checked"):
        registry.check(version, user=cast.ada)


# --- Looking at folders -----------------------------------------------------------------------------


def test_a_good_model_is_ready_with_its_facts(cast: Cast, tmp_path: Path) -> None:
    version = looked_at(registered(cast, laid(tmp_path, files())))
    assert version.state == ModelVersion.State.READY and version.problem == ""
    assert version.facts["architecture"] == "BertForSequenceClassification"
    assert version.facts["parameters"] == 6 and version.facts["stored_as"] == {"F32": 6}
    assert version.facts["max_positions"] == 128 and version.facts["labels"] == ["reward"]
    assert version.licence == "mit" and version.card.startswith("# A tiny model")
    assert len(version.fingerprint) == 64


def test_pickled_weights_are_refused_by_their_names(cast: Cast, tmp_path: Path) -> None:
    given = files() | {"pytorch_model.bin": pickle.dumps({"weight": [1.0]})}
    del given["model.safetensors"]
    assert "pytorch_model.bin" in problem(cast, tmp_path, given)


def test_a_pickle_beside_safetensors_is_told_and_never_read(cast: Cast, tmp_path: Path) -> None:
    version = looked_at(registered(cast, laid(tmp_path, files() | {"training_args.bin": b"\x80\x04boom"})))
    assert version.state == ModelVersion.State.READY
    assert version.facts["never_read"] == ["training_args.bin"]


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json"])
def test_own_code_is_refused_until_an_administrator_types_the_name(cast: Cast, tmp_path: Path, place: str) -> None:
    given = files("MyRewardModel")
    told = json.loads(given.get(place, b"{}")) | {"auto_map": {"AutoModel": "modeling.MyModel"}}
    given |= {place: json.dumps(told).encode(), "modeling.py": b"raise SystemExit('it ran')"}
    version = looked_at(registered(cast, laid(tmp_path, given)))
    assert version.state == ModelVersion.State.BROKEN and "modeling.py" in version.problem
    with pytest.raises(Invalid):
        registry.trust(version, typed="Tiny", user=cast.ada)
    registry.trust(version, typed="tiny", user=cast.ada)
    assert looked_at(version).state == ModelVersion.State.READY
    assert version.trusted_code and version.facts["own_code"] == ["modeling.py", "modeling.MyModel"]


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("reward", "BertForTokenClassification"),
        ("cost", "LlamaForCausalLM"),
        ("token", "BertForSequenceClassification"),
        ("step", "BertModel"),
        ("critic", "BertForSequenceClassification"),
        ("policy", "BertModel"),
    ],
)
def test_an_architecture_must_fit_its_kind(cast: Cast, tmp_path: Path, kind: str, architecture: str) -> None:
    assert architecture in problem(cast, tmp_path, files(architecture), kind)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [("token", "BertForTokenClassification"), ("critic", "Qwen3ForCausalLM"), ("policy", "GPT2LMHeadModel"),
     ("embedder", "BertModel"), ("cost", "LlamaForSequenceClassification")],
)  # fmt: skip
def test_a_fitting_architecture_is_taken(cast: Cast, tmp_path: Path, kind: str, architecture: str) -> None:
    assert looked_at(registered(cast, laid(tmp_path, files(architecture)), kind)).state == ModelVersion.State.READY


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model.safetensors": b"\x00" * 40}, "no safetensors file"),
        ({"model.safetensors": safetensors(weight=(4,))[:-3]}, "not complete"),
        ({"model.safetensors": b"\xff" * 8 + b"{}"}, "no safetensors file"),
        ({"config.json": b"{"}, "config.json"),
        ({"config.json": b"[]"}, "config.json"),
        ({"config.json": None}, "config.json"),
        ({"tokenizer.json": None}, "tokenizer"),
        ({"model.safetensors": None}, "no model.safetensors"),
        ({"config.json": None, "adapter_config.json": b"{}"}, "adapter"),
        ({"model.safetensors.index.json": b'{"weight_map": {"w": "model-1.safetensors"}}'}, "model-1.safetensors"),
    ],
)
def test_what_is_missing_or_torn_is_said(cast: Cast, tmp_path: Path, change: dict[str, Any], word: str) -> None:
    given = {name: data for name, data in (files() | change).items() if data is not None}
    assert word in problem(cast, tmp_path, given)


def test_a_folder_that_is_not_there_is_said(cast: Cast, tmp_path: Path) -> None:
    version = looked_at(registered(cast, f"hf:{tmp_path}/nothing"))
    assert "no folder" in version.problem


def test_a_version_whose_files_changed_is_no_longer_used(cast: Cast, tmp_path: Path) -> None:
    version = looked_at(registered(cast, laid(tmp_path, files())))
    before = version.fingerprint
    laid(tmp_path, {"model.safetensors": safetensors(weight=(2, 2), bias=(3,))})
    registry.check(version, user=cast.ada)
    assert looked_at(version).state == ModelVersion.State.BROKEN
    assert "not those that were checked" in version.problem and version.fingerprint == before


def test_heads_are_as_many_as_outputs(cast: Cast, tmp_path: Path) -> None:
    assert "2 heads" in problem(cast, tmp_path, files(), config={"heads": ["helpful", "safe"]})


def test_members_of_an_ensemble_are_held_to_the_same_rules(cast: Cast, tmp_path: Path) -> None:
    good = laid(tmp_path / "a", files())
    bad = files() | {"pytorch_model.bin": b"x"}
    del bad["model.safetensors"]
    version = registered(cast, good, config={"members": [laid(tmp_path / "b", bad)]})
    assert "pytorch_model.bin" in looked_at(version).problem
    version = looked_at(registered(cast, good, config={"members": [laid(tmp_path / "c", files())]}))
    assert version.state == ModelVersion.State.READY
    assert version.facts["with"][0]["architecture"] == "BertForSequenceClassification"


def test_programs_are_known_by_the_shelf(cast: Cast) -> None:
    assert looked_at(registered(cast, "program:length")).state == ModelVersion.State.READY
    assert "brevity, length" in looked_at(registered(cast, "program:nonsense")).problem


# --- The Hub ----------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[hubs.Hub]:
    with hubs.serving() as (hub, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield hub


def test_a_model_on_the_hub_is_pinned_to_its_commit(cast: Cast, hub: hubs.Hub) -> None:
    hub.repositories["owner/rm"] = files() | {"big.safetensors": bytes(100)}
    version = looked_at(registered(cast, "hf:owner/rm@main"))
    assert version.state == ModelVersion.State.READY, version.problem
    assert version.reference == "hf:owner/rm" and version.revision == hubs.SHA
    assert version.facts["parameters"] == 6 and version.licence == "mit"
    assert not any("resolve/main" in path for path in hub.asked), "files are read at the commit"
    first = version.fingerprint
    registry.check(version, user=cast.ada)
    assert looked_at(version).fingerprint == first
    assert any(path.endswith(f"/revision/{hubs.SHA}?blobs=true") for path in hub.asked)


def test_the_hubs_refusals_are_said_in_words(cast: Cast, hub: hubs.Hub) -> None:
    assert "no owner/none on the Hub" in looked_at(registered(cast, "hf:owner/none")).problem
    hub.repositories["owner/rm"] = files()
    assert "no such revision" in looked_at(registered(cast, "hf:owner/rm", revision="v9")).problem
    hub.repositories["owner/pickled"] = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    assert "pytorch_model.bin" in looked_at(registered(cast, "hf:owner/pickled")).problem


def test_without_a_network_a_new_model_waits_and_a_checked_one_stays(
    cast: Cast, hub: hubs.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["owner/rm"] = files()
    ready = looked_at(registered(cast, "hf:owner/rm"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in looked_at(registered(cast, "hf:owner/other")).problem
    run = registry.check(ready, user=cast.ada)
    running.execute(str(run.pk))
    run.refresh_from_db()
    ready.refresh_from_db()
    assert run.state == Run.State.FAILED and "cannot be reached" in run.error
    assert ready.state == ModelVersion.State.READY


# --- Servers ----------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, Any]]]:
    """An OpenAI-compatible server's list of models; what it does is set in the dict."""
    told: dict[str, Any] = {"status": 200, "body": {"data": [{"id": "critic-8b"}]}, "seen": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told["seen"].append((self.path, self.headers.get("Authorization")))
            self.send_response(told["status"])
            if told["status"] == 302:
                self.send_header("Location", "/v1/elsewhere")
            self.end_headers()
            self.wfile.write(json.dumps(told["body"]).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"openai:http://127.0.0.1:{server.server_port}/v1", told
    server.shutdown()
    server.server_close()


def test_a_server_is_asked_what_it_serves(cast: Cast, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    base, told = server
    monkeypatch.setenv("TOUCHSTONE_MODEL_KEY_A", "sesame")
    config = {"key_env": "TOUCHSTONE_MODEL_KEY_A"}
    version = looked_at(registered(cast, f"{base}#critic-8b", "critic", config=config))
    assert version.state == ModelVersion.State.READY, version.problem
    assert told["seen"] == [("/v1/models", "Bearer sesame")]
    assert "sesame" not in json.dumps([version.facts, version.config])
    assert "it has: critic-8b" in looked_at(registered(cast, f"{base}#other", "critic")).problem


def test_a_server_that_refuses_or_sends_elsewhere_is_not_followed(cast: Cast, server: Any) -> None:
    base, told = server
    for status, word in [(401, "wants a key"), (500, "500"), (302, "302")]:
        told["status"] = status
        assert word in looked_at(registered(cast, f"{base}#critic-8b", "critic")).problem
    assert {path for path, _ in told["seen"]} == {"/v1/models"}
    told |= {"status": 200, "body": "hello"}
    assert "does not serve" in looked_at(registered(cast, f"{base}#critic-8b", "critic")).problem


def test_a_server_that_is_away_or_a_key_that_is_missing_is_said(cast: Cast) -> None:
    reference = "openai:http://127.0.0.1:9/v1#x"
    assert "does not answer" in looked_at(registered(cast, reference, "critic")).problem
    version = registered(cast, reference, "critic", config={"key_env": "TOUCHSTONE_MODEL_KEY_NONE"})
    assert "TOUCHSTONE_MODEL_KEY_NONE" in looked_at(version).problem


def test_what_an_ensemble_or_a_comparison_names_is_pinned_too(cast: Cast, hub: hubs.Hub) -> None:
    hub.repositories["owner/a"] = files()
    hub.repositories["owner/b"] = files() | {"merges.txt": b"x"}
    version = looked_at(registered(cast, "hf:owner/a", config={"members": ["hf:owner/a", "hf:owner/b"]}))
    assert version.config["members"] == [f"hf:owner/a@{hubs.SHA}", f"hf:owner/b@{hubs.SHA}"]
    before = version.fingerprint
    registry.check(version, user=cast.ada)
    assert looked_at(version).state == ModelVersion.State.READY and version.fingerprint == before
    spec = candidates.spec_of(version)
    assert spec.config["members"] == version.config["members"] and spec.revision == hubs.SHA


def test_members_made_by_runs_are_found_in_the_runs_folders(cast: Cast, tmp_path: Path) -> None:
    run = Run.objects.create(method="train", state=Run.State.SUCCEEDED)
    laid(run.folder / "model", files())
    reference = f"run:{run.pk}"
    version = looked_at(registered(cast, laid(tmp_path / "a", files()), config={"members": [reference]}))
    assert version.state == ModelVersion.State.READY, version.problem
    assert candidates.spec_of(version).config["folders"] == {reference: str(run.folder / "model")}
