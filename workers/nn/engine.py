"""The scoring engine: rows in, one output per response, in the order given, in constant memory.

Rows are read in the caller's thread and tokenised ahead in another. A window of them is packed without padding
(workers/nn/packing.py), run, and given out in order while the next is made ready. What is done with the hidden
states is up to a head: a callable that takes States and gives one value per text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor

from workers.judging import Given, OutOfMemory
from workers.nn.forward import Forward
from workers.nn.loading import Loaded
from workers.nn.packing import Group, Pack, Text, alone, grouped, halves, packs, padded
from workers.nn.texts import Tokenising, template_of

BUDGET = {"cpu": 2048, "cuda": 65_536}
"""Tokens in one forward. On a CPU small rows stay in its cache; a card wants large ones."""
FIRST_ITEMS, ITEMS = 16, 128
"""Items of the first window, so that the model starts early, and of those after it."""
AHEAD = 2
"""Windows that are tokenised before they are needed."""
CPU_FULL = ("not enough memory", "can't allocate memory", "alloc")


@dataclass(slots=True, eq=False)
class States:
    """What a head gets of one forward. `pack.texts[i]` is the i-th text; a head gives one value for each.

    `pooled` [n, H] holds the token that speaks for each text. `hidden` [T, H] holds all of the row, when the head
    asked for tokens: `hidden[pack.rows(i)]` are the tokens of text i in their order, its shared prefix included.
    `logits` [n, labels] stands instead where the model had to run whole.
    """

    pack: Pack
    pooled: Tensor | None = None
    hidden: Tensor | None = None
    logits: Tensor | None = None


class Head(Protocol):
    """One value per text of a pack. `wants` is what it reads: "pooled" or "tokens"."""

    @property
    def wants(self) -> str: ...

    def __call__(self, loaded: Loaded, states: States) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Output:
    """What a head said of one text. `item` counts the Given rows from 0; `key` is the candidate's."""

    key: int
    item: int
    value: Any
    tokens: int
    truncated: bool
    text: Text


@dataclass(slots=True, eq=False)
class Engine:
    """A loaded model with a head. Changing `budget`, `items` or `share` changes speed, never a score."""

    loaded: Loaded
    head: Head
    template: str = ""
    share: bool = True
    places: bool = False
    budget: int = 0
    items: int = ITEMS
    counted: dict[str, int] = field(default_factory=lambda: {"forwards": 0, "tokens": 0, "rows": 0, "halved": 0})
    """Forwards, tokens of the texts, tokens that the model really read, and batches that ran out of memory."""

    forward: Forward = field(init=False)

    def __post_init__(self) -> None:
        self.budget = self.budget or BUDGET.get(self.loaded.device.type, BUDGET["cpu"])
        self.forward = Forward(self.loaded, self.head.wants)
        template_of(self.template, self.loaded.tokenizer, self.forward.causal)  # a wrong word is said on opening

    @property
    def tokenising(self) -> Tokenising:
        causal = self.forward.causal
        return Tokenising(
            tokenizer=self.loaded.tokenizer,
            max_length=self.loaded.max_length,
            template=template_of(self.template, self.loaded.tokenizer, causal),
            pairs=not causal,
            places=self.places,
        )

    def run(self, given: Iterable[Given]) -> Iterator[Output]:
        """One Output per candidate (per item without candidates), in the order given.

        Raises OutOfMemory when a single text does not fit the device.
        """
        tokenising = self.tokenising
        rows = enumerate(given)

        def ready(window: list[tuple[int, Given]]) -> list[Text]:
            return [text for item, row in window for text in tokenising.texts(item, row)]

        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as pool:
            waiting: deque[Future[list[Text]]] = deque()
            try:
                for window in windows(rows, min(FIRST_ITEMS, self.items), self.items):
                    waiting.append(pool.submit(ready, window))
                    if len(waiting) > AHEAD:
                        yield from self.outputs(waiting.popleft().result())
                while waiting:
                    yield from self.outputs(waiting.popleft().result())
            finally:
                for future in waiting:
                    future.cancel()

    def outputs(self, texts: list[Text]) -> Iterator[Output]:
        """One window, scored and put back in order."""
        values = self.values(texts)
        for text, value in zip(texts, values, strict=True):
            yield Output(text.key, text.item, value, len(text), text.truncated, text)

    def values(self, texts: list[Text]) -> list[Any]:
        """A value for each text, whatever the packs they travelled in."""
        for at, text in enumerate(texts):
            text.at = at
        values: list[Any] = [None] * len(texts)
        for groups in self.batches(texts):
            for text, value in self.tried(groups):
                values[text.at] = value
        return values

    def batches(self, texts: list[Text]) -> Iterator[list[Group]]:
        if self.loaded.alone:
            return ([group] for group in alone(texts))
        if self.loaded.family is None:
            return padded(alone(texts), self.budget)
        share = self.share and self.loaded.family.causal
        return packs(grouped(texts, share=share), self.budget)

    def tried(self, groups: list[Group]) -> Iterator[tuple[Text, Any]]:
        """The texts of a batch with their values; cut in halves when it does not fit, and so are those that follow."""
        pack = Pack(groups)
        try:
            values = self.scored(pack)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            smaller = halves(groups)
            if not smaller:
                raise OutOfMemory(f"one text of {pack.total} tokens does not fit on {self.loaded.device}") from error
            values = None
        if values is None:
            self.shrink(pack.total)
            for half in smaller:
                yield from self.tried(half)
            return
        yield from zip(pack.texts, values, strict=True)

    def shrink(self, total: int) -> None:
        """After memory ran out: half as many tokens from now on."""
        self.counted["halved"] += 1
        self.budget = max(1, min(self.budget, total) // 2)
        if self.loaded.device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def scored(self, pack: Pack) -> list[Any]:
        states = States(pack, **self.forward(pack))
        self.counted["forwards"] += 1
        self.counted["tokens"] += sum(len(text) for text in pack.texts)
        self.counted["rows"] += pack.total
        return list(self.head(self.loaded, states))


def windows(rows: Iterator[Any], first: int, size: int) -> Iterator[list[Any]]:
    window = list(islice(rows, first))
    while window:
        yield window
        window = list(islice(rows, size))


def out_of_memory(error: BaseException) -> bool:
    """Whether a forward failed for want of memory: CUDA says so by class, a CPU in words."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(word in str(error).lower() for word in CPU_FULL)
