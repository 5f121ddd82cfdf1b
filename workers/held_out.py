"""What is said of a trained model on rows that it has not seen: each row's numbers kept, and sums over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, log
from pathlib import Path
from typing import Any

import orjson

from workers.intervals import wilson
from workers.paired import Messages, PairRow

FILE = "held_out.jsonl"
BINS = 10


@dataclass(frozen=True, slots=True)
class Ranked:
    """One held-out pair as a model ranks it. `margin` is the score of the preferred response less the other's."""

    split: str
    row: int
    item: str
    chosen: float
    rejected: float
    words: tuple[int, int]
    """Of the preferred and of the other response."""
    strength: float = 1.0
    confidence: float = 1.0
    task: int | None = None
    sides: tuple[int | None, int | None] = (None, None)
    """Ids of the preferred response and the other one, as the lineage names them."""
    signs: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, row: PairRow, chosen: float, rejected: float) -> Ranked:
        sides = row.trace.get("chosen"), row.trace.get("rejected")
        words = count(row.chosen), count(row.rejected)
        return cls(
            row.split, row.row, row.item, chosen, rejected, words, row.margin, row.confidence,
            row.trace.get("task"), sides, row.signs,
        )  # fmt: skip

    @property
    def margin(self) -> float:
        return self.chosen - self.rejected

    @property
    def right(self) -> float:
        """1, or 0, or a half at a tie."""
        return 0.5 if self.margin == 0 else float(self.margin > 0)


def count(messages: Messages) -> int:
    """Words of a response."""
    return sum(len(str(one.get("content") or "").split()) for one in messages)


def keep(folder: Path, rows: Iterable[Any]) -> None:
    """Write held-out rows, a line each."""
    with (folder / FILE).open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(asdict(row)) + b"\n")


def kept(folder: Path) -> list[dict[str, Any]]:
    """The held-out rows of a training; none where it kept none."""
    path = folder / FILE
    if not path.is_file():
        return []
    with path.open("rb") as lines:
        return [orjson.loads(line) for line in lines]


def share(right: float, n: int) -> dict[str, Any]:
    """An accuracy with Wilson's 95 % interval."""
    found = wilson(round(right), n)
    return {
        "accuracy": round(right / n, 4) if n else None,
        "n": n,
        "low": round(found.low or 0, 4),
        "high": round(found.high or 0, 4),
    }


def summed(rows: Sequence[Ranked]) -> dict[str, Any]:
    """What the page of a run shows of held-out pairs."""
    if not rows:
        return {}
    right = sum(one.right for one in rows)
    longer = sum(0.5 if one.words[0] == one.words[1] else float(one.words[0] > one.words[1]) for one in rows)
    return {
        "held_out": share(right, len(rows)),
        "longer_is_better": share(longer, len(rows)),
        "by_length": sliced(rows, length_slice),
        "by_confidence": sliced(rows, confidence_slice),
        "by_strength": sliced(rows, strength_slice),
        "calibration": calibration(rows),
        "length_bias": length_bias(rows),
    }


def sliced(rows: Sequence[Ranked], name: Callable[[Ranked], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Ranked]] = {}
    for one in rows:
        groups.setdefault(name(one), []).append(one)
    return {key: share(sum(one.right for one in group), len(group)) for key, group in sorted(groups.items())}


def length_slice(one: Ranked) -> str:
    """By how many times the longer response is longer, and whether it is the preferred one."""
    ratio = (one.words[0] + 1) / (one.words[1] + 1)
    if 0.8 <= ratio <= 1.25:
        return "about as long"
    return "preferred is longer" if ratio > 1 else "preferred is shorter"


def confidence_slice(one: Ranked) -> str:
    if one.confidence >= 0.999:
        return "all agreed"
    return "most agreed" if one.confidence >= 0.75 else "divided"


def strength_slice(one: Ranked) -> str:
    return "slight" if one.strength <= 1 else "clear" if one.strength <= 2 else "strong"


def sigmoid(margin: float) -> float:
    return 1 / (1 + exp(-margin)) if margin >= 0 else exp(margin) / (1 + exp(margin))


def calibration(rows: Sequence[Ranked]) -> dict[str, Any]:
    """Of how sure the model is (sigmoid of the absolute margin, 0.5 to 1) how often it is right, in equal bins.

    `ece` is the mean distance weighted by rows (Naeini et al. 2015), `loss` the mean of -log sigmoid(margin).
    """
    bins: list[dict[str, Any]] = [{"n": 0, "sure": 0.0, "right": 0.0} for _ in range(BINS)]
    for one in rows:
        sure = sigmoid(abs(one.margin))
        place = bins[min(BINS - 1, int((sure - 0.5) * 2 * BINS))]
        place["n"] += 1
        place["sure"] += sure
        place["right"] += one.right
    filled = [
        {"n": one["n"], "sure": round(one["sure"] / one["n"], 4), "right": round(one["right"] / one["n"], 4)}
        for one in bins
        if one["n"]
    ]
    ece = sum(one["n"] * abs(one["sure"] - one["right"]) for one in filled) / len(rows)
    loss = -sum(log(max(sigmoid(one.margin), 1e-12)) for one in rows) / len(rows)
    return {"bins": filled, "ece": round(ece, 4), "loss": round(loss, 4)}


def length_bias(rows: Sequence[Ranked]) -> dict[str, Any]:
    """How often the model prefers the longer response, beside how often people did, where lengths differ."""
    unlike = [one for one in rows if one.words[0] != one.words[1]]
    if not unlike:
        return {}
    model = sum((one.margin > 0) == (one.words[0] > one.words[1]) for one in unlike)
    people = sum(one.words[0] > one.words[1] for one in unlike)
    return {"model": share(model, len(unlike)), "people": share(people, len(unlike))}


def hardest(rows: Sequence[Mapping[str, Any]], most: int = 50) -> list[Mapping[str, Any]]:
    """The rows that the model gets most wrong."""
    return sorted(rows, key=lambda one: one["chosen"] - one["rejected"])[:most]
