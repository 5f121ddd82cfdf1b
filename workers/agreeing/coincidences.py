"""Krippendorff's alphas for unitizing by coincidences: uα, by place and type at once, and |uα, by marked or not.

Krippendorff, Mathet, Bouvry and Widlöcher 2016, On the Reliability of Unitizing Textual Continua: Further Developments
(Quality & Quantity 50, 2347-2364), as Krippendorff 2019, Content Analysis, 4th edition, sections 12.6.3 and 12.6.4 has
them. Every annotator's text is a row of segments, units and the gaps between. With ℓ(c,k) the lengths of what segments
of value c and segments of value k of two annotators share, over all pairs of annotators, by m - 1, ℓ(c) its margin and
ℓ its sum, chance gives

    ε(c,k) = ℓ (ℓ(c) ℓ(k) - [c = k] S(c)) / (ℓ² - Σ S),

where S(c) is the sum of the squared lengths of the units of c, and of gaps the sum of their lengths, for no unit is
paired with itself; and uα = 1 - Σ_{c≠k} ℓ(c,k) / Σ_{c≠k} ε(c,k). For |uα all types of units are one.

Simplified: of the four coefficients two; those of types within what is marked by both (cuα and (k)uα) are left out.
Ours beyond it: several texts are one study, as in `unitizing.py`; where units of several types of one annotator
overlap, the stretch has all of them as its value; units of one type that overlap are taken as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from workers.agreeing.figures import Figure, undefined
from workers.agreeing.overlaps import Span
from workers.agreeing.unitizing import joined

Value = tuple[str, ...]
GAP: Value = ()


@dataclass(frozen=True, slots=True)
class Segment:
    start: int
    end: int
    value: Value

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(slots=True)
class Coincidences:
    """Sums over texts; `add` takes what each annotator of a text marked."""

    observed: defaultdict[tuple[Value, Value], float] = field(default_factory=lambda: defaultdict(float))
    own: defaultdict[Value, int] = field(default_factory=lambda: defaultdict(int))
    """What a segment shares with itself, by value."""
    texts: int = 0

    def add(self, marked: Sequence[Iterable[Span]], length: int) -> None:
        m = len(marked)
        if m < 2 or not length:
            return
        cut = [segments(spans, length) for spans in marked]
        for one, other in combinations(cut, 2):
            for value, with_, shared in intersections(one, other):
                self.observed[value, with_] += shared / (m - 1)
                self.observed[with_, value] += shared / (m - 1)
        for segment in (segment for mine in cut for segment in mine):
            self.own[segment.value] += segment.length if segment.value == GAP else segment.length**2
        self.texts += 1

    def alpha(self, *, marked_alone: bool = False) -> Figure:
        """uα, or with `marked_alone` |uα; undefined where all that is marked and not is of one value."""
        if not self.texts:
            return undefined("no text was read by two annotators")
        total = sum(self.observed.values())
        margins: defaultdict[Value, float] = defaultdict(float)
        for (value, _), length in self.observed.items():
            margins[value] += length

        def differ(value: Value, other: Value) -> bool:
            return (value == GAP) != (other == GAP) if marked_alone else value != other

        disagreed = sum(length for values, length in self.observed.items() if differ(*values))
        by_chance = sum(margins[one] * margins[other] for one in margins for other in margins if differ(one, other))
        if not by_chance:
            return undefined("nobody marked anything" if set(margins) == {GAP} else "all is marked alike", self.texts)
        expected = total * by_chance / (total**2 - sum(self.own.values()))
        return Figure(1 - disagreed / expected, self.texts)


def segments(spans: Iterable[Span], length: int) -> list[Segment]:
    """Units and gaps in order: cut wherever a unit begins or ends, so that two that touch stay two."""
    of_type: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        of_type[span.type].append((span.start, min(span.end, length)))
    units = [(start, end, kind) for kind, places in of_type.items() for start, end in joined(places)]
    edges = sorted({0, length, *(edge for start, end, _ in units for edge in (start, end))})
    return [
        Segment(start, end, tuple(sorted(kind for low, high, kind in units if low <= start and end <= high)))
        for start, end in pairwise(edges)
    ]


def intersections(one: Sequence[Segment], other: Sequence[Segment]) -> Iterable[tuple[Value, Value, int]]:
    """Of each two segments that overlap their values, and by how much."""
    i = j = 0
    while i < len(one) and j < len(other):
        shared = min(one[i].end, other[j].end) - max(one[i].start, other[j].start)
        if shared > 0:
            yield one[i].value, other[j].value, shared
        if one[i].end <= other[j].end:
            i, j = i + 1, j + (one[i].end == other[j].end)
        else:
            j += 1
