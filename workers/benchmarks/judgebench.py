"""JudgeBench: two answers of one model, one of them right (Tan et al. 2024, arXiv 2410.12784).

Knowledge (MMLU-Pro), reasoning and mathematics (LiveBench), coding (LiveCodeBench). A model that scores is right where
the right answer scores higher. A critic is asked in both orders and is right where it names the right answer more often
than the wrong one: twice, or once with no verdict beside it. The paper's main table has the answers of GPT-4o, which is
what is taken from the Hub; files with the answers of other models are scored by model too.
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
    by_subset,
    grouped,
    share,
)
from workers.benchmarks.pairs import agrees, first_named, gold, prompt_of, right

CATEGORIES = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "coding",
}


def read(table: str, number: int, row: Mapping[str, Any]) -> Case:
    source = str(row["source"])
    category = next((name for start, name in CATEGORIES.items() if source.startswith(start)), source)
    sides = [str(first_named(row, names)) for names in (("response_A", "response_a"), ("response_B", "response_b"))]
    truth = {"gold": gold(first_named(row, ("label", "gold"))), "model": str(row.get("response_model") or "")}
    return Case(str(first_named(row, ("pair_id", "id"))), category, prompt_of(row["question"]), sides, truth)


def outcome(result: Result) -> float:
    if not result.choices:
        return right(result)
    best = result.truth["gold"]
    votes = [0 if one is None else 1 if one == best else -1 for one in result.choices]
    return float(sum(votes) > 0)


def score(results: Sequence[Result]) -> Figures:
    figures = {"overall": share([outcome(one) for one in results])}
    figures |= {name: share([outcome(one) for one in group]) for name, group in by_subset(results).items()}
    models = grouped(results, lambda one: str(one.truth.get("model") or ""))
    if len(models) > 1:
        figures |= {name: share([outcome(one) for one in group]) for name, group in models.items() if name}
    if any(one.choices for one in results):
        figures["same in both orders"] = share([agrees(one) for one in results])
    return figures


benchmarks.add(
    Benchmark(
        name="judgebench",
        title="JudgeBench",
        about="Pairs with one right answer: knowledge, reasoning, mathematics, coding.",
        kinds=(*SCORERS, "critic"),
        score=score,
        main="overall",
        read=read,
        paper="arXiv 2410.12784",
        licence="MIT",
        hubs=(Hub("ScalerLab/JudgeBench", ("data/gpt-*.jsonl",)),),
        files="https://github.com/ScalerLab/JudgeBench, data/*.jsonl",
    )
)
