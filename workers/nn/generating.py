"""A model of this machine that writes: the same questions as to a server, answered by transformers.

Questions of about the same length are answered together, greedily; where a temperature is asked for, each is drawn by
itself under its own seed, so that an answer does not depend on what else was asked. A prompt that does not fit is
refused, never cut. Simpler than a server: no constrained decoding, no continuous batching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from workers.asking import Reply, Request, nothing
from workers.judging import OutOfMemory, Spec
from workers.nn import forcing
from workers.nn.loading import load
from workers.nn.texts import TURN, plain

BATCH_TOKENS = 8192
"""Prompt tokens and room to write of one batch, at most."""


class Writer:
    """A causal language model with its chat template."""

    def __init__(self, model: Any, tokenizer: Any, device: str, max_length: int) -> None:
        self.model, self.tokenizer, self.device, self.max_length = model, tokenizer, device, max_length

    def ask(self, requests: Sequence[Request], tick: Callable[[], None] = nothing) -> Iterator[tuple[int, Reply]]:
        """Raises OutOfMemory when not even one question fits."""
        prompts = [self.encoded(request) for request in requests]
        fitting = []
        for number, (prompt, request) in enumerate(zip(prompts, requests, strict=True)):
            if len(prompt) + request.max_tokens > self.max_length:
                reason = f"{len(prompt)} tokens and {request.max_tokens} to write are more than {self.max_length}"
                yield number, Reply(refused=reason)
            else:
                fitting.append(number)
        for batch in batches(
            sorted(fitting, key=lambda n: (requests[n].max_tokens, len(prompts[n]))), prompts, requests
        ):
            yield from self.answered(batch, prompts, requests, tick)

    def encoded(self, request: Request) -> list[int]:
        messages = [dict(message) for message in request.messages]
        if self.tokenizer.chat_template:
            told = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            return list(self.tokenizer(told, add_special_tokens=False)["input_ids"])
        return list(self.tokenizer(plain(messages) + TURN)["input_ids"])

    def answered(
        self, batch: list[int], prompts: list[list[int]], requests: Sequence[Request], tick: Callable[[], None]
    ) -> Iterator[tuple[int, Reply]]:
        """A batch, in halves if it does not fit into memory."""
        try:
            replies = self.written([prompts[n] for n in batch], requests[batch[0]], tick)
        except torch.OutOfMemoryError:
            replies = None
        if replies is not None:
            for n, reply in zip(batch, replies, strict=True):
                yield n, self.with_likelihood(prompts[n], requests[n], reply)
            return
        if len(batch) == 1:
            raise OutOfMemory(f"a prompt of {len(prompts[batch[0]])} tokens")
        if self.device != "cpu":
            torch.cuda.empty_cache()
        half = len(batch) // 2
        yield from self.answered(batch[:half], prompts, requests, tick)
        yield from self.answered(batch[half:], prompts, requests, tick)

    def with_likelihood(self, prompt: list[int], request: Request, reply: Reply) -> Reply:
        """A reply with how likely each verdict was, where that is asked."""
        if not request.verdict:
            return reply
        found = forcing.likelihood(self.model, self.tokenizer, prompt, reply.text, request.verdict)
        return replace(reply, likelihood=found)

    @torch.inference_mode()
    def written(self, prompts: list[list[int]], how: Request, tick: Callable[[], None]) -> list[Reply]:
        """Prompts on the left of what is written after them; `how` holds for all of them, `tick` at every token."""
        longest = max(map(len, prompts))
        pad = (
            self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id or 0
        )
        ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in prompts], device=self.device)
        mask = torch.tensor(
            [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=self.device
        )
        drawn: dict[str, Any] = {"do_sample": False}
        if how.temperature > 0:
            torch.manual_seed(how.seed)
            drawn = {"do_sample": True, "temperature": how.temperature, "top_k": 0, "top_p": 1.0}
        made = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=how.max_tokens,
            pad_token_id=pad,
            stopping_criteria=StoppingCriteriaList([Ticking(tick)]),
            **drawn,
        )
        ends = ending(self.model.generation_config.eos_token_id)
        return [
            self.reply(len(prompt), row[longest:].tolist(), ends) for prompt, row in zip(prompts, made, strict=True)
        ]

    def reply(self, read: int, written: list[int], ends: set[int]) -> Reply:
        """What was written up to the first token that ends it; without one it was cut off."""
        until = next((n for n, token in enumerate(written) if token in ends), None)
        kept = written if until is None else written[:until]
        text = self.tokenizer.decode(kept, skip_special_tokens=True)
        return Reply(text, cut=until is None, tokens=read, tokens_out=len(kept) + (until is not None))


class Ticking(StoppingCriteria):
    """Stops nothing by itself: what `tick` raises ends the writing."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.tick = tick

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        self.tick()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def ending(token: int | list[int] | None) -> set[int]:
    return set(token) if isinstance(token, list) else set() if token is None else {token}


def batches(order: list[int], prompts: list[list[int]], requests: Sequence[Request]) -> Iterator[list[int]]:
    """Numbers in their order, cut where a batch would be too large; drawn answers come one at a time."""
    batch: list[int] = []
    for number in order:
        request = requests[number]
        first = requests[batch[0]] if batch else request
        size = (len(batch) + 1) * (len(prompts[number]) + request.max_tokens)
        alike = request.max_tokens == first.max_tokens and request.temperature == first.temperature == 0
        if batch and (size > BATCH_TOKENS or not alike):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def opened(spec: Spec) -> Writer:
    """The model of a version. Raises Unusable in words for a person, OutOfMemory if it is too large."""
    loaded = load(spec, "language")
    loaded.model.set_attn_implementation("sdpa")  # the engine's packed attention keeps no cache to write from
    return Writer(loaded.model, loaded.tokenizer, str(loaded.device), loaded.max_length)
