"""LLMBar: which of two outputs follows the instruction (Zeng et al. 2023, arXiv 2310.07641).

One natural and four adversarial subsets. A critic is asked in both orders; its accuracy is the mean of both, and its
agreement the share of pairs on which it prefers the same output twice. The average counts the five subsets the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from workers.benchmarking import SCORERS, Benchmark, Case, Figure, Figures, Result, average, benchmarks, by_subset
from workers.benchmarks.pairs import agrees, first_named, gold, in_both_orders, prompt_of

NATURAL, ADVERSARIAL = "natural", ("neighbor", "gptinst", "gptout", "manual")


def read(table: str, number: int, row: Mapping[str, Any]) -> Case | None:
    """The file is named after its subset, or lies as `dataset.json` in a folder that is."""
    *folders, name = table.lower().split("/")
    subset = name if name != "dataset" else folders[-1] if folders else ""
    if subset not in (NATURAL, *ADVERSARIAL):
        return None
    sides = [str(first_named(row, names)) for names in (("output_1", "response_a"), ("output_2", "response_b"))]
    truth = {"gold": gold(first_named(row, ("label", "gold")))}
    prompt = prompt_of(first_named(row, ("input", "instruction")))
    return Case(str(row.get("id", f"{subset}-{number}")), subset, prompt, sides, truth)


def score(results: Sequence[Result]) -> Figures:
    halves = any(one.choices for one in results)
    subsets = {
        name: Figure(fmean(map(in_both_orders, group)), len(group), share=not halves)
        for name, group in by_subset(results).items()
    }
    figures = {"average": average(subsets.values())}
    if adversarial := [one for name, one in subsets.items() if name != NATURAL]:
        figures["adversarial"] = average(adversarial)
    figures |= subsets
    if halves:
        figures["agreement"] = average(
            Figure(fmean(map(agrees, group)), len(group)) for group in by_subset(results).values()
        )
    return figures


benchmarks.add(
    Benchmark(
        name="llmbar",
        title="LLMBar",
        about="Outputs that follow an instruction against outputs that only look like it.",
        kinds=(*SCORERS, "critic"),
        score=score,
        main="average",
        read=read,
        paper="arXiv 2310.07641",
        licence="MIT",
        files="https://github.com/princeton-nlp/LLMBar, Dataset/LLMBar (the Hub has a script only)",
    )
)
