"""A safety gate: its loop against the closed form, and a small one on what people called unsafe in real conversations.

Planted: samples are unsafe with probability u, flagged with t or f; 100,000 prompts by each of three settings, at most
1, 3 or 5 samples, both fallbacks. Both figures must lie within three standard errors of `workers/guard_loop.py`.

Real, where TOUCHSTONE_DATA names the data: 990 replies of a chat bot, each called safe or not by some 70 people
(DICES), in five folds by conversation. A head on the built-in encoder, frozen, learns to put unsafe replies above safe
ones from three folds; the threshold is learnt on the fourth and the gate tried on the fifth. Beside it: a head that
learnt from 1,503 pairs which of two replies is less harmful (HH-RLHF) and never saw a conversation of DICES, and length
alone.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

import orjson

from experiments import Experiment, experiments
from workers.continuations import spoken
from workers.guard_loop import FALLBACKS, closed, simulated
from workers.guarding import auc, cut, folds_of
from workers.intervals import wilson
from workers.references import builtin_folder

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = ((0.6, 0.85, 0.08), (0.2, 0.7, 0.2), (0.9, 0.5, 0.3))
ROUNDS = (1, 3, 5)
PROMPTS = 100_000
SIGMAS = 3
FOLDS = 5
EACH = 5
"""Safe replies beside each unsafe one, drawn at random: 160 unsafe ones are few."""
WEIGHT, LENGTH = 10.0, 256
RECALL = 0.8
GATES = ("head on DICES", "head on HH-RLHF", "length")


def run(seed: int) -> dict[str, Any]:
    """The largest distance from the closed form in standard errors, and how the gates do on real replies."""
    found: dict[str, Any] = {}
    for fallback in FALLBACKS:
        far = [distance(one, rounds, fallback, seed) for one in SETTINGS for rounds in ROUNDS]
        found[f"{fallback}: furthest, in standard errors"] = max(far)
    if (folder := data()) is not None:
        found |= real(folder, seed)
    return found


def distance(setting: tuple[float, float, float], rounds: int, fallback: Any, seed: int) -> float:
    """How far simulated figures are from the closed ones, in standard errors; the further of the two."""
    known = closed(*setting, rounds, fallback)
    drawn, error = simulated(*setting, rounds, fallback, prompts=PROMPTS, seed=seed)
    far = [(abs(drawn.unsafe - known.unsafe), error.unsafe), (abs(drawn.refused - known.refused), error.refused)]
    return max(gap / size if size else float(gap > 0) * 99 for gap, size in far)


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    told = []
    for fallback in FALLBACKS:
        far = max(one[f"{fallback}: furthest, in standard errors"] for one in results)
        words = f"{fallback}: the simulation is within {far:.2f} standard errors of the closed form, {SIGMAS} allowed"
        told.append((words, far <= SIGMAS))
    if any(f"{GATES[0]}: AUC" in one for one in results):
        means = {name: fmean(one[f"{name}: AUC"] for one in results) for name in GATES}
        for name in GATES[:2]:
            words = f"{name}: AUC {means[name]:.3f} on conversations it never saw, length alone {means['length']:.3f}"
            told.append((words, means[name] > means["length"]))
    return told


# --- Real replies -------------------------------------------------------------------------------------


def data() -> Path | None:
    folder = Path(os.environ.get("TOUCHSTONE_DATA", ""))
    there = os.environ.get("TOUCHSTONE_DATA") and (folder / "crowd_dices").is_dir()
    return folder if there else None


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)


@cache
def replies(folder: Path) -> tuple[list[bool], list[int], list[float], Tensor]:
    """Of each reply: whether most call it unsafe, its conversation, its words, and the encoder's state."""
    given = list(rows(folder / "crowd_dices" / "dices_990.jsonl.gz"))
    names = sorted({one["context"] for one in given})
    states = read([(turns_of(one["context"]), one["response"]) for one in given])
    return (
        [one["unsafe_majority"] == "Yes" for one in given],
        [names.index(one["context"]) for one in given],
        [float(len(one["response"].split())) for one in given],
        states,
    )


@cache
def pairs(folder: Path) -> tuple[Tensor, Tensor]:
    """States of the more harmful and of the less harmful reply of each pair whose dialogue is known."""
    given = [one for one in rows(folder / "pref_hh_rlhf_harmless" / "pairs.jsonl.gz") if one["prompt"]]
    return tuple(
        read([(spoken(one["prompt"], "prompt"), one[side].strip()) for one in given]) for side in ("rejected", "chosen")
    )  # type: ignore[return-value]


def turns_of(context: str) -> list[dict[str, Any]]:
    """The conversation of a row of DICES, whose lines begin with A: or B:, under the roles of a chat."""
    lines = [line for line in context.replace("\\n", "\n").splitlines() if line.strip()]
    roles = {"A": "user", "B": "assistant"}
    return [
        {
            "role": roles.get(line[:1], "user") if line[1:2] == ":" else "user",
            "content": line.partition(":")[2].strip() or line,
        }
        for line in lines
    ]


def read(asked: Sequence[tuple[Any, str]]) -> Tensor:
    from workers.nn import bt_head

    return bt_head.states(bt_head.encoder(builtin_folder("minilm"), LENGTH), asked)


def real(folder: Path, seed: int) -> dict[str, Any]:
    """AUC, and what each gate finds and alarms on in held-out folds, all folds together."""
    import numpy as np

    from workers.nn import bt_head

    unsafe, groups, words, states = replies(folder)
    bad, fold = np.array(unsafe), folds_of(groups, seed)
    worse, better = pairs(folder)
    other = bt_head.fit(worse, better, weight=WEIGHT).rewards(states).numpy()
    flags = {(name, way): np.zeros(len(bad), dtype=bool) for name in GATES for way in ("youden", "recall")}
    zero = np.zeros(len(bad), dtype=bool)
    ranked: dict[str, list[float]] = {name: [] for name in GATES}
    for held in range(FOLDS):
        test, gold = fold == held, fold == (held + 1) % FOLDS
        own = learnt(states, bad, ~(test | gold), seed).rewards(states).numpy()
        zero |= test & (own > 0)
        for name, costs in zip(GATES, (own, other, np.array(words)), strict=True):
            ranked[name].append(auc(costs[test], bad[test]))
            for way, recall in (("youden", None), ("recall", RECALL)):
                flags[name, way] |= test & (costs > cut(costs[gold], bad[gold], recall))
    found: dict[str, Any] = {}
    for name in GATES:
        found[f"{name}: AUC"] = fmean(ranked[name])
        for way in ("youden", "recall"):
            found[f"{name}, {way}: TPR, FPR"] = rates(flags[name, way], bad)
    found[f"{GATES[0]}, at zero: TPR, FPR"] = rates(zero, bad)
    return found


def learnt(states: Tensor, bad: Any, some: Any, seed: int) -> Any:
    """A head that ranks each unsafe reply of some above EACH safe ones."""
    from workers.nn import bt_head

    chance = Random(seed)
    safe = [n for n in range(len(bad)) if some[n] and not bad[n]]
    both = [(n, chance.choice(safe)) for n in range(len(bad)) if some[n] and bad[n] for _ in range(EACH)]
    worse, better = ([each[side] for each in both] for side in (0, 1))
    return bt_head.fit(states[worse], states[better], weight=WEIGHT)


def rates(flags: Any, bad: Any) -> str:
    """TPR and FPR with their 95 % intervals."""
    told = []
    for among in (bad, ~bad):
        one = wilson(int((flags & among).sum()), int(among.sum()))
        told.append(f"{one.share:.3f} ({one.low:.3f}–{one.high:.3f})")
    return ", ".join(told)


experiments.add(
    Experiment(
        name="guard",
        about="A safety gate regenerates as its closed form says, and finds unsafe replies better than length does.",
        run=run,
        judge=judge,
    )
)
