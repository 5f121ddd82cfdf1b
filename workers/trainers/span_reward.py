"""A reward of every token from critiques: where people marked good and poor spans, each token learns what they said.

    r(t) = sum_k p_k(t) w_k,   loss = - sum_t sum_k c_k q_k(t) log p_k(t)

The classes k are the worths w that somebody gave: -1 poor, 0 unmarked, 1 good (the delta of Text2Grad, arXiv
2505.22338), times the weight of the critique's severity. A token is marked if a span covers any sign of it that is no
white space. q_k(t) is the share of annotators who say k: those who marked the same response are put together
(workers/marked.py). Text2Grad itself lets a language model write critique and spans; this is the discriminative model
of the same labels, which costs one forward and points at places without a quote to be found again.

Cross entropy and not regression: worths are few and most tokens are unmarked, so that a squared error is nearly
least for a constant, while classes can be weighed. c_k = (share of k)^-balance, and after the training log c_k is taken
off the bias of the head again (Elkan, IJCAI 2001), so that p stays a probability and r an expected worth.

Spans are read out where r is at or below a threshold. It is the one with the best F-beta on prompts that were held
back from `train`, never on the test split; beta is 1/2, since a missed span costs less than a wrong one (Text2Grad,
section on precision and recall).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from workers.held_marks import Pointed, summed
from workers.held_out import keep
from workers.marked import Marked, classes, marked_in, named, poor, shares
from workers.measures import auroc, best_threshold
from workers.training import TRAIN, Built, Job, Trainer, held_back, trainers

LEAST = 8
"""Fewer marked responses than that teach nothing."""
DEFAULT = 0.5


Weight = Annotated[float, Field(gt=0, le=100)]


class SpanReward(Built):
    severities: dict[str, Weight] = Field(
        default_factory=dict,
        description='how much a critique of a severity weighs, such as {"minor": 1, "major": 5}; others weigh 1',
    )
    balance: float = Field(
        0.5, ge=0, le=1, description="how strongly rare worths are pushed: 0 not at all, 1 until all are as heavy"
    )
    calibrate: float = Field(
        0.15, ge=0, le=0.5, description="share of the prompts that is not learnt from but chooses the threshold"
    )
    beta: float = Field(
        0.5, gt=0, le=4, description="below 1 the threshold is chosen for precision, above for finding all"
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few marked responses, Unusable for a base that cannot be loaded."""
    import torch

    from workers.nn import tokens

    given: SpanReward = job.settings
    torch.manual_seed(job.seed)
    rows = marked_in(job, TRAIN, given.severities)
    if sum(bool(marks) for row in rows for marks in row.opinions) < LEAST:
        raise ValueError(f"too few responses with a good or poor span to learn from; at least {LEAST}")
    learnt, back = held_back(rows, lambda row: row.prompt, given.calibrate, job.seed)
    worths = classes(rows)
    reader = tokens.Reader(job, named(worths))
    examples = [example(reader, row, worths) for row in learnt]
    weights = tokens.class_weights(reader, examples, given.balance)
    held = [row for split in job.held_out for row in marked_in(job, split, given.severities)]
    seen = [example(reader, row, worths) for row in held]
    job.log(f"{len(learnt)} responses to learn from, {len(back)} for the threshold, {len(held)} held out")

    def values(some: Sequence[Any]) -> list[list[float]]:
        return [expected(rows, worths) for rows in tokens.logits_of(reader.model, reader, some)]

    def measure() -> dict[str, float]:
        looked = values(seen[: tokens.LOOKED_AT])
        found = auroc_of(held[: tokens.LOOKED_AT], seen, looked)
        return {} if found is None else {"held_out_auroc": found}

    _, took = tokens.train(reader, examples, tokens.cross_entropy(weights), measure if held else None, weights)
    tokens.keep_model(reader)
    aside = [example(reader, row, worths) for row in back]
    threshold = threshold_on(pointed(back, aside, values(aside)), given.beta)
    found = pointed(held, seen, values(seen))
    keep(job.out, found)
    chosen = {} if threshold is None else {"config": {"threshold": round(threshold, 4)}}
    return {**took, **chosen, "classes": named(worths), **summed(found, threshold or DEFAULT)}


def example(reader: Any, row: Marked, worths: Sequence[float]) -> Any:
    from workers.nn.token_heads import own
    from workers.nn.tokens import Example

    text = reader.text(row.prompt, row.response)
    groups = [[number] for number in own(text)]
    told = [shares(row, text.offsets[number]) for [number] in groups]
    return Example(text, groups, [[one.get(worth, 0.0) for worth in worths] for one in told])


def expected(logits: Sequence[Sequence[float]], worths: Sequence[float]) -> list[float]:
    """The expected worth of each token."""
    import torch

    if not logits:
        return []
    found: list[float] = (torch.tensor(logits).softmax(1) @ torch.tensor(worths)).tolist()
    return found


def pointed(rows: Sequence[Marked], seen: Sequence[Any], values: Sequence[Sequence[float]]) -> list[Pointed]:
    return [
        Pointed.of(row, [one.text.offsets[number] for [number] in one.groups], value)
        for row, one, value in zip(rows, seen, values, strict=True)
    ]


def auroc_of(rows: Sequence[Marked], seen: Sequence[Any], values: Sequence[Sequence[float]]) -> float | None:
    scores, truth = [], []
    for row, one, told in zip(rows, seen, values, strict=False):
        scores += [-value for value in told]
        truth += [poor(row, one.text.offsets[number]) for [number] in one.groups]
    return auroc(scores, truth)


def threshold_on(rows: Sequence[Pointed], beta: float) -> float | None:
    """How far below zero a token is marked, by the best F-beta; None where nothing tells."""
    scores = [-value for one in rows for value in one.values]
    truth = [label for one in rows for label in one.truth]
    found = best_threshold(scores, truth, beta)
    return found[0] if found and found[0] > 0 else None


trainers.add(
    Trainer(
        name="span-reward",
        title="Span reward",
        about="Learns from good and poor spans; gives a reward to every token of a response, and marks spans in it.",
        reads=("text2grad", "annotations"),
        makes="token",
        train=train,
        settings=SpanReward,
        bases=("embedder", "token", "policy", "critic"),
    )
)
