"""Krippendorff's alpha for unitizing, alpha_U: how far annotators cut the same units out of a text.

Krippendorff 1995, On the Reliability of Unitizing Contiguous Data (Sociological Methodology 25, 47-76), with the
corrected expectation of Krippendorff 2004, Content Analysis, 2nd edition, section 11.6. For one category at a time: a
text is a row of sections, units and the gaps between; two sections that overlap differ by the squares of how far apart
their ends are, a unit within a gap by the square of its length.

Ours beyond the book: several texts are one study, their gaps not joined over the ends, and each may have annotators of
its own; then a text with m annotators weighs its pairs by 1 / (m - 1). With one text it is the published formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from workers.agreeing.figures import Figure, undefined

Place = tuple[int, int]
"""Half-open."""


@dataclass(frozen=True, slots=True)
class Section:
    start: int
    end: int
    unit: bool

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(slots=True)
class Unitizing:
    """Sums over texts for one category; `add` takes what each annotator of a text marked as it."""

    observed: float = 0.0
    units: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    length: int = 0
    """Characters of the texts."""
    read: int = 0
    """The same, as often as somebody read them."""
    texts: int = 0

    def add(self, marked: Sequence[Iterable[Place]], length: int) -> None:
        m = len(marked)
        if m < 2 or not length:
            return
        cut = [sections(places, length) for places in marked]
        self.observed += 2 * sum(differences(one, other) for one, other in combinations(cut, 2)) / (m - 1)
        self.units += [section.length for mine in cut for section in mine if section.unit]
        self.gaps += [section.length for mine in cut for section in mine if not section.unit]
        self.length += length
        self.read += m * length
        self.texts += 1

    def disagreements(self) -> tuple[float, float]:
        """D_o and D_e; zero for both without any unit."""
        if not self.units:
            return 0.0, 0.0
        total = sum(
            (len(self.units) - 1) / 3 * (2 * unit**3 - 3 * unit**2 + unit)
            + unit**2 * sum(gap - unit + 1 for gap in self.gaps if gap >= unit)
            for unit in self.units
        )
        pairs = self.read * (self.read - 1) - sum(unit * (unit - 1) for unit in self.units)
        return self.observed / (self.read * self.length), 2 * total / self.length / pairs


def alpha_u(categories: Mapping[str, Unitizing]) -> Figure:
    """1 - D_o / D_e with the disagreements of all categories added; of one of them, give it alone."""
    found = [each.disagreements() for each in categories.values()]
    observed, expected = sum(o for o, _ in found), sum(e for _, e in found)
    texts = max((each.texts for each in categories.values()), default=0)
    if not texts:
        return undefined("no text was read by two annotators")
    return Figure(1 - observed / expected, texts) if expected else undefined("nobody marked anything", texts)


def sections(places: Iterable[Place], length: int) -> list[Section]:
    """Units and gaps in order. Units of one annotator that overlap are taken as one, since the formula has no such."""
    found: list[Section] = []
    at = 0
    for start, end in joined(places):
        if start > at:
            found.append(Section(at, start, False))
        found.append(Section(start, min(end, length), True))
        at = end
    if at < length:
        found.append(Section(at, length, False))
    return found


def joined(places: Iterable[Place]) -> list[Place]:
    """In order, without empty ones; those that overlap joined, those that only touch not."""
    found: list[Place] = []
    for start, end in sorted(places):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > start:
            found.append((start, end))
    return found


def differences(one: Sequence[Section], other: Sequence[Section]) -> int:
    """The squared differences of all sections of two annotators that overlap."""
    total = i = j = 0
    while i < len(one) and j < len(other):
        total += difference(one[i], other[j])
        if one[i].end <= other[j].end:
            i, j = i + 1, j + (one[i].end == other[j].end)
        else:
            j += 1
    return total


def difference(one: Section, other: Section) -> int:
    if one.unit and other.unit:
        return (one.start - other.start) ** 2 + (one.end - other.end) ** 2
    for unit, gap in ((one, other), (other, one)):
        if unit.unit and not gap.unit and gap.start <= unit.start and unit.end <= gap.end:
            return unit.length**2
    return 0
