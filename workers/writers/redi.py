"""Right and wrong traces, each wrong one with the reasons that were given: what REDI learns from (arXiv 2505.24850).

A row is a decided pair, its rejected trace with what was said of it: verdicts, critiques, the words of who chose, why a
curator turned it. Of a pair of which both traces are bad each is a row with an empty `chosen`: rejection sampling would
throw it away, here it is kept. The trainer `redi` reads these files, and learns from rows with both.
"""

from __future__ import annotations

from typing import Any

from workers.rows import DecidedRow, WrongRow
from workers.writers import Target, targets

COLUMNS = ("id", "prompt", "chosen", "rejected", "reasons", "chosen_model", "rejected_model")


def row(given: DecidedRow | WrongRow) -> dict[str, Any]:
    models = ("", given.model) if isinstance(given, WrongRow) else given.models
    return {
        "id": given.item,
        "prompt": given.prompt,
        "chosen": [] if isinstance(given, WrongRow) else given.chosen,
        "rejected": given.rejected,
        "reasons": list(given.reasons),
        "chosen_model": models[0],
        "rejected_model": models[1],
    }


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    kinds = dict.fromkeys(("prompt", "chosen", "rejected"), MESSAGES) | {"reasons": pa.list_(pa.string())}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


targets.add(
    Target(
        name="redi",
        title="Right and wrong traces, with reasons (REDI)",
        columns=COLUMNS,
        row=row,
        fields=fields,
        reasoned=True,
    )
)
