"""Every method of a run, by name."""

from __future__ import annotations

from curation.services import (
    accepting,
    aggregating,
    bias,
    calibrating,
    checking,
    critiquing,
    curating,
    default_model,
    embedding,
    evaluating,
    filling,
    freezing,
    guiding,
    importing,
    inspecting,
    learning,
    pairing,
    planning,
    prelabelling,
    prioritising,
    probing,
    scoring,
    self_referencing,
    switching,
    training,
    trying,
)
from curation.services.concord import gammas
from curation.services.freezing import comparing, pushing, rebuilding
from curation.services.guarding import learning as gate
from curation.services.guarding import moderating
from curation.services.guarding.learning import METHOD as LEARN_GATE
from curation.services.method import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        importing.METHOD,
        accepting.METHOD,
        switching.METHOD,
        freezing.METHOD,
        comparing.METHOD,
        rebuilding.METHOD,
        pushing.METHOD,
        scoring.METHOD,
        embedding.METHOD,
        prelabelling.METHOD,
        calibrating.METHOD,
        prioritising.METHOD,
        pairing.METHOD,
        critiquing.METHOD,
        self_referencing.METHOD,
        guiding.METHOD,
        inspecting.METHOD,
        trying.METHOD,
        default_model.METHOD,
        probing.METHOD,
        aggregating.METHOD,
        evaluating.METHOD,
        checking.METHOD,
        curating.METHOD,
        bias.METHOD,
        learning.METHOD,
        filling.METHOD,
        gammas.METHOD,
        *planning.METHODS,
        gate.METHOD,
        LEARN_GATE,
        moderating.METHOD,
        *training.METHODS,
    )
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "Data in and out": ("import", "freeze", "compare", "verify", "push"),
    "People and their work": ("assign", "prioritise", "accept", "check", "ask-about-hardest", "learning-curve"),
    "Labels and curation": ("decide", "curate", "gamma", "bias-report", "learn-gate", "safety-gate"),
    "Models at work": ("score", "embed", "prelabel", "calibrate", "evaluate", "build-pairs", "probe"),
    "Critics and judges": ("critique", "self-reference", "guided"),
    "Training": tuple(method.name for method in training.METHODS if method.name.startswith("train-")),
}
"""What people may start, by what it is about, in the order in which it is offered."""
