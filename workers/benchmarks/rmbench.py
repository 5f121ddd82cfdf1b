"""RM-Bench: subtle errors against three styles (Liu et al. 2024, arXiv 2410.16184).

Three chosen and three rejected responses per prompt, both concise, detailed and detailed in Markdown. All nine pairs
are compared. Easy: the chosen one has the fancier style (below the diagonal); normal: the same style (the diagonal);
hard: the plainer one (above it). A domain is the mean of the three, safety the mean of its two halves, the whole the
mean of the domains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.benchmarking import (
    SCORERS,
    Benchmark,
    Case,
    Figures,
    Hub,
    Result,
    benchmarks,
    better,
    by_subset,
    mean,
    under,
)
from workers.benchmarks.pairs import prompt_of

STYLES = 3
PLACES = {
    "easy": ((1, 0), (2, 0), (2, 1)),
    "normal": ((0, 0), (1, 1), (2, 2)),
    "hard": ((0, 1), (0, 2), (1, 2)),
}
"""Of each level the style of the chosen and of the rejected response."""
LEVELS = tuple(PLACES)
SAFETY = ("safety-refuse", "safety-response")


def read(table: str, number: int, row: Mapping[str, Any]) -> Case:
    """The domain is in the row, or in the name of its file."""
    domain = str(row.get("domain") or table.rsplit("/", 1)[-1].removesuffix("_filtered"))
    sides = [*row["chosen"], *row["rejected"]]
    if len(sides) != 2 * STYLES:
        raise ValueError(f"has {len(sides)} responses, not {2 * STYLES}")
    return Case(str(row["id"]), domain, prompt_of(row["prompt"]), sides)


def of_level(result: Result, level: str) -> float:
    """The share of the three comparisons of one level in which the chosen response scores higher."""
    return sum(better(result, row, STYLES + column) for row, column in PLACES[level]) / STYLES


def score(results: Sequence[Result]) -> Figures:
    """The whole, its three levels, and each domain with its own three."""
    parts = {
        (domain, level): mean((of_level(one, level) for one in group), len(group))
        for domain, group in by_subset(results).items()
        for level in LEVELS
    }
    here = list(dict.fromkeys(domain for domain, _ in parts))
    if halves := [domain for domain in here if domain in SAFETY]:
        for level in LEVELS:
            n = sum(parts[domain, level].n for domain in halves)
            parts["safety", level] = mean((parts[domain, level].value for domain in halves), n)
    domains = [domain for domain in here if domain not in SAFETY] + (["safety"] if halves else [])
    levels = {level: mean((parts[domain, level].value for domain in domains), len(results)) for level in LEVELS}
    told = {"score": mean((one.value for one in levels.values()), len(results)), **levels}
    for domain in [*domains, *halves]:
        each = {level: parts[domain, level] for level in LEVELS}
        told[domain] = mean((one.value for one in each.values()), each["easy"].n)
        told |= under(domain, each)
    return told


benchmarks.add(
    Benchmark(
        name="rmbench",
        title="RM-Bench",
        about="Subtle errors in three styles, in chat, code, mathematics and safety: easy, normal and hard.",
        kinds=SCORERS,
        score=score,
        main="score",
        read=read,
        paper="arXiv 2410.16184",
        licence="ODC-BY",
        hubs=(Hub("THU-KEG/RM-Bench", ("total_dataset.json",)),),
        files="https://github.com/THU-KEG/RM-Bench, data/*_filtered.json",
    )
)
