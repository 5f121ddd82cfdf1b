"""TRL's unpaired preference format, conversational: prompt, completion, label; what KTOTrainer reads.

https://huggingface.co/docs/trl/dataset_formats (Unpaired preference). The label is the verdict `correct` on the whole
response, or else `safe`.
"""

from __future__ import annotations

from typing import Any

from workers.rows import CritiquedRow
from workers.writers import Dropped, Target, targets

QUESTIONS = ("correct", "safe")
COLUMNS = ("prompt", "completion", "label")


def row(given: CritiquedRow) -> dict[str, Any]:
    told = {one.question: one.answer for one in given.answer.verdicts if one.start is None}
    label = next((told[name] for name in QUESTIONS if isinstance(told.get(name), bool)), None)
    if label is None:
        raise Dropped("no verdict correct or safe on the whole response")
    return {
        "prompt": given.prompt,
        "completion": [{"role": "assistant", "content": given.response}],
        "label": label,
    }


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    return pa.schema([("prompt", MESSAGES), ("completion", MESSAGES), ("label", pa.bool_())])


targets.add(
    Target(
        name="trl-unpaired",
        title="TRL unpaired preference (prompt, completion, label)",
        columns=COLUMNS,
        consumers=("datasets", "trl-kto"),
        row=row,
        source="critiqued",
        fields=fields,
        questions=QUESTIONS,
    )
)
