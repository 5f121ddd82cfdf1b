"""Work done ahead: the next values are made by a thread of their own while the caller uses the ones before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


class Failed:
    """What the thread ended with, to be raised where the values are used."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(values: Iterable[T], depth: int = 2) -> Generator[T]:
    """The same values in the same order, at most `depth` of them waiting. Closing it ends the thread, in which a
    generator of the values runs and is closed."""
    ready: queue.Queue[T | Failed] = queue.Queue(depth)
    stop = threading.Event()

    def give(value: T | Failed) -> None:
        while not stop.is_set():
            try:
                return ready.put(value, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        error: BaseException | None = None
        try:
            for value in values:
                give(value)
                if stop.is_set():
                    break
            if close := getattr(values, "close", None):
                close()  # here, and not in whichever thread forgets it
        except BaseException as caught:  # raised again in the caller's thread
            error = caught
        give(Failed(error))

    thread = threading.Thread(target=work, daemon=True, name="ahead")
    thread.start()
    try:
        while not isinstance(value := ready.get(), Failed):
            yield value
        if value.error:
            raise value.error
    finally:
        stop.set()
        thread.join()
