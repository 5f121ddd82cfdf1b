"""RewardBench's loader: rows of texts with these columns, one turn a prompt.

As its `load_preference_dataset` documents it; the package pins libraries of its own and is not asked.
"""

from __future__ import annotations

from workers.consumers import Consumer, Files, Refused, consumers
from workers.writers.rewardbench import COLUMNS


def read(files: Files) -> str:
    rows = files.sample()
    for number, row in enumerate(rows):
        for column in COLUMNS:
            if not isinstance(row.get(column), str) or not row[column].strip():
                raise Refused("must be a text that says something", row=number, column=column)
        if row["chosen"] == row["rejected"]:
            raise Refused("both responses are the same", row=number, column="rejected")
    named = " (name an evaluation's split otherwise than train)" if "train" in files.parquet else ""
    return f"{len(rows)} rows become conversations of two turns{named}"


consumers.add(Consumer(name="rewardbench", package="", read=read))
