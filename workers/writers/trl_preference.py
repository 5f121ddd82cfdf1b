"""TRL's preference format with an explicit prompt, conversational: what DPOTrainer and RewardTrainer read.

https://huggingface.co/docs/trl/dataset_formats
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow
from workers.writers import Target, targets


def row(decided: DecidedRow) -> dict[str, Any]:
    return {"prompt": decided.prompt, "chosen": decided.chosen, "rejected": decided.rejected}


targets.add(
    Target(
        name="trl-preference",
        title="TRL preference (prompt, chosen, rejected)",
        columns=("prompt", "chosen", "rejected"),
        consumers=("datasets", "trl-dpo", "trl-reward", "touchstone"),
        row=row,
    )
)
