"""Percentiles, memory and CPU of processes, and how much others used the machine meanwhile."""

from __future__ import annotations

import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

PROC = Path("/proc")
CONSUMERS = b"workers.consumers"
TICKS = os.sysconf("SC_CLK_TCK")
FOREIGN_MOST = 0.35
"""Cores in the hands of other processes above which a figure carries a warning."""


def percentile(seconds: Sequence[float], share: float) -> float:
    """Nearest-rank percentile in milliseconds."""
    ordered = sorted(seconds)
    rank = max(1, -(-len(ordered) * share // 1))
    return round(ordered[int(rank) - 1] * 1000, 3)


def spread(seconds: Sequence[float]) -> dict[str, Any]:
    """p50 and p95 in milliseconds, and of how many."""
    if not seconds:
        return {"calls": 0, "p50_ms": None, "p95_ms": None}
    return {"calls": len(seconds), "p50_ms": percentile(seconds, 0.5), "p95_ms": percentile(seconds, 0.95)}


def timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


# --- Processes, as Linux tells of them; elsewhere these figures are missing --------------------------------


def family(pids: Iterable[int]) -> list[int]:
    """The processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for pid, fields in stats():
        children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    ahead = list(pids)
    while ahead:
        found.append(ahead.pop())
        ahead += children.get(found[-1], [])
    return found


def stats() -> Iterator[tuple[int, list[str]]]:
    """Each process with the fields of /proc/PID/stat after its name."""
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "stat").read_text().rsplit(")", 1)[1].split()


def forget_peaks(pids: Iterable[int]) -> None:
    """Let the peak of each process start anew from what it holds now."""
    for pid in family(pids):
        with suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text("5")


def own(pids: Iterable[int]) -> list[int]:
    """The processes and what they started, without the one that keeps the packages of consumers, and its forks.

    These are large, whatever is read, and would hide how the others grow.
    """
    return [pid for pid in family(pids) if CONSUMERS not in command_of(pid)]


def command_of(pid: int) -> bytes:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes()
    return b""


def peak_mb(pids: Iterable[int]) -> float | None:
    """The highest resident memory that the largest of the processes had since `forget_peaks`."""
    found = [status_kb(pid, "VmHWM") for pid in own(pids)]
    return round(max(found) / 1024, 1) if any(found) else None


def resident_mb(pids: Iterable[int]) -> float | None:
    """Resident memory of the largest of the processes now."""
    found = [status_kb(pid, "VmRSS") for pid in own(pids)]
    return round(max(found) / 1024, 1) if any(found) else None


class Sampled:
    """Resident memory of the processes and all that they start, looked at every `EVERY` seconds while it is open.

    Of processes that come and go there is no high-water mark afterwards. Pages that forked processes share are counted
    in each of them.
    """

    EVERY = 0.5

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids, self.most_kb, self.over = list(pids), 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True, name="memory")

    def __enter__(self) -> Sampled:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def look(self) -> None:
        while not self.over.wait(self.EVERY):
            self.most_kb = max(self.most_kb, sum(status_kb(pid, "VmRSS") for pid in family(self.pids)))

    @property
    def most_mb(self) -> float:
        """The most that all of them held together."""
        return round(self.most_kb / 1024, 1)


def status_kb(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of the processes, with that of their ended children."""
    wanted = set(family(pids))
    return sum(sum(map(int, fields[11:15])) for pid, fields in stats() if pid in wanted) / TICKS


def own_cpu_seconds() -> float:
    """CPU time of this benchmark and all it started, and of PostgreSQL, which works for it."""
    servers = [pid for pid, _ in stats() if name_of(pid) == "postgres"]
    return cpu_seconds({os.getpid(), *servers})


def serving_seconds(web: int, database: str) -> float:
    """CPU time of a web server and of PostgreSQL's processes for the connections to one database."""
    mark = f" {database} ".encode()
    backends = [pid for pid, _ in stats() if mark in title_of(pid)]
    return cpu_seconds([web, *backends])


def title_of(pid: int) -> bytes:
    with suppress(OSError):
        title = (PROC / str(pid) / "cmdline").read_bytes()
        return title if title.startswith(b"postgres:") else b""
    return b""


def name_of(pid: int) -> str:
    with suppress(OSError):
        return (PROC / str(pid) / "comm").read_text().strip()
    return ""


def busy_seconds() -> float:
    """CPU time of the whole machine that was neither idle nor stolen."""
    if not (PROC / "stat").exists():
        return 0.0
    user, nice, system, _idle, _wait, interrupt, soft, *_ = map(
        int, (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + interrupt + soft) / TICKS


@contextmanager
def watched(into: dict[str, Any]) -> Iterator[None]:
    """Note in `into["machine"]` the load before and after, and the cores that others used meanwhile."""
    before, busy, own, begun = os.getloadavg()[0], busy_seconds(), own_cpu_seconds(), time.monotonic()
    yield
    seconds = max(time.monotonic() - begun, 0.05)
    foreign = max(0.0, (busy_seconds() - busy - own_cpu_seconds() + own) / seconds)
    into["machine"] = {
        "seconds": round(seconds, 2),
        "load_before": round(before, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "foreign_cores": round(foreign, 2),
        "disturbed": foreign > FOREIGN_MOST,
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def processor() -> str:
    with suppress(OSError):
        for line in (PROC / "cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
