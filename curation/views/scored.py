"""Scores as pages tell them: beside a response, and as a picture on the page of the run that gave them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from curation.models import ModelVersion, Run, Score
from curation.services import scored, scoring
from curation.services.scored import Head, Scored
from curation.share_plots import scores_histogram


def is_scoring(run: Run) -> bool:
    """Whether a run is over that gave scores to items of a project."""
    return run.method == scoring.METHOD.name and not run.live and run.project_id is not None and run.model is not None


def context_of(run: Run) -> dict[str, Any]:
    """What the page of a run shows of its scores."""
    assert run.model is not None
    found = scored.of_run(run)
    if found is None:
        return {}
    cost = run.model.kind == ModelVersion.Kind.COST
    return {
        "scores": {
            "items": found.items,
            "more": found.more,
            "cost": cost,
            "chosen": chosen_words(found, "lower cost" if cost else "higher score"),
            "learnt_here": run.model.project_id == run.home.pk and run.model.reference.startswith("run:"),
            "heads": [drawn(head, single=len(found.heads) == 1) for head in found.heads],
        }
    }


def chosen_words(found: Scored, better: str) -> str:
    """How often the model is with the people, in a sentence; empty where nothing is decided."""
    share = found.chosen
    if share.share is None or share.low is None or share.high is None:
        return ""
    of = "decided pair" if share.n == 1 else f"{share.n} decided pairs"
    on = f" on {found.axis}" if found.axis != "overall" else ""
    return (
        f"The chosen response has the {better} in {100 * share.share:.0f} % of {of}{on} "
        f"(95 % interval {100 * share.low:.0f} to {100 * share.high:.0f} %)."
    )


def drawn(head: Head, *, single: bool) -> dict[str, Any]:
    name = head.name or ("" if single else "score")
    ends = (head.low, head.high) if head.high > head.low else (head.low,)
    return {
        "name": name,
        "told": head,
        "plot": scores_histogram(name.capitalize() or "Scores", head.low, head.high, head.bins),
        "ends": [number(value) for value in ends],
        "lists": [
            (words, [(number(one.value), one) for one in end])
            for words, end in (("Lowest", head.lowest), ("Highest", head.highest))
        ],
    }


def by_response(responses: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """The scores of some responses as their page tells them: who says it, and the number."""
    return {pk: [line(row) for row in rows] for pk, rows in scored.of_responses(responses).items()}


def line(row: Score) -> dict[str, Any]:
    return {
        "row": row,
        "value": number(row.value),
        "spread": "" if row.spread is None else number(row.spread),
        "cost": row.model.kind == ModelVersion.Kind.COST,
    }


def number(value: float) -> str:
    """A score with three digits, as people compare scores: with a sign that does not break off."""
    return f"{value:.3g}".replace("-", "\u2212")
