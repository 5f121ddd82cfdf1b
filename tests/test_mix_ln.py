"""Where norms stand: Mix-LN between its two ends; small models that are built here, trained, read again and scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.errors import Invalid
from curation.models import ModelVersion, Run, Score
from curation.services import running, starting
from curation.services.training.told import DEPTH, curves_of
from tests import cast as people
from tests import test_step_training as steps
from tests.cast import Cast
from tests.networks import network
from tests.sharded import through
from tests.test_hub_api import Client, client, crew
from tests.test_pair_trainers import alone, equal, ours, texts_of
from tests.test_training import base, trained, version
from workers import weights
from workers.held_out import kept
from workers.judging import Candidate, Given, Spec, Unusable
from workers.stepped import stepped_in

pytestmark = pytest.mark.training
pytest.importorskip("transformers", reason="NOT RUN: transformers is not installed")
__all__ = ["base", "client", "crew", "version"]


def config(behind: int, layers: int = 4, **more: Any) -> Any:
    from workers.nn.mix_ln import MixLlamaConfig

    return MixLlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=64, initializer_range=0.2, post_layers=behind, pad_token_id=0,
        **more,
    )  # fmt: skip


def built(behind: int, layers: int = 4) -> Any:
    import torch

    from workers.nn.mix_ln import MixLlamaForCausalLM

    torch.manual_seed(0)
    return MixLlamaForCausalLM(config(behind, layers)).eval()


def words() -> Any:
    import torch

    return torch.randint(1, 40, (3, 12), generator=torch.Generator().manual_seed(1))


def test_a_quarter_of_the_layers_has_its_norms_behind_and_its_ends_are_pre_and_post() -> None:
    from workers.nn.opening import post_layers

    assert [post_layers(norms, 12) for norms in ("pre", "mix", "post")] == [0, 3, 12]
    kinds = [type(layer).__name__ for layer in built(3, 12).model.layers]
    assert kinds == ["PostLayer"] * 3 + ["LlamaDecoderLayer"] * 9


def test_with_no_norm_behind_it_is_the_llama_of_transformers() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    mine = built(0)
    theirs = LlamaForCausalLM(LlamaConfig(**{**mine.config.to_dict(), "model_type": "llama"})).eval()
    theirs.load_state_dict(mine.state_dict())
    assert (mine(words()).logits - theirs(words()).logits).abs().max() < 1e-6
    mixed = built(1)
    mixed.load_state_dict(mine.state_dict())
    assert (mixed(words()).logits - mine(words()).logits).abs().max() > 1e-3


def test_a_layer_behind_is_the_norm_of_the_sum() -> None:
    """x <- N(x + f(x)), twice, by hand."""
    import torch

    model = built(1).model
    layer, hidden = model.layers[0], torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(2))
    places = model.rotary_emb(hidden, torch.arange(5)[None])
    mask = torch.full((5, 5), float("-inf")).triu(1)[None, None]
    attended = layer.self_attn(hidden, position_embeddings=places, attention_mask=mask)[0]

    def norm(x: Any) -> Any:
        return x / (x.square().mean(-1, keepdim=True) + model.config.rms_norm_eps).sqrt()

    first = norm(hidden + attended)
    wanted = norm(first + layer.mlp(first))
    found = layer(hidden, position_embeddings=places, attention_mask=mask)
    assert (found - wanted).abs().max() < 1e-5


def test_gradients_have_a_number_for_each_layer() -> None:
    from workers.nn.mix_ln import gradients

    model = built(1)
    model(words()).logits.logsumexp(-1).sum().backward()
    found = gradients(model)
    assert list(found) == [f"gradient_layer_{n}" for n in range(4)] and all(value > 0 for value in found.values())


def test_a_model_with_every_norm_behind_learns_through_packed_rows_too(tmp_path: Path) -> None:
    """Where the last layer is Post, no layer is computed for the speaking tokens alone."""
    model, tokens, pairs = texts_of("mix-llama", network("mix-llama", tmp_path, post_layers=2))
    loss, wanted = alone(model, pairs)
    found, got = ours(model, tokens, pairs)
    assert found == pytest.approx(loss, rel=1e-5)
    equal(got, wanted)


NEW = {"layers": 4, "width": 32, "epochs": 12}


def test_a_new_model_is_trained_registered_and_scores_and_its_layers_are_drawn(
    cast: Cast, version: Any, base: ModelVersion
) -> None:
    run = trained(cast, "train-bradley-terry", base=base.pk, **NEW)
    assert run.state == Run.State.SUCCEEDED, run.error + running.log_of(run)
    made = ModelVersion.objects.get(pk=run.result["model"])
    assert made.facts["type"] == "mix-llama" and "own_code" not in made.facts
    assert made.facts["trained"]["held_out"]["accuracy"] == 1.0
    assert f"a new model of 4 layers (mix), with the tokenizer of {base}" in made.card
    assert orjson.loads((run.folder / "model/config.json").read_bytes())["post_layers"] == 1
    made.config["dtype"] = "fp32"
    made.save(update_fields=["config"])
    scored = starting.start(project=cast.project, method="score", params={"model": made.pk}, user=cast.olga)
    assert through(scored).state == Run.State.SUCCEEDED and not scored.shards_failed, running.log_of(scored)
    found = Score.objects.filter(model=made).select_related("response__item")
    told = {(one.response.item.external_id, one.response.text): one.value for one in found}
    for row in kept(run.folder):
        number = row["item"].removeprefix("item-")
        for side in ("chosen", "rejected"):
            assert told[row["item"], f"Answer {side == 'chosen':d} to {number}"] == pytest.approx(row[side], abs=1e-3)
    [depth] = [curve for curve in curves_of(run) if curve.title == DEPTH]
    assert list(depth.lines) == ["at the beginning", "at 10 %", "at 50 %"] and depth.over == "layer"
    assert [layer for layer, _ in depth.lines["at 10 %"]] == [1, 2, 3, 4]
    assert all(value > 0 for points in depth.lines.values() for _, value in points)


@pytest.mark.parametrize(("params", "words"), [({"lora": 4}, "lora"), ({"width": 40}, "width")])
def test_a_new_model_that_cannot_be_built_is_refused(
    cast: Cast, version: Any, base: ModelVersion, params: dict[str, Any], words: str
) -> None:
    try:
        run = trained(cast, "train-bradley-terry", base=base.pk, **{**NEW, **params})
        assert run.state == Run.State.FAILED and words in run.error
    except Invalid as error:
        assert words in str(error.field)


def test_a_new_model_of_steps_is_judged_as_it_was_trained(tmp_path: Path) -> None:
    job, metrics = steps.trained(tmp_path, steps.BERT, layers=2, width=32)
    assert metrics["steps"]["balanced_accuracy"] > 0.8
    given = [
        Given(n, row.prompt, [Candidate(n, row.response, units=row.units)])
        for n, row in enumerate(stepped_in(job, "test"))
    ]
    for one, told in zip(kept(tmp_path), steps.judged(job, metrics, given), strict=True):
        assert told.maps[0].values == pytest.approx(one["values"], abs=1e-3)


def test_a_new_model_goes_through_the_hub_to_whoever_allows_its_code(
    crew: Cast, client: Client, tmp_path: Path
) -> None:
    """The file of the architecture goes out with it, of a model trained here; and runs where it is asked for only."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = Run.objects.create(
        project=crew.project, method="train-bradley-terry", created_by=crew.olga, state=Run.State.SUCCEEDED
    )
    folder = network("mix-llama", run.folder / "model")
    (folder / "modeling_evil.py").write_text("print('run')")
    made = ModelVersion(name="new", kind="reward", reference=f"run:{run.pk}", project=crew.project, made_by=run)
    made.facts = weights.inspect(weights.Folder(folder), kind="reward").facts
    made.state, made.fingerprint = "ready", "f"
    made.save()
    told = client(
        f"""
        import json
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from huggingface_hub import HfApi
        name = "{crew.project.slug}/new"
        try:
            AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=False)
            refused = ""
        except ValueError as error:
            refused = str(error)
        model = AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=True).eval()
        tokenizer = AutoTokenizer.from_pretrained(name)
        logits = model(**tokenizer("the river runs", return_tensors="pt")).logits
        print(json.dumps([refused, type(model).__module__, logits.tolist(), HfApi().list_repo_files(name)]))
        """,
        people.token_for(crew.vic, "read"),
    )
    assert "trust_remote_code" in told[0] and told[1].startswith("transformers_modules.")
    here = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)
    logits = here(**tokens("the river runs", return_tensors="pt")).logits
    assert torch.allclose(torch.tensor(told[2]), logits, atol=1e-5)
    assert "mix_ln.py" in told[3] and "modeling_evil.py" not in told[3]


def test_code_beside_our_architecture_is_not_run_and_code_of_its_tokenizer_is_refused(tmp_path: Path) -> None:
    from workers.nn.loading import load

    folder = network("mix-llama", tmp_path)
    (folder / "mix_ln.py").write_text("raise SystemExit('it ran')")
    loaded = load(Spec(1, "reward", f"hf:{folder}", config={"dtype": "fp32"}))
    assert type(loaded.model).__module__ == "workers.nn.mix_ln"
    told = weights.read_json(weights.Folder(folder), {"tokenizer_config.json": 1}, "tokenizer_config.json")
    told["auto_map"] = {"AutoTokenizer": ["tokens.Evil", None]}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    with pytest.raises(Unusable, match="its own Python code"):
        load(Spec(1, "reward", f"hf:{folder}"))
