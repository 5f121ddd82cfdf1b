"""RewardBench: chosen against rejected in 23 subsets and five sections (Lambert et al. 2024, arXiv 2403.13787).

A pair is right where the chosen response scores higher. Subsets are averaged within their section by their sizes (of
`math-prm` by 984, so that mathematics counts as much as code); the prior sets, each counting the same, are a fifth
section of half weight. Without their files the score is the mean of the other four. A critic is asked once, in an order
that is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from workers.benchmarking import SCORERS, Benchmark, Case, Figure, Figures, Hub, Result, benchmarks, by_subset, share
from workers.benchmarks.pairs import chosen_of, prompt_of, right

SECTIONS: dict[str, dict[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28, "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 250, "xstest-should-respond": 154,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984, "hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164,
        "hep-rust": 164,
    },
}  # fmt: skip
"""Subsets by section, with the weight of each in it."""
PRIOR, PRIOR_WEIGHT = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize"), 0.5
KNOWN = {*PRIOR, *(subset for section in SECTIONS.values() for subset in section)}


def read(table: str, number: int, row: Mapping[str, Any]) -> Case | None:
    """A row of the `filtered` split, or of one of the prior sets, whose file names the set."""
    subset = str(row.get("subset") or "")
    if subset not in KNOWN:
        subset = next((name for name in PRIOR if name in table), "")
    if not subset:
        return None
    sides = chosen_of(row["chosen"]), chosen_of(row["rejected"])
    prompt = row["chosen"][:-1] if isinstance(row["chosen"], list) else prompt_of(row["prompt"])
    return Case(str(row.get("id", f"{table}:{number}")), subset, prompt, sides, {"gold": 0})


def score(results: Sequence[Result]) -> Figures:
    """The score, its sections, and every subset that is there."""
    subsets = {name: share([right(one) for one in group]) for name, group in by_subset(results).items()}
    sections: Figures = {}
    for name, weights in SECTIONS.items():
        here = {subset: weight for subset, weight in weights.items() if subset in subsets}
        if here:
            value = sum(subsets[subset].value * weight for subset, weight in here.items()) / sum(here.values())
            sections[name] = Figure(value, sum(subsets[subset].n for subset in here), share=False)
    prior = [subsets[name] for name in PRIOR if name in subsets]
    if prior:
        value, n = fmean(one.value for one in prior), sum(one.n for one in prior)
        sections["Prior Sets"] = Figure(value, n, share=False)
    weight = {name: PRIOR_WEIGHT if name == "Prior Sets" else 1.0 for name in sections}
    whole = sum(one.value * weight[name] for name, one in sections.items()) / sum(weight.values())
    return {"score": Figure(whole, len(results), share=False), **sections, **subsets}


benchmarks.add(
    Benchmark(
        name="rewardbench",
        title="RewardBench",
        about="Chosen against rejected in chat, hard chat, safety, reasoning and prior sets.",
        kinds=(*SCORERS, "critic"),
        score=score,
        main="score",
        read=read,
        paper="arXiv 2403.13787",
        licence="ODC-BY",
        hubs=(
            Hub("allenai/reward-bench", ("data/filtered-*.parquet",)),
            Hub("allenai/preference-test-sets", tuple(f"data/{name}-*.parquet" for name in PRIOR)),
        ),
        orders=1,
    )
)
