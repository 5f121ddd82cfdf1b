"""Annotators who ask for a task and answer it: one after the other, or sixteen at a time from four processes."""

from __future__ import annotations

import http.client
import multiprocessing
import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.client import Client, Unexpected
from benchmarks.measuring import spread

PROCESSES = 4
HEAD_START = 4.0
"""Seconds for the processes to start before all begin together."""
TROUBLES = (Unexpected, OSError, http.client.HTTPException, ValueError, KeyError)
TROUBLES_MOST = 100


class Annotator(Protocol):
    """Somebody at the API of a product."""

    client: Client

    def next(self) -> int | None:
        """The id of the next task, None when there is none."""

    def submit(self, task: int) -> None:
        """Answer it."""


@dataclass
class Shift:
    """What one annotator did: seconds of each call, when each task was done, what went wrong."""

    nexts: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    done: list[tuple[float, int]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    dry: float | None = None
    """When there was no task left."""

    def work(self, annotator: Annotator) -> bool:
        """One task from its request to its answer; whether there was one."""
        task = annotator.next()
        seconds = annotator.client.seconds
        if task is None:
            self.dry = time.monotonic()
            return False
        annotator.submit(task)
        self.nexts.append(seconds)
        self.submits.append(annotator.client.seconds)
        self.done.append((time.monotonic(), task))
        return True


def in_turns(annotators: Sequence[Annotator], pairs: int, *, warm: int = 20, rounds: int = 4) -> list[Shift]:
    """Each annotator alone, `pairs` tasks in all, taking turns so that a busy minute meets each of them."""
    shifts = []
    for annotator in annotators:
        work(annotator, Shift(), warm)
        shifts.append(Shift())
    for _ in range(rounds):
        for annotator, shift in zip(annotators, shifts, strict=True):
            work(annotator, shift, pairs // rounds)
    return shifts


def work(annotator: Annotator, shift: Shift, pairs: int) -> None:
    for _ in range(pairs):
        if not shift.work(annotator):
            raise Unexpected("no task left before the measure ended")


def latencies(shift: Shift) -> dict[str, Any]:
    return {"next": spread(shift.nexts), "submit": spread(shift.submits)}


def together(annotators: Sequence[Annotator], seconds: float) -> dict[str, Any]:
    """All annotators at once for `seconds`, or until there is no task left."""
    begin = time.monotonic() + HEAD_START
    until = begin + seconds
    groups = [list(annotators[number::PROCESSES]) for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        ahead = [pool.submit(group_work, group, begin, until) for group in groups if group]
        shifts = [shift for work in ahead for shift in work.result(timeout=seconds + 300)]
    return crowd(shifts, begin, until)


def group_work(annotators: list[Annotator], begin: float, until: float) -> list[Shift]:
    """The annotators of one process, each in a thread."""
    shifts = [Shift() for _ in annotators]
    threads = [
        threading.Thread(target=keep_working, args=(annotator, shift, begin, until))
        for annotator, shift in zip(annotators, shifts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return shifts


def keep_working(annotator: Annotator, shift: Shift, begin: float, until: float) -> None:
    time.sleep(max(0.0, begin - time.monotonic()))
    while time.monotonic() < until and shift.dry is None and shift.errors.total() < TROUBLES_MOST:
        try:
            shift.work(annotator)
        except TROUBLES as error:
            shift.errors[re.sub(r"\d+", "N", f"{type(error).__name__} {error}")[:160]] += 1
            time.sleep(0.01)


def crowd(shifts: Sequence[Shift], begin: float, until: float) -> dict[str, Any]:
    """What they did together, up to the first who found no task."""
    end = min([until, *(shift.dry for shift in shifts if shift.dry)])
    done = [task for shift in shifts for moment, task in shift.done if moment <= end]
    times = Counter(task for shift in shifts for task in {task for _, task in shift.done})
    errors = sum((shift.errors for shift in shifts), Counter[str]())
    return {
        "annotators": len(shifts),
        "seconds": round(end - begin, 2),
        "completed": len(done),
        "per_second": round(len(done) / (end - begin), 1),
        "doubled": sum(count > 1 for count in times.values()),
        "errors": errors.total(),
        "error_kinds": dict(errors.most_common(4)),
        "next": spread([seconds for shift in shifts for seconds in shift.nexts]),
        "submit": spread([seconds for shift in shifts for seconds in shift.submits]),
    }
