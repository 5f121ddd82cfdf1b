"""What a training of a model with a head begins with: the weights of its base, or a new small model and its tokenizer.

A new model is a Llama of the asked depth and width, read from left to right, whose norms stand as asked
(workers/nn/mix_ln.py); of the base it takes the tokenizer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer

from workers.judging import Unusable
from workers.nn.loading import LONGEST, TASKS, first_line, quiet
from workers.nn.mix_ln import MixLlamaConfig
from workers.training import Built, Job

HEAD_WIDTH = 32
"""Numbers of one attention head of a new model."""
FEED = 3
"""So many times wider than the model its feed-forward part is."""
SLOW = 1e-4
"""A new model that learns more slowly than that hardly leaves its beginning in an epoch."""


def opened(job: Job, task: str, labels: Sequence[str]) -> tuple[Any, Any]:
    """Model and tokenizer; `task` is a key of workers.nn.loading.TASKS, `labels` are the outputs of the head.

    Of a base the head is fresh unless it has one of as many outputs. Raises Unusable, and ValueError for settings that
    do not go together.
    """
    assert job.base is not None
    if job.settings.layers and job.settings.lora:
        raise ValueError("lora: a new model has no weights that could be left as they are")
    loader = getattr(transformers, TASKS[task])
    named: dict[str, Any] = {
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {name: place for place, name in enumerate(labels)},
    }
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(job.base, use_fast=True)
            if job.settings.layers:
                model = loader.from_config(
                    new(job, tokenizer, {**named, "classifier_dropout": 0.0}), dtype=torch.float32
                )
            else:
                config = AutoConfig.from_pretrained(job.base)
                for name, value in named.items():
                    setattr(config, name, value)
                config.problem_type = None
                model = loader.from_pretrained(
                    job.base, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True
                )
        except (OSError, ValueError, KeyError) as error:
            raise Unusable(f"no model with a head can be made of it: {first_line(error)}") from error
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    if model.config.get_text_config().pad_token_id is None:
        known = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
        model.config.get_text_config().pad_token_id = next(one for one in known if one is not None)
    return model, tokenizer


def new(job: Job, tokenizer: Any, more: dict[str, Any]) -> MixLlamaConfig:
    """The configuration of a model that begins with nothing."""
    given: Built = job.settings
    if given.learning_rate < SLOW:
        job.log(f"a learning rate of {given.learning_rate:g} is made for trained weights; a new model wants about 1e-3")
    behind = post_layers(given.norms, given.layers)
    job.log(f"a new model of {given.layers} layers; the norms of {behind or 'none'} of them stand behind")
    longest = [value for value in (given.max_length, tokenizer.model_max_length) if value <= LONGEST]
    made: type[Any] = MixLlamaConfig
    config: MixLlamaConfig = made(
        vocab_size=len(tokenizer),
        hidden_size=given.width,
        intermediate_size=FEED * given.width,
        num_hidden_layers=given.layers,
        num_attention_heads=given.width // HEAD_WIDTH,
        max_position_embeddings=min(longest),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        post_layers=behind,
        **more,
    )
    return config


def post_layers(norms: str, layers: int) -> int:
    """How many of the first layers have their norms behind: of a mixed model the first quarter, at least one."""
    return {"pre": 0, "post": layers, "mix": max(1, layers // 4)}[norms]
