"""Spans of several annotators on one text, character by character: soft F1, and the text as units of one character.

Soft F1 is Dice's coefficient over characters (Dice 1945): of two annotators, twice what both mark, over what each
marks. Three of them: by place; by place and type; by place, type and severity, where another severity earns half, as
the WMT shared task on error spans scores it (Blain et al. 2023, Findings of the WMT 2023 Shared Task on Quality
Estimation).
All sums are whole numbers, so what was added can be taken away again exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from workers.agreeing.figures import Figure, undefined

BY_PLACE, BY_TYPE, BY_SEVERITY = "place", "type", "severity"
KINDS = (BY_PLACE, BY_TYPE, BY_SEVERITY)
HALVES = 2
"""Sums count half characters."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open, in code points, with its labels."""

    start: int
    end: int
    type: str = ""
    severity: str = ""


@dataclass(frozen=True, slots=True)
class Both:
    """Of two annotators in half characters: what both mark (by place, type, severity), and what each marks, added."""

    met: tuple[int, int, int] = (0, 0, 0)
    marked: tuple[int, int, int] = (0, 0, 0)

    def __add__(self, other: Both) -> Both:
        met = [a + b for a, b in zip(self.met, other.met, strict=True)]
        marked = [a + b for a, b in zip(self.marked, other.marked, strict=True)]
        return Both((met[0], met[1], met[2]), (marked[0], marked[1], marked[2]))

    def f1(self, kind: str = BY_PLACE, n: int = 0) -> Figure:
        at = KINDS.index(kind)
        if not self.marked[at]:
            return undefined("neither of them marked anything", n)
        return Figure(2 * self.met[at] / self.marked[at], n)


Pieces = Sequence[tuple[int, Mapping[int, frozenset[tuple[str, str]]]]]
"""Stretches of a text in which nobody begins or ends anything: their length, and the labels of each who marks them."""


def pieces(spans: Mapping[int, Iterable[Span]], length: int) -> Pieces:
    """A text cut wherever a span of anybody begins or ends; by annotator, each with who marks it as what."""
    inside = {
        who: [Span(max(0, s.start), min(length, s.end), s.type, s.severity) for s in mine if s.start < length]
        for who, mine in spans.items()
    }
    edges = sorted({0, length, *(at for mine in inside.values() for s in mine for at in (s.start, s.end))})
    begun: dict[int, list[tuple[int, Span]]] = {}
    for who, mine in inside.items():
        for span in mine:
            if span.end > span.start:
                begun.setdefault(span.start, []).append((who, span))
    found, live = [], list[tuple[int, Span]]()
    for start, end in zip(edges, edges[1:], strict=False):
        live = [one for one in live if one[1].end > start] + begun.get(start, [])
        labels: dict[int, set[tuple[str, str]]] = {}
        for who, span in live:
            labels.setdefault(who, set()).add((span.type, span.severity))
        found.append((end - start, {who: frozenset(said) for who, said in labels.items()}))
    return found


def both(cut: Pieces, one: int, other: int) -> Both:
    """What two annotators mark alike. A character under several types counts once for each of them."""
    total = Both()
    for size, said in cut:
        mine, theirs = said.get(one, frozenset()), said.get(other, frozenset())
        if mine or theirs:
            total += alike(mine, theirs, HALVES * size)
    return total


def alike(mine: frozenset[tuple[str, str]], theirs: frozenset[tuple[str, str]], size: int) -> Both:
    types = [{kind for kind, _ in said} for said in (mine, theirs)]
    shared = types[0] & types[1]
    exact = {kind for kind, _ in mine & theirs}
    place = size if mine and theirs else 0
    marked = len(types[0]) + len(types[1])
    return Both(
        (place, size * len(shared), size * len(exact) + size // HALVES * len(shared - exact)),
        (size * (bool(mine) + bool(theirs)), size * marked, size * marked),
    )


def all_pairs(cut: Pieces, who: Sequence[int]) -> Both:
    """The same over every two of them: an annotator who marked nothing is one of them."""
    total = Both()
    for one, other in combinations(who, 2):
        total += both(cut, one, other)
    return total


def characters(cut: Pieces, who: Sequence[int]) -> dict[tuple[tuple[str, int], ...], int]:
    """Patterns of one text (see `counts`): each character a unit, its value the types that an annotator gave it."""
    found: dict[tuple[tuple[str, int], ...], int] = {}
    for size, said in cut:
        counts: dict[str, int] = {}
        for annotator in who:
            value = "; ".join(sorted({kind or "untyped" for kind, _ in said.get(annotator, ())}))
            counts[value] = counts.get(value, 0) + 1
        pattern = tuple(sorted(counts.items()))
        found[pattern] = found.get(pattern, 0) + size
    return found
