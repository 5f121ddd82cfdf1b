"""Where a transformer's norms stand: before each block, behind it, or behind it in the first layers only (Mix-LN).

    Pre:   x <- x + f(N(x))          Post:  x <- N(x + f(x))          f: attention, then the feed-forward part

Mix-LN (Li, Yin and Liu 2024, arXiv 2412.13795) takes Post for the first floor(L / 4) of L layers, Pre for the rest, so
that gradients are as large in deep layers as in shallow ones. The last norm stands in every layout, since heads read
what comes out of it. Only for models that are built from nothing: where the norms of trained weights stand cannot be
changed. The layers are Llama's: RMSNorm, rotary places, SwiGLU (the authors' repository, pixeli99/MixLN, too).

transformers has no architecture of this layout, so this file is one, and nothing else: it imports no other file of
ours, and is written beside the weights of such models, for those who load them elsewhere with `trust_remote_code=True`.
Here these classes are used and never that copy.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    LlamaConfig,
)
from transformers.models.llama.modeling_llama import (
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
)


@strict
class MixLlamaConfig(LlamaConfig):
    """Llama's, and how many of the first layers have their norms behind: 0 is Pre, all is Post."""

    model_type = "mix-llama"
    post_layers: int = 0


class PostLayer(LlamaDecoderLayer):
    """A layer with its norms behind; the same weights by the same names as one with its norms before."""

    def forward(self, hidden_states: Tensor, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """hidden_states [n, T, H]."""
        attended, _ = self.self_attn(hidden_states=hidden_states, **kwargs)
        hidden = self.input_layernorm(hidden_states + attended)
        done: Tensor = self.post_attention_layernorm(hidden + self.mlp(hidden))
        return done


class MixLlamaModel(LlamaModel):
    config_class = MixLlamaConfig

    def __init__(self, config: MixLlamaConfig) -> None:
        super().__init__(config)
        for place in range(config.post_layers):
            self.layers[place] = PostLayer(config, place)
        self.post_init()


class MixLlamaForSequenceClassification(LlamaForSequenceClassification):
    config_class = MixLlamaConfig


class MixLlamaForTokenClassification(LlamaForTokenClassification):
    config_class = MixLlamaConfig


class MixLlamaForCausalLM(LlamaForCausalLM):
    config_class = MixLlamaConfig

    def __init__(self, config: MixLlamaConfig) -> None:
        super().__init__(config)
        self.model = MixLlamaModel(config)
        self.post_init()


def gradients(model: Any) -> dict[str, float]:
    """The norm of the gradient of each layer's matrices, by a name that a run's page draws together."""
    return {
        f"gradient_layer_{place}": sum(
            float(weight.grad.square().sum())
            for weight in layer.parameters()
            if weight.grad is not None and weight.dim() == 2
        )
        ** 0.5
        for place, layer in enumerate(model.base_model.layers)
    }


MODELS = {
    AutoModel: MixLlamaModel,
    AutoModelForSequenceClassification: MixLlamaForSequenceClassification,
    AutoModelForTokenClassification: MixLlamaForTokenClassification,
    AutoModelForCausalLM: MixLlamaForCausalLM,
}
AutoConfig.register(MixLlamaConfig.model_type, MixLlamaConfig, exist_ok=True)
MixLlamaConfig.register_for_auto_class()
for auto, made in MODELS.items():
    auto.register(MixLlamaConfig, made, exist_ok=True)
    made.register_for_auto_class(auto.__name__)
