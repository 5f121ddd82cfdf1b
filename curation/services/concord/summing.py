"""The sums of agreement: what one task adds to them. All are whole numbers, so that what was added can be taken away.

A row of sums is named by label, part, slice and key (a week, or an annotator); the names in it are

- of a label with values: `value=count|value=count` (how many annotators gave which value to one unit) → units;
  in a row of an annotator: `other|own value|other's value` → units;
- `type|NAME`, whether a type of critique was given to a response at all: the same, of the values yes and no, but only
  where somebody said yes: the rest are the responses that were read (see `read` in the row of spans);
- of `spans`: `BUCKET#met0` … (soft F1, see `overlaps.Both`), `BUCKET#c|PATTERN` → characters, `BUCKET#pairs`, and
  `read=ANNOTATORS` → responses; in a row of an annotator `other#met0` … and `other#n`. Responses fall into `BUCKETS`
  groups by their ids, over which the interval is bootstrapped;
- of `ranking`: `W;mean tau` → items; in a row of an annotator `other|tau` → items; – stands for undefined.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, permutations
from statistics import fmean

from curation.models import AgreementSum
from curation.services.concord.speaking import RANKING, SPANS, Said, Spoken, Unit, monday
from workers.agreeing.counts import pattern_of
from workers.agreeing.overlaps import Both, all_pairs, both, characters, pieces
from workers.agreeing.rankings import concordance, tau_b

BUCKETS = 32
UNDEFINED = "-"
MOST_TOGETHER = 60
"""Of more annotators on one text, the first so many are compared with each other by their spans."""
Name = tuple[str, str, str, str]
"""Label, part, slice and key of a row."""
PEOPLE, ALL, PAIRS = AgreementSum.Part.PEOPLE, AgreementSum.Part.ALL, AgreementSum.Part.PAIRS


@dataclass(slots=True)
class Sums:
    """What is added to rows, and taken away: by row, the name in it, and how much."""

    rows: defaultdict[Name, defaultdict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    n: defaultdict[Name, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: Name, key: str, times: int) -> None:
        self.rows[name][key] += times


def add_all(sums: Sums, some: Iterable[Spoken], sign: int = 1) -> None:
    """Add what stands on tasks, or take it away."""
    for task in some:
        add(sums, task, sign)


def add(sums: Sums, task: Spoken, sign: int) -> None:
    add_units(sums, task, sign)
    for (label, _), values in values_of(task.said).items():
        for one, other in permutations(values, 2):
            pair(sums, label, task.slice, one, f"{other}|{values[one]}|{values[other]}", sign)
    pairs_of_rankings(sums, task, sign)
    pairs_of_spans(sums, task, sign)


def add_units(sums: Sums, task: Spoken, sign: int) -> None:
    """What a task adds to the rows over units, without those of one annotator with the others."""
    people = [one for one in task.said if not one.machine]
    week = monday(max(one.day for one in people or task.said))
    for part, some in ((PEOPLE, people), (ALL, task.said)):
        for (label, _), values in values_of(some).items():
            name = (label, part, task.slice, week)
            sums.add(name, as_key(values.values()), sign)
            sums.n[name] += sign
        ranked(sums, ("", part, task.slice, week), some, sign)
        marked(sums, ("", part, task.slice, week), task, [one for one in some if one.marks], sign)


def pair(sums: Sums, label: str, part: str, one: int, key: str, sign: int) -> None:
    name = (label, PAIRS, part, str(one))
    sums.add(name, key, sign)
    sums.n[name] += sign


def values_of(some: Iterable[Said]) -> dict[Unit, dict[int, str]]:
    """What each annotator says of each unit."""
    found: dict[Unit, dict[int, str]] = {}
    for one in some:
        for unit, value in one.values.items():
            found.setdefault(unit, {})[one.annotator] = value
    return found


def as_key(values: Iterable[str]) -> str:
    return "|".join(f"{value}={n}" for value, n in pattern_of(list(values)))


def from_key(key: str) -> tuple[tuple[str, int], ...]:
    parts = (part.rpartition("=") for part in key.split("|"))
    return tuple((value, int(n)) for value, _, n in parts)


# --- Rankings -----------------------------------------------------------------------------------------


def ranked(sums: Sums, name: Name, some: Iterable[Said], sign: int) -> None:
    rankings = [one.places for one in some if one.places]
    if len(rankings) > 1:
        taus = [tau.value for a, b in combinations(rankings, 2) if (tau := tau_b(a, b)).value is not None]
        w = concordance(rankings).value
        key = f"{rounded(w)};{rounded(fmean(taus) if taus else None)}"
        sums.add((RANKING, *name[1:]), key, sign)
        sums.n[(RANKING, *name[1:])] += sign


def pairs_of_rankings(sums: Sums, task: Spoken, sign: int) -> None:
    for one, other in permutations([said for said in task.said if said.places], 2):
        tau = rounded(tau_b(one.places, other.places).value)
        pair(sums, RANKING, task.slice, one.annotator, f"{other.annotator}|{tau}", sign)


def rounded(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.6f}"


# --- Spans --------------------------------------------------------------------------------------------


def bucket(response: int) -> int:
    return zlib.crc32(str(response).encode()) % BUCKETS


def marked(sums: Sums, name: Name, task: Spoken, some: list[Said], sign: int) -> None:
    """What those who mark say of each response: types given at all, F1 of all pairs, characters as units."""
    if len(some) < 2 or not task.responses:
        return
    spans: Name = (SPANS, *name[1:])
    for response, sizes in task.responses:
        sums.add(spans, f"read={len(some)}", sign)
        sums.n[spans] += sign
        given: defaultdict[str, int] = defaultdict(int)
        for one in some:
            for kind in one.types.get(response, ()):
                given[kind] += 1
        for kind, yes in given.items():
            counts = {"no": len(some) - yes, "yes": yes}
            key = "|".join(f"{value}={n}" for value, n in counts.items() if n)
            sums.add((f"type|{kind}", *name[1:]), key, sign)
        group, compared = bucket(response), some[:MOST_TOGETHER]
        who = [one.annotator for one in compared]
        for message, size in enumerate(sizes):
            cut = pieces({one.annotator: one.spans.get((response, message), ()) for one in compared}, size)
            for pattern, characters_ in characters(cut, who).items():
                key = "|".join(f"{value}={n}" for value, n in pattern)
                sums.add(spans, f"{group}#c|{key}", sign * characters_)
            for key, amount in parts_of(all_pairs(cut, who)):
                sums.add(spans, f"{group}#{key}", sign * amount)
        sums.add(spans, f"{group}#pairs", sign * len(who) * (len(who) - 1) // 2)


def parts_of(found: Both) -> Iterator[tuple[str, int]]:
    for n in range(3):
        yield f"met{n}", found.met[n]
        yield f"marked{n}", found.marked[n]


def pairs_of_spans(sums: Sums, task: Spoken, sign: int) -> None:
    some = [one for one in task.said if one.marks][:MOST_TOGETHER]
    if len(some) < 2:
        return
    for response, sizes in task.responses:
        cuts = [
            pieces({one.annotator: one.spans.get((response, message), ()) for one in some}, size)
            for message, size in enumerate(sizes)
        ]
        for one, other in combinations(some, 2):
            met = sum((both(cut, one.annotator, other.annotator) for cut in cuts), Both())
            for mine, theirs in ((one, other), (other, one)):
                pair(sums, SPANS, task.slice, mine.annotator, f"{theirs.annotator}#n", sign)
                for key, amount in parts_of(met):
                    sums.add(
                        (SPANS, PAIRS, task.slice, str(mine.annotator)), f"{theirs.annotator}#{key}", sign * amount
                    )
                for kind in mine.types.get(response, set()) | theirs.types.get(response, set()):
                    said = ["yes" if kind in x.types.get(response, ()) else "no" for x in (mine, theirs)]
                    name = (f"type|{kind}", PAIRS, task.slice, str(mine.annotator))
                    sums.add(name, f"{theirs.annotator}|{said[0]}|{said[1]}", sign)
                    sums.n[name] += sign
