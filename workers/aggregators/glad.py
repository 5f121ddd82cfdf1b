"""GLAD: an ability for each annotator and a difficulty for each task.

Whitehill, Ruvolo, Wu, Bergsma and Movellan 2009, Whose Vote Should Count More, NeurIPS 22. A vote is right with
probability 1 / (1 + exp(-ability · exp(ease))), all wrong labels alike. Fitted by crowd-kit (Apache-2.0) with normal
priors around 1 on both; nothing is drawn at random. It optimises two parameters a task anew in every step and is slow:
the benchmarks leave it out above some ten thousand votes.
"""

from __future__ import annotations

from workers.aggregating import Aggregator, Fit, Votes, aggregators, frame, library, numpy, vouched


def fit(votes: Votes, seed: int) -> Fit:
    """With a single label there is nothing to tell apart, and all of it is certain."""
    np = numpy()
    if votes.labels < 2:
        return Fit(np.ones((votes.tasks, votes.labels)), np.ones(len(votes)))
    model = library("crowdkit.aggregation").GLAD(n_iter=100).fit(frame(votes))
    posterior = model.probas_.reindex(index=range(votes.tasks), columns=range(votes.labels)).fillna(0.0).to_numpy()
    ability = model.alphas_.reindex(range(votes.annotators)).fillna(0.0).to_numpy()
    ease = np.exp(model.betas_.reindex(range(votes.tasks)).fillna(0.0).to_numpy())
    right = 1 / (1 + np.exp(-np.clip(ability[votes.annotator] * ease[votes.task], -30, 30)))
    likelihood = np.repeat(((1 - right) / (votes.labels - 1))[:, None], votes.labels, axis=1)
    likelihood[np.arange(len(votes)), votes.label] = right
    _, others = vouched(votes, np.full(votes.labels, 1 / votes.labels), likelihood)
    return Fit(posterior, others, {"ability": ability.tolist()})


aggregators.add(
    Aggregator(
        name="glad",
        title="GLAD",
        about="An ability for each annotator, a difficulty for each task. Slow: for some thousand answers.",
        fit=fit,
    )
)
