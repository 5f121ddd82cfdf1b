"""Growth curves of the figures as SVG: size to the right, the measure upwards, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.figures import at

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 190, 40, 40
STYLE = """
svg{font:13px system-ui,sans-serif;background:#fff}text{fill:#333}.title{font-weight:600}
.grid{stroke:#ddd}.aim{stroke:#b00;stroke-dasharray:6 4}.aim-text{fill:#b00}
.line{fill:none;stroke-width:2.5}.l0{stroke:#1f5fbf;fill:#1f5fbf}.l1{stroke:#b4560d;fill:#b4560d}
.l2{stroke:#3f7d32;fill:#3f7d32}.l3{stroke:#7a45a8;fill:#7a45a8}.floor{stroke-dasharray:3 4}
path.line{fill:none}text.l0,text.l1,text.l2,text.l3{stroke:none}
@media(prefers-color-scheme:dark){svg{background:#16181d}text{fill:#ddd}.grid{stroke:#3a3d45}
.l0{stroke:#7fb0ff;fill:#7fb0ff}.l1{stroke:#f0a35e;fill:#f0a35e}.l2{stroke:#8fce7e;fill:#8fce7e}
.l3{stroke:#c8a0f0;fill:#c8a0f0}.aim{stroke:#ff7d7d}.aim-text{fill:#ff7d7d}}
""".replace("\n", "")

Points = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One picture: lines by their label, each the dotted name of a figure; a floor is dashed."""

    name: str
    title: str
    lines: Mapping[str, str]
    aim: float | None = None
    aim_words: str = ""


CURVES = (
    Curve(
        "growth-rates",
        "Rows per second by pairs in the project",
        {
            "Import": "import.rows_per_second",
            "Floor: COPY": "import.floor_rows_per_second",
            "Export": "export.making_rows_per_second",
            "Floor: files": "export.floor_rows_per_second",
        },
    ),
    Curve(
        "growth-annotating",
        "Milliseconds of an annotator's calls, p95",
        {"Next task": "alone.next.p95_ms", "Floor: bare view": "alone.floor.p95_ms", "Submit": "alone.submit.p95_ms"},
    ),
    Curve(
        "growth-memory",
        "Peak memory, MB",
        {
            "Import worker": "import.worker_peak_mb",
            "Export worker": "export.worker_mb.peak",
            "Export, all": "export.worker_mb.together",
            "Web, download": "export.web_peak_mb",
        },
    ),
    Curve(
        "growth-first-byte",
        "Milliseconds to the first byte of train.jsonl and train.parquet, p95",
        {
            "Lines, cold": "export.first_byte.train.jsonl.cold.p95_ms",
            "Lines, warm": "export.first_byte.train.jsonl.warm.p95_ms",
            "Parquet, cold": "export.first_byte.train.parquet.cold.p95_ms",
            "Parquet, warm": "export.first_byte.train.parquet.warm.p95_ms",
        },
        200,
        "aim: 200 ms",
    ),
    Curve(
        "growth-lists",
        "Milliseconds of pages and lists, p95",
        {
            "Slowest list page": "lists.slowest.page.p95_ms",
            "Slowest API list": "lists.slowest.API.p95_ms",
            "Project page": "lists.calls.page project.p95_ms",
        },
        100,
        "aim of lists: 100 ms",
    ),
)


def draw(told: Mapping[str, Any], folder: Path) -> list[Curve]:
    """Write every curve that has figures of two sizes or more; which."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for curve in CURVES:
        lines = {label: points(told, name) for label, name in curve.lines.items()}
        if max(map(len, lines.values())) > 1:
            (folder / f"{curve.name}.svg").write_text(picture(curve, lines))
            drawn.append(curve)
    return drawn


def points(told: Mapping[str, Any], name: str) -> Points:
    found = [(int(size), figure(here, name)) for size, here in told["sizes"].items()]
    return [(size, value) for size, value in found if value]


def figure(here: Any, name: str) -> float | None:
    """A figure by its dotted name, in which names of files have dots of their own."""
    for file in ("train.jsonl", "train.parquet"):
        before, there, after = name.partition(f".{file}.")
        if there:
            return at((at(here, before) or {}).get(file, {}), after)  # type: ignore[no-any-return]
    return at(here, name)  # type: ignore[no-any-return]


def picture(curve: Curve, lines: Mapping[str, Points]) -> str:
    """The SVG: axes with decades, each line with its name at its end, and the numbers as text for who cannot see it."""
    every = [point for some in lines.values() for point in some]
    sizes = sorted({size for size, _ in every})
    values = [value for _, value in every] + ([curve.aim] if curve.aim else [])
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 0.01)

    def x(size: float) -> float:
        first, last = math.log10(sizes[0]), math.log10(sizes[-1])
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(size) - first) / (last - first)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(curve.title)}</title><desc id="d">{escape(in_words(lines))}</desc>',
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="22">{escape(curve.title)}</text>',
    ]
    for power in range(low, high + 1):
        height = y(10.0**power)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{count(10.0**power)}</text>')
    for size in sizes:
        parts.append(f'<text x="{x(size):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{count(size)}</text>')
    if curve.aim:
        height = y(curve.aim)
        parts.append(f'<line class="aim" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(f'<text class="aim-text" x="{LEFT + 6}" y="{height - 6:.1f}">{escape(curve.aim_words)}</text>')
    ends = spaced([y(some[-1][1]) for some in lines.values() if some])
    for number, (label, some) in enumerate((label, some) for label, some in lines.items() if some):
        way = " ".join(f"{'L' if n else 'M'}{x(size):.1f} {y(value):.1f}" for n, (size, value) in enumerate(some))
        dashed = " floor" if label.startswith("Floor") else ""
        parts.append(f'<path class="line l{number}{dashed}" d="{way}"/>')
        parts += [f'<circle class="l{number}" cx="{x(size):.1f}" cy="{y(value):.1f}" r="3"/>' for size, value in some]
        said = f"{label}, {count(some[-1][1])}"
        parts.append(
            f'<text class="l{number}" x="{WIDTH - RIGHT + 12}" y="{ends[number] + 4:.1f}">{escape(said)}</text>'
        )
    return "".join(parts) + "</svg>\n"


def spaced(heights: Sequence[float], apart: float = 17) -> list[float]:
    """Heights of labels, moved down where two would touch, and all up again where the last would leave the picture."""
    placed = list(heights)
    below = -math.inf
    for number in sorted(range(len(placed)), key=lambda n: placed[n]):
        placed[number] = below = max(placed[number], below + apart)
    over = max(0.0, below - (HEIGHT - BOTTOM))
    return [height - over for height in placed]


def count(value: float) -> str:
    """A number as an axis has it."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M" if value % 100_000 == 0 else f"{value / 1_000_000:.1f} M"
    if value >= 10_000:
        return f"{value / 1000:.0f} k"
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def in_words(lines: Mapping[str, Points]) -> str:
    """The numbers of a picture."""
    told = {label: [f"{count(value)} at {count(size)}" for size, value in some] for label, some in lines.items()}
    return "; ".join(f"{label}: {', '.join(values)}" for label, values in told.items()) + "."
