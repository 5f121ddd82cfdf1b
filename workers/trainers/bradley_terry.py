"""A reward model from compared responses: the whole encoder or language model learns, with a head of one number.

    loss = -log sigmoid(r(chosen) - r(rejected) - m)          (Bradley and Terry, Biometrika 39, 1952)

m is 0, or `margin` times the strength of the preference (Llama 2, arXiv 2307.09288, section 3.2.2). With label
smoothing e the loss is (1 - e) times this plus e times that of the reverse; soft labels take for 1 - e the confidence
of the decision, so that a pair on which people were divided pulls less. The head's numbers are kept near zero by
`centre` (r(chosen) + r(rejected))^2 (Eisenstein et al. 2023, arXiv 2312.09244). Skywork-Reward-V2 trains in this way
(arXiv 2507.01352); it filters the pairs beforehand, which is the work of curation here.

`members` heads on one backbone, each with its own start and its own bootstrap of the pairs, are an ensemble: their mean
is the score, their spread says where they are unsure (Zhang et al. 2024, arXiv 2401.16635, the linear-layer ensemble).
`axes` says what is learnt from a version that compares on two axes, PKU-SafeRLHF: one of them, or a head for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from workers.held_out import keep, share, summed
from workers.paired import AXES, PairSettings, preferred_on
from workers.training import Job, Trainer, trainers

BOTH = tuple(AXES)


class BradleyTerry(PairSettings):
    margin: float = Field(0.0, ge=0, le=10, description="how much of the strength of a preference is asked as margin")
    smoothing: float = Field(0.0, ge=0, lt=0.5, description="share of the labels that are taken to be the other way")
    soft_labels: bool = Field(False, description="the confidence of each decision instead of its label alone")
    centre: float = Field(0.0, ge=0, le=1, description="weight that keeps scores near zero")
    members: int = Field(1, ge=1, le=32, description="heads of an ensemble, each with its own bootstrap of the pairs")
    axes: Literal["", "helpfulness", "harmlessness", "both"] = Field(
        "", description="of a version for PKU-SafeRLHF, what is learnt; both: a head for each"
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs or parameters that do not fit, Unusable for a base that cannot be loaded."""
    from workers.nn import pairs

    given: BradleyTerry = job.settings
    axes = axes_of(job.target, given)
    heads = heads_of(given)

    def loss(chosen: Any, rejected: Any, batch: Any) -> Any:
        ways = batch["axes"]
        unsure = (1 - batch["confidence"] if given.soft_labels else ways.new_tensor(given.smoothing))[..., None]
        value = pairs.bradley_terry(chosen * ways, rejected * ways, given.margin * batch["margin"][:, None], unsure)
        value = value + given.centre * (chosen + rejected) ** 2
        if given.members > 1:
            value = value * pairs.drawn(batch["places"], given.members, job.seed)
        return value.mean(1)

    took, scored = pairs.train(job, loss, heads, preferred_on(axes) if axes else None)
    held = [one.ranked(0 if len(axes) > 1 else None) for one in scored]
    keep(job.out, held)
    told = {**took, **summed(held)}
    if len(axes) > 1 and held:
        ranked = {axis: [one.ranked(head) for one in scored] for head, axis in enumerate(axes)}
        told["by_axis"] = {axis: share(sum(one.right for one in rows), len(rows)) for axis, rows in ranked.items()}
    if given.members > 1 and held:
        told["by_agreement"] = by_agreement(scored)
    return told


def axes_of(target: str, given: BradleyTerry) -> Sequence[str]:
    """The axes that are learnt from a version that has several; none of a version that has but its own."""
    if target != "pku-saferlhf":
        if given.axes:
            raise ValueError(f"axes: a version for {target} holds one axis; leave it empty")
        return ()
    if not given.axes:
        raise ValueError(f"axes: say which of {', '.join(AXES)}, or both")
    if given.axes == "both" and given.members > 1:
        raise ValueError("members: an ensemble has one axis; train one for each")
    return BOTH if given.axes == "both" else (given.axes,)


def heads_of(given: BradleyTerry) -> Sequence[str]:
    if given.axes == "both":
        return BOTH
    return [f"member-{n}" for n in range(1, given.members + 1)] if given.members > 1 else ("reward",)


def config(given: BradleyTerry) -> dict[str, Any]:
    """How the model is to be read."""
    if given.axes == "both":
        return {"heads": list(BOTH)}
    return ({"ensemble": True} if given.members > 1 else {}) | ({"axis": given.axes} if given.axes else {})


def by_agreement(scored: Sequence[Any]) -> dict[str, Any]:
    """How often the ensemble is right where all its members say the same, and where they do not."""
    groups: dict[str, list[float]] = {"all members agree": [], "members differ": []}
    for one in scored:
        ways = {a > b for a, b in zip(one.chosen, one.rejected, strict=True)}
        groups["all members agree" if len(ways) == 1 else "members differ"].append(one.ranked().right)
    return {name: share(sum(right), len(right)) for name, right in groups.items() if right}


trainers.add(
    Trainer(
        name="bradley-terry",
        title="Reward model (Bradley-Terry)",
        about="Learns from compared responses which of two people prefer; gives a score to any response.",
        reads=("trl-preference", "trl-preference-implicit", "pku-saferlhf"),
        makes="reward",
        train=train,
        settings=BradleyTerry,
        bases=("embedder", "reward", "policy", "critic"),
        config=config,
    )
)
