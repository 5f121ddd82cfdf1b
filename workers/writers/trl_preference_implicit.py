"""TRL's preference format without a prompt of its own: two whole conversations, with the margin of the preference.

RewardTrainer takes `margin` into its loss (Llama 2, arXiv 2307.09288, section 3.2.2): the strength of the
decided preference, 1 (slightly or plainly better) to 3.
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow
from workers.writers import Target, targets


def row(decided: DecidedRow) -> dict[str, Any]:
    return {
        "chosen": decided.prompt + decided.chosen,
        "rejected": decided.prompt + decided.rejected,
        "margin": decided.margin,
    }


targets.add(
    Target(
        name="trl-preference-implicit",
        title="TRL preference, implicit prompt (chosen, rejected, margin)",
        columns=("chosen", "rejected", "margin"),
        consumers=("datasets", "trl-reward", "touchstone"),
        row=row,
    )
)
