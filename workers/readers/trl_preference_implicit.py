"""TRL's implicit preference format: two whole conversations; what they share from the start is the prompt.

https://huggingface.co/docs/trl/dataset_formats (Preference, implicit prompt).
"""

from __future__ import annotations

from workers.checks import identifier, messages, rest
from workers.continuations import continued, shared_prefix
from workers.readers import Options, Reader, Row, readers
from workers.readers.trl_preference import KNOWN
from workers.rows import ItemRow, RowError


def detect(row: Row) -> int:
    lists = isinstance(row.get("chosen"), list) and isinstance(row.get("rejected"), list)
    return 5 if lists and "prompt" not in row else 0


def read(row: Row, options: Options) -> ItemRow:
    chosen, rejected = messages(row.get("chosen"), "chosen"), messages(row.get("rejected"), "rejected")
    shared = shared_prefix(chosen, rejected)
    if not shared:
        raise RowError("shares no prompt with chosen", "rejected")
    return ItemRow(
        prompt=chosen[:shared],
        responses=[continued(chosen[shared:], "chosen"), continued(rejected[shared:], "rejected")],
        external_id=identifier(row, "id", "external_id"),
        votes=[KNOWN],
        metadata=rest(row, "id", "external_id", "chosen", "rejected"),
    )


readers.add(
    Reader(
        name="trl-preference-implicit",
        title="TRL preference without prompt: two conversations",
        detect=detect,
        read=read,
        example='{"chosen": [{"role": "user", "content": "…"}, {"role": "assistant", …}], "rejected": […]}',
    )
)
