"""What chance alone would do: exact binomial tests, and many tests at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, lgamma, log, sqrt

EXACT_UP_TO = 2_000


def binomial_p(count: int, n: int, share: float = 0.5, *, side: str = "both") -> float:
    """The chance of `count` of `n`, or of something as unlikely, where each comes with probability `share`.

    `side` is "both" (all outcomes no likelier than this one are added up), "more" or "less". Up to EXACT_UP_TO exact,
    beyond it by the normal approximation with correction for continuity. Without any trial it is 1.
    """
    if not n:
        return 1.0
    if share <= 0 or share >= 1:
        return 1.0 if count == (n if share >= 1 else 0) else 0.0
    if n > EXACT_UP_TO:
        return normal_p(count, n, share, side)
    likely = [log_likely(k, n, share) for k in range(n + 1)]
    if side == "more":
        kept = likely[count:]
    elif side == "less":
        kept = likely[: count + 1]
    else:
        kept = [value for value in likely if value <= likely[count] + 1e-9]
    return min(1.0, sum(map(exp, kept)))


def log_likely(k: int, n: int, share: float) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(share) + (n - k) * log(1 - share)


def normal_p(count: int, n: int, share: float, side: str) -> float:
    away, spread = count - n * share, sqrt(n * share * (1 - share))
    if side == "more":
        return erfc((away - 0.5) / spread / sqrt(2)) / 2
    if side == "less":
        return erfc((-away - 0.5) / spread / sqrt(2)) / 2
    return min(1.0, erfc(max(0.0, abs(away) - 0.5) / spread / sqrt(2)))


def discoveries(p_values: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Which of many tests stand out, so that of those named at most `rate` are expected to be mere chance.

    Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57:289-300.
    """
    places = sorted(range(len(p_values)), key=p_values.__getitem__)
    last = max((k for k, place in enumerate(places, 1) if p_values[place] <= rate * k / len(places)), default=0)
    named = set(places[:last])
    return [place in named for place in range(len(p_values))]
