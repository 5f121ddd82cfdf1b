"""Figures as Markdown: the measures beside floor and peer, growth with size, the aims, and what to distrust."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import curves
from benchmarks.aims import aims
from benchmarks.figures import Figures, at, of_floor, times

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NONE = "–"
STEPS = {
    "import": "import",
    "alone": "one annotator",
    "together": "sixteen annotators",
    "export": "export",
    "lists": "lists",
}


def report(told: dict[str, Any]) -> str:
    """All tables."""
    parts = [surroundings(told), goals(told), pictures(told), measures(told), growth(told), listed(told), doubts(told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def publish(told: dict[str, Any], path: Path) -> None:
    """Put the tables between the markers of a page."""
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    curves.draw(told, path.parent / "images")
    path.write_text(f"{before}{BEGIN}\n\n{report(told)}\n{END}{after}")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    aligned = ["---"] + ["---:"] * (len(head) - 1)
    lines = [head, aligned, *([shown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: Any) -> str:
    """A figure with as many digits as it deserves."""
    if value is None or value == "":
        return NONE
    if isinstance(value, str):
        return value
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def surroundings(told: dict[str, Any]) -> str:
    """The machine, the versions and the day."""
    host, versions = told["machine"], told["versions"]
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    studio = told.get("label_studio")
    lines = [
        f"Measured {told['begun'][:10]} on {host['processor']}, {host['cores']} cores, {host['memory_gib']} GiB,"
        f" {host['system'].split('-')[0]}, Python {host['python']}; {told['database']}, {told['broker']} broker,"
        f" {used}."
    ]
    if studio:
        lines.append(f"Label Studio {studio['version']} on the same database server, served by {studio['command']}.")
    return "\n".join(lines)


def measures(told: dict[str, Any]) -> str:
    head = ("Measure", "Pairs", "Touchstone", "Floor", "Touchstone to floor", "Label Studio", "Touchstone to it")
    return table(head, (row for size, here in told["sizes"].items() for row in rows_of(int(size), Figures(here))))


def rows_of(size: int, here: Figures) -> Iterator[tuple[Any, ...]]:
    """The lines of one size."""
    rate = of_floor
    yield line("Import, rows/s", size, here, "import.rows_per_second", "import.floor_rows_per_second", rate)
    yield latency("Next task, p50 / p95 ms", size, here, "alone.next", "alone.floor")
    yield latency("Submit, p50 / p95 ms", size, here, "alone.submit", "alone.floor")
    mine, studio = here.next_and_submit(), here.next_and_submit("label_studio.")
    yield ("Next + submit, p50 ms", str(size), mine, None, None, studio, times(studio, mine))
    yield line("16 annotators, answers/s", size, here, "together.per_second", "together.floor.per_second", rate)
    yield latency("… next task, p50 / p95 ms", size, here, "together.next", "together.floor.next")
    yield latency("… submit, p50 / p95 ms", size, here, "together.submit", "together.floor.next")
    faults = [here.faults(), None, None, here.faults("label_studio."), None]
    yield ("… doubled tasks / errors", str(size), *faults)
    made, floor = here["export.making_rows_per_second"], here["export.floor_rows_per_second"]
    yield ("Export, rows/s into files", str(size), made, floor, of_floor(made, floor), None, None)
    pulled, theirs = here["export.rows_per_second"], here["label_studio.export.rows_per_second"]
    yield ("Export, rows/s until pulled", str(size), pulled, None, None, theirs, times(pulled, theirs))
    first = here["export.first_version_seconds"]
    yield ("… first version of a worker, 20 rows, s", str(size), first, None, None, None, None)
    peak, server = here["export.worker_mb.peak"], here["label_studio.export.web_peak_mb"]
    yield ("… peak memory, MB", str(size), peak, None, None, server, None)
    for file, told in (here["export.first_byte"] or {}).items():
        cold, warm = (both(Figures(told[how]), "") for how in ("cold", "warm"))
        yield (f"First byte of {file}, cold, p50 / p95 ms", str(size), cold, None, None, None, None)
        yield ("… warm", str(size), warm, None, None, None, None)


def line(
    title: str, size: int, here: Figures, ours: str, floor: str, against: Callable[[Any, Any], str | None]
) -> tuple[Any, ...]:
    """A rate: higher is better."""
    mine, least, theirs = here[ours], here[floor], here[f"label_studio.{ours}"]
    return (title, str(size), mine, least, against(mine, least), theirs, times(mine, theirs))


def latency(title: str, size: int, here: Figures, ours: str, floor: str) -> tuple[Any, ...]:
    """Two percentiles; the ratios are of the p95, and say how much slower the other is."""
    mine, least, theirs = here[f"{ours}.p95_ms"], here[f"{floor}.p95_ms"], here[f"label_studio.{ours}.p95_ms"]
    cells = [both(here, name) for name in (ours, floor, f"label_studio.{ours}")]
    return (title, str(size), cells[0], cells[1], times(mine, least), cells[2], times(theirs, mine))


def both(here: Figures, name: str) -> str | None:
    middle, high = (here[f"{name}.{what}" if name else what] for what in ("p50_ms", "p95_ms"))
    return None if middle is None else f"{shown(middle)} / {shown(high)}"


GROWING = {
    "Import, rows/s": "import.rows_per_second",
    "COPY or executemany of the same rows, rows/s": "import.floor_rows_per_second",
    "Next task, p95 ms": "alone.next.p95_ms",
    "Submit, p95 ms": "alone.submit.p95_ms",
    "Bare view, p95 ms": "alone.floor.p95_ms",
    "16 annotators, answers/s": "together.per_second",
    "Export, rows/s into files": "export.making_rows_per_second",
    "Import, peak memory of the worker, MB": "import.worker_peak_mb",
    "… of all its processes together, MB": "import.worker_together_mb",
    "Export, peak memory of the worker, MB": "export.worker_mb.peak",
    "… of it and the consumers together, MB": "export.worker_mb.together",
    "Download, peak memory of the web, MB": "export.web_peak_mb",
}


def growth(told: dict[str, Any]) -> str:
    """Each figure by size, and the last against the first."""
    sizes = list(told["sizes"])
    if len(sizes) < 2:
        return ""
    rows = []
    for title, name in GROWING.items():
        values = [at(told["sizes"][size], name) for size in sizes]
        rows.append((title, *values, times(values[-1], values[0])))
    head = ("Growth", *(f"{shown(int(size))} pairs" for size in sizes), "last to first")
    return table(head, rows)


def pictures(told: dict[str, Any]) -> str:
    """The growth curves, as the page shows them."""
    if len(told["sizes"]) < 2:
        return ""
    return "\n\n".join(f"![{one.title}](images/{one.name}.svg)" for one in curves.CURVES)


def listed(told: dict[str, Any]) -> str:
    """p50, p95 and processor time of each page and list by size, the slowest at the largest size first."""
    here = {size: at(one, "lists.calls") or {} for size, one in told["sizes"].items()}
    last = here[list(here)[-1]]
    if not last:
        return ""
    rows = (
        (name, *(with_cpu(Figures(calls.get(name, {}))) for calls in here.values()))
        for name in sorted(last, key=lambda name: -last[name]["p95_ms"])
    )
    return table(("Page or list, p50 / p95 / CPU ms", *(f"{shown(int(size))} pairs" for size in here)), rows)


def with_cpu(here: Figures) -> str | None:
    found, cpu = both(here, ""), here["cpu_ms"]
    return f"{found} / {shown(cpu)}" if found and cpu is not None else found


def goals(told: dict[str, Any]) -> str:
    return table(("Aim", "Measured", "Met"), aims(told))


def doubts(told: dict[str, Any]) -> str:
    """What the machine was doing beside the measures."""
    notes = list(notes_of(told))
    loads = [note["load_before"] for _, note in notes] + [note["load_after"] for _, note in notes]
    busy = [f"{title} ({note['foreign_cores']} cores)" for title, note in notes if note["disturbed"]]
    if not loads:
        return ""
    said = f"Load average before and after the measures: {shown(min(loads))} to {shown(max(loads))}."
    if busy:
        return f"{said} **Other processes disturbed:** {', '.join(busy)}. Repeat these before quoting them."
    return f"{said} Other processes used less than a third of a core during each measure."


def notes_of(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for size, here in told["sizes"].items():
        for name, title in STEPS.items():
            if note := at(here, f"{name}.machine"):
                yield f"{title} at {size}", note
        if note := at(here, "label_studio.machine"):
            yield f"Label Studio at {size}", note
