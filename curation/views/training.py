"""Trainings of a project: the list with what can be trained, the drawings of one, two or more side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from curation import access
from curation.curve_plot import curves, limits, said
from curation.errors import DomainError
from curation.models import Project, Run, RunLine, User
from curation.reliability_plot import floor_of, reliability
from curation.services import starting
from curation.services.scoring import KINDS
from curation.services.training.asking import PREFIX, Missing, missing, trainer_of
from curation.services.training.told import SLICES, Curve, Told, curves_of, told_of
from curation.templatetags.chrome import number
from curation.templatetags.chrome import said as plain_value
from workers.training import EVALUATING, Trainer, trainers

SHOWN = 50
COMPARED = 6
NOT_SHOWN = (
    "model",
    "name",
    "held_out",
    "longer_is_better",
    "calibration",
    "length_bias",
    "seconds",
    "cross_validated",
)


RIGHTS = (
    ("held_out", "This model"),
    ("cross_validated", "Cross-validated on the rows it was trained on"),
    ("longer_is_better", "Always the longer response"),
    ("commonest_verdict", "Always the commonest verdict"),
    ("commonest_label", "Always the commonest label"),
    ("answers_read", "Answers that could be read"),
    ("quotes_found", "Quotes that stand in the response"),
    ("tokens_guessed", "Tokens guessed"),
)
"""Shares of a result that are shown with their intervals."""
MEASURES = {
    "pairs": "Pairs trained on",
    "rows": "Rows trained on",
    "tokens": "Tokens of these rows",
    "cut": "Texts cut to the longest length",
    "dropped": "Rows left out as too long",
    "trained_on": "Right on its own training rows",
    "folds": "Folds of the cross-validation",
    "groups": "Groups of pairs that share a prompt or a response",
    "loss": "Loss, mean over the steps",
    "cpu_seconds": "Seconds of processor time",
}
"""What a number of a result is called; others by their own names."""
SHARES = ("trained_on",)
"""Those that are shares."""
OF_COST = {
    "Always the longer response": "Always taking the longer response for the less safe one",
    "preferred is longer": "the less safe one is longer",
    "preferred is shorter": "the less safe one is shorter",
    "Preferred": "Less safe",
    "Other": "Safer",
}
"""What is said instead where the first response of a pair is not the preferred but the less safe one."""


def is_training(run: Run) -> bool:
    return run.method.startswith(PREFIX) and run.method != PREFIX + "default"


@require_safe
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The latest trainings, and what else can be trained."""
    project = access.project_for(request.user, slug, access.READ)
    runs = Run.objects.filter(project=project, method__startswith=PREFIX).select_related("created_by", "model")
    root = reverse("run-new", args=[project.slug])
    offers = [
        {
            "title": trainer.title,
            "about": trainer.about,
            "address": f"{root}?method={PREFIX}{trainer.name}",
            "missing": told_missing(lacks, trainer),
        }
        for trainer, lacks in zip(trainers, missing(project, trainers), strict=True)
    ]
    context = {
        "project": project,
        "runs": [{"run": run, "held": held_of(run)} for run in runs[:SHOWN]],
        "offers": sorted(offers, key=lambda offer: (offer["missing"] is not None, offer["title"])),
        "may_start": access.FREEZE in access.capabilities(request.user, project),
    }
    return render(request, "training/index.html", context)


def held_of(run: Run) -> dict[str, Any] | None:
    """How a run did on held-out rows, as its page says it; None where none were held out."""
    held = run.result.get("held_out") or {}
    return figure("", "", held) if held.get("n") else None


def told_missing(found: Missing, trainer: Trainer) -> dict[str, Any] | None:
    """What a training lacks, for `training/_missing.html`; None where it could start."""
    return {"version": found.version, "base": found.base, "targets": trainer.reads} if found else None


def missing_of(method: str, project: Project) -> dict[str, Any] | None:
    """What a run of this method lacks; None where it trains nothing."""
    some = [trainer for trainer in trainers if method == PREFIX + trainer.name]
    return next(map(told_missing, missing(project, some), some), None) if some else None


@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Trainings side by side: the same curve of each in one drawing, and what they differ in."""
    project = access.project_for(request.user, slug, access.READ)
    wanted = [one for one in map(as_id, request.GET.getlist("run")) if one][:COMPARED]
    found = Run.objects.filter(project=project, pk__in=wanted, method__startswith=PREFIX).select_related("model")
    runs = sorted(found, key=lambda run: wanted.index(run.pk))
    named = {run: f"{run.params.get('name') or run.method} {str(run.pk)[:4]}" for run in runs}
    alike, unlike = parameters(runs)
    curves = drawn(together({named[run]: curves_of(run) for run in runs}))
    context = {
        "project": project,
        "runs": [{"run": run, "name": named[run]} for run in runs],
        "outcomes": outcomes(runs),
        "plots": [plot_of(curve) for curve in curves],
        "legend": True,
        "differences": unlike,
        "alike": alike,
    }
    return render(request, "training/compare.html", context)


def as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def together(told: Mapping[str, Sequence[Curve]]) -> list[Curve]:
    """The curves of several runs by what they show."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for run, each in told.items():
        for curve in each:
            for name, points in curve.lines.items():
                title = name.replace("_", " ").capitalize() if curve.over == "step" else f"{curve.title}, {name}"
                found.setdefault((title, curve.over), {})[run] = points
    return [Curve(title, lines, over) for (title, over), lines in found.items()]


def outcomes(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """How each did, by what any of them tells: accuracies and baselines, then slices; None where a run does not."""
    asked = [("", name, [run.result.get(key) for run in runs], key == "held_out") for key, name in RIGHTS]
    for key, title in SLICES:
        groups = [run.result.get(key) or {} for run in runs]
        names = dict.fromkeys(name for group in groups for name in group)
        asked += [(title, name, [group.get(name) for group in groups], False) for name in names]
    return [
        {"group": group, "name": name, "head": head, "cells": [figure("", "", one) if one else None for one in told]}
        for group, name, told, head in asked
        if head or any(told)
    ]


def parameters(runs: Sequence[Run]) -> tuple[list[tuple[str, str]], list[tuple[str, list[str]]]]:
    """The parameters and the seed: those that are alike in all runs, and those in which they differ."""
    rows = [
        {
            "objective": run.method.removeprefix(PREFIX),
            "base": str(run.model) if run.model else "none",
            **asked_of(run),
            "seed": run.seed,
        }
        for run in runs
    ]
    names = list(dict.fromkeys(name for row in rows for name in row if name != "name"))
    told = [(name.replace("_", " ").capitalize(), [in_words(row.get(name)) for row in rows]) for name in names]
    alike = [(name, values[0]) for name, values in told if len(set(values)) == 1]
    return alike, [(name, values) for name, values in told if len(set(values)) > 1]


def in_words(value: Any) -> str:
    """A parameter as a person reads it."""
    return "–" if value in ("", None, {}, []) else plain_value(value)


@require_POST
def send(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponse:
    """The hardest rows, and tasks like them, to the head of the queue."""
    project = access.project_for(request.user, slug, access.FREEZE)
    assert isinstance(request.user, User)
    try:
        run = starting.start(
            project=project, method="ask-about-hardest", params={"training": str(run_id)}, user=request.user
        )
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("run", project.slug, run_id)
    return redirect(run.address)


def context_of(run: Run, project: Project) -> dict[str, Any]:
    """What the page of a run shows when it is a training."""
    told = told_of(run)
    words = OF_COST if trainer_of(run).makes == "cost" else {}
    calibration = told.result.get("calibration") or {}
    bins = [
        {"confidence": one["sure"], "accuracy": one["right"], "count": one["n"]} for one in calibration.get("bins", ())
    ]
    floor = floor_of(bins)
    return {
        "training": True,
        "params": asked_of(run),
        "plots": [plot_of(curve) for curve in drawn(told.curves)],
        "figures": figures_of(told, words),
        "sides": [words.get(side, side) for side in ("Preferred", "Other")],
        "biases": biases_of(told),
        "reliability": reliability("Calibration on held-out rows", [], bins) if bins else "",
        "floor": round(100 * floor),
        "ece": calibration.get("ece"),
        "measures": measures_of(told),
        "hardest": told.hardest,
        "read": told.version,
        "made": told.model,
        "prelabels": told.model is not None and told.model.kind in KINDS and told.model.retired_at is None,
    }


def asked_of(run: Run) -> dict[str, Any]:
    """Its parameters as they are shown: the base by its name above, and of a new model only where one was built."""
    of_new = () if run.params.get("layers") else ("layers", "width", "norms")
    return {name: value for name, value in run.params.items() if name not in ("base", *of_new)}


def drawn(curves: Sequence[Curve]) -> list[Curve]:
    """Those with something to see: of one point a frame would tell nothing."""
    return [curve for curve in curves if any(len(points) > 1 for points in curve.lines.values())]


def plot_of(curve: Curve) -> dict[str, Any]:
    low, high = limits(curve.lines, curve.over)
    last = max(points[-1][0] for points in curve.lines.values())
    return {
        "title": curve.title,
        "names": [(n % 8, name.replace("_", " ")) for n, name in enumerate(curve.lines)],
        "drawing": curves(curve.title, curve.lines, curve.over),
        "low": said(low),
        "high": said(high),
        "over": curve.over,
        "last": last,
    }


def figures_of(told: Told, words: Mapping[str, str]) -> list[dict[str, Any]]:
    """Accuracies: of all, of the baseline, and of each slice; `words` says what is said instead of what."""
    found = [figure("", name, told.result[key], head=key == "held_out") for key, name in RIGHTS if told.result.get(key)]
    found += [figure(title, name, one) for title, slices in told.slices for name, one in slices.items()]
    return [{**one, "name": words.get(one["name"], one["name"])} for one in found]


def figure(group: str, name: str, one: Mapping[str, Any], *, head: bool = False) -> dict[str, Any]:
    right = one.get("accuracy")
    return {
        "group": group,
        "name": name,
        "head": head,
        "right": f"{100 * right:.1f} %" if right is not None else "–",
        "range": f"{100 * one.get('low', 0):.0f}–{100 * one.get('high', 0):.0f} %",
        "n": one.get("n", 0),
    }


def biases_of(told: Told) -> list[str]:
    bias = told.result.get("length_bias") or {}
    if not bias:
        return []
    model, people = bias["model"], bias["people"]
    return [
        f"Of {model['n']} pairs of unlike length the model prefers the longer response in {model['accuracy']:.0%}, "
        f"people did in {people['accuracy']:.0%}.",
        "It reads each response by itself, so which one stands first changes nothing.",
    ]


def measures_of(told: Told) -> list[tuple[str, str]]:
    """Every other number of the result."""
    return [
        (MEASURES.get(name) or name.replace("_", " ").capitalize(), measure(name, value))
        for name, value in told.result.items()
        if name not in NOT_SHOWN and isinstance(value, int | float) and not isinstance(value, bool)
    ]


def measure(name: str, value: float) -> str:
    if name in SHARES:
        return f"{100 * value:.1f} %"
    return said(value) if isinstance(value, float) else number(value)


def doing(run: Run) -> str:
    """What a training does after its last step, while its bar stands; empty before."""
    last = RunLine.objects.filter(run=run).order_by("-id").first() if run.live and is_training(run) else None
    return last.text if last is not None and last.text.startswith(EVALUATING) else ""
