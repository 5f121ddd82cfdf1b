"""Majority: every vote weighs the same. The confidence is the share of the votes; a draw decides nothing."""

from __future__ import annotations

from workers.aggregating import Aggregator, Fit, Votes, aggregators, numpy


def fit(votes: Votes, seed: int) -> Fit:
    """Shares of votes. A vote is vouched for by the share of the others that agree with it."""
    np = numpy()
    counts = votes.counts()
    total = counts.sum(1)
    posterior = counts / np.maximum(total, 1)[:, None]
    rest = total[votes.task] - 1
    others = np.where(rest > 0, (counts[votes.task, votes.label] - 1) / np.maximum(rest, 1), np.nan)
    return Fit(posterior, others)


aggregators.add(
    Aggregator(name="majority", title="Majority", about="Each answer weighs the same; a draw is undecided.", fit=fit)
)
