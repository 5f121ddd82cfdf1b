"""What the sums of agreement tell of a label: its figures, by week and by slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.models import AgreementState, AgreementSum, Project
from curation.services.concord.speaking import RANKING, SPANS
from curation.services.concord.summing import BUCKETS, PEOPLE, UNDEFINED, from_key
from workers.agreeing import groups
from workers.agreeing.counts import Counts, Pattern, agreement_coefficient, alpha, pattern_of, percent
from workers.agreeing.figures import Figure

FEW_RESAMPLES, MANY_RESAMPLES = 200, 1_000
DOMINANT = 0.8
"""From this share of one value on, AC1 and AC2 are told beside kappa and alpha."""
MOST_LABELS = 60
SIDES = ("first better", "tie", "second better", "both bad")


@dataclass(frozen=True, slots=True)
class Label:
    """What people agree on or not: an axis, a question, spans, a type of critique, a ranking."""

    key: str
    title: str
    family: str
    """axis, question, spans, type or ranking."""

    @property
    def name(self) -> str:
        return self.key.partition("|")[2]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which units are meant; empty means any."""

    part: str = PEOPLE
    slice: str | None = None
    first: str = ""
    last: str = ""
    """The Mondays of the first and the last week."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure under its name; `gwet` of those that are told because one value dominates."""

    name: str
    title: str
    figure: Figure
    gwet: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The figures of one label over some units."""

    measures: list[Measure]
    units: int
    dominant: tuple[str, float] | None = None
    """A value that is most of the answers, with its share."""

    @property
    def main(self) -> Measure:
        """The figure that stands for the label in lists and plots."""
        return self.measures[0]


def labels_of(project: Project, state: AgreementState) -> list[Label]:
    """Every label that two could agree on, in the order of the protocol; then the others by name."""
    keys = AgreementSum.objects.filter(state=state, part=AgreementSum.Part.ALL).order_by()
    there = set(keys.values_list("label", flat=True).distinct()[: 10 * MOST_LABELS])
    known = titles(project)
    order = {key: n for n, key in enumerate(known)}
    ordered = sorted(there, key=lambda key: (order.get(key, len(order)), key))[:MOST_LABELS]
    return [Label(key, known.get(key) or plain_title(key), key.partition("|")[0]) for key in ordered]


def titles(project: Project) -> dict[str, str]:
    """Labels with their names for people, as the protocol has them."""
    protocol = project.protocol
    if protocol is None:
        return {}
    found = {f"axis|{one['name']}": f"Preference: {one.get('label') or one['name']}" for one in protocol.axes}
    found |= {f"question|{one['name']}": one["question"] for one in protocol.questions}
    found |= {RANKING: "Ranking", SPANS: "Spans of critiques"}
    types = protocol.critiques.get("types", [])
    return found | {f"type|{one['name']}": f"Critique: {one.get('label') or one['name']}" for one in types}


def plain_title(key: str) -> str:
    family, _, name = key.partition("|")
    words = {"axis": "Preference", "question": "Question", "type": "Critique"}.get(family, family)
    return f"{words}: {name or 'untyped'}"


Rows = list[tuple[str, str, dict[str, int]]]
"""Slice, week and sums."""


def rows_of(state: AgreementState, label: str, choice: Choice) -> Rows:
    found = AgreementSum.objects.filter(state=state, label=label, part=choice.part)
    if choice.slice is not None:
        found = found.filter(slice=choice.slice)
    if choice.first:
        found = found.filter(key__gte=choice.first)
    if choice.last:
        found = found.filter(key__lte=choice.last)
    return list(found.values_list("slice", "key", "sums"))


@dataclass(slots=True)
class Reader:
    """The figures of one label, from its rows and, of a type of critique, from those of the spans that were read."""

    label: Label
    rows: Rows
    read: Rows

    @classmethod
    def of(cls, state: AgreementState, label: Label, choice: Choice) -> Reader:
        read = rows_of(state, SPANS, choice) if label.family == "type" else []
        return cls(label, rows_of(state, label.key, choice), read)

    @classmethod
    def of_each(cls, state: AgreementState, labels: Sequence[Label], choice: Choice) -> Iterator[Reader]:
        """The same of several, what was read of spans once."""
        read = rows_of(state, SPANS, choice) if any(label.family == "type" for label in labels) else []
        for label in labels:
            rows = read if label.key == SPANS and read else rows_of(state, label.key, choice)
            yield cls(label, rows, read if label.family == "type" else [])

    def all(self, resamples: int = MANY_RESAMPLES) -> Told:
        return self.told((sums for _, _, sums in self.rows), (sums for _, _, sums in self.read), resamples)

    def by_week(self) -> dict[str, Told]:
        return self.grouped(1)

    def by_slice(self) -> dict[str, Told]:
        return self.grouped(0)

    def grouped(self, at: int) -> dict[str, Told]:
        mine: defaultdict[str, list[dict[str, int]]] = defaultdict(list)
        read: defaultdict[str, list[dict[str, int]]] = defaultdict(list)
        for into, rows in ((mine, self.rows), (read, self.read)):
            for row in rows:
                into[(row[0], row[1])[at]].append(row[2])
        return {key: self.told(mine[key], read[key], FEW_RESAMPLES, brief=True) for key in sorted({*mine, *read})}

    def told(
        self, rows: Iterable[Mapping[str, int]], read: Iterable[Mapping[str, int]], resamples: int, brief: bool = False
    ) -> Told:
        sums = added(rows)
        if self.label.family == SPANS:
            return of_spans(sums, resamples, brief)
        if self.label.family == RANKING:
            return of_rankings(sums, resamples)
        if self.label.family == "type":
            return of_values(filled({from_key(key): n for key, n in sums.items()}, added(read)), resamples, brief)
        return of_values({from_key(key): n for key, n in sums.items()}, resamples, brief, self.label.family == "axis")


def added(rows: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        for key, n in row.items():
            found[key] += n
    return {key: n for key, n in found.items() if n}


def filled(patterns: dict[Pattern, int], read: Mapping[str, int]) -> dict[Pattern, int]:
    """With the responses on which nobody said yes: those that were read, less those where somebody did."""
    said: defaultdict[int, int] = defaultdict(int)
    for pattern, n in patterns.items():
        said[sum(count for _, count in pattern)] += n
    for key, n in read.items():
        name, _, m = key.partition("=")
        if name == "read" and n > said[int(m)]:
            patterns[(("no", int(m)),)] = n - said[int(m)]
    return patterns


# --- Values -------------------------------------------------------------------------------------------


def of_values(patterns: Mapping[Pattern, int], resamples: int, brief: bool, axis: bool = False) -> Told:
    """Of categories alpha, AC1 and percent; of numbers their ordinal and interval kin too, the ordinal one first."""
    names, numbers = (sided if axis else dict)(patterns), scaled(patterns)
    nominal, scale = Counts.of(names), Counts.of(numbers) if numbers is not None else None
    plain = "sides" if axis else "categories"
    measures = []
    if scale is not None:
        measures.append(Measure("alpha_ordinal", "Alpha, ordinal", alpha(scale, "ordinal", resamples)))
    if scale is None or not brief:
        title = f"Alpha, {plain}" if scale is not None else "Alpha"
        measures.append(Measure("alpha_nominal", title, alpha(nominal, "nominal", resamples)))
    if scale is not None and not brief:
        measures.append(Measure("alpha_interval", "Alpha, interval", alpha(scale, "interval", resamples)))
    measures.append(Measure("percent", "Percent agreement", percent(nominal, resamples)))
    if not brief:
        ac1 = agreement_coefficient(nominal, "identity", resamples)
        measures.append(Measure("ac1", f"AC1, {plain}" if scale is not None else "AC1", ac1, gwet=True))
        if scale is not None:
            ac2 = agreement_coefficient(scale, "quadratic", resamples)
            measures.append(Measure("ac2", "AC2, quadratic", ac2, gwet=True))
    shares = nominal.shares()
    most = max(shares.items(), key=lambda one: one[1], default=("", 0.0))
    return Told(measures, nominal.units, (str(most[0]), most[1]) if most[1] >= DOMINANT else None)


def side(value: str) -> str:
    """What an answer on an axis prefers."""
    if value == "both_bad":
        return SIDES[3]
    return SIDES[(int(value) > 0) - (int(value) < 0) + 1]


def sided(patterns: Mapping[Pattern, int]) -> dict[Pattern, int]:
    found: defaultdict[Pattern, int] = defaultdict(int)
    for pattern, n in patterns.items():
        found[pattern_of([side(str(value)) for value, count in pattern for _ in range(count)])] += n
    return dict(found)


def scaled(patterns: Mapping[Pattern, int]) -> dict[Pattern, int] | None:
    """The answers that are numbers; None where the label is no scale."""
    found: defaultdict[Pattern, int] = defaultdict(int)
    for pattern, n in patterns.items():
        numbers = [(as_number(str(value)), count) for value, count in pattern if value != "both_bad"]
        if any(number is None for number, _ in numbers):
            return None
        kept = sorted((number, count) for number, count in numbers if number is not None)
        if kept:
            found[tuple(kept)] += n
    return dict(found) if found else None


def as_number(value: str) -> int | None:
    return int(value) if value.removeprefix("-").isdigit() and value.isascii() else None


# --- Spans and rankings -------------------------------------------------------------------------------


def of_spans(sums: Mapping[str, int], resamples: int, brief: bool) -> Told:
    read = sum(n for key, n in sums.items() if key.startswith("read="))
    parts: list[defaultdict[str, int]] = [defaultdict(int) for _ in range(BUCKETS)]
    characters: list[defaultdict[Pattern, int]] = [defaultdict(int) for _ in range(BUCKETS)]
    for key, n in sums.items():
        group, _, name = key.partition("#")
        if name.startswith("c|"):
            characters[int(group)][from_key(name[2:])] += n
        elif name:
            parts[int(group)][name] += n
    kept = [g for g in range(BUCKETS) if parts[g]["pairs"]]

    def f1(n: int) -> Figure:
        met, marked = ([parts[g][f"{name}{n}"] for g in kept] for name in ("met", "marked"))
        return groups.ratio(met, marked, read, resamples)

    measures = [Measure("f1_place", "Soft F1, place", f1(0))]
    if not brief:
        measures += [
            Measure("f1_type", "Soft F1, place and type", f1(1)),
            Measure("f1_severity", "Soft F1, with severity", f1(2)),
            Measure(
                "alpha_characters",
                "Alpha of characters",
                groups.alpha_of_characters([characters[g] for g in kept], read, resamples),
            ),
        ]
    return Told(measures, read)


def of_rankings(sums: Mapping[str, int], resamples: int) -> Told:
    values: list[defaultdict[float, int]] = [defaultdict(int), defaultdict(int)]
    for key, n in sums.items():
        for at, value in enumerate(key.split(";")):
            if value != UNDEFINED:
                values[at][float(value)] += n
    why = "no item has two rankings that tell its responses apart"
    measures = [
        Measure("w", "Kendall’s W, mean", groups.mean(values[0], why, resamples)),
        Measure("tau_b", "Kendall’s tau-b, mean of pairs", groups.mean(values[1], why, resamples)),
    ]
    return Told(measures, sum(sums.values()))


def as_dict(figure: Figure) -> dict[str, Any]:
    """A figure as the API and runs tell it."""
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n, "why": figure.why}
