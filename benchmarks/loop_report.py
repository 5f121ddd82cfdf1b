"""The figures of benchmarks/loop.py: the area between each way's curve and random's, and a picture of the curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from random import Random
from statistics import fmean
from typing import Any

from benchmarks.curves import STYLE, spaced
from benchmarks.noise_data import SETS
from benchmarks.noise_report import PAGE, per_cent
from benchmarks.reporting import table
from workers.intervals import RESAMPLES, Estimate, estimate, mean_drawn

BEGIN, END = "<!-- loop: begin -->", "<!-- loop: end -->"
PICTURE = PAGE.parent / "images" / "labels-spent.svg"
FROM = "random"
LINES = {
    "random": "l0", "uncertain": "l1", "errors": "l2", "random + consistent": "l0 floor",
    "errors + consistent": "l2 floor",
}  # fmt: skip
WIDE, HIGH, LEFT, TOP, BOTTOM, ENDS = 470, 260, 44, 34, 34, 140
Figures = Mapping[str, Any]
"""By set, by seed."""


def publish(told: Figures) -> None:
    """The table between the markers of the page, and the picture."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{report(told)}\n{END}{rest.partition(END)[2]}")
    PICTURE.write_text(picture(told))


def report(told: Figures) -> str:
    head = (
        "Right on new prompts, %", "seeds", "pool", "labels of people", "unverified labels right", "people right",
        "longer", "model of all unverified", "model of all majorities",
    )  # fmt: skip
    areas = (
        "Area above random, points", *(way for way in LINES if way != FROM), "at the end: random", "errors + consistent"
    )  # fmt: skip
    return f"{table(head, grounds(told))}\n\n{table(areas, area_rows(told))}\n"


def grounds(told: Figures) -> Iterator[tuple[Any, ...]]:
    for name, seeds in told.items():
        each = list(seeds.values())
        shares = ("unverified_right", "people_right", "longer", "unverified", "majority")
        yield (
            SETS[name][0], str(len(each)), str(each[0]["pool"]), f"{each[0]['steps'][0]} to {each[0]['steps'][-1]}",
            *(per_cent([one[what] for one in each]) for what in shares),
        )  # fmt: skip


def area_rows(told: Figures) -> Iterator[tuple[Any, ...]]:
    for name, seeds in told.items():
        each = list(seeds.values())
        between = [in_points(above(each, way)) for way in LINES if way != FROM]
        ends = [per_cent([one["ways"][way][-1] for one in each]) for way in (FROM, "errors + consistent")]
        yield (SETS[name][0], *between, *ends)


def area(steps: Sequence[int], values: Sequence[float]) -> float:
    """The mean height of a curve over labels spent, straight between its points."""
    parts = [(b - a) * (v + w) / 2 for a, b, v, w in zip(steps, steps[1:], values, values[1:], strict=False)]
    return sum(parts) / (steps[-1] - steps[0])


def above(each: Sequence[Figures], way: str) -> Estimate:
    """The area between a way's curve and random's, a mean over seeds, with a bootstrap over seeds."""
    found = [area(one["steps"], one["ways"][way]) - area(one["steps"], one["ways"][FROM]) for one in each]
    chance = Random(0)
    return estimate(fmean(found), [mean_drawn(found, chance) for _ in range(RESAMPLES)])


def in_points(found: Estimate) -> str:
    told = f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    return f"**{told}**" if found.clear else told


# --- The picture ----------------------------------------------------------------------------------------------


def picture(told: Figures) -> str:
    """A panel a set: labels of people to the right, accuracy upwards, a line a way; consistency is dashed."""
    title = "Right on new prompts by labels of people"
    columns = 2
    height = HIGH * -(-len(told) // columns)
    words = "; ".join(in_words(name, list(seeds.values())) for name, seeds in told.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE * columns} {height}" role="img"'
        f' aria-labelledby="t d"><title id="t">{title}</title><desc id="d">{escape(words)}</desc><style>{STYLE}</style>'
    ]
    for number, (name, seeds) in enumerate(told.items()):
        x, y = WIDE * (number % columns), HIGH * (number // columns)
        parts.append(f'<g transform="translate({x} {y})">{panel(SETS[name][0], list(seeds.values()))}</g>')
    return "".join(parts) + "</svg>\n"


def curves(each: Sequence[Figures]) -> dict[str, list[float]]:
    """The mean over seeds of each way's curve."""
    return {way: [fmean(at) for at in zip(*(one["ways"][way] for one in each), strict=True)] for way in LINES}


def panel(title: str, each: Sequence[Figures]) -> str:
    steps, lines = each[0]["steps"], curves(each)
    values = [value for line in lines.values() for value in line]
    low, high = int(20 * min(values)) / 20, (int(20 * max(values)) + 1) / 20

    def x(step: float) -> float:
        return LEFT + (WIDE - LEFT - ENDS) * (step - steps[0]) / (steps[-1] - steps[0])

    def y(value: float) -> float:
        return HIGH - BOTTOM - (HIGH - TOP - BOTTOM) * (value - low) / (high - low)

    parts = [f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>']
    for tick in range(round(100 * low), round(100 * high) + 1, 5):
        at = y(tick / 100)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDE - ENDS}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{tick}%</text>')
    for step in steps[:: max(1, len(steps) // 4)]:
        parts.append(f'<text x="{x(step):.1f}" y="{HIGH - 12}" text-anchor="middle">{step}</text>')
    ends = spaced([y(line[-1]) for line in lines.values()], apart=15)
    for (way, line), end in zip(lines.items(), ends, strict=True):
        points = zip(steps, line, strict=True)
        path = " ".join(f"{'L' if n else 'M'}{x(step):.1f} {y(value):.1f}" for n, (step, value) in enumerate(points))
        parts.append(f'<path class="line {LINES[way]}" d="{path}"/>')
        colour = LINES[way].split()[0]
        parts.append(f'<text class="{colour}" x="{WIDE - ENDS + 6}" y="{end + 4:.1f}">{escape(way)}</text>')
    return "".join(parts)


def in_words(name: str, each: Sequence[Figures]) -> str:
    """The numbers of a panel, for who cannot see it."""
    steps = each[0]["steps"]
    said = [f"{way} {100 * line[0]:.1f} % to {100 * line[-1]:.1f} %" for way, line in curves(each).items()]
    return f"{SETS[name][0]}, from {steps[0]} to {steps[-1]} labels: {', '.join(said)}"
