"""RewardBench's rows: a prompt of one turn and two texts, each with its model.

https://huggingface.co/datasets/allenai/reward-bench: id, prompt, chosen, chosen_model, rejected, rejected_model,
subset. The columns are texts, so that what has more than one turn, a system message or several messages in a response
is not held. Name the evaluation's split otherwise than `train`.
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow, Message
from workers.writers import Dropped, Target, targets

COLUMNS = ("id", "prompt", "chosen", "chosen_model", "rejected", "rejected_model", "subset")


def row(decided: DecidedRow) -> dict[str, Any]:
    if [message["role"] for message in decided.prompt] != ["user"]:
        raise Dropped("the prompt is not one turn of a user")
    return {
        "id": decided.item,
        "prompt": decided.prompt[0]["content"],
        "chosen": only(decided.chosen),
        "chosen_model": decided.models[0] or "unknown",
        "rejected": only(decided.rejected),
        "rejected_model": decided.models[1] or "unknown",
        "subset": "touchstone",
    }


def only(messages: list[Message]) -> str:
    if len(messages) != 1:
        raise Dropped("a response has several messages")
    return str(messages[0]["content"])


def fields() -> Any:
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in COLUMNS])


targets.add(
    Target(
        name="rewardbench",
        title="RewardBench (prompt, chosen, rejected as texts, with models)",
        columns=COLUMNS,
        consumers=("datasets", "rewardbench"),
        row=row,
        fields=fields,
    )
)
