"""Training of models that classify tokens, steps or sentences: texts to tokens, places of them to labels.

An example is a text with groups of its tokens, each with what is wanted there: a group is one token, the last token
of a step, or all tokens of a sentence. The logits of a group are the mean over its tokens, which of a head of one
linear layer is the head of the mean, as the judges read it (workers/nn/token_heads.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.judging import Candidate, Given
from workers.nn.families import means
from workers.nn.fitting import Batch, Steps, adapted, fit, mixed, plan, save
from workers.nn.loading import device
from workers.nn.opening import opened
from workers.nn.packing import Text
from workers.nn.pairs import causal_of, longest
from workers.nn.reading import collated
from workers.nn.texts import Tokenising, template_of
from workers.paired import Messages
from workers.training import Job

LOOKED_AT = 64
"""Held-out examples that are read again and again while a model trains."""

GroupLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits of the groups [m, labels], what is wanted of them [m, …]): the loss of each group, [m]."""
Rows = list[list[float]]


@dataclass(frozen=True, slots=True)
class Example:
    """A text, groups of its tokens, and of each group what is wanted."""

    text: Text
    groups: Sequence[Sequence[int]]
    wanted: Sequence[Sequence[float]]


class Reader:
    """Model and tokenizer of a base, and responses as tokens with their places, as the judges read them."""

    def __init__(self, job: Job, labels: Sequence[str]) -> None:
        self.job = job
        self.model, self.tokenizer = opened(job, "token", labels)
        config = self.model.config
        self.causal = causal_of(config)
        template = template_of(job.template, self.tokenizer, self.causal)
        length = longest(job, config, self.tokenizer)
        self.form = Tokenising(self.tokenizer, length, template, not self.causal, places=True)
        self.cut = 0

    def text(self, prompt: Messages, response: str) -> Text:
        [text] = self.form.texts(0, Given(0, prompt, [Candidate(0, response)]))
        self.cut += text.truncated
        return text


def head_of(model: Any) -> torch.nn.Linear | None:
    """The head, where it is one linear layer on the hidden states."""
    if model.config.model_type == "modernbert":
        return None
    head = getattr(model, "score", None) or getattr(model, "classifier", None)
    return head if isinstance(head, torch.nn.Linear) else None


def batch_of(examples: Sequence[Example], pad: int) -> dict[str, Any]:
    """Texts as a rectangle; of every group the places of its tokens in it, whose they are, and what is wanted."""
    width = max(len(one.text.ids) for one in examples)
    places: list[int] = []
    owners: list[int] = []
    wanted: list[list[float]] = []
    for number, one in enumerate(examples):
        for group, want in zip(one.groups, one.wanted, strict=True):
            places += [number * width + token for token in group]
            owners += [len(wanted)] * len(group)
            wanted.append(list(want))
    return {
        "texts": collated([one.text for one in examples], pad),
        "places": torch.tensor(places, dtype=torch.long),
        "owners": torch.tensor(owners, dtype=torch.long),
        "wanted": torch.tensor(wanted),
        "weight": float(len(wanted)),
    }


def grouped(model: Any, batch: Batch) -> Tensor:
    """Logits of the groups of a batch, [m, labels]."""
    logits = model(**batch["texts"]).logits.float()
    return means(logits.flatten(0, 1), batch["places"], batch["owners"], len(batch["wanted"]))


def cross_entropy(weights: Tensor | None = None) -> GroupLoss:
    """-sum_k w_k q_k log p_k of wanted shares q; with class weights w."""

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        given = wanted if weights is None else wanted * weights.to(wanted.device)
        return -(given * logits.log_softmax(1)).sum(1)

    return loss


def two_stages(alpha: float) -> GroupLoss:
    """-alpha log P(F) - (1 - alpha) log P(C | F) of four cells FC, F not C, not F but C, neither.

    Wanted are F and C, each 1, 0 or -1 where it is not known: an unknown F is summed over, an unknown C left out.
    """

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        cells = logits.log_softmax(1).view(-1, 2, 2)  # [m, F: yes, no][C: yes, no]
        faithful, correct = wanted[:, 0], wanted[:, 1]
        first = cells.logsumexp(2)
        second = torch.where((faithful < 0)[:, None], cells.logsumexp(1), picked(cells - first[:, :, None], faithful))
        stages = -picked(first, faithful) * (faithful >= 0), -picked(second, correct) * (correct >= 0)
        return alpha * stages[0] + (1 - alpha) * stages[1]

    return loss


def picked(values: Tensor, answer: Tensor) -> Tensor:
    """Of [m, 2, …] the entry of yes or of no, by answers of 1 and 0 (any other counts as no)."""
    return values[torch.arange(len(values), device=values.device), (answer != 1).long()]


def class_weights(reader: Reader, examples: Sequence[Example], balance: float) -> Tensor | None:
    """How heavy each class is in the loss; None where all are alike, or the head has no bias to take it back from."""
    if not balance:
        return None
    head = head_of(reader.model)
    if head is None or head.bias is None:
        reader.job.log("its head has no bias of its own: classes are not weighed")
        return None
    return balanced([want for one in examples for want in one.wanted], balance)


def balanced(wanted: Sequence[Sequence[float]], balance: float) -> Tensor:
    """Of each class its share of what is wanted, to the power of -balance; scaled so that their mean over it is 1."""
    total = torch.tensor(wanted).double().sum(0)
    share = total / total.sum()
    weights = share.clamp_min(1e-6) ** -balance
    return (weights / (weights * share).sum()).float()


@torch.no_grad()
def unweigh(model: Any, weights: Tensor) -> None:
    """Take class weights out of the head again: with them it learnt p_k w_k, up to a factor (Elkan, IJCAI 2001)."""
    head = head_of(model)
    assert head is not None and head.bias is not None
    head.bias.sub_(weights.log().to(head.bias.device))


def train(
    reader: Reader,
    examples: Sequence[Example],
    loss: GroupLoss,
    measure: Callable[[], Mapping[str, float]] | None = None,
    weights: Tensor | None = None,
) -> tuple[Any, dict[str, Any]]:
    """Train the reader's model on examples: it with adapters merged and class weights undone, and what it took."""
    job = reader.job
    pad = pad_of(reader)
    model = adapted(reader.model, job.settings.lora, "TOKEN_CLS")
    examples = [one for one in examples if one.groups]
    lengths = [len(one.text.ids) for one in examples]
    steps = Steps(
        plan(lengths, job.settings, job.seed), lambda places: batch_of([examples[n] for n in places], pad)
    )  # fmt: skip

    def group_loss(model: Any, batch: Batch) -> tuple[Tensor, float, Mapping[str, float]]:
        return loss(grouped(model, batch), batch["wanted"]).sum(), batch["weight"], {}

    took = fit(job, model, steps, group_loss, measure)
    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    if weights is not None:
        unweigh(whole, weights)
    reader.model = whole.eval()
    return whole, {**took, "rows": len(examples), "tokens": sum(lengths), "cut": reader.cut}


def pad_of(reader: Reader) -> int:
    return int(reader.model.config.get_text_config().pad_token_id)


@torch.no_grad()
def logits_of(model: Any, reader: Reader, examples: Sequence[Example]) -> list[Rows]:
    """Of each example the logits of its groups, in the order given."""
    order = sorted(range(len(examples)), key=lambda n: len(examples[n].text.ids))
    settings, place, pad = reader.job.settings, device(), pad_of(reader)
    found: dict[int, Rows] = {}
    model.eval()
    while order:
        batch: list[int] = []
        while order and (not batch or (len(batch) + 1) * len(examples[order[0]].text.ids) <= settings.batch_tokens):
            batch.append(order.pop(0))
        given = moved(batch_of([examples[n] for n in batch], pad), model.device)
        with torch.autocast(place.type, torch.bfloat16, enabled=mixed(settings.precision)):
            rows = iter(grouped(model, given).tolist() if len(given["places"]) else [])
        for n in batch:
            found[n] = [next(rows) for _ in examples[n].groups]
    return [found[n] for n in range(len(examples))]


def moved(batch: Mapping[str, Any], place: Any) -> dict[str, Any]:
    return {
        name: moved(value, place) if isinstance(value, dict) else value.to(place) if torch.is_tensor(value) else value
        for name, value in batch.items()
    }


def keep_model(reader: Reader) -> None:
    save(reader.model, reader.tokenizer, reader.job.model)
