"""Judges of tokens and of steps: a classification head read at every token, or once for each step or sentence.

Tokens: the reward of a one-output head, or the expected value of classes such as −1, 0, +1 (Text2Grad, arXiv
2505.22338). Steps: the probability of the good classes at the end of each step, as process reward models are trained
(Lightman et al. 2023; TRL's stepwise supervision), or of the mean of its hidden states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from workers.criticising import documents_in
from workers.judging import Given, Judged, Mapped, Opened, Spec, Unusable
from workers.nn.engine import Engine, Output, States
from workers.nn.forward import Forward
from workers.nn.heads import places
from workers.nn.loading import Loaded, load
from workers.nn.packing import Group, Pack, Text
from workers.nn.texts import documented

WORTH = {
    "good": 1.0,
    "positive": 1.0,
    "neutral": 0.0,
    "none": 0.0,
    "o": 0.0,
    "poor": -1.0,
    "bad": -1.0,
    "negative": -1.0,
}
"""What classes of these names are worth; a class named by a number is worth that number."""
ENDS = ("last", "separator", "mean")
READ_OUTS: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "prod": math.prod,
    "mean": fmean,
    "last": lambda values: values[-1],
}
WHOLE = "no steps or sentences were given: the response was judged as one"
Units = Mapping[int, Sequence[tuple[int, int]]]


def token_logits(model: Any, hidden: Tensor) -> Tensor:
    """[n, H] -> [n, labels] by the head of a token classification model."""
    if model.config.model_type == "modernbert":
        return model.classifier(model.head(hidden))
    head = getattr(model, "score", None) or getattr(model, "classifier", None)
    if head is None:
        raise Unusable(f"it is not known how {type(model).__name__} classifies tokens")
    return head(hidden)


@torch.inference_mode()
def check_head(loaded: Loaded, head: Callable[[Any, Tensor], Tensor]) -> None:
    """Of families whose head is not known: that the head on the hidden states gives what the whole model gives."""
    if loaded.family is not None:
        return
    ids = list(range(min(8, loaded.model.config.get_text_config().vocab_size)))
    forward = Forward(loaded, "tokens")
    pack = Pack([Group(0, [Text(0, 0, ids)])])
    ours = head(loaded.model, forward.unpadded(pack)).float()
    whole = loaded.model(**forward.padded(pack)).logits[0].float()
    if ours.shape != whole.shape or not torch.allclose(ours, whole, atol=1e-2, rtol=1e-2):
        raise Unusable(f"it is not known how {type(loaded.model).__name__} makes its numbers out of its hidden states")


def own(text: Text) -> list[int]:
    """Numbers of the tokens that show something of the response."""
    return [number for number, (start, end) in enumerate(text.offsets or ()) if 0 <= start < end]


@dataclass(frozen=True, slots=True)
class TokenValues:
    """For each text: of its tokens in the response, a value by head, [tokens][heads]."""

    worth: tuple[float, ...] = ()
    """What each class is worth; empty: every output is a value of its own."""
    wants: str = "tokens"

    def __call__(self, loaded: Loaded, states: States) -> list[list[list[float]]]:
        assert states.hidden is not None
        rows = [states.pack.rows(index)[own(text)] for index, text in enumerate(states.pack.texts)]
        hidden = states.hidden[torch.cat(rows).to(states.hidden.device)]
        values = token_logits(loaded.model, hidden).float()
        if self.worth:
            worth = torch.tensor(self.worth, device=values.device)
            values = (values.softmax(1) @ worth)[:, None]
        return [part.tolist() for part in values.split([len(row) for row in rows])]


def worth_of(loaded: Loaded, config: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names of the heads, and what each class is worth. Raises Unusable if that cannot be told."""
    count = int(loaded.model.config.num_labels)
    if heads := tuple(config.get("heads") or ()):
        if len(heads) != count:
            raise Unusable(f"it gives {count} numbers, and heads names {len(heads)}")
        return heads, ()
    if count == 1:
        return ("",), ()
    labels = labels_of(loaded, config)
    if (told := config.get("positive")) not in (None, "", []):
        good = places(told, dict(enumerate(labels)), count)
        named = [WORTH.get(label.casefold()) for label in labels]
        return ("",), tuple(1.0 if n in good else 0.0 if named[n] == 0 else -1.0 for n in range(count))
    worth = [valued(label) for label in labels]
    if None not in worth:
        return ("",), tuple(float(value) for value in worth if value is not None)
    if count == 3 and all(label.startswith("LABEL_") for label in labels):
        return ("",), (-1.0, 0.0, 1.0)
    raise Unusable(f"say which of its classes are good (positive): {', '.join(labels)}")


def labels_of(loaded: Loaded, config: Mapping[str, Any]) -> list[str]:
    count = int(loaded.model.config.num_labels)
    labels = list(config.get("labels") or (loaded.model.config.id2label[n] for n in range(count)))
    if len(labels) != count:
        raise Unusable(f"it has {count} classes, and labels names {len(labels)}")
    return [str(label) for label in labels]


def valued(label: str) -> float | None:
    try:
        return float(label.replace("−", "-"))
    except ValueError:
        return WORTH.get(label.casefold())


@dataclass(slots=True, eq=False)
class TokenJudge:
    """A value for every token of a response, and their mean as its score."""

    engine: Engine
    heads: tuple[str, ...]
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = str(self.engine.loaded.device)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for out in self.engine.run(given):
            yield self.told(out)

    def told(self, out: Output) -> Judged:
        offsets = [out.text.offsets[number] for number in own(out.text)] if out.text.offsets else []
        columns = [[row[place] for row in out.value] for place in range(len(self.heads))]
        return Judged(
            out.key,
            scores={head: fmean(column) if column else 0.0 for head, column in zip(self.heads, columns, strict=True)},
            maps=[
                Mapped("token", offsets, column, head)
                for head, column in zip(self.heads, columns, strict=True)
                if column
            ],
            tokens=out.tokens,
            truncated=out.truncated,
            status="ok" if offsets else "unplaced",
        )


def open_token(spec: Spec) -> Opened:
    """Raises Unusable, OutOfMemory."""
    loaded = load(spec, "token")
    check_head(loaded, token_logits)
    heads, worth = worth_of(loaded, spec.config)
    engine = Engine(loaded, TokenValues(worth), template=str(spec.config.get("template") or ""), places=True)
    return TokenJudge(engine, heads)


@dataclass(frozen=True, slots=True)
class StepValues:
    """For each text: of each of its units, the probability that it is good; None where the model saw nothing of it."""

    good: tuple[int, ...]
    pool: str
    units: dict[int, Sequence[tuple[int, int]]]
    """By candidate, put there before its text is read."""
    wants: str = "tokens"

    def __call__(self, loaded: Loaded, states: States) -> list[list[float | None]]:
        assert states.hidden is not None
        chosen: list[Tensor] = []
        counts = []
        for index, text in enumerate(states.pack.texts):
            rows = states.pack.rows(index)
            spans = [tokens_of(text, unit, self.pool) for unit in self.units[text.key]]
            counts.append([bool(span) for span in spans])
            chosen += [states.hidden[rows[span].to(states.hidden.device)].float().mean(0) for span in spans if span]
        if not chosen:
            return [[None] * len(seen) for seen in counts]
        rows = token_logits(loaded.model, torch.stack(chosen).to(states.hidden.dtype)).float()
        likely = iter(
            (rows.softmax(1)[:, list(self.good)].sum(1) if rows.shape[1] > 1 else rows[:, 0].sigmoid()).tolist()
        )
        return [[next(likely) if there else None for there in seen] for seen in counts]


def tokens_of(text: Text, unit: tuple[int, int], pool: str) -> list[int]:
    """Numbers of the tokens that speak for a unit: all, the last, or what separates it from the next one."""
    start, end = unit
    inside = [
        number
        for number in own(text)
        if text.offsets and text.offsets[number][0] < end and start < text.offsets[number][1]
    ]
    if pool == "mean" or not inside:
        return inside
    after = inside[-1] + 1
    if pool == "separator" and text.offsets and after < len(text) and text.offsets[after][0] not in range(start, end):
        return [after]
    return inside[-1:]


@dataclass(slots=True, eq=False)
class StepJudge:
    """The probability that each step or sentence is good, and one number for the response read out of them."""

    engine: Engine
    head: StepValues
    unit: str
    read_out: str
    documents: bool = False
    """Whether the documents of an item are read before its prompt."""
    whole: set[int] = field(default_factory=set)
    """Candidates that came without units."""
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = str(self.engine.loaded.device)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for out in self.engine.run(self.noted(given)):
            yield self.told(out)

    def noted(self, given: Iterable[Given]) -> Iterator[Given]:
        """The rows, each with its units put where the head finds them; without any, the response is one."""
        for row in given:
            for candidate in row.candidates:
                self.head.units[candidate.key] = candidate.units or [(0, len(candidate.text))]
                if not candidate.units:
                    self.whole.add(candidate.key)
            yield replace(row, prompt=documented(row.prompt, documents_in(row.context))) if self.documents else row

    def told(self, out: Output) -> Judged:
        units, alone = self.head.units.pop(out.key), out.key in self.whole
        self.whole.discard(out.key)
        seen = [(unit, value) for unit, value in zip(units, out.value, strict=True) if value is not None]
        values = [value for _, value in seen]
        return Judged(
            out.key,
            scores={"": READ_OUTS[self.read_out](values)} if values else {},
            maps=[Mapped(self.unit, [unit for unit, _ in seen], values)] if values else (),
            tokens=out.tokens,
            truncated=out.truncated or len(seen) < len(units),
            raw=WHOLE if alone else "",
            status="ok" if values else "unplaced",
        )


def open_step(spec: Spec) -> Opened:
    """Raises Unusable, OutOfMemory."""
    loaded = load(spec, "token")
    check_head(loaded, token_logits)
    pool = one_of(spec, "pool", ENDS)
    read_out = one_of(spec, "read_out", tuple(READ_OUTS))
    unit = one_of(spec, "unit", ("step", "sentence"))
    head = StepValues(good_of(loaded, spec.config), pool, {})
    engine = Engine(loaded, head, template=str(spec.config.get("template") or ""), places=True)
    return StepJudge(engine, head, unit, read_out, bool(spec.config.get("documents")))


def one_of(spec: Spec, name: str, known: tuple[str, ...]) -> str:
    """A word of the configuration; the first that is known by default."""
    told = str(spec.config.get(name) or known[0])
    if told not in known:
        raise Unusable(f"{name}: no {told!r}; there is: {', '.join(known)}")
    return told


def good_of(loaded: Loaded, config: Mapping[str, Any]) -> tuple[int, ...]:
    """Indices of the good classes: as told, else the second of two, as TRL trains. Raises Unusable."""
    count = int(loaded.model.config.num_labels)
    labels = labels_of(loaded, config)
    if (told := config.get("positive")) not in (None, "", []):
        return places(told, dict(enumerate(labels)), count)
    if count > 2:
        raise Unusable(f"say which of its classes are good (positive): {', '.join(labels)}")
    return (count - 1,)
