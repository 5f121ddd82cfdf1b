"""Loading: what is refused in words, and what a model is loaded as."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.networks import network
from workers.judging import Given, Spec, Unusable, judges

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network("bert", tmp_path_factory.mktemp("bert"))


def copied(source: Path, target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def spec(place: Any, kind: str = "reward", **more: Any) -> Spec:
    return Spec(1, kind, place if isinstance(place, str) else f"hf:{place}", **more)


def refusal(one: Spec) -> str:
    with pytest.raises(Unusable) as raised:
        judges.get(one.kind).open(one)
    return str(raised.value)


def test_pickled_weights_are_refused_even_under_an_inviting_name(bert: Path, tmp_path: Path) -> None:
    import torch

    folder = copied(bert, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    assert "pickled" in refusal(spec(folder))
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    assert "cannot be loaded" in refusal(spec(folder))


def test_code_of_the_models_own_runs_only_when_it_is_trusted(bert: Path, tmp_path: Path) -> None:
    folder = copied(bert, tmp_path / "coded")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    assert "own Python code" in refusal(spec(folder))
    assert not (tmp_path / "ran").exists()


def test_a_model_without_a_reward_head_is_no_reward_model(tmp_path: Path) -> None:
    assert "no reward head" in refusal(spec("builtin:minilm"))
    folder = network("llama", tmp_path / "policy", task="CausalLM")
    assert "no reward head" in refusal(spec(folder))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "no folder" in refusal(spec(tmp_path / "nowhere"))
    assert "no config.json" in refusal(spec(empty_with_weights(tmp_path)))
    assert "left no folder" in refusal(spec("run:6a0e9e0e-2f6a-4f1c-8d61-0c1f6d1f8a11"))
    assert "no built-in model" in refusal(spec("builtin:maxi"))
    assert "names no weights" in refusal(spec("openai:http://127.0.0.1:1/v1#m"))


def empty_with_weights(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_the_hub_out_of_reach_is_said_in_words(monkeypatch: Any) -> None:
    import huggingface_hub

    def unreachable(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    assert "Hub cannot be reached" in refusal(spec("hf:some/model"))


def test_only_safetensors_and_texts_are_fetched_at_the_pinned_revision(bert: Path, monkeypatch: Any) -> None:
    import huggingface_hub

    asked: dict[str, Any] = {}

    def download(name: str, **kwargs: Any) -> str:
        asked.update(kwargs, name=name)
        return str(bert)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    judges.get("reward").open(spec("hf:some/model", revision="abc123"))
    assert (asked["name"], asked["revision"]) == ("some/model", "abc123")
    assert not any(pattern.endswith((".bin", ".pt", ".py", "*")) for pattern in asked["allow_patterns"])


def test_a_trained_run_is_read_from_its_folder(bert: Path) -> None:
    opened = judges.get("reward").open(spec("run:6a0e9e0e-2f6a-4f1c-8d61-0c1f6d1f8a11", folder=str(bert)))
    assert opened.device == "cpu"


def test_the_number_format_is_bf16_only_where_the_processor_multiplies_it(bert: Path, monkeypatch: Any) -> None:
    import torch

    from workers.nn import loading

    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert loading.dtype_of("auto", cpu) == torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert loading.dtype_of("auto", cpu) == torch.bfloat16
    assert next(loading.load(spec(bert)).model.parameters()).dtype == torch.bfloat16
    assert "number format" in refusal(spec(bert, config={"dtype": "fp16"}))


def test_the_shortest_limit_counts(bert: Path, tmp_path: Path) -> None:
    from workers.nn.loading import load

    assert load(spec(bert)).max_length == 512
    assert load(spec(bert, config={"max_length": 60})).max_length == 60
    assert load(spec(bert, config={"max_length": 10_000})).max_length == 512
    assert load(spec(network("roberta", tmp_path / "roberta"))).max_length == 511


def test_the_built_in_encoder_embeds(tmp_path: Path) -> None:
    opened = judges.get("embedder").open(spec("builtin:minilm", "embedder"))
    prompts = ["How do I bake bread?", "Baking a loaf at home", "The central bank raised interest rates"]
    told = list(opened.judge(Given(at, [{"role": "user", "content": p}], []) for at, p in enumerate(prompts)))
    assert [judged.key for judged in told] == [0, 1, 2]
    bread, loaf, bank = (judged.vector for judged in told)
    assert sum(x * x for x in bread) == pytest.approx(1, abs=1e-5)
    assert likeness(bread, loaf) > likeness(bread, bank) + 0.3


def likeness(one: Any, other: Any) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_heads_and_classes_are_checked_against_the_model(tmp_path: Path) -> None:
    folder = network("bert", tmp_path / "three", num_labels=3)
    assert "gives 3 numbers" in refusal(spec(folder, config={"heads": ["one"]}))
    assert "is no class" in refusal(spec(folder, config={"positive": "good"}))
    assert "every class" in refusal(spec(folder, config={"positive": [0, 1, 2]}))
    assert "no chat template" in refusal(spec(folder, config={"template": "chat"}))
