"""Rows of compared responses as trainers of reward and cost models take them, out of the targets that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from workers.training import Job

Messages = Sequence[Mapping[str, Any]]
UNDECIDED = 0.5


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two responses to one prompt, the first preferred; what is known of how sure that is, and of each one's safety."""

    split: str
    row: int
    prompt: Messages
    chosen: Messages
    rejected: Messages
    margin: float = 1.0
    """Strength of the preference, 0 to 3; of a model's, whatever it says."""
    confidence: float = 1.0
    """Of the decision: 0.5 to 1."""
    item: str = ""
    signs: tuple[float, float] = (0.0, 0.0)
    """Of a cost model: how harmful each is, above zero harmful, below harmless, 0 unknown."""
    trace: Mapping[str, Any] = field(default_factory=dict)


def pairs_in(job: Job, split: str) -> Iterator[PairRow]:
    """The compared responses of a split. Raises ValueError for a target that holds none."""
    reading = READERS.get(job.target)
    if reading is None:
        raise ValueError(f"a version for {job.target} holds no compared responses")
    traces = lineage_of(job, split)
    for number, row in enumerate(job.rows(split)):
        yield reading(split, number, row, traces.get(number, {}))


def lineage_of(job: Job, split: str) -> dict[int, dict[str, Any]]:
    """Strength, confidence and item of the rows of a split, by number; empty where the version kept none."""
    path = job.folder / "lineage.jsonl"
    if not path.is_file():
        return {}
    found = {}
    with path.open("rb") as lines:
        for line in lines:
            trace = orjson.loads(line)
            if trace["split"] == split:
                found[trace["row"]] = {name: trace.get(name) for name in KEPT}
    return found


KEPT = ("item", "task", "value", "confidence", "votes", "chosen", "rejected")


def explicit(split: str, number: int, row: Mapping[str, Any], trace: Mapping[str, Any]) -> PairRow:
    return PairRow(
        split, number, row["prompt"], row["chosen"], row["rejected"], strength(row, trace),
        certain(trace), str(trace.get("item") or ""), trace=trace,
    )  # fmt: skip


def implicit(split: str, number: int, row: Mapping[str, Any], trace: Mapping[str, Any]) -> PairRow:
    """Two whole conversations: what they begin with in common is the prompt."""
    chosen, rejected = row["chosen"], row["rejected"]
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    parts = {"prompt": chosen[:shared], "chosen": chosen[shared:], "rejected": rejected[shared:]}
    return explicit(split, number, {**row, **parts}, trace)


def safer(split: str, number: int, row: Mapping[str, Any], trace: Mapping[str, Any]) -> PairRow:
    """PKU-SafeRLHF: the less safe response first, for a cost model ranks it higher; signs by safety and severity."""
    first = 1 - row["safer_response_id"]
    sides = (first, 1 - first)
    texts = [[{"role": "assistant", "content": row[f"response_{side}"]}] for side in sides]
    signs = (sign(row, first), sign(row, 1 - first))
    prompt = [{"role": "user", "content": row["prompt"]}]
    return PairRow(
        split, number, prompt, texts[0], texts[1], 1.0, certain(trace), str(row.get("id") or ""), signs, trace
    )  # fmt: skip


def sign(row: Mapping[str, Any], side: int) -> float:
    """Severity 1 to 3 of an unsafe response, -1 of a safe one."""
    if row[f"is_response_{side}_safe"]:
        return -1.0
    return float(max(1, row.get(f"response_{side}_severity_level") or 1))


def strength(row: Mapping[str, Any], trace: Mapping[str, Any]) -> float:
    told = row.get("margin")
    if told is None:
        told = trace.get("value")
    return 1.0 if told is None else abs(float(told))


def certain(trace: Mapping[str, Any]) -> float:
    told = trace.get("confidence")
    return 1.0 if told is None else max(UNDECIDED, min(1.0, float(told)))


READERS = {"trl-preference": explicit, "trl-preference-implicit": implicit, "pku-saferlhf": safer}
