"""A Bradley-Terry head on a frozen encoder: a reward model from some dozen pairs, in seconds, on one core.

    P(chosen better) = sigmoid(r(chosen) - r(rejected)),  r(x) = w . tanh(z(x) / 4)
    loss = - sum log P + lambda/2 |w|^2                    (R. A. Bradley and M. E. Terry, Biometrika 39, 1952)

z is the encoder's state at its first token, each dimension brought to mean 0 and deviation 1. That is what the pooler
and the classifier of a sequence classification model compute, so w and the scaling are written into these and the
result loads like any other reward model. The loss is convex: the seed decides only the folds of the cross-validation.
Pairs that share a prompt or a response stand in one fold, else a head would be asked what it has learnt by heart.
lambda is fixed at 10, not searched for. The accuracy stands beside that of "the longer response is better".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from workers.clustering import Joined
from workers.held_out import Ranked, keep, share, summed
from workers.paired import Messages, PairRow, pairs_in
from workers.references import builtin_folder
from workers.training import EVALUATING, MORE, TRAIN, Compared, Fitted, Job, Trainer, trainers

FOLDS = 8
LAMBDA = 10.0
LENGTH = 512
LEAST = 16
"""Fewer pairs than that are not enough to hold any out."""
TIED = 0.5
"""Where shared responses tie a larger share of the pairs together, one response in common is not enough."""


class FrozenHead(Fitted):
    """Nothing else can be chosen: the loss is convex and its penalty is fixed."""

    max_length: int = Field(
        LENGTH, ge=8, le=LENGTH, description="tokens of a text; longer ones are cut", json_schema_extra=MORE
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs."""
    from workers.nn import bt_head

    pairs = [as_compared(row) for row in pairs_in(job, TRAIN)]
    texts = 2 * len(pairs)
    metrics = learn(pairs, job.model, job.seed, job.log, job.settings.max_length, lambda n: job.tell(n, texts, {}))
    rows = [row for split in job.held_out for row in pairs_in(job, split)]
    if not rows:
        job.log("no rows were held out")
        keep(job.out, [])
        return metrics
    job.log(f"{EVALUATING} {len(rows)} held-out rows")
    asked = [(row.prompt, text_of(side)) for row in rows for side in (row.chosen, row.rejected)]
    scores = bt_head.rewards_by(job.model, job.settings.max_length, asked)
    held = [Ranked.of(row, *scores[2 * n : 2 * n + 2]) for n, row in enumerate(rows)]
    keep(job.out, held)
    told = summed(held)
    job.log(f"held out: {words(told['held_out'])}; length alone: {words(told['longer_is_better'])}")
    return {**metrics, **told}


def as_compared(row: PairRow) -> Compared:
    return Compared(row.prompt, text_of(row.chosen), text_of(row.rejected))


def text_of(messages: Messages) -> str:
    return "\n\n".join(str(one.get("content") or "") for one in messages)


def learn(
    pairs: Sequence[Compared],
    out: Path,
    seed: int,
    log: Callable[[str], None],
    length: int = LENGTH,
    read: Callable[[int], None] = lambda n: None,
) -> dict[str, Any]:
    """A model in `out` from compared responses; how heads like it do on pairs left out, `cross_validated`, unless all
    pairs share one prompt. Raises ValueError for too few pairs.

    `read` is told now and then how many of the responses are read.
    """
    from workers.nn import bt_head

    if len(pairs) < LEAST:
        raise ValueError(f"{len(pairs)} pairs are too few; at least {LEAST}")
    encoder = bt_head.encoder(builtin_folder("minilm"), length)
    log(f"reading {2 * len(pairs)} responses")
    chosen = bt_head.states(encoder, [(pair.prompt, pair.chosen) for pair in pairs], read)
    before = len(pairs)
    rejected = bt_head.states(encoder, [(pair.prompt, pair.rejected) for pair in pairs], lambda n: read(before + n))
    head = bt_head.fit(chosen, rejected, weight=LAMBDA)
    bt_head.save(encoder, head, out)
    longer = share(sum(longer_chosen(pair) for pair in pairs), len(pairs))
    metrics: dict[str, Any] = {
        "pairs": len(pairs),
        "longer_is_better": longer,
        "trained_on": bt_head.accuracy(head, chosen, rejected),
    }
    groups = tied(pairs)
    number = len(set(groups))
    if number < 2:
        log(f"not cross-validated: all pairs are on one prompt; length alone: {words(longer)}")
        return metrics
    read(2 * before)
    right = bt_head.cross_validated(chosen, rejected, groups, folds=FOLDS, weight=LAMBDA, seed=seed)
    found = share(sum(right), len(pairs))
    log(f"cross-validated by {number} groups of prompts: {words(found)}; length alone: {words(longer)}")
    return {**metrics, "folds": min(FOLDS, number), "groups": number, "cross_validated": found}


def words(share: Mapping[str, Any]) -> str:
    return f"{100 * share['accuracy']:.1f} % right of {share['n']}"


def tied(pairs: Sequence[Compared]) -> list[int]:
    """A number for each pair, the same for those that share a prompt or a response, be it through others.

    A response that stands everywhere, such as a refusal, would tie all of them: then it takes both responses.
    """
    asked = [[b"prompt" + orjson.dumps(list(pair.prompt))] if pair.prompt else [] for pair in pairs]
    sides = [(pair.chosen, pair.rejected) for pair in pairs]
    either = [[b"response" + text.encode() for text in texts] for texts in sides]
    found = joined([one + more for one, more in zip(asked, either, strict=True)])
    if max(Counter(found).values(), default=0) <= TIED * len(pairs):
        return found
    return joined([[*one, b"both" + orjson.dumps(sorted(texts))] for one, texts in zip(asked, sides, strict=True)])


def joined(keys: Sequence[Sequence[bytes]]) -> list[int]:
    """The smallest place that each place is joined with, by keys in common."""
    sets = Joined(len(keys))
    first: dict[bytes, int] = {}
    for place, mine in enumerate(keys):
        for key in mine:
            sets.join(place, first.setdefault(key, place))
    return [sets.top(place) for place in range(len(keys))]


def longer_chosen(pair: Compared) -> float:
    """1 if the preferred response has more words, a half for as many."""
    chosen, rejected = len(pair.chosen.split()), len(pair.rejected.split())
    return 0.5 if chosen == rejected else float(chosen > rejected)


trainers.add(
    Trainer(
        name="frozen-head",
        title="Reward head on the built-in encoder",
        about="A reward model from some dozen pairs, in a minute on one core: only a head on a frozen encoder learns.",
        reads=("trl-preference", "trl-preference-implicit"),
        makes="reward",
        builds="the built-in encoder (builtin:minilm), whose weights stay as they are",
        train=train,
        settings=FrozenHead,
        least=LEAST,
        unit="responses",
    )
)
