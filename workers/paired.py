"""Rows of compared responses as trainers of reward and cost models take them, out of the targets that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from pydantic import Field

from workers.training import Built, Job

Messages = Sequence[Mapping[str, Any]]
UNDECIDED = 0.5


AXES = {"helpfulness": "better_response_id", "harmlessness": "safer_response_id"}
"""What PKU-SafeRLHF compares, and where it says which response is preferred."""


class PairSettings(Built):
    """What every objective on compared responses has."""

    shared_prefix: Literal["auto", "on", "off"] = Field(
        "auto", description="read a prompt once for both responses, where the model allows it; auto: on a CPU"
    )


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
    axes: tuple[float, ...] = (1.0,)
    """Of each axis: 1 where the first is preferred on it too, -1 where the other is."""


Read = Callable[[str, int, Mapping[str, Any], Mapping[str, Any]], PairRow]
"""(split, number, row, its lineage)."""


def pairs_in(job: Job, split: str, reading: Read | None = None) -> Iterator[PairRow]:
    """The compared responses of a split, read as the target says or by `reading`.

    Raises ValueError for a target that holds none.
    """
    reading = reading or READERS.get(job.target)
    if reading is None:
        raise ValueError(f"a version for {job.target} holds no compared responses")
    traces = lineage_of(job, split)
    for number, row in enumerate(job.rows(split)):
        if row.get("chosen") == []:  # a wrong trace without a right one
            continue
        yield reading(split, number, row, traces.get(number, {}))


def lineage_of(job: Job, split: str) -> dict[int, dict[str, Any]]:
    """Strength, confidence and item of the rows of a split, by number; empty where the version kept none."""
    found = {}
    for trace in job.rows_in("lineage.jsonl"):
        if trace["split"] == split:
            found[trace["row"]] = {name: trace.get(name) for name in KEPT}
    return found


KEPT = ("item", "task", "value", "confidence", "votes", "annotations", "chosen", "rejected")


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


def preferred_on(axes: Sequence[str]) -> Read:
    """PKU-SafeRLHF for a reward model: the response first that is preferred on the first of `axes`."""
    return partial(preferred, axes)


def preferred(
    axes: Sequence[str], split: str, number: int, row: Mapping[str, Any], trace: Mapping[str, Any]
) -> PairRow:
    sides = [row[AXES[axis]] for axis in axes]
    texts = [[{"role": "assistant", "content": row[f"response_{side}"]}] for side in (sides[0], 1 - sides[0])]
    prompt = [{"role": "user", "content": row["prompt"]}]
    ways = tuple(1.0 if side == sides[0] else -1.0 for side in sides)
    return PairRow(
        split, number, prompt, texts[0], texts[1], 1.0, certain(trace), str(row.get("id") or ""), trace=trace, axes=ways
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


READERS: dict[str, Read] = {
    "trl-preference": explicit,
    "trl-preference-implicit": implicit,
    "pku-saferlhf": safer,
    "redi": explicit,
}
