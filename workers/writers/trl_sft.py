"""TRL's prompt and completion, conversational: the chosen response of every decided pair; what SFTTrainer reads.

https://huggingface.co/docs/trl/dataset_formats (Prompt-completion). A response that won several pairs is there once for
each.
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow
from workers.writers import Target, targets


def row(decided: DecidedRow) -> dict[str, Any]:
    return {"prompt": decided.prompt, "completion": decided.chosen}


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    return pa.schema([("prompt", MESSAGES), ("completion", MESSAGES)])


targets.add(
    Target(
        name="trl-sft",
        title="TRL prompt and completion (the chosen response)",
        columns=("prompt", "completion"),
        consumers=("datasets", "trl-sft"),
        row=row,
        fields=fields,
    )
)
