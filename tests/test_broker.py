"""The embedded broker: many writers and readers at once, every message whole and taken once."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from curation import broker

broker.install()
WRITERS, EACH = 4, 150


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path / "c")}

    def connect() -> Connection:
        return Connection("filesystem://", transport_options=options)

    return connect


def test_messages_are_whole_and_come_once(connection: Any) -> None:
    taken: list[Any] = []
    written = threading.Event()

    def write(writer: int) -> None:
        with connection() as made:
            channel = made.default_channel
            for n in range(EACH):
                channel._put("cpu", {"body": [writer, n, "x" * 5000]})

    def read() -> None:
        with connection() as made:
            channel = made.default_channel
            while True:
                done = written.is_set()
                try:
                    taken.append(tuple(channel._get("cpu")["body"][:2]))
                except Empty:
                    if done:
                        return

    writers = [threading.Thread(target=write, args=[n]) for n in range(WRITERS)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in [*writers, *readers]:
        thread.start()
    for thread in writers:
        thread.join()
    written.set()
    for thread in readers:
        thread.join()
    assert sorted(taken) == [(w, n) for w in range(WRITERS) for n in range(EACH)]


def test_queues_bound_at_the_same_time_are_all_in_the_table(connection: Any) -> None:
    def bind(n: int) -> None:
        with connection() as made:
            made.default_channel._queue_bind("celery.pidbox", "", "", f"queue-{n}")

    threads = [threading.Thread(target=bind, args=[n]) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connection() as made:
        assert {bound.queue for bound in made.default_channel.get_table("celery.pidbox")} == {
            f"queue-{n}" for n in range(20)
        }
