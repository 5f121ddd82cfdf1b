"""A project's own decided pairs: how often a model prefers what people decided, whole and by slice.

A critic is asked in both orders and counts by the share in which it is right. Slices are those that held-out pairs of a
training are told by: length, how much the annotators agreed, how strong the preference is.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from workers.benchmarking import SCORERS, Benchmark, Figure, Figures, Result, benchmarks, grouped
from workers.benchmarks.pairs import agrees, in_both_orders
from workers.held_out import Ranked, confidence_slice, length_slice, strength_slice

SLICES = {"length": length_slice, "agreement": confidence_slice, "strength": strength_slice}


def ranked(result: Result) -> Ranked:
    """The pair as the slices take it; scores do not matter to them."""
    best = int(result.truth["gold"])
    words = (result.words[best], result.words[1 - best])
    sure = float(result.truth["confidence"])
    return Ranked("", 0, result.id, 0.0, 0.0, words, float(result.truth["strength"]), sure)


def score(results: Sequence[Result]) -> Figures:
    halves = any(one.choices for one in results)

    def of(group: Sequence[Result]) -> Figure:
        return Figure(fmean(map(in_both_orders, group)), len(group), share=not halves)

    figures = {"accuracy": of(results)}
    for about, name in SLICES.items():
        groups = grouped(results, lambda one, name=name: name(ranked(one)))  # type: ignore[misc]
        figures |= {f"{about}: {told}": of(group) for told, group in groups.items()}
    sources = grouped(results, lambda one: one.subset)
    if len(sources) > 1:
        figures |= {f"source: {name or 'not told'}": of(group) for name, group in sources.items()}
    if halves:
        figures["same in both orders"] = Figure(fmean(map(agrees, results)), len(results))
    return figures


benchmarks.add(
    Benchmark(
        name="gold",
        title="Own decided pairs",
        about="What people decided in this project, by length, agreement and strength.",
        kinds=(*SCORERS, "step", "critic"),
        score=score,
        main="accuracy",
    )
)
