"""What the project set itself, and whether the figures reach it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.figures import Figures, at, of_floor, ratio, times

FIRST_BYTE_MS, LIST_MS, PROJECT_MS, MORE_MB = 200.0, 100.0, 300.0, 100.0
FLOOR_SHARE, FLAT, BARE, PEER, PEER_IMPORT = 0.4, 1.3, 3.0, 20.0, 4.0

Line = tuple[str, str | None, str | None]


def aims(told: dict[str, Any]) -> Iterator[Line]:
    """Each aim with what was measured; at the largest size, against Label Studio at its largest."""
    sizes = told["sizes"]
    ours = [size for size, here in sizes.items() if "export" in here or "import" in here]
    if ours:
        for size in ours[-2:]:
            yield from floor_aims(Figures(sizes[size]), size)
        yield from growth_aims(sizes, ours)
        yield from size_aims(sizes[ours[-1]], ours[-1])
    peers = [size for size, here in sizes.items() if at(here, "label_studio.together") and "export" in here]
    if peers:
        yield from peer_aims(Figures(sizes[peers[-1]]), peers[-1])


def floor_aims(here: Figures, size: str) -> Iterator[Line]:
    copied = ratio(here["import.rows_per_second"], here["import.floor_rows_per_second"])
    yield (f"Import ≥ 40 % of COPY at {size}", percent(copied), met(copied, least=FLOOR_SHARE))
    written = ratio(here["export.making_rows_per_second"], here["export.floor_rows_per_second"])
    yield (f"Export ≥ 40 % of writing the same rows at {size}", percent(written), met(written, least=FLOOR_SHARE))
    slower = ratio(here["alone.next.p95_ms"], here["alone.floor.p95_ms"])
    yield (f"Next task p95 ≤ 3× the bare view at {size}", factor(slower), met(slower, most=BARE))
    told = [here[name] for name in ("together.doubled", "together.stored_twice") if here[name] is not None]
    doubled = max(told, default=None)
    yield (f"No task given out twice at {size}", None if doubled is None else str(doubled), met(doubled, most=0))


def growth_aims(sizes: dict[str, Any], ours: list[str]) -> Iterator[Line]:
    if len(ours) > 1:
        values = [at(sizes[size], "alone.next.p95_ms") for size in (ours[0], ours[-1])]
        grown = ratio(values[1], values[0])
        yield (f"Next task p95 ≤ 1.3× from {ours[0]} to {ours[-1]}", factor(grown), met(grown, most=FLAT))
    large = [size for size in ours if int(size) >= 10_000]
    for title, name in MEMORY.items() if len(large) > 1 else ():
        values = [at(sizes[size], name) for size in (large[0], large[-1])]
        more = None if None in values else values[1] - values[0]
        words = None if more is None else f"{more:+.0f} MB"
        yield (f"{title} grows by ≤ 100 MB from {large[0]} to {large[-1]}", words, met(more, most=MORE_MB))


MEMORY = {
    "Memory of the importing worker": "import.worker_peak_mb",
    "Memory of the exporting worker": "export.worker_mb.peak",
    "Memory of the exporting worker and its consumers": "export.worker_mb.together",
}


def size_aims(here: dict[str, Any], size: str) -> Iterator[Line]:
    """First bytes, lists and the project's page, by their p95."""
    told = at(here, "export.first_byte") or {}
    first = [one[how]["p95_ms"] for one in told.values() for how in ("cold", "warm")]
    yield (
        f"First byte of a download < 200 ms at {size}",
        slowest(first),
        met(max(first, default=None), most=FIRST_BYTE_MS),
    )
    for title, kind in (("list page", "page"), ("list of the API", "API")):
        found = at(here, f"lists.slowest.{kind}") or {}
        cpu = f", {found['cpu_ms']:.0f} ms of processor" if found.get("cpu_ms") else ""
        words = f"{found['p95_ms']:.0f} ms{cpu} ({found['name']})" if found else None
        yield (f"Every {title} < 100 ms at {size}", words, met(found.get("p95_ms"), most=LIST_MS))
    page = at(here, "lists.calls.page project.p95_ms")
    yield (f"Page of the project < 300 ms at {size}", slowest([page] if page else []), met(page, most=PROJECT_MS))


def slowest(milliseconds: list[float]) -> str | None:
    return f"{max(milliseconds):.0f} ms" if milliseconds else None


def peer_aims(here: Figures, size: str) -> Iterator[Line]:
    waited = ratio(here.next_and_submit("label_studio."), here.next_and_submit())
    yield (f"Next + submit ≥ 20× Label Studio at {size}", factor(waited), met(waited, least=PEER))
    for title, name, least in (
        ("Answers per second of 16 annotators ≥ 20×", "together.per_second", PEER),
        ("Export ≥ 20×", "export.rows_per_second", PEER),
        ("Import ≥ 4×", "import.rows_per_second", PEER_IMPORT),
    ):
        found = ratio(here[name], here[f"label_studio.{name}"])
        yield (f"{title} Label Studio at {size}", factor(found), met(found, least=least))


def met(found: float | None, *, least: float | None = None, most: float | None = None) -> str | None:
    if found is None:
        return None
    reached = (least is None or found >= least) and (most is None or found <= most)
    return "yes" if reached else "**no**"


def percent(found: float | None) -> str | None:
    return of_floor(found, 1.0)


def factor(found: float | None) -> str | None:
    return times(found, 1.0)
