"""Noisy Bradley–Terry: responses have a strength, annotators a skill and a lean to one side.

Chen, Bennett, Collins-Thompson and Horvitz 2013, Pairwise Ranking Aggregation in a Crowdsourced Setting, WSDM, in the
form of crowd-kit's `NoisyBradleyTerry`: with probability σ(skill) an annotator compares strengths, and says that i is
better than j with probability σ(s_i − s_j); otherwise they take the left response with probability σ(lean).

The model is crowd-kit's, the optimisation ours: in release 1.4.2 the gradient of skills and leans is kept at the place
of the parameter before and overwritten by the annotator's next vote, and the sign of the regularisation differs
between value and gradient, so that the search gives up early (docs/deciding.md has what that costs). Simplified: a tie
is half a vote for each side, and "both bad" says nothing of which is better. Priors: half a win and half a loss against
a response of strength 0 for each response, four right answers to one wrong for each skill, a standard normal on leans.
"""

from __future__ import annotations

from typing import Any

from workers.aggregating import (
    BOTH_BAD,
    FIRST,
    SECOND,
    TIE,
    Aggregator,
    Fit,
    Votes,
    aggregators,
    library,
    numpy,
)

HALF_GAMES = 0.5
RIGHT, WRONG = 4.0, 1.0


def fit(votes: Votes, seed: int) -> Fit:
    """The distribution is over first and second; where all votes are "both bad", over that alone.

    Raises ValueError where votes are not on pairs.
    """
    np = numpy()
    if votes.pairs is None:
        raise ValueError("responses are compared, so votes must be on pairs")
    games = games_of(votes)
    size = int(votes.pairs.max()) + 1 if len(votes.pairs) else 0
    strengths, leans, skills = maximised(games, size, votes.annotators)
    first, second = votes.pairs[:, 0], votes.pairs[:, 1]
    better = sigmoid(strengths[first] - strengths[second])
    counts = votes.counts()
    posterior = np.zeros((votes.tasks, votes.labels))
    posterior[:, FIRST], posterior[:, SECOND] = better, 1 - better
    posterior[(counts[:, :BOTH_BAD].sum(1) == 0) | (counts.sum(1) == 0)] = 0
    if votes.labels > BOTH_BAD:
        posterior[(counts.sum(1) > 0) & (counts[:, BOTH_BAD] == counts.sum(1)), BOTH_BAD] = 1
    own = {"skill": sigmoid(skills).tolist(), "lean": sigmoid(leans).tolist()}
    return Fit(posterior, vouched_for(votes, strengths), own)


def vouched_for(votes: Votes, strengths: Any) -> Any:
    """How likely the response that a vote prefers is the better one, its own part in both strengths taken out.

    One vote moves a strength by about its residual over the curvature there (a Newton step), which is what taking it
    out undoes; exact refits would take one for each vote. A tie or "both bad" is not vouched for.
    """
    np = numpy()
    first, second = votes.pairs[votes.task, 0], votes.pairs[votes.task, 1]  # type: ignore[index]
    gap = strengths[first] - strengths[second]
    p = sigmoid(gap)
    weight = p * (1 - p)
    curvature = np.full(len(strengths), HALF_GAMES / 2)
    np.add.at(curvature, first, weight)
    np.add.at(curvature, second, weight)
    won = np.where(votes.label == FIRST, 1.0, 0.0)
    step = (won - p) * (
        1 / np.maximum(curvature[first] - weight, 0.1) + 1 / np.maximum(curvature[second] - weight, 0.1)
    )
    without = sigmoid(gap - np.clip(step, -4, 4))
    right = np.where(votes.label == FIRST, without, 1 - without)
    return np.where(votes.label <= SECOND, right, np.nan)


def games_of(votes: Votes) -> dict[str, Any]:
    """Winner against loser: one row for a vote, two of half the weight for a tie; `left` is 1 where the winner stood
    there, -1 where the loser did; unknown counts as the pair's own order."""
    np = numpy()
    assert votes.pairs is not None
    first, second = votes.pairs[votes.task, 0], votes.pairs[votes.task, 1]
    left = np.ones(len(votes)) if votes.left is None else np.where(votes.left == 0, 1, votes.left)
    parts = []
    for label, share in ((FIRST, 1.0), (SECOND, 1.0), (TIE, 0.5)):
        mine = votes.label == label
        if label != SECOND:
            parts.append((first[mine], second[mine], left[mine], votes.annotator[mine], share))
        if label != FIRST:
            parts.append((second[mine], first[mine], -left[mine], votes.annotator[mine], share))
    return {
        "winner": np.concatenate([part[0] for part in parts]),
        "loser": np.concatenate([part[1] for part in parts]),
        "left": np.concatenate([part[2] for part in parts]),
        "who": np.concatenate([part[3] for part in parts]),
        "weight": np.concatenate([np.full(len(part[0]), part[4]) for part in parts]),
    }


def maximised(games: dict[str, Any], responses: int, annotators: int) -> tuple[Any, Any, Any]:
    """Strengths, leans and skills (as log-odds) at the maximum; begun at equal strengths, so nothing is random."""
    np = numpy()
    start = np.zeros(responses + 2 * annotators)
    start[responses + annotators :] = np.log(RIGHT / WRONG)
    found = library("scipy.optimize").minimize(
        loss, start, args=(games, responses, annotators), jac=True, method="L-BFGS-B", options={"maxiter": 500}
    )
    return np.split(found.x, [responses, responses + annotators])  # type: ignore[no-any-return]


def loss(x: Any, games: dict[str, Any], responses: int, annotators: int) -> tuple[float, Any]:
    """The negative log posterior, and its gradient."""
    np = numpy()
    s, q, g = np.split(x, [responses, responses + annotators])
    winner, loser, left, who, weight = (games[name] for name in ("winner", "loser", "left", "who", "weight"))
    skill, better, by_side = sigmoid(g[who]), sigmoid(s[winner] - s[loser]), sigmoid(left * q[who])
    likely = skill * better + (1 - skill) * by_side
    told = weight / likely
    by_strength = told * skill * better * (1 - better)
    by_lean = told * (1 - skill) * by_side * (1 - by_side) * left
    by_skill = told * (better - by_side) * skill * (1 - skill)
    ds = np.bincount(winner, by_strength, responses) - np.bincount(loser, by_strength, responses)
    dq, dg = np.bincount(who, by_lean, annotators), np.bincount(who, by_skill, annotators)
    level, all_skill = sigmoid(s), sigmoid(g)
    value = (weight * np.log(likely)).sum() + HALF_GAMES * (np.log(level) + np.log(1 - level)).sum()
    value += (RIGHT * np.log(all_skill) + WRONG * np.log(1 - all_skill)).sum() - (q * q).sum() / 2
    ds = ds + HALF_GAMES * (1 - 2 * level)
    dg = dg + RIGHT * (1 - all_skill) - WRONG * all_skill
    return -float(value), -np.concatenate([ds, dq - q, dg])


def sigmoid(x: Any) -> Any:
    np = numpy()
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


aggregators.add(
    Aggregator(
        name="noisy_bt",
        title="Noisy Bradley–Terry",
        about="A strength for each response over all its pairs, a skill and a lean for each annotator.",
        fit=fit,
        pairs_only=True,
    )
)
