"""TRL's stepwise supervision: prompt, completions, labels; what process reward models are trained on.

https://huggingface.co/docs/trl/dataset_formats (Stepwise supervision, standard). The completions joined are the
response, since each step keeps what separates it from the next. A step is right when its verdict is 1 or 0 (DeepCritic,
PRM800K). The row ends with the first wrong step, or before the first that nobody judged: what follows is not known.
"""

from __future__ import annotations

from typing import Any

from workers.rows import CritiquedRow, VerdictRow
from workers.spans import cut, said
from workers.writers import Dropped, Target, targets

STEP = "step"
COLUMNS = ("prompt", "completions", "labels")


def row(given: CritiquedRow) -> dict[str, Any]:
    if not given.units:
        raise Dropped("no steps")
    told = {one.start: one for one in given.answer.verdicts if one.question == STEP}
    labels: list[bool] = []
    for start, _ in given.units:
        if start not in told or (labels and not labels[-1]):
            break
        labels.append(right(told[start]))
    if not labels:
        raise Dropped("the first step is not judged")
    completions = cut(given.response, given.units)[: len(labels)]
    return {"prompt": said(given.prompt), "completions": completions, "labels": labels}


def right(verdict: VerdictRow) -> bool:
    """Whether a step is right: true, 1 or 0; of texts only those that say a number."""
    answer = verdict.answer
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, int) or (isinstance(answer, str) and answer.strip() in ("1", "0", "-1")):
        return int(answer) >= 0
    raise Dropped("a step is judged neither true or false nor 1, 0 or -1")


def fields() -> Any:
    import pyarrow as pa

    return pa.schema(
        [("prompt", pa.string()), ("completions", pa.list_(pa.string())), ("labels", pa.list_(pa.bool_()))]
    )


targets.add(
    Target(
        name="trl-stepwise",
        title="TRL stepwise supervision (prompt, completions, labels)",
        columns=COLUMNS,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        questions=(STEP,),
    )
)
