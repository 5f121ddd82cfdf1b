"""Implicit rewards: what a policy learnt over its reference, token by token (From r to Q*, arXiv 2404.12358).

r_t = beta · (log pi(y_t | x, y_<t) − log pi_ref(y_t | x, y_<t)). The sum over a response is DPO's reward of it. A
token's reward is defined up to a potential, and means something only where the policy passed the validity probe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import tee
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from workers.judging import Given, Judged, Mapped, Opened, Spec, Unusable
from workers.nn.engine import Engine, Output, States
from workers.nn.loading import Loaded, load
from workers.nn.packing import Text
from workers.nn.token_heads import check_head, own

CELLS = {"cpu": 2**23, "cuda": 2**27}
"""Logits that are held in fp32 at a time: rows times words of the vocabulary."""


def word_logits(model: Any, hidden: Tensor) -> Tensor:
    """[n, H] -> [n, V], with what some architectures do to their logits."""
    head = model.get_output_embeddings()
    if head is None:
        raise Unusable(f"{type(model).__name__} has no language model head")
    logits: Tensor = head(hidden).float()
    config = model.config.get_text_config()
    if scale := getattr(config, "logit_scale", None):
        logits = logits * scale
    if divisor := getattr(config, "logits_scaling", None):
        logits = logits / divisor
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / cap) * cap
    return logits


def spoken(text: Text) -> range:
    """Numbers of the tokens of the response, with what ends it; the first token of all has nothing before it."""
    shown = own(text)
    return range(max(shown[0], 1), len(text)) if shown else range(0)


@dataclass(frozen=True, slots=True)
class LogProbs:
    """For each text: the log-probability of each token of its response. Softmax in fp32, some rows at a time."""

    wants: str = "tokens"

    def __call__(self, loaded: Loaded, states: States) -> list[list[float]]:
        assert states.hidden is not None
        before, targets, sizes = [], [], []
        for index, text in enumerate(states.pack.texts):
            said = spoken(text)
            before.append(states.pack.rows(index)[[number - 1 for number in said]])
            targets += [text.ids[number] for number in said]
            sizes.append(len(said))
        device = states.hidden.device
        rows, words = torch.cat(before).to(device), torch.tensor(targets, dtype=torch.long, device=device)
        step = max(1, CELLS.get(device.type, CELLS["cpu"]) // loaded.model.config.get_text_config().vocab_size)
        parts = [
            log_probs(word_logits(loaded.model, states.hidden[rows[at : at + step]]), words[at : at + step])
            for at in range(0, len(words), step)
        ]
        values = torch.cat(parts) if parts else torch.empty(0)
        return [part.tolist() for part in values.split(sizes)]


def log_probs(logits: Tensor, words: Tensor) -> Tensor:
    return logits.gather(1, words[:, None])[:, 0] - logits.logsumexp(1)


@dataclass(slots=True, eq=False)
class Implicit:
    """A policy beside its reference. Both read the same tokens, or nothing is said."""

    policy: Engine
    reference: Engine
    beta: float
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = str(self.policy.loaded.device)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        """Raises Unusable when policy and reference read a conversation as different tokens."""
        mine, its = tee(given)
        for one, other in zip(self.policy.run(mine), self.reference.run(its), strict=True):
            if one.text.ids != other.text.ids:
                raise Unusable("the policy and its reference read a conversation as different tokens")
            yield self.told(one, other)

    def told(self, one: Output, other: Output) -> Judged:
        rewards = [self.beta * (mine - its) for mine, its in zip(one.value, other.value, strict=True)]
        offsets = places_of(one.text)
        return Judged(
            one.key,
            scores={"": sum(rewards), "mean": fmean(rewards)} if rewards else {},
            maps=[Mapped("token", offsets, rewards)] if rewards else (),
            tokens=one.tokens + other.tokens,
            truncated=one.truncated,
            status="ok" if rewards else "unplaced",
        )


def places_of(text: Text) -> list[tuple[int, int]]:
    """Where each token of the response stands; what ends it stands behind it and covers nothing."""
    assert text.offsets is not None
    found: list[tuple[int, int]] = []
    for number in spoken(text):
        start, end = text.offsets[number]
        found.append((start, end) if start >= 0 else (found[-1][1], found[-1][1]) if found else (0, 0))
    return found


def open_implicit(spec: Spec) -> Opened:
    """The policy and the reference that its config names. Raises Unusable, OutOfMemory."""
    named = str(spec.config.get("reference_model") or "")
    if not named:
        raise Unusable("say which policy it was trained from: reference_model")
    folder = str((spec.config.get("folders") or {}).get(named, ""))
    policy = load(spec, "language")
    reference = load(replace(spec, reference=named, revision="", folder=folder), "language")
    check_same(policy, reference)
    for loaded in (policy, reference):
        check_head(loaded, word_logits)
    return beside(policy, reference, float(spec.config.get("beta", 0.1)), str(spec.config.get("template") or ""))


def beside(policy: Loaded, reference: Loaded, beta: float, template: str = "") -> Implicit:
    """Both as engines, cut to the shorter of their lengths."""
    length = min(policy.max_length, reference.max_length)
    policy, reference = (replace(loaded, max_length=length) for loaded in (policy, reference))
    mine, its = (Engine(loaded, LogProbs(), template=template, places=True) for loaded in (policy, reference))
    return Implicit(mine, its, beta)


def check_same(policy: Loaded, reference: Loaded) -> None:
    """That both read and are asked the same way. Raises Unusable."""
    mine, its = policy.tokenizer, reference.tokenizer
    if mine.get_vocab() != its.get_vocab():
        raise Unusable("the policy and its reference have different tokenizers")
    if getattr(mine, "chat_template", None) != getattr(its, "chat_template", None):
        raise Unusable("the policy and its reference have different chat templates")
