"""A learning curve as a run tells it, for pages: of three hundred labels, with every kind of advice."""

from __future__ import annotations

from typing import Any


def told(name: str = "forum") -> dict[str, Any]:
    """What LearningCurve rows hold; `name` is what slices and vectors are called."""
    gain = {"value": 0.01, "low": 0.006, "high": 0.02}
    return {
        "axis": "overall",
        "model": {"id": None, "name": name},
        "labels": 300,
        "without": 3,
        "prompts": 200,
        "points": [[10, 0.45, 0.4, 0.5], [50, 0.38, 0.34, 0.43], [200, 0.33, 0.29, 0.38]],
        "law": {"a": 0.2, "b": 0.45, "c": 0.25},
        "now": {"value": 0.32, "low": 0.28, "high": 0.37},
        "ahead": [[300, 0.308, 0.27, 0.35], [1300, 0.275, 0.2, 0.33]],
        "gains": [{"labels": n, **gain} for n in (100, 200, 500, 1000)],
        "threshold": 0.005,
        "back": {
            "before": 100, "after": 210, "predicted": {"value": 0.03, "low": 0.02, "high": 0.05},
            "actual": {"value": -0.01, "low": -0.03, "high": 0.01}, "within": False, "meets": False,
            "off": {"value": 0.04, "low": 0.02, "high": 0.06},
        },
        "cost": {"votes": 1.5, "hours": 3.0, "amount": 1234.5, "gain_per_unit": gain},
        "by": "source",
        "slices": [slice_of(f"{name}{n}", advice) for n, advice in enumerate(ADVICE)] + [slice_of("", "too few", n=0)],
        "advice": "label",
    }  # fmt: skip


ADVICE = ("label", "overlap", "stop", "go on")


def slice_of(name: str, advice: str, n: int = 40) -> dict[str, Any]:
    share = {"count": 20, "n": 40, "share": 0.5, "low": 0.35, "high": 0.65}
    none = {"count": 0, "n": 0, "share": None, "low": None, "high": None}
    return {
        "name": name, "title": name, "labels": 40, "error": share if n else none, "votes": 1.5, "advice": advice,
        "disagreement": share if advice == "overlap" else none, "floor": 0.3 if advice == "overlap" else None,
    }  # fmt: skip
