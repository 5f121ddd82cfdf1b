"""Anthropic's HH-RLHF: "\\n\\nHuman: … \\n\\nAssistant: …" strings, with or without a prompt of their own.

Bai et al., Training a Helpful and Harmless Assistant with RLHF, 2022 (arXiv 2204.05862).
"""

from __future__ import annotations

from typing import Any

from workers.checks import identifier, rest, text
from workers.continuations import TURN, continued, response, shared_prefix, spoken
from workers.readers import Options, Reader, Row, readers
from workers.readers.trl_preference import KNOWN
from workers.rows import ItemRow, RowError


def detect(row: Row) -> int:
    if not isinstance(row.get("chosen"), str) or not isinstance(row.get("rejected"), str):
        return 0
    return 9 if looks_spoken(row["chosen"] if row.get("prompt") is None else row["prompt"]) else 0


def looks_spoken(value: Any) -> bool:
    return isinstance(value, str) and bool(TURN.match("\n\n" + value.lstrip()))


def read(row: Row, options: Options) -> ItemRow:
    if row.get("prompt") is not None:
        prompt = spoken(text(row, "prompt"), "prompt")
        responses = [response(text(row, f).strip(), f) for f in ("chosen", "rejected")]
    else:
        chosen, rejected = (spoken(text(row, f), f) for f in ("chosen", "rejected"))
        shared = shared_prefix(chosen, rejected)
        if not shared:
            raise RowError("shares no prompt with chosen", "rejected")
        prompt = chosen[:shared]
        responses = [continued(chosen[shared:], "chosen"), continued(rejected[shared:], "rejected")]
    if not prompt:
        raise RowError("is empty", "prompt")
    return ItemRow(
        prompt=prompt,
        responses=responses,
        external_id=identifier(row, "id", "external_id"),
        votes=[KNOWN],
        metadata=rest(row, "id", "external_id", "prompt", "chosen", "rejected"),
    )


readers.add(
    Reader(
        name="hh-rlhf",
        title="HH-RLHF: Human/Assistant conversations",
        detect=detect,
        read=read,
        example='{"chosen": "\\n\\nHuman: …\\n\\nAssistant: …", "rejected": "\\n\\nHuman: …\\n\\nAssistant: …"}',
    )
)
