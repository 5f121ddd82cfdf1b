"""The process of consumers that stays: loaded once, forked for each version, gone with whoever needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import measuring
from tests.test_mutations import given, write
from workers import standing
from workers.consumers import Files
from workers.standing import Asked, Silent

PROC = Path("/proc")
pytestmark = pytest.mark.skipif(not (PROC / "self/task").is_dir(), reason="looks at processes where Linux shows them")


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    standing.over()
    yield
    standing.over()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return write(tmp_path, "trl-preference", given("trl-preference"))


def asked(files: Files, *names: str, stay: float = 60) -> list[str]:
    call = Asked(names or ("rules",), stay=stay)
    try:
        call.ask(files)
        return [one["detail"] for one in call.said(60)]
    finally:
        call.end()


def children(pid: int) -> list[int]:
    return [int(one) for one in (PROC / f"{pid}/task/{pid}/children").read_text().split()]


def running(pid: int) -> bool:
    try:
        return (PROC / f"{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def until(true: Callable[[], object]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it never came to that")


def test_one_process_reads_version_after_version(files: Files) -> None:
    first = asked(files, "rules", "touchstone")
    (kept,) = standing.KEPT
    assert first == ["all 3 rows keep the rules of trl-preference", "read back as 3 items"]
    assert asked(files) == first[:1] and [kept] == standing.KEPT and kept.process.poll() is None


def test_the_benchmark_tells_its_memory_apart(files: Files) -> None:
    asked(files)
    kept = standing.KEPT[0].process.pid
    assert kept in measuring.family([os.getpid()]) and kept not in measuring.own([os.getpid()])


def test_two_read_at_once(files: Files) -> None:
    calls = [Asked(["rules"], stay=60) for _ in range(2)]
    for call in reversed(calls):
        call.ask(files)
    assert [call.said(60)[0]["ok"] for call in calls] == [True, True] and len(standing.KEPT) == 1
    for call in calls:
        call.end()


def test_a_version_leaves_nothing_for_the_next(files: Files, tmp_path: Path) -> None:
    assert asked(files)[0].startswith("all 3")
    (files.folder / "train.jsonl").write_bytes(b"{")
    assert asked(files) == ["train.jsonl, row 0: is no JSON: unexpected end of data: line 1 column 2 (char 1)"]


def test_without_a_rest_it_ends_with_the_version(files: Files) -> None:
    call = Asked(["rules"], stay=0)
    process = call.standing.process
    call.end()
    assert process.poll() is not None and not standing.KEPT


def test_it_ends_after_a_rest(files: Files) -> None:
    asked(files, stay=0.01)
    until(lambda: not standing.KEPT)


def test_a_fork_that_is_killed_says_nothing_and_the_next_one_reads(files: Files) -> None:
    call = Asked(["rules"], stay=60)
    until(lambda: children(call.standing.process.pid))
    os.kill(children(call.standing.process.pid)[0], signal.SIGKILL)
    call.ask(files)
    with pytest.raises(Silent):
        call.said(60)
    call.end()
    assert asked(files)[0].startswith("all 3")


def test_after_the_process_was_killed_there_is_another(files: Files) -> None:
    asked(files)
    (before,) = standing.KEPT
    os.kill(before.process.pid, signal.SIGKILL)
    before.process.wait()
    assert asked(files)[0].startswith("all 3") and [before] != standing.KEPT


def test_whoever_does_not_answer_in_time_is_not_waited_for(files: Files) -> None:
    call = Asked(["rules"], stay=60)
    with pytest.raises(Silent, match="no answer within"):
        call.said(0.01)
    until(lambda: children(call.standing.process.pid))
    (fork,) = children(call.standing.process.pid)
    call.end()
    until(lambda: not running(fork))


def test_nothing_outlives_a_caller_that_is_killed() -> None:
    program = """
import sys, time
from workers.standing import Asked
call = Asked(["rules"], stay=60)
print(call.standing.process.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=standing.ROOT) as caller:
        assert caller.stdout is not None
        process = int(caller.stdout.readline())
        until(lambda: children(process))
        fork, *_ = children(process)
        caller.kill()
        until(lambda: not running(process) and not running(fork))
