"""The embedded broker: kombu's files, written so that nobody ever reads half of one.

kombu creates a message under its final name and fills it afterwards; a worker that looks in between takes an
empty file and dies of it. Here a file is complete before it has its name. And it keeps what nobody fetches; here a
message is removed after a while, since messages only wake workers and the sweepers send others.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

FORGOTTEN_AFTER = 300
"""Seconds after which a message that nobody fetched is removed."""
CLEANED_EVERY = 60


class Channel(filesystem.Channel):
    cleaned_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.control_folder.mkdir(parents=True, exist_ok=True)
        Path(self.data_folder_in).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **_kwargs: Any) -> None:  # type: ignore[override]
        name = f"{time.monotonic_ns() // 1000:020d}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, dumps(payload))
        if time.monotonic() - Channel.cleaned_at > CLEANED_EVERY:
            Channel.cleaned_at = time.monotonic()
            forget(Path(self.data_folder_out), older=FORGOTTEN_AFTER)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with (self.control_folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            table = self.get_table(exchange)
            if bound not in table:
                write_whole(self._exchange_file(exchange), dumps([bound, *table]))


class Transport(filesystem.Transport):
    Channel = Channel


def forget(folder: Path, *, older: float) -> int:
    """Remove the messages that are older than so many seconds; how many."""
    gone = 0
    for path in folder.glob("*.msg"):
        with suppress(FileNotFoundError):  # a worker fetched it meanwhile
            if time.time() - path.stat().st_mtime > older:
                path.unlink()
                gone += 1
    return gone


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name first; the rename is atomic."""
    unfinished = path.with_name(f".{uuid.uuid4()}.part")
    unfinished.write_text(text)
    os.replace(unfinished, path)


def install() -> None:
    """Let `filesystem://` mean this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
