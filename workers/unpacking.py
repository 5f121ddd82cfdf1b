"""A stored file as chunks of bytes: gunzipped where it is gzipped, with an eye on bombs and broken ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from workers.rows import RowError

CHUNK = 2**20
GZIP = b"\x1f\x8b"
BOMB_BYTES, BOMB_RATIO = 64 * 2**20, 200
"""A file that unpacks to more than so many bytes, and so many times its size, is a bomb. Text shrinks 3 to 30 times."""


class Source:
    """The chunks of a file; the first can be peeked at. `problem` says why it ended before its end."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.problem: RowError | None = None
        self.zipped = raw.read(2) == GZIP
        raw.seek(0)
        self.chunks = self.unpack() if self.zipped else iter(lambda: raw.read(CHUNK), b"")
        self.head: list[bytes] = []

    @property
    def at(self) -> int:
        """The place in the stored file."""
        return self.raw.tell()

    def __iter__(self) -> Iterator[bytes]:
        while self.head:
            yield self.head.pop(0)
        yield from self.chunks

    def peek(self) -> bytes:
        """The first chunk, which is still to come."""
        if not self.head and (chunk := next(self.chunks, None)):
            self.head.append(chunk)
        return b"".join(self.head)

    def ended(self) -> bool:
        """Whether the peeked chunk is all there is."""
        self.peek()
        if len(self.head) < 2 and (chunk := next(self.chunks, None)):
            self.head.append(chunk)
        return len(self.head) < 2

    def unpack(self) -> Iterator[bytes]:
        """What is in a gzip file, member after member. What came before a fault is given out first."""
        size, data, member, begun = 0, b"", zlib.decompressobj(wbits=31), False
        while data or (data := self.raw.read(CHUNK)):
            begun = True
            try:
                piece = member.decompress(data, CHUNK)
            except zlib.error as error:
                self.problem = RowError(f"the gzip file is broken here ({error}); the rows before are in")
                return
            data = member.unconsumed_tail
            size += len(piece)
            if size > BOMB_BYTES and size > BOMB_RATIO * self.raw.tell():
                self.problem = RowError(f"the gzip file unpacks to over {BOMB_RATIO} times its size; reading stopped")
                return
            if piece:
                yield piece
            if member.eof:
                data, member, begun = member.unused_data.lstrip(b"\0"), zlib.decompressobj(wbits=31), False
        if begun:
            if rest := member.flush():
                yield rest
            self.problem = RowError("the gzip file ends too early; the rows before are in")
