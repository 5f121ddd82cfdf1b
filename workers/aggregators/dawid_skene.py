"""Dawid–Skene: each annotator confuses labels in a way of their own, found together with the labels by EM.

Dawid and Skene 1979, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm, Applied Statistics
28:20-28. P(says l | true k) is an entry of the annotator's confusion matrix. Fitted by crowd-kit (Apache-2.0), which
starts from the majority; nothing is drawn at random. There is no prior, so annotators with few answers are taken at
their word: with less than ten or so each, MACE is the safer choice.
"""

from __future__ import annotations

from workers.aggregating import Aggregator, Fit, Votes, aggregators, frame, library, numpy, vouched


def fit(votes: Votes, seed: int) -> Fit:
    """crowd-kit's posterior as it is; `others` from its confusion matrices."""
    np = numpy()
    model = library("crowdkit.aggregation").DawidSkene(n_iter=100).fit(frame(votes))
    posterior = model.probas_.reindex(index=range(votes.tasks), columns=range(votes.labels)).fillna(0.0).to_numpy()
    errors = np.zeros((votes.annotators, votes.labels, votes.labels))
    known = model.errors_.reindex(columns=range(votes.labels)).fillna(0.0)
    at = known.index.to_frame().to_numpy()
    errors[at[:, 0], at[:, 1]] = known.to_numpy()
    prior = model.priors_.reindex(range(votes.labels)).fillna(0.0).to_numpy()
    _, others = vouched(votes, prior, errors[votes.annotator, votes.label])
    accuracy = np.einsum("akk,k->a", errors, prior)
    return Fit(posterior, others, {"accuracy": accuracy.tolist()})


aggregators.add(
    Aggregator(
        name="dawid_skene",
        title="Dawid–Skene",
        about="Finds how each annotator confuses labels; takes ten answers or more of each.",
        fit=fit,
    )
)
