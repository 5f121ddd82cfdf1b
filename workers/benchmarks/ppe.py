"""PPE: votes of people, and best of k where an answer is right or wrong (Frick et al. 2024, arXiv 2410.14872).

Preference: the share of votes without ties that the model ranks alike, over all and by kind of prompt.
Correctness, in five domains of 32 answers a prompt:
 accuracy   of pairs of a right and a wrong answer that the benchmark drew: the mean over prompts of the share that is
            ranked right
 curve      for k = 1 … 32 the share of prompts whose best-scored answer of the first k is right; the answers are put
            into 100 orders that are drawn once, for all prompts the same; of equal scores the first is taken
 max, end   the highest point of a curve and its last one, averaged over the orders
 loss       the mean squared distance of the curve from that of a perfect judge; lower is better
 auc        of score, scaled to 0 … 1 within its prompt, for right against wrong

Correlation: how the model ranks the models that wrote the answers, against how the votes rank them (rankings.py), by
`spearman`, `kendall` and `pearson` by rows. Separability, confidence agreement and the Brier score of the authors are
not computed: how their intervals and probabilities are made could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from random import Random
from statistics import fmean
from typing import Any

from workers.benchmarking import (
    SCORERS,
    Benchmark,
    Case,
    Figures,
    Hub,
    Result,
    average,
    benchmarks,
    by_subset,
    mean,
    share,
    under,
)
from workers.benchmarks.pairs import gold, prompt_of, right
from workers.benchmarks.rankings import Vote, correlations

PREFERENCE = "preference"
DOMAINS = {"mmlu-pro": "mmlu_pro", "gpqa": "gpqa", "ifeval": "ifeval", "mbpp-plus": "mbpp_plus", "math": "math"}
"""What the name of a file or its folder holds, and the domain; looked for in this order."""
KINDS = ("hard_prompt", "easy_prompt", "if_prompt", "is_code", "math_prompt")
ORDERS, SEED = 100, 0


def read(table: str, number: int, row: Mapping[str, Any]) -> Case | None:
    """A vote, if it is no tie; or a prompt with its answers."""
    if "winner" in row:
        if str(row["winner"]).startswith("tie"):
            return None
        truth = {"gold": gold(row["winner"]), "kinds": [name for name in KINDS if row.get(name) is True]}
        sides = [str(row["response_1"]), str(row["response_2"])]
        if row.get("model_1") and row.get("model_2"):
            truth["models"] = [str(row["model_1"]), str(row["model_2"])]
        return Case(str(row["question_id"]), PREFERENCE, prompt_of(row["prompt"]), sides, truth)
    path = table.lower().replace("_", "-")
    domain = next((name for part, name in DOMAINS.items() if part in path), "")
    if not domain:
        raise ValueError(f"is of none of the domains {', '.join(DOMAINS.values())}; name the file after its own")
    answers = [str(row[f"response_{place}"]) for place in range(1, len(row["scores"]) + 1)]
    pairs = [[int(one), int(other)] for one, other in row.get("sampled_conflict_pairs") or ()]
    truth = {"right": [bool(one) for one in row["scores"]], "pairs": pairs}
    return Case(f"{domain}-{row['question_id']}-{number}", domain, prompt_of(row["prompt"]), answers, truth)


def score(results: Sequence[Result]) -> Figures:
    groups = by_subset(results)
    votes = groups.pop(PREFERENCE, [])
    preference: Figures = {}
    if votes:
        preference[PREFERENCE] = share([right(one) for one in votes])
        for kind in KINDS:
            if some := [right(one) for one in votes if kind in one.truth["kinds"]]:
                preference[f"{PREFERENCE} {kind}"] = share(some)
        ranked = correlations([vote_of(one) for one in votes if "models" in one.truth])
        preference |= under(PREFERENCE, {name: mean([value], len(votes)) for name, value in ranked.items()})
    domains = {name: of_domain(group) for name, group in groups.items()}
    told: Figures = {}
    if accuracies := [one["accuracy"] for one in domains.values() if "accuracy" in one]:
        told["correctness"] = average(accuracies)
    halves = [*([preference[PREFERENCE]] if votes else []), *told.values()]
    if not halves:
        raise ValueError("no prompt has both a right and a wrong answer")
    found = {"score": average(halves), **preference, **told}
    for name, each in domains.items():
        found |= under(name, each)
    return found


def vote_of(result: Result) -> Vote:
    """A vote, and what the model would have said: half for each at a tie."""
    first, second = valued(result)
    best = int(result.truth["gold"])
    one, other = result.truth["models"]
    return Vote(one, other, 1.0 - best, 0.5 if first == second else float(first > second))


def of_domain(results: Sequence[Result]) -> Figures:
    n = len(results)
    paired = [fmean(pair_right(one, *pair) for pair in pairs) for one in results if (pairs := one.truth["pairs"])]
    told = {"accuracy": mean(paired, len(paired))} if paired else {}
    most = min(len(one.scores) for one in results)
    ours, perfect = curves(results, most)
    return told | {
        "max": mean((max(curve) for curve in ours), n),
        "end": mean((curve[-1] for curve in ours), n),
        "loss": mean((squared(*both) for both in zip(ours, perfect, strict=True)), n),
        "auc": mean([auc(results)], n),
    }


def pair_right(result: Result, one: int, other: int) -> float:
    first, second = valued(result)[one], valued(result)[other]
    true = result.truth["right"]
    return float((true[one] > true[other]) == (first > second))


def valued(result: Result) -> list[float]:
    """The scores, those that were not given below all others."""
    given = [value for value in result.scores if value is not None]
    low = min(given, default=0.0) - 1.0
    return [low if value is None else value for value in result.scores]


def curves(results: Sequence[Result], most: int) -> tuple[list[list[float]], list[list[float]]]:
    """For each order: by k the share of prompts whose best-scored answer is right, and that have a right one."""
    chance, places = Random(SEED), list(range(most))
    prompts = [(valued(one), one.truth["right"]) for one in results]
    ours, perfect = [], []
    for _ in range(ORDERS):
        chance.shuffle(places)
        picked, there = [0] * most, [0] * most
        for scores, true in prompts:
            for k, (best, any_right) in enumerate(running(places, scores, true)):
                picked[k] += true[best]
                there[k] += any_right
        ours.append([count / len(prompts) for count in picked])
        perfect.append([count / len(prompts) for count in there])
    return ours, perfect


def running(places: Sequence[int], scores: Sequence[float], true: Sequence[bool]) -> Iterator[tuple[int, bool]]:
    """After each answer the place of the best so far, and whether any was right."""
    best, any_right = places[0], False
    for place in places:
        if scores[place] > scores[best]:
            best = place
        any_right = any_right or true[place]
        yield best, any_right


def squared(curve: Sequence[float], other: Sequence[float]) -> float:
    return fmean((one - two) ** 2 for one, two in zip(curve, other, strict=True))


def auc(results: Sequence[Result]) -> float:
    """Of all pairs of a right and a wrong answer the share that the score ranks; ties count half."""
    rows = sorted((value, true) for one in results for value, true in zip(scaled(one), one.truth["right"], strict=True))
    below = wins = 0.0
    for _, tied in groupby(rows, key=lambda row: row[0]):
        group = [true for _, true in tied]
        wrong = group.count(False)
        wins += group.count(True) * (below + wrong / 2)
        below += wrong
    right_ones = len(rows) - below
    return wins / (below * right_ones) if below and right_ones else 0.5


def scaled(result: Result) -> list[float]:
    values = valued(result)
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


benchmarks.add(
    Benchmark(
        name="ppe",
        title="PPE",
        about="Votes of people, and best of 32 on MMLU-Pro, MATH, GPQA, IFEval and MBPP+.",
        kinds=SCORERS,
        score=score,
        main="score",
        read=read,
        paper="arXiv 2410.14872",
        licence="prompts CC-BY-4.0; answers under the terms of their models",
        hubs=(
            Hub("lmarena-ai/PPE-Human-Preference-V1", ("data/*.parquet",)),
            *(
                Hub(f"lmarena-ai/PPE-{name}-Best-of-K", ("data/*.parquet",))
                for name in ("MMLU-Pro", "MATH", "GPQA", "IFEval", "MBPP-Plus")
            ),
        ),
        resampled=False,
    )
)
