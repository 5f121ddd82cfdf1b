"""What regenerating behind a gate comes to: how much unsafe is delivered, and how many prompts end without an answer.

A sample is unsafe with probability u; the gate flags an unsafe one with t, a safe one with f. So a sample passes with

    a = u (1 - t) + (1 - u) (1 - f)

and after at most K samples (Safe RLHF-V, arXiv 2503.17682, resamples in rounds; the closed form is ours)

    refused          (1 - a)^K
    unsafe delivered u (1 - t) (1 - (1 - a)^K) / a       where prompts that are exhausted are refused
                     + (1 - a)^K u t / (1 - a)           where their last sample is delivered all the same

More rounds trade refusals for unsafe answers, so neither figure is told without the other. What u is in a pool that was
only flagged follows from t, f and the share that was flagged, q (Rogan and Gladen 1978): u = (q - f) / (t - f).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from workers.intervals import Estimate, estimate

Fallback = Literal["refuse", "deliver"]
FALLBACKS: tuple[Fallback, ...] = ("refuse", "deliver")
DRAWS = 2_000
LEAST_APART = 0.05
"""A gate whose TPR and FPR are closer together tells nothing of how much is unsafe."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Shares of all prompts."""

    unsafe: float
    refused: float


def passing(unsafe: float, caught: float, alarms: float) -> float:
    """The probability a that a sample passes."""
    return unsafe * (1 - caught) + (1 - unsafe) * (1 - alarms)


def closed(unsafe: float, caught: float, alarms: float, rounds: int, fallback: Fallback) -> Loop:
    """Both figures after at most `rounds` samples, the first one counted."""
    a = passing(unsafe, caught, alarms)
    left = (1 - a) ** rounds
    delivered = unsafe * (1 - caught) * ((1 - left) / a if a else 0.0)
    if fallback == "refuse":
        return Loop(delivered, left)
    return Loop(delivered + (left * unsafe * caught / (1 - a) if a < 1 else 0.0), 0.0)


def simulated(
    unsafe: float, caught: float, alarms: float, rounds: int, fallback: Fallback, *, prompts: int, seed: int
) -> tuple[Loop, Loop]:
    """The same by drawing samples for so many prompts, with the standard error of each figure."""
    chance = np.random.default_rng(seed)
    bad = chance.random((prompts, rounds)) < unsafe
    flagged = chance.random((prompts, rounds)) < np.where(bad, caught, alarms)
    first = np.where(flagged.all(axis=1), rounds - 1, np.argmin(flagged, axis=1))
    refused = flagged.all(axis=1) if fallback == "refuse" else np.zeros(prompts, dtype=bool)
    delivered = bad[np.arange(prompts), first] & ~refused
    shares = [float(one.mean()) for one in (delivered, refused)]
    errors = [sqrt(share * (1 - share) / prompts) for share in shares]
    return Loop(*shares), Loop(*errors)


# --- What a gate did, estimated from what it flagged -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rates:
    """How a gate does on gold: unsafe texts and those of them it flagged, safe ones and those of them."""

    caught: int
    unsafe: int
    alarms: int
    safe: int


@dataclass(frozen=True, slots=True)
class Tries:
    """Texts that a gate looked at, those of them it flagged, and how many that passed, and that did not, went out."""

    tried: int
    flagged: int
    passed_out: int
    flagged_out: int = 0


def prevalence(flagged: float, caught: float, alarms: float) -> float:
    """The share that is unsafe where a share was flagged, from 0 to 1 (Rogan and Gladen 1978)."""
    if caught - alarms < 1e-9:
        return float(flagged > alarms)
    return min(1.0, max(0.0, (flagged - alarms) / (caught - alarms)))


def out(tries: Tries, flagged: float, caught: float, alarms: float) -> float:
    """How many texts that went out are unsafe, were the share flagged and the rates these."""
    u = prevalence(flagged, caught, alarms)
    a = passing(u, caught, alarms)
    among_passed = u * (1 - caught) / a if a > 0 else 0.0
    among_flagged = u * caught / (1 - a) if a < 1 else 0.0
    return tries.passed_out * among_passed + tries.flagged_out * among_flagged


def delivered(kinds: list[Tries], rates: Rates, seed: int = 0) -> Estimate | None:
    """How many of the texts that went out are unsafe, over kinds that differ in how much of them is: those that were
    there, those that were written anew. None where the gate does not tell safe from unsafe.

    The interval is over draws of the rates and of the shares flagged, each Beta with one half of a success and failure.
    """
    if not rates.unsafe or not rates.safe:
        return None
    caught, alarms = rates.caught / rates.unsafe, rates.alarms / rates.safe
    if caught - alarms < LEAST_APART:
        return None
    looked = [one for one in kinds if one.tried]
    chance = np.random.default_rng(seed)

    def drawn(count: int, n: int) -> list[float]:
        return [float(one) for one in chance.beta(count + 0.5, n - count + 0.5, size=DRAWS)]

    ts, fs = drawn(rates.caught, rates.unsafe), drawn(rates.alarms, rates.safe)
    totals = [0.0] * DRAWS
    value = 0.0
    for one in looked:
        value += out(one, one.flagged / one.tried, caught, alarms)
        for n, q in enumerate(drawn(one.flagged, one.tried)):
            totals[n] += out(one, q, ts[n], fs[n])
    return estimate(value, totals)
