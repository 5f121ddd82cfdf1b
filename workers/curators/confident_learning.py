"""Wrong labels by a model that has not seen them: out-of-fold margins of a linear Bradley–Terry head, and confident
learning's thresholds.

Northcutt, Jiang and Chuang 2021, Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70, 1373-1411
(https://arxiv.org/abs/1911.00068). A label counts as wrong when a model trained without it gives the other label at
least the probability that it gives that label on the average of those that have it: t_j = mean of P(j) over the rows
labelled j. Here the model is logistic regression without intercept on the difference of two frozen embeddings, which is
Bradley–Terry with a linear reward. Folds are whole prompts, so that no response of a prompt is learned from and judged.

The weights have a normal prior under which the logit has the standard deviation `spread`, whatever the embeddings are
scaled to; the optimum is found by Newton's method in blocks of rows, so that differences stay on the disk. Unlike the
paper nothing is pruned by a noise rate: each row is a proposal with its probability, for people to see.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from workers.aggregating import numpy
from workers.curating import Aid, Curator, Proposal, Row, Settings, Unfit, curators

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Real = NDArray[np.float64]
    Mask = NDArray[np.bool_]

BLOCK = 4096
"""Rows that are multiplied at once."""
STEPS, ENOUGH = 30, 1e-6
FEWEST = 50
"""With fewer labelled pairs nothing is learned that could contradict them."""
CAUSE = "contradicted out of fold"


class ConfidentSettings(Settings):
    embedder: int = Field(
        title="Embedder",
        description="whose vectors of the responses; a run of embed makes them",
        json_schema_extra={"choose": "model", "kinds": ["embedder"]},
    )
    folds: int = Field(default=5, ge=2, le=20, title="Folds", description="parts that prompts are dealt into")
    spread: float = Field(
        default=1.0,
        gt=0,
        le=10,
        title="Spread",
        description="how sure the head may become: larger learns more and noisier",
    )
    flip_below: float = Field(
        default=0.2, ge=0, le=0.5, title="Flip below", description="suspects whose label is less probable are flipped"
    )
    doubtful: Literal["ask", "drop", "flip"] = Field(
        default="ask", title="Other suspects", description="ask people again, drop them, or flip them too"
    )


# --- On arrays: also for those who measure it ---------------------------------------------------------


def out_of_fold_margins(
    differences: Any, groups: Sequence[Any], labels: Any, folds: int = 5, seed: int = 0, *, spread: float = 1.0
) -> Real:
    """The logit of each given label by a head that has learned from other groups alone; above 0 it agrees.

    `differences` [n, d] are first minus second embedding, `labels` [n] are 1 where the first is preferred and -1 (or 0)
    where the second is, `groups` [n] are what stays in one fold: prompts. Raises Unfit where a fold has nothing to
    learn from.
    """
    np = numpy()
    signs = np.where(np.asarray(labels) > 0, 1.0, -1.0)
    fold = np.array([fold_of(group, folds, seed) for group in groups], dtype=np.int64)
    margins = np.zeros(len(signs))
    for held in range(folds):
        inside = fold == held
        if not inside.any():
            continue
        weights = fitted(differences, signs, ~inside, spread)
        for at in blocks(len(signs)):
            mine = inside[at]
            margins[at][mine] = signs[at][mine] * (np.asarray(differences[at], dtype=np.float64)[mine] @ weights)
    return margins


def flagged(margins: Any, labels: Any = None, *, below: float | None = None) -> Mask:
    """Which labels are suspected: by confident learning's thresholds, or with `below` those less probable than it.

    With `labels` each side of the pair has a threshold of its own; sides are drawn by lot, so that one for both, which
    is had without, is as good and steadier.
    """
    np = numpy()
    own = probability(margins)
    if below is not None:
        found: Mask = own < below
        return found
    other_side = np.full(len(own), own.mean() if len(own) else 0.5)
    if labels is not None:
        first = np.asarray(labels) > 0
        for side in (first, ~first):
            if side.any():
                other_side[~side] = own[side].mean()
    suspected: Mask = (1 - own >= other_side) & (own < 0.5)
    return suspected


def probability(margins: Any) -> Real:
    """Of each given label, out of its logit."""
    np = numpy()
    found: Real = 1 / (1 + np.exp(-np.clip(np.asarray(margins, dtype=np.float64), -500, 500)))
    return found


def fitted(differences: Any, signs: Real, chosen: Mask, spread: float) -> Real:
    """The weights of the head on some of the rows: the likeliest under the prior, by Newton's method."""
    np = numpy()
    squares = [np.square(np.asarray(differences[at], dtype=np.float64)[chosen[at]]).sum() for at in blocks(len(signs))]
    count, width = int(chosen.sum()), differences.shape[1]
    size = sum(squares) / max(1, count)
    """Mean squared length of a difference: of weights of variance v the logit has the variance v · size."""
    if not size:
        raise Unfit("there is nothing to learn from: in one fold no two responses differ")
    precision = size / spread**2
    weights = np.zeros(width)
    for _ in range(STEPS):
        gradient, curvature = precision * weights, precision * np.eye(width)
        for at in blocks(len(signs)):
            some = np.asarray(differences[at], dtype=np.float64)[chosen[at]]
            side = signs[at][chosen[at]]
            wrong = probability(-side * (some @ weights))
            gradient -= some.T @ (side * wrong)
            curvature += some.T @ (some * (wrong * (1 - wrong))[:, None])
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < ENOUGH * max(1.0, float(np.abs(weights).max())):
            break
    found: Real = weights
    return found


def blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(count, start + BLOCK)) for start in range(0, count, BLOCK))


def fold_of(group: Any, folds: int, seed: int) -> int:
    """The fold of a prompt: it follows from the seed and the prompt, not from what else there is."""
    return number_of(f"{seed}:{group}") % folds


def number_of(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


# --- On rows ------------------------------------------------------------------------------------------


def propose(rows: Iterable[Row], params: ConfidentSettings, aid: Aid) -> Iterator[Proposal]:
    """Goes through the rows twice: for the vectors, which are kept on the disk, and for what is said of each."""
    np = numpy()
    groups, labels = array("Q"), array("b")
    with TemporaryFile() as kept:
        width = 0
        for row, difference in compared(rows):
            kept.write(difference.astype("<f4").tobytes())
            width = len(difference)
            groups.append(number_of(row.prompt_hash))
            labels.append(1 if row.outcome == "first" else -1)
        if len(groups) < FEWEST:
            raise Unfit(
                f"{len(groups)} labelled pairs have vectors of this embedder, and it takes {FEWEST}: run embed first"
            )
        kept.flush()
        differences = np.memmap(kept, dtype="<f4", mode="r", shape=(len(groups), width))
        margins = out_of_fold_margins(
            differences, groups, np.frombuffer(labels, dtype=np.int8), params.folds, aid.seed, spread=params.spread
        )
        del differences
    suspected, own = flagged(margins), probability(margins)
    usual = float(own.mean())
    aid.log(f"{len(own)} pairs; their labels get {usual:.3f} out of fold on average; {int(suspected.sum())} suspected")
    for (row, _), suspect, chance in zip(compared(rows), suspected, own, strict=True):
        if suspect and not row.settled:
            action = "flip" if chance < params.flip_below else params.doubtful
            words = (
                f"a head that has not seen this prompt gives the label {100 * chance:.0f} %; "
                f"labels get {100 * usual:.0f} % on average"
            )
            yield Proposal(row.subject, action, float(1 - chance), words, CAUSE)


def compared(rows: Iterable[Row]) -> Iterator[tuple[Row, Any]]:
    """Labelled pairs whose responses both have a vector, with its difference: first minus second."""
    for row in rows:
        if row.labelled and row.second and row.first.vector is not None and row.second.vector is not None:
            yield row, row.first.vector - row.second.vector


curators.add(
    Curator(
        name="confident-learning",
        title="Confident learning",
        about="Finds labels that a linear reward on frozen embeddings contradicts out of fold: flips the improbable "
        "ones and sends the doubtful to people.",
        propose=propose,
        params=ConfidentSettings,
        paper="https://arxiv.org/abs/1911.00068",
        needs=frozenset({"embeddings"}),
    )
)
