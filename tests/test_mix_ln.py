"""Where norms stand: Mix-LN between its two ends, each of which is an architecture that is known."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.training
pytest.importorskip("transformers", reason="NOT RUN: transformers is not installed")


def config(layers: int = 4) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=64, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip


def built(layout: Any, alpha: float = 0.25, layers: int = 4) -> Any:
    import torch

    from workers.nn.mix_ln import Backbone

    torch.manual_seed(0)
    return Backbone(config(layers), layout, alpha)


def words() -> Any:
    import torch

    return torch.randint(0, 40, (3, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("alpha", "same"), [(0.0, "pre"), (1.0, "post")])
def test_the_ends_of_alpha_are_pre_and_post(alpha: float, same: Any) -> None:
    mixed, plain = built("mix", alpha)(words()), built(same)(words())
    assert (mixed - plain).abs().max() < 1e-6
    assert (built("mix", 0.5)(words()) - plain).abs().max() > 1e-3


def test_pre_is_the_llama_of_transformers() -> None:
    from transformers import LlamaForCausalLM

    mine, theirs = built("pre"), LlamaForCausalLM(config()).eval()
    named = {
        "embeddings": "model.embed_tokens", "last": "model.norm", "attention": "self_attn", "feed": "mlp",
        "first": "input_layernorm", "second": "post_attention_layernorm", "blocks": "model.layers",
    }  # fmt: skip
    state = {
        ".".join(named.get(part, part) for part in name.split(".")): value for name, value in mine.state_dict().items()
    }
    assert not theirs.load_state_dict(state, strict=False).unexpected_keys
    theirs.tie_weights()
    assert (mine(words()) - theirs(words()).logits).abs().max() < 1e-5


def test_a_quarter_of_twelve_layers_has_its_norms_behind() -> None:
    assert [block.post for block in built("mix", 0.25, 12).blocks] == [True] * 3 + [False] * 9


def test_gradients_and_angles_have_a_number_for_each_layer() -> None:
    from workers.nn.mix_ln import angles, gradients

    model = built("mix")
    model(words()).logsumexp(-1).sum().backward()
    found = gradients(model)
    assert list(found) == [f"gradient_layer_{n}" for n in range(4)] and all(value > 0 for value in found.values())
    assert len(angles(model, words())) == 4 and all(0 < one < 1 for one in angles(model, words()))


def test_a_token_sees_only_those_before_it() -> None:
    ids = words()
    other = ids.clone()
    other[:, 6:] = (other[:, 6:] + 1) % 40
    for layout in ("pre", "post", "mix"):
        first, second = built(layout)(ids), built(layout)(other)
        assert (first[:, :6] - second[:, :6]).abs().max() < 1e-6 and (first[:, 6:] - second[:, 6:]).abs().max() > 1e-3
