"""What pages and API tell of checks: the newest, annotator by annotator, in words and with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from curation.models import Check, Project, Run

EXPIRES = timedelta(days=90)
"""After so long the detector's figures are not shown as being of today: models and people write otherwise by then."""
MOST = 500

TITLES = {
    "position": "Side of the screen",
    "rest": "With the other people",
    "model": "With the model against the others",
    "pace": "Faster than reading",
    "stamping": "Accepted at a glance",
    "circles": "Circles",
    "repeats": "The same with sides swapped",
    "drift": "Drift",
    "origin": "Machine-written words",
}
"""Signals in the order in which they are shown."""


STRENGTHS = {"0": "ties", "1": "strength 1", "2": "strength 2", "3": "strength 3", "both_bad": "both bad"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One signal of one annotator: a figure with its interval, in percent (of drift: points a week)."""

    signal: str
    figure: dict[str, Any]
    flagged: bool
    scale: float = 100.0

    @property
    def value(self) -> float:
        value = self.figure.get("share", self.figure.get("value"))
        return self.scale * float(value or 0.0)

    @property
    def low(self) -> float:
        return self.scale * float(self.figure.get("low") or 0.0)

    @property
    def parts(self) -> list[str]:
        """Of repeats: the same by the strength of the first answer, and the same side of the screen, in words."""
        told = [
            f"{STRENGTHS[name]} {100 * one['share']:.0f} % of {one['n']}"
            for name, one in self.figure.get("strengths", {}).items()
        ]
        side = self.figure.get("same_side") or {}
        return [*told, f"the same side {100 * side['share']:.0f} % of {side['n']}"] if side.get("n") else told

    @property
    def high(self) -> float:
        return self.scale * float(self.figure.get("high") or 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One annotator: the cells in the order of TITLES, None where there is nothing to tell."""

    check: Check
    cells: list[Cell | None]
    why: list[str]


@dataclass(frozen=True, slots=True)
class Board:
    """The newest finished run of the checks."""

    run: Run | None
    rows: list[Row] = field(default_factory=list)
    style: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)
    expired: bool = False


def latest(project: Project) -> Run | None:
    done = Run.objects.filter(project=project, method="check", state=Run.State.SUCCEEDED)
    return done.order_by("-ended_at").first()


def checks(run: Run) -> QuerySet[Check]:
    """The rows of annotators, by id."""
    return Check.objects.filter(run=run, annotator__isnull=False).select_related("annotator").order_by("pk")


def board(project: Project) -> Board:
    """What the newest checks found: who stands out first, then by how much was answered."""
    run = latest(project)
    if run is None:
        return Board(None)
    rows = [row_of(check) for check in checks(run)[:MOST]]
    rows.sort(key=lambda row: (-len(row.check.flags), -row.check.signals.get("answers", 0)))
    whole = Check.objects.filter(run=run, annotator=None).values_list("signals", flat=True).first() or {}
    expired = run.ended_at is not None and run.ended_at < timezone.now() - EXPIRES
    return Board(run, rows, whole.get("style") or {}, whole.get("origin") or {}, expired)


def row_of(check: Check) -> Row:
    cells = [
        Cell(name, check.signals[name], name in check.flags) if check.signals.get(name, {}).get("n") else None
        for name in TITLES
    ]
    return Row(check, cells, [why(cell) for cell in cells if cell and cell.flagged])


def why(cell: Cell) -> str:
    """What a flag rests on, in a sentence."""
    figure, value = cell.figure, f"{cell.value:.0f} %"
    n = figure.get("n", 0)
    others = f"{100 * figure['others']:.0f} %" if figure.get("others") is not None else ""
    words = {
        "position": f"preferred the left response in {value} of {n} answers; the coin that places them gives 50 %",
        "rest": f"agrees with most of the other people in {value} of {n} tasks; the others do in {others}",
        "model": f"sides with the model in {value} of {n} tasks where most people contradict it; the others do in "
        f"{others}",
        "pace": f"{value} of {n} answers came faster than their texts can be read",
        "stamping": f"{value} of {n} suggestions that were accepted as they were had been seen for under 0.4 s",
        "circles": f"{value} of {n} triples are circles (A over B over C over A); by chance 25 % would be",
        "repeats": f"said the same in {value} of {n} pairs when asked again with the sides swapped; the others do in "
        f"{others}",
        "drift": f"agreement with the others falls by {abs(cell.value):.1f} points a week",
        "origin": f"{value} of {n} texts are above the detector's threshold; of people's held-out texts at most "
        f"{others} are",
    }
    return words[cell.signal]
