"""Which items a version has rows of: their sorted ids in one file beside its data, found by bisection."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap
from pathlib import Path

NAME = "members.bin"


class Members:
    """The items of a version under way; eight bytes are kept for each change of item from row to row."""

    def __init__(self) -> None:
        self.ids = array("q")

    def add(self, item_id: int) -> None:
        if not self.ids or self.ids[-1] != item_id:
            self.ids.append(item_id)

    def write(self, folder: Path) -> None:
        """Each id once, in rising order, as little-endian 64-bit numbers."""
        import pyarrow as pa

        kept = pa.Array.from_buffers(pa.int64(), len(self.ids), [None, pa.py_buffer(self.ids)]).unique().sort()
        (folder / NAME).write_bytes(memoryview(kept.buffers()[1])[: 8 * len(kept)])


def among(folder: Path, ids: Collection[int]) -> set[int]:
    """Those of the ids that the version in a folder has rows of; only the pages that are looked at are read."""
    path = folder / NAME
    if not ids or not path.is_file() or not path.stat().st_size:
        return set()
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        kept = opened.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ))
        held = opened.enter_context(opened.enter_context(memoryview(kept)).cast("q"))
        return {pk for pk in ids if holds(held, pk)}


def holds(held: Sequence[int], pk: int) -> bool:
    at = bisect_left(held, pk)
    return at < len(held) and held[at] == pk
