"""Recorded judges: verdicts that a judge gave on pairs whose better response is known, in both orders or in one.

JudgeBench (arXiv 2410.12784) publishes such verdicts (`outputs/` of its repository, one JSON line a pair, `judgments`
in the order of the file and in the other one). They are read where they lie in the folder bench_judgebench/outputs of
the data; without them nothing is told of them. LLMFAO has verdicts of two judges in one order, beside the votes of a
crowd.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from workers.habits.position import leaning

VERDICT = re.compile(r"\[\[(A>>B|A>B|A=B|B>A|B>>A)\]\]")
GRADES = {"A>>B": 2, "A>B": 1, "A=B": 0, "B>A": -1, "B>>A": -2}
JUDGES = {"o1-mini": "*judge_name=arena_hard,judge_model=o1-mini*", "haiku": "*judge_model=claude-3-haiku*"}


class Twice(NamedTuple):
    """What a judge said of one pair in both orders, as how much better it held the right response: -2 to 2."""

    first: int
    second: int


def judged_twice(row: Mapping[str, Any]) -> Twice | None:
    """A row of JudgeBench's outputs; None where one of its verdicts is missing."""
    sign = 1 if row["label"] == "A>B" else -1
    grades = [grade(one) for one in row["judgments"]]
    if len(grades) != 2 or None in grades:
        return None
    return Twice(sign * int(grades[0] or 0), -sign * int(grades[1] or 0))


def grade(judgment: Mapping[str, Any] | None) -> int | None:
    """The verdict that stands last in what a judge wrote, else the decision that was read out of it."""
    if judgment is None:
        return None
    told = VERDICT.findall(str((judgment.get("judgment") or {}).get("response") or ""))
    name = told[-1] if told else str(judgment.get("decision") or "")
    return GRADES.get(name)


def figures(pairs: Sequence[Twice]) -> dict[str, float | int]:
    """Accuracy in one order, where both agree, of the graded sum, and by strength; ties count half, unless strict."""
    n = len(pairs)
    agreeing = [one for one in pairs if sign(one.first) == sign(one.second)]
    deciding = [sign(one.first) + sign(one.second) for one in pairs]
    decided = [total for total in deciding if total]
    told: dict[str, float | int] = {
        "pairs": n,
        "first order": mean(half(one.first) for one in pairs),
        "second order": mean(half(one.second) for one in pairs),
        "first order, strict": mean(one.first > 0 for one in pairs),
        "second order, strict": mean(one.second > 0 for one in pairs),
        "orders agree": len(agreeing) / n,
        "right where they agree": mean(half(one.first) for one in agreeing),
        "graded sum": mean(half(one.first + one.second) for one in pairs),
        "decided": len(decided) / n,
        "right where decided": mean(total > 0 for total in decided),
    }
    for strength in range(5):
        some = [one for one in pairs if abs(one.first + one.second) == strength]
        told |= {f"strength {strength}: right": mean(half(one.first + one.second) for one in some)}
        told |= {f"strength {strength}: pairs": len(some)}
    return told


def sign(value: int) -> int:
    return (value > 0) - (value < 0)


def half(value: int) -> float:
    """1 for right, 0 for wrong, a half for neither."""
    return (1 + sign(value)) / 2


def mean(values: Any) -> float:
    given = list(values)
    return sum(given) / len(given) if given else float("nan")


def of_judgebench(data: Path) -> dict[str, dict[str, float | int]]:
    """The figures of each recorded judge that there is."""
    found = {}
    for name, pattern in JUDGES.items():
        for path in sorted((data / "bench_judgebench" / "outputs").glob(f"{pattern}.jsonl*")):
            pairs = [one for one in map(judged_twice, lines(path)) if one is not None]
            if pairs:
                found[name] = figures(pairs)
    return found


def of_llmfao(data: Path) -> dict[str, dict[str, float | int]]:
    """How often each judge of LLMFAO, and its crowd, prefers the response that it was shown first, and how often a
    judge agrees with the crowd's majority. One order only, so that nothing can be cancelled."""
    folder = data / "pref_llmfao"
    if not (folder / "llm_judgments.jsonl.gz").is_file():
        return {}
    crowd = {row["id"]: [vote["choice"] for vote in row["votes"]] for row in lines(folder / "judgments.jsonl.gz")}
    said: dict[str, dict[str, str]] = {}
    for row in lines(folder / "llm_judgments.jsonl.gz"):
        said.setdefault(row["judge"], {})[row["id"]] = row["choice"]
    told = {}
    for judge, choices in sorted(said.items()):
        right = [choices[pk] == best for pk, votes in crowd.items() if (best := most(votes)) and pk in choices]
        told[judge] = {**places(choices.values()), "agrees with the crowd": mean(right), "pairs": len(right)}
    told["crowd"] = places(choice for votes in crowd.values() for choice in votes)
    return told


def places(choices: Any) -> dict[str, float | int]:
    found = leaning(("ab", {"a": -1, "b": 1}.get(choice, 0)) for choice in choices)
    share = found.left
    return {"first named": share.share or 0.0, "low": share.low or 0.0, "high": share.high or 0.0, "votes": share.n}


def most(votes: Sequence[str]) -> str:
    """The side that most voters prefer; empty for neither."""
    counts = Counter(votes)
    return "" if counts["a"] == counts["b"] else "a" if counts["a"] > counts["b"] else "b"


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as rows:
        for row in rows:
            yield orjson.loads(row)
