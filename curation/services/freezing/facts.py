"""What stands behind a version in figures: who answered, how long, how far they agree, under which licences."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.db import connection

from curation.models import DatasetVersion, Run, TaskKind
from curation.services import fits
from curation.services.deciding import ANSWERED
from curation.services.freezing import unseen
from curation.services.freezing.selecting import Selection, selection_of
from curation.services.reading import stream
from workers.agreement import Agreement

BOTH_BAD = 9
"""The value of "both bad", apart from the scale; of it only nominal agreement can be said."""
HELPED = ("shown", "before", "revealed", "held_out")


def facts_of(version: DatasetVersion) -> dict[str, Any]:
    """Figures for the card; worked out once, when the version is made, over the answers that it reads."""
    selection = selection_of(version)
    return {
        "annotators": annotators(selection),
        "help": help_shown(selection),
        "agreement": agreement(selection),
        "sources": sources(selection),
        "protocols": protocols(selection),
        **decided_by(selection),
        **checked_against(version),
    }


def decided_by(selection: Selection) -> dict[str, Any]:
    """The fit that decided, where it was not the majority: its method, its run, and the answers that it took."""
    if selection.filters.decided_by == fits.MAJORITY:
        return {}
    run = Run.objects.get(pk=selection.filters.decided_by)
    told = {"run": str(run.pk), "method": run.result["method"], "upto": run.result["answers up to"], "seed": run.seed}
    return {"decided_by": told}


def checked_against(version: DatasetVersion) -> dict[str, Any]:
    """The benchmarks and evaluation splits that it was compared with, and how much of it overlapped with each."""
    found = unseen.counted(version)
    return {"decontaminated": found} if found or unseen.wanted(version) else {}


def annotators(selection: Selection) -> dict[str, dict[str, float]]:
    """By kind: how many there are, their answers, and the minutes that were measured."""
    rows = several(
        f"SELECT r.kind, COUNT(DISTINCT a.annotator_id), COUNT(*), SUM(a.active_ms) {of(selection)} GROUP BY r.kind"
        " ORDER BY r.kind",
        selection,
    )
    return {
        kind: {"annotators": heads, "answers": answers, "minutes": round((active or 0) / 60_000, 2)}
        for kind, heads, answers, active in rows
    }


def help_shown(selection: Selection) -> dict[str, int]:
    """How many answers were given with suggestions in view, before or after them, or with them held out."""
    rows = several(f"SELECT a.help, COUNT(*) {of(selection)} AND a.help <> '' GROUP BY a.help", selection)
    told = dict(rows)
    return {name: told[name] for name in HELPED if name in told}


def agreement(selection: Selection) -> dict[str, dict[str, Any]]:
    """By axis, over pairs with two answers or more: unanimous, percent of equal sides, Krippendorff's alpha."""
    if selection.project.kind != TaskKind.PREFERENCE:
        return {}
    rows = stream(
        f"SELECT p.axis, a.task_id, p.value, p.both_bad {ANSWERED}"
        f" JOIN curation_preference p ON p.annotation_id = a.id {selection.condition}"
        f" ORDER BY p.axis, a.task_id",
        selection.params,
    )
    return {axis: agreement_on(list_by_task(some)) for axis, some in groupby(rows, key=lambda row: row[0])}


def list_by_task(rows: Any) -> Any:
    for _, task in groupby(rows, key=lambda row: row[1]):
        yield [BOTH_BAD if bad or value is None else value for _, _, value, bad in task]


def agreement_on(tasks: Any) -> dict[str, Any]:
    sides, scale = Agreement(), Agreement()
    for values in tasks:
        sides.add([value if value == BOTH_BAD else (value > 0) - (value < 0) for value in values])
        scale.add([value for value in values if value != BOTH_BAD])
    return {
        "pairs": sides.units,
        "unanimous": sides.unanimous,
        "percent": rounded(sides.percent),
        "alpha_nominal": rounded(sides.alpha()),
        "alpha_ordinal": rounded(scale.alpha("ordinal")),
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def sources(selection: Selection) -> list[dict[str, Any]]:
    """Where the items of the project came from, with their licences; the nameless last."""
    sql = (
        "SELECT s.name, s.licence, s.url, COUNT(*) FROM curation_item i"
        " LEFT JOIN curation_source s ON s.id = i.source_id"
        " WHERE i.project_id = %s AND i.deleted_at IS NULL GROUP BY s.name, s.licence, s.url"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [selection.project.pk])
        rows = sorted(cursor.fetchall(), key=lambda row: (row[0] is None, row[0] or ""))
    return [
        {"name": name or "", "licence": licence or "", "url": url or "", "items": n} for name, licence, url, n in rows
    ]


def protocols(selection: Selection) -> list[int]:
    version = "(SELECT c.version FROM curation_protocol c WHERE c.id = a.protocol_id)"
    return sorted(number for (number,) in several(f"SELECT DISTINCT {version} {of(selection)}", selection))


def of(selection: Selection) -> str:
    return f"{ANSWERED} {selection.condition}"


def several(sql: str, selection: Selection) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, selection.params)
        return list(cursor.fetchall())
