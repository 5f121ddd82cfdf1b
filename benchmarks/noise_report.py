"""The figures of benchmarks/noise.py as Markdown: means over seeds with intervals, and what of a loss is won back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any

from benchmarks.noise_data import LENGTH, SETS
from benchmarks.reporting import table
from workers.intervals import Estimate, estimate

PAGE = Path(__file__).resolve().parent.parent / "docs" / "curation-measured.md"
BEGIN, END = "<!-- noise: begin -->", "<!-- noise: end -->"
AIM, AT = 0.7, 0.3
"""The share of the accuracy lost to noise that is to come back, at so much noise."""
T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}
"""Student's t of a 95 % interval, by the number of seeds."""
RESAMPLES = 4_000
ARMS = (
    "filtered", "recycled", "confident-learning: filtered", "cleanlab, prune_by_noise_rate: filtered",
    "cleanlab, confident_learning: filtered",
)  # fmt: skip
FINDERS = (
    "wrong-labels", "wrong-labels, by confident learning's rule", "confident-learning",
    "cleanlab, prune_by_noise_rate", "cleanlab, confident_learning",
)  # fmt: skip

Figures = dict[str, Any]
Cells = dict[tuple[str, float], list[Figures]]


def kept(out: Path) -> Cells:
    """What was measured, by set and rate, in the order of the sets."""
    found: Cells = defaultdict(list)
    for path in out.glob("*-*-*.json"):
        told = json.loads(path.read_text())
        found[told["set"], told["rate"]].append(told)
    order = list(SETS)
    return {key: found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1]))}


def publish(cells: Cells) -> None:
    """Put the tables between the markers of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{report(cells)}\n{END}{rest.partition(END)[2]}")


def report(cells: Cells) -> str:
    seeds = sorted({one["seed"] for told in cells.values() for one in told})
    parts = [
        f"Seeds {', '.join(map(str, seeds))}; vectors of `builtin:minilm`, {LENGTH} tokens at most. Means, ± half"
        " of a 95 % interval over seeds (Student's t). By chance precision is the share of wrong labels.",
        table(FOUND, found_rows(cells)),
        table(GAINED, gained_rows(cells)),
        table(BACK, back_rows(cells)),
        "\n".join(verdicts(cells)),
    ]
    return "\n\n".join(parts) + "\n"


FOUND = (
    "Precision / recall", "wrong", "pairs", "estimated", "wrong-labels", "its margins by confident learning's rule",
    "confident-learning", "cleanlab, its default", "cleanlab, confident learning",
    "precision = recall: wrong-labels", "confident-learning", "cleanlab",
)  # fmt: skip


def found_rows(cells: Cells) -> Iterator[tuple[Any, ...]]:
    for (name, rate), told in cells.items():
        both = [precision_recall([one["found"].get(finder) for one in told]) for finder in FINDERS]
        at_rate = [
            spread([one["found"][finder]["at_rate"] for one in told if finder in one["found"]])
            for finder in (FINDERS[0], FINDERS[2], FINDERS[3])
        ]
        estimated = spread([one["noise_estimated"] for one in told])
        yield (SETS[name][0], f"{rate:g}", str(told[0]["learnt"]), estimated, *both, *at_rate)


def precision_recall(found: Sequence[Figures | None]) -> str | None:
    """Means over seeds; a seed in which nothing was doubted has no precision."""
    there = [one for one in found if one is not None]
    if not there:
        return None
    precise = [one["precision"] for one in there if one["precision"] is not None]
    told = f"{fmean(precise):.3f}" if precise else "–"
    return f"{told} / {fmean(one['recall'] for one in there):.3f}"


GAINED = (
    "Right on new prompts, %", "wrong", "head", "longer", "raw", "filtered", "recycled", "confident-learning",
    "cleanlab, its default", "cleanlab, confident learning", "clean", "lost",
)  # fmt: skip


def gained_rows(cells: Cells) -> Iterator[tuple[Any, ...]]:
    for (name, rate), told in cells.items():
        for head in told[0]["accuracy"]:
            right = {arm: [one["accuracy"][head].get(arm) for one in told] for arm in ("raw", *ARMS, "clean")}
            cells_of = [per_cent(right[arm]) for arm in ("raw", *ARMS, "clean")]
            lost = per_cent([clean - raw for clean, raw in zip(right["clean"], right["raw"], strict=True)])
            yield (SETS[name][0], f"{rate:g}", head, per_cent([one["longer"] for one in told]), *cells_of, lost)


BACK = (
    "Won back of what was lost", "wrong", "head", "filtered", "recycled", "confident-learning", "cleanlab, its default",
    "cleanlab, confident learning",
)  # fmt: skip


def back_rows(cells: Cells) -> Iterator[tuple[Any, ...]]:
    """Only where something was clearly lost."""
    for (name, rate), told in cells.items():
        for head in told[0]["accuracy"]:
            right = {arm: [one["accuracy"][head].get(arm) for one in told] for arm in ("raw", *ARMS, "clean")}
            back = [as_share(won_back(right["raw"], right[arm], right["clean"])) for arm in ARMS]
            if any(back):
                yield (SETS[name][0], f"{rate:g}", head, *back)


def won_back(raw: Sequence[float], arm: Sequence[float | None], clean: Sequence[float]) -> Estimate | None:
    """The share of what was lost that an arm has back: of sums over seeds, with a bootstrap over them.

    None where the arm was not measured, or where the interval of the loss does not leave out zero: of nothing lost
    nothing can come back.
    """
    rows = [(r, a, c) for r, a, c in zip(raw, arm, clean, strict=True) if a is not None]
    if len(rows) < 2 or not clear([c - r for r, _, c in rows]):
        return None
    chance = Random(0)

    def share(drawn: Sequence[tuple[float, float, float]]) -> float:
        lost = sum(c - r for r, _, c in drawn)
        return sum(a - r for r, a, _ in drawn) / lost if lost > 0 else 0.0

    return estimate(share(rows), [share(chance.choices(rows, k=len(rows))) for _ in range(RESAMPLES)])


def verdicts(cells: Cells) -> Iterator[str]:
    """The aim, set by set and head by head."""
    for (name, rate), told in cells.items():
        for head in told[0]["accuracy"] if rate == AT else ():
            right = {arm: [one["accuracy"][head].get(arm) for one in told] for arm in ("raw", *ARMS, "clean")}
            best = {arm: won_back(right["raw"], right[arm], right["clean"]) for arm in ARMS[:2]}
            said = [f"{arm} {as_share(found)}" for arm, found in best.items() if found]
            reached = any(found and found.value >= AIM for found in best.values())
            words = "reached" if reached else "not reached"
            yield f"- {SETS[name][0]}, `{head}`: " + (
                f"{AIM:.0%} of the loss at {rate:.0%} noise: {words} ({', '.join(said)})." if said
                else f"no clear loss at {rate:.0%} noise, so nothing to win back."
            )  # fmt: skip


# --- Numbers --------------------------------------------------------------------------------------------------


def half_width(values: Sequence[float]) -> float:
    """Of a 95 % interval of the mean over seeds; not a number for one seed."""
    if len(values) < 2:
        return float("nan")
    t = T.get(len(values), 1.96 if len(values) > 10 else 2.5)
    return t * stdev(values) / sqrt(len(values))


def clear(values: Sequence[float]) -> bool:
    """Whether the interval of the mean lies above zero."""
    return fmean(values) > half_width(values)


def spread(values: Sequence[float]) -> str | None:
    return f"{fmean(values):.3f} ± {half_width(values):.3f}" if values else None


def per_cent(values: Sequence[float | None]) -> str | None:
    there = [100 * value for value in values if value is not None]
    return f"{fmean(there):.1f} ± {half_width(there):.1f}" if there else None


def as_share(found: Estimate | None) -> str | None:
    return None if found is None else f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})"
