"""ProcessBench: the first wrong step of a solution, or that there is none (Zheng et al. 2024, arXiv 2412.06559).

The prediction is the first step that is more likely wrong than right, or of a critic the first that it calls wrong. Of
each subset: the share of solutions with an error whose first wrong step is named, the share of right solutions in
which none is, and their harmonic mean F1. The score is the mean F1. The threshold is the model version's, 0.5 unless
told; the paper picks the one that is best on GSM8K for models trained otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from workers.benchmarking import Benchmark, Case, Figure, Figures, Hub, Result, average, benchmarks, by_subset, share
from workers.benchmarks.pairs import prompt_of
from workers.spans import joined

NONE = -1
THRESHOLD = 0.5


def read(table: str, number: int, row: Mapping[str, Any]) -> Case:
    """The authors' rows say `label`, -1 for none; others `first_error_step`, null for none."""
    given = row["label"] if "label" in row else row["first_error_step"]
    first = NONE if given is None else int(given)
    steps = joined(list(row["steps"]), "steps", "step")
    if not NONE <= first < len(steps.units):
        raise ValueError(f"names step {first} of {len(steps.units)}")
    subset = table.rsplit("/", 1)[-1].split("-")[0]
    prompt = prompt_of(row["problem"])
    return Case(str(row.get("id", f"{table}:{number}")), subset, prompt, [steps.text], {"first": first}, steps.units)


def predicted(result: Result) -> int:
    """The first step below the threshold; a step that the model did not see is not said to be wrong."""
    least = float(result.truth.get("threshold") or THRESHOLD)
    return next((n for n, value in enumerate(result.steps) if value is not None and value < least), NONE)


def correct(result: Result) -> float:
    """A solution on which nothing was said is missed, whatever is true of it."""
    told = any(value is not None for value in result.steps)
    return float(told and predicted(result) == result.truth["first"])


def of_subset(results: Sequence[Result]) -> Figures:
    wrong = [correct(one) for one in results if one.truth["first"] != NONE]
    right = [correct(one) for one in results if one.truth["first"] == NONE]
    told: Figures = {"F1": Figure(0.0, len(results), share=False)}
    if wrong and right:
        both = fmean(wrong), fmean(right)
        told["F1"] = Figure(2 * both[0] * both[1] / sum(both) if sum(both) else 0.0, len(results), share=False)
    if wrong:
        told["error"] = share(wrong)
    if right:
        told["correct"] = share(right)
    return told


def score(results: Sequence[Result]) -> Figures:
    subsets = {name: of_subset(group) for name, group in by_subset(results).items()}
    whole = {"F1": average(one["F1"] for one in subsets.values())}
    return whole | {f"{name} {metric}": one for name, each in subsets.items() for metric, one in each.items()}


benchmarks.add(
    Benchmark(
        name="processbench",
        title="ProcessBench",
        about="The first wrong step of solutions to problems in mathematics.",
        kinds=("step", "critic"),
        score=score,
        main="F1",
        read=read,
        paper="arXiv 2412.06559",
        licence="Apache-2.0",
        hubs=(Hub("Qwen/ProcessBench", ("gsm8k.json", "math.json", "olympiadbench.json", "omnimath.json")),),
    )
)
