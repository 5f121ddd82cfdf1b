"""TRL's explicit preference format: prompt, chosen, rejected, each text or messages.

https://huggingface.co/docs/trl/dataset_formats (Preference, explicit prompt).
"""

from __future__ import annotations

from workers.checks import identifier, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import ItemRow, VoteRow

KNOWN = VoteRow("imported", -1)
"""What the file says already: the chosen response, first here, is better."""


def detect(row: Row) -> int:
    return 6 if {"prompt", "chosen", "rejected"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[response(row.get("chosen"), "chosen"), response(row.get("rejected"), "rejected")],
        external_id=identifier(row, "id", "external_id"),
        votes=[KNOWN],
        metadata=rest(row, "id", "external_id", "prompt", "chosen", "rejected"),
    )


readers.add(
    Reader(
        name="trl-preference",
        title="TRL preference: prompt, chosen, rejected",
        detect=detect,
        read=read,
        example='{"prompt": "Why is the sky blue?", "chosen": "…", "rejected": "…"}',
    )
)
