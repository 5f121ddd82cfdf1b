"""Everybody with everybody: people and models in one matrix, of those with most answers in common with others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet, Sum

from curation.models import AgreementState, AgreementSum, Annotator
from curation.services.concord.figuring import Choice, Label, side
from curation.services.concord.figuring import as_number as as_number
from curation.services.concord.speaking import RANKING, SPANS
from curation.services.concord.summing import PAIRS, UNDEFINED
from workers.agreeing.counts import agreement_coefficient
from workers.agreeing.figures import Figure, undefined
from workers.agreeing.kappas import as_counts, equal, kappa
from workers.agreeing.overlaps import Both

USUAL, MOST = 12, 40
"""Annotators that are shown."""
FEW = 10
"""With fewer units in common a cell says so."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Two annotators: how many units both answered, how often the same, and beyond chance."""

    n: int
    agreed: Figure
    beyond: Figure
    """Cohen's kappa; of rankings tau-b, of spans the soft F1 with types."""

    @property
    def few(self) -> bool:
        return self.n < FEW


@dataclass(frozen=True, slots=True)
class Matrix:
    """Annotators, and the cells of those who have something in common, by both ids."""

    annotators: list[Annotator]
    cells: Mapping[tuple[int, int], Cell]
    more: bool
    """Whether there are annotators that are not shown."""
    totals: Mapping[int, int] = field(default_factory=dict)
    """Comparisons of each with everybody, those that are not shown among them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom the matrix shows: a kind, a part of a name, how many."""

    kind: str = ""
    name: str = ""
    most: int = USUAL


def matrix(state: AgreementState, label: Label, choice: Choice, asked: Asked) -> Matrix:
    """The matrix of one label, over all weeks; of a slice where one is chosen."""
    rows = pair_rows(state, SPANS if label.family == "type" else label.key, choice)
    if asked.kind or asked.name:
        wanted = Annotator.objects.filter(project=state.project_id, name__icontains=asked.name)
        wanted = wanted.filter(kind=asked.kind) if asked.kind else wanted
        rows = rows.filter(key__in=[str(pk) for pk in wanted.values_list("pk", flat=True)[:10_000]])
    busiest = rows.values("key").annotate(total=Sum("n")).order_by("-total", "key")
    found = [(int(one["key"]), one["total"]) for one in busiest[: min(MOST, asked.most) + 1]]
    shown = [pk for pk, _ in found[: min(MOST, asked.most)]]
    people = Annotator.objects.select_related("user").in_bulk(shown)
    ordered = sorted((people[pk] for pk in shown if pk in people), key=lambda one: one.kind != Annotator.Kind.PERSON)
    tables = tables_of(state, label, choice, shown, shown)
    cells = {both: cell(label, sums) for both, sums in tables.items() if both[0] < both[1]}
    cells |= {(b, a): one for (a, b), one in cells.items()}
    return Matrix(ordered, cells, len(found) > len(shown), dict(found))


def pair_rows(state: AgreementState, label: str, choice: Choice) -> QuerySet[AgreementSum]:
    rows = AgreementSum.objects.filter(state=state, part=PAIRS, label=label)
    return rows if choice.slice is None else rows.filter(slice=choice.slice)


Tables = dict[tuple[int, int], dict[str, int]]


def tables_of(
    state: AgreementState, label: Label, choice: Choice, ones: Sequence[int], others: Sequence[int]
) -> Tables:
    """What is summed of each two annotators. That neither gave a type of critique is what else they both read."""
    tables = added(pair_rows(state, label.key, choice), ones, set(others))
    if label.family == "type":
        for both, read in added(pair_rows(state, SPANS, choice), ones, set(others)).items():
            table = tables.setdefault(both, {})
            table["no|no"] = read["n"] - sum(table.values())
    return tables


def added(rows: QuerySet[AgreementSum], ones: Sequence[int], others: set[int]) -> Tables:
    found: defaultdict[tuple[int, int], defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, sums in rows.filter(key__in=[str(pk) for pk in ones]).values_list("key", "sums"):
        for name, n in sums.items():
            at = min(place for mark in "|#" if (place := name.find(mark)) > 0)
            other = int(name[:at])
            if other in others:
                found[int(key), other][name[at + 1 :]] += n
    return {both: dict(sums) for both, sums in found.items()}


def between(state: AgreementState, label: Label, choice: Choice, one: int, other: int) -> dict[str, int]:
    """What is summed of two annotators, the first one's answer first."""
    return tables_of(state, label, choice, [one], [other]).get((one, other), {})


def cell(label: Label, sums: Mapping[str, int], resamples: int = 0) -> Cell:
    if label.key == RANKING:
        return of_rankings(sums)
    if label.key == SPANS:
        return of_spans(sums)
    table = sides(label, sums)
    return Cell(sum(table.values()), equal(table), kappa(table, resamples=resamples))


def sides(label: Label, sums: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """The table of two annotators; on an axis of the sides that they prefer."""
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for key, n in sums.items():
        one, _, other = key.partition("|")
        found[(side(one), side(other)) if label.family == "axis" else (one, other)] += n
    return dict(found)


def scale(sums: Mapping[str, int]) -> dict[tuple[int, int], int] | None:
    """The same of the answers that are numbers; None where the label is no scale."""
    found: dict[tuple[int, int], int] = {}
    for key, n in sums.items():
        one, other = ((as_number(part), part) for part in key.split("|"))
        if any(number is None and word != "both_bad" for number, word in (one, other)):
            return None
        if one[0] is not None and other[0] is not None:
            found[one[0], other[0]] = n
    return found or None


def of_rankings(sums: Mapping[str, int]) -> Cell:
    n = sum(sums.values())
    told = [(float(tau), times) for tau, times in sums.items() if tau != UNDEFINED]
    times = sum(each for _, each in told)
    tau = Figure(sum(t * each for t, each in told) / times, times) if times else undefined("tau-b is undefined", n)
    same = Figure(sums.get("1.000000", 0) / n, n) if n else undefined("they ranked nothing both")
    return Cell(n, same, tau)


def of_spans(sums: Mapping[str, int]) -> Cell:
    met, marked = ([sums.get(f"{name}{n}", 0) for n in range(3)] for name in ("met", "marked"))
    found = Both((met[0], met[1], met[2]), (marked[0], marked[1], marked[2]))
    n = sums.get("n", 0)
    return Cell(n, found.f1("place", n), found.f1("type", n))


def details(label: Label, sums: Mapping[str, int], resamples: int) -> Sequence[tuple[str, Figure]]:
    """All figures of two annotators, with intervals where their answers are categories or numbers."""
    if label.key in (RANKING, SPANS):
        one = cell(label, sums)
        names = ("The same order", "Tau-b, mean") if label.key == RANKING else ("Soft F1, place", "Soft F1, with type")
        return list(zip(names, (one.agreed, one.beyond), strict=True))
    table, numbers = sides(label, sums), scale(sums)
    found = [("Equal", equal(table)), ("Cohen’s kappa", kappa(table, resamples=resamples))]
    if numbers:
        found += [(f"Kappa, {w} weights", kappa(numbers, w, resamples)) for w in ("linear", "quadratic")]
    found.append(("AC1", agreement_coefficient(as_counts(table), "identity", resamples)))
    if numbers:
        found.append(("AC2, quadratic", agreement_coefficient(as_counts(numbers), "quadratic", resamples)))
    return found
