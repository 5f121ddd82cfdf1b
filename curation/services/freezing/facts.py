"""What stands behind a version in figures: who answered, how long, how far they agree, under which licences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

from django.db import connection

from curation import bulk
from curation.models import DatasetVersion, Protocol, Reliability, Run, TaskKind, User
from curation.services import fits
from curation.services.deciding import ANSWERED, GIVEN, LATEST
from curation.services.filtering import who
from curation.services.freezing import agreed, unseen
from curation.services.freezing.selecting import Selection, selection_of
from curation.services.reading import stream
from workers.intervals import wilson

BOTH_BAD = 9
"""The value of "both bad", apart from the scale; of it only nominal agreement can be said."""
HELPED = ("shown", "before", "revealed", "held_out")


def facts_of(version: DatasetVersion, alive: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Figures for the card; worked out once, when the version is made, over the answers that it reads. `alive` is
    called while that takes its time."""
    selection = selection_of(version)
    shares = shares_of(selection)
    return {
        "annotators": annotators(shares),
        "help": help_shown(shares),
        "agreement": agreement(selection),
        "agreement_beside": agreed.beside(selection, alive),
        "gold": on_gold(selection, shares),
        "sources": sources(selection),
        "protocols": protocols(shares),
        **decided_by(selection, shares),
        **checked_against(version),
    }


class Share(NamedTuple):
    """Answers of one annotator with one kind of help, under one protocol."""

    annotator: int
    kind: str
    came: str
    """Of people: `imported` along with their answers, else what their user is (`person`, `service`, `guest`)."""
    help: str
    protocol: int
    answers: int
    active_ms: int
    """Of all looks that they took: what they said before seeing help, or before changing it, took time too."""


def shares_of(selection: Selection) -> list[Share]:
    """Whose answers are here, in one walk through all that were given."""
    mine, names = who(selection.filters)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.annotator_id, r.kind, COALESCE(u.kind, 'imported'), a.help, a.protocol_id,"
            f" SUM(CASE WHEN {LATEST} THEN 1 ELSE 0 END),"
            f" COALESCE(SUM(a.active_ms), 0) {ANSWERED} LEFT JOIN curation_user u ON u.id = r.user_id"
            f" {GIVEN} AND {mine} GROUP BY a.annotator_id, r.kind, u.kind, a.help, a.protocol_id",
            [selection.upto, selection.project.pk, selection.upto, *names],
        )
        found = [Share._make(row) for row in cursor.fetchall()]
    before: Counter[int] = Counter()
    for share in found:
        before[share.annotator] += 0 if share.answers else share.active_ms
    return [
        share._replace(active_ms=share.active_ms + before.pop(share.annotator, 0)) for share in found if share.answers
    ]


def decided_by(selection: Selection, shares: Iterable[Share]) -> dict[str, Any]:
    """The fit that decided, where it was not the majority: its method, its run, the answers that it took, and how
    reliable it finds those whose answers are here."""
    if selection.filters.decided_by == fits.MAJORITY:
        return {}
    run = Run.objects.get(pk=selection.filters.decided_by)
    told = {"run": str(run.pk), "method": run.result["method"], "upto": run.result["answers up to"], "seed": run.seed}
    told |= {"planned": True} if run.method == fits.PLANNED else {}
    return {"decided_by": told, "reliability": reliability(shares, run)}


def reliability(shares: Iterable[Share], run: Run) -> dict[str, Any]:
    """Over the annotators of the version: of how many it is known, its median and its range, and of how many not."""
    here = {share.annotator for share in shares}
    rows = Reliability.objects.filter(run=run, kind="", axis="").values_list("annotator_id", "value")
    values = sorted(value for pk, value in rows if pk in here and value is not None)
    told: dict[str, Any] = {"annotators": len(values), "undefined": len(here) - len(values)}
    if values:
        told |= {"median": rounded(median(values)), "least": rounded(values[0]), "most": rounded(values[-1])}
    return told


def on_gold(selection: Selection, shares: Iterable[Share]) -> dict[str, Any]:
    """How right those whose answers are here were on hidden gold, all together: of answers that the version saw, on
    gold that stands. Wilson's interval over answers."""
    whose, here = bulk.one_of(sorted({share.annotator for share in shares}))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(DISTINCT o.annotator_id), COUNT(*), SUM(CASE WHEN o.correct THEN 1 ELSE 0 END)"
            " FROM curation_goldresult o JOIN curation_gold g ON g.id = o.gold_id"
            " WHERE g.project_id = %s AND g.phase = 'hidden' AND g.retired_at IS NULL AND g.suspect_at IS NULL"
            f" AND o.annotation_id <= %s AND o.annotator_id {whose}",
            [selection.project.pk, selection.upto, here],
        )
        [(heads, n, right)] = cursor.fetchall()
    share = wilson(right or 0, n)
    told = {"annotators": heads, "answers": n, "right": right or 0}
    return told | {"share": rounded(share.share), "low": rounded(share.low), "high": rounded(share.high)}


def checked_against(version: DatasetVersion) -> dict[str, Any]:
    """The benchmarks and evaluation splits that it was compared with, and how much of it overlapped with each."""
    found = unseen.counted(version)
    return {"decontaminated": found} if found or unseen.wanted(version) else {}


def annotators(shares: Iterable[Share]) -> dict[str, dict[str, Any]]:
    """By kind: how many there are, their answers, and the minutes that were measured. Of people also how many of
    these were `imported`, of whom no more is known, and how many came as `guests` by a crowd link, where any did."""
    by_kind: dict[str, list[Share]] = defaultdict(list)
    for share in shares:
        by_kind[share.kind].append(share)
    told: dict[str, dict[str, Any]] = {
        kind: counted(some) | {"minutes": round(int(sum(share.active_ms for share in some)) / 60_000, 2)}
        for kind, some in sorted(by_kind.items())
    }
    for name, came in (("imported", "imported"), ("guests", User.Kind.GUEST)):
        if some := [share for share in by_kind["person"] if share.came == came]:
            told["person"][name] = counted(some)
    return told


def counted(shares: list[Share]) -> dict[str, int]:
    heads = len({share.annotator for share in shares})
    return {"annotators": heads, "answers": sum(share.answers for share in shares)}


def help_shown(shares: Iterable[Share]) -> dict[str, int]:
    """How many answers were given with suggestions in view, before or after them, or with them held out."""
    told: Counter[str] = Counter()
    for share in shares:
        told[share.help] += share.answers
    return {name: told[name] for name in HELPED if name in told}


def agreement(selection: Selection) -> dict[str, dict[str, Any]]:
    """By axis, over pairs with two answers or more: how many are unanimous, equal answers, Krippendorff's alpha and
    Gwet's AC1, with their intervals."""
    if selection.project.kind != TaskKind.PREFERENCE:
        return {}
    rows = stream(
        f"SELECT p.axis, a.task_id, p.value, p.both_bad {ANSWERED}"
        f" JOIN curation_preference p ON p.annotation_id = a.id {selection.condition}"
        f" ORDER BY p.axis, a.task_id",
        selection.params,
    )
    return {axis: agreement_on(list_by_task(some)) for axis, some in groupby(rows, key=lambda row: row[0])}


def list_by_task(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[int]]:
    for _, task in groupby(rows, key=lambda row: row[1]):
        yield [BOTH_BAD if bad or value is None else value for _, _, value, bad in task]


def agreement_on(tasks: Iterable[list[int]]) -> dict[str, Any]:
    """Coefficients over sides (first, second, tie, both bad) and over the scale; `intervals` of those that have one,
    and in `why` why others are undefined. Only how often each pattern of answers came is kept."""
    from workers.agreeing.counts import Counts, Pattern, agreement_coefficient, alpha, pattern_of, percent

    sides, scale = Counter[Pattern](), Counter[Pattern]()
    for values in tasks:
        sides[pattern_of([value if value == BOTH_BAD else (value > 0) - (value < 0) for value in values])] += 1
        if compared := [value for value in values if value != BOTH_BAD]:
            scale[pattern_of(compared)] += 1
    counts = Counts.of(sides)
    found = {
        "percent": percent(counts),
        "alpha_nominal": alpha(counts),
        "alpha_ordinal": alpha(Counts.of(scale), "ordinal"),
        "ac1": agreement_coefficient(counts),
    }
    return {
        "pairs": counts.units,
        "unanimous": sum(n for pattern, n in sides.items() if len(pattern) == 1 and pattern[0][1] > 1),
        **{name: rounded(one.value) for name, one in found.items()},
        "intervals": {
            name: [rounded(one.low), rounded(one.high)] for name, one in found.items() if one.low is not None
        },
        "why": {name: one.why for name, one in found.items() if one.value is None},
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


def protocols(shares: Iterable[Share]) -> list[int]:
    """The versions of the protocol under which the answers were given."""
    under = {share.protocol for share in shares}
    return sorted(Protocol.objects.filter(pk__in=under).values_list("version", flat=True))
