"""RMB: pairs and best of n in 49 scenarios of helpfulness and harmlessness (Zhou et al. 2024, arXiv 2410.09893).

A pair is right where the chosen response scores higher, a list where the best scores above every other. The overall
figure is the mean of the four: pairs and lists of helpfulness, pairs and lists of harmlessness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.benchmarking import (
    SCORERS,
    Benchmark,
    Case,
    Figures,
    Result,
    average,
    benchmarks,
    better,
    by_subset,
    grouped,
    share,
)
from workers.benchmarks.pairs import prompt_of

GOALS = ("helpfulness", "harmlessness")


def read(table: str, number: int, row: Mapping[str, Any]) -> Case:
    """A row of `Pairwise_set` or of `BoN_set`; its goal and scenario are in its path."""
    _, goal, *scenario = str(row["category_path"]).split("/")
    if goal.lower() not in GOALS:
        raise ValueError(f"{goal!r} is neither of {' and '.join(GOALS)}")
    prompt = prompt_of(row["conversation_input"])
    truth = {"scenario": scenario[0] if scenario else ""}
    if "bon_best" in row:
        listed = [row["bon_best"]["answer"], *(one["answer"] for one in row["loser_list"])]
        return Case(str(row.get("bon_uid", f"{table}:{number}")), f"{goal.lower()} list", prompt, listed, truth)
    sides = [row["chosen"]["answer"], row["reject"]["answer"]]
    return Case(str(row.get("pair_uid", f"{table}:{number}")), f"{goal.lower()} pair", prompt, sides, truth)


def outcome(result: Result) -> float:
    return float(all(better(result, 0, other) for other in range(1, len(result.scores))))


def score(results: Sequence[Result]) -> Figures:
    subsets = {name: share([outcome(one) for one in group]) for name, group in by_subset(results).items()}
    scenarios = grouped(results, lambda one: f"{one.subset}: {one.truth['scenario']}" if one.truth["scenario"] else "")
    each = {name: share([outcome(one) for one in group]) for name, group in scenarios.items() if name}
    return {"overall": average(subsets.values()), **subsets, **each}


benchmarks.add(
    Benchmark(
        name="rmb",
        title="RMB",
        about="Pairs and best of n, helpfulness and harmlessness, in 49 scenarios.",
        kinds=SCORERS,
        score=score,
        main="overall",
        read=read,
        paper="arXiv 2410.09893",
        licence="not told by its authors",
        files="https://github.com/Zhou-Zoey/RMB-Reward-Model-Benchmark, RMB_dataset",
    )
)
