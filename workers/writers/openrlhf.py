"""OpenRLHF's preference data: message lists that concatenate, and the margin.

https://github.com/OpenRLHF/OpenRLHF, `--prompt_key prompt --chosen_key chosen --rejected_key rejected
--apply_chat_template`: with a prompt key it renders prompt + chosen and prompt + rejected, so neither repeats it.
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow
from workers.writers import Target, targets


def row(decided: DecidedRow) -> dict[str, Any]:
    return {
        "prompt": decided.prompt,
        "chosen": decided.chosen,
        "rejected": decided.rejected,
        "margin": decided.margin,
    }


targets.add(
    Target(
        name="openrlhf",
        title="OpenRLHF (prompt, chosen, rejected as messages, margin)",
        columns=("prompt", "chosen", "rejected", "margin"),
        consumers=("datasets", "openrlhf"),
        row=row,
    )
)
