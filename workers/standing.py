"""The consumers' process that stays: it loads their packages once, and reads each version in a fork of itself.

Loading torch, `datasets` and TRL takes seconds, whatever is read. A fork begins with what was loaded and leaves nothing
behind for the next. Either process ends as soon as the other end of its socket is gone, so that nobody's consumers live
longer than whoever asked them, even if that one was killed.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from workers.consumers import Files

ROOT = Path(__file__).resolve().parent.parent
CALL = b"+"
"""What goes over a control socket with the two descriptors of a call: its socket, and the file for complaints."""
END_WITHIN = 10.0
"""Seconds in which the process ends by itself once nobody needs it; it may be loading."""


class Silent(Exception):
    """The consumers ended without a word, or did not answer in time; what they complained of last."""


class Standing:
    """A process with the packages of consumers, forked for each call."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        self.complaints = scratch()
        self.calls = 0
        self.rest: threading.Timer | None = None
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.consumers", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=self.complaints, stderr=self.complaints, cwd=ROOT,
                start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        """Let the process end, once what it is asked to load is loaded."""
        self.control.close()
        try:
            self.process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.complaints.close()

    def given_up(self) -> None:
        """In a process that was forked off from the one whose this is."""
        self.control.close()
        self.complaints.close()


class Asked:
    """A call under way: a fork of the standing process that has loaded what it needs, and waits for the files."""

    def __init__(self, names: Sequence[str], *, stay: float) -> None:
        self.stay, self.complaints = stay, scratch()
        self.socket, theirs = socket.socketpair()
        with theirs, LOCK:
            self.standing = standing()
            with suppress(BrokenPipeError):  # it has died since: how is told when the answer is wanted
                socket.send_fds(self.standing.control, [CALL], [theirs.fileno(), self.complaints.fileno()])
        self.send(list(names))

    def ask(self, files: Files) -> None:
        """Let them read these files."""
        self.send({**asdict(files), "folder": str(files.folder)})

    def send(self, told: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # as above
            self.socket.sendall(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))

    def said(self, within: float) -> list[dict[str, Any]]:
        """What each said. Raises Silent."""
        self.socket.settimeout(within)
        try:
            with self.socket.makefile("rb") as answer:
                found: list[dict[str, Any]] = orjson.loads(answer.readline())
        except TimeoutError:
            raise Silent(f"no answer within {within:g} s") from None
        except (OSError, ValueError):
            raise Silent(tail(self.complaints) or tail(self.standing.complaints)) from None
        return found

    def end(self) -> None:
        """It ends, whether it has answered or not; the standing process does so after a rest in which nobody calls."""
        self.socket.close()
        self.complaints.close()
        with LOCK:
            self.standing.calls -= 1
            rested(self.standing, self.stay)


LOCK = threading.Lock()
KEPT: list[Standing] = []
"""The one of this process, where there is one."""


def standing() -> Standing:
    """The one that is there, or a new one; under the lock, with a call more."""
    if KEPT and KEPT[0].process.poll() is not None:
        KEPT.pop().end()
    if not KEPT:
        KEPT.append(Standing())
    found = KEPT[0]
    found.calls += 1
    if found.rest:
        found.rest.cancel()
    return found


def rested(found: Standing, stay: float) -> None:
    """Let it end after a while, unless it is called meanwhile; under the lock."""
    if found.calls or found not in KEPT:
        return
    if stay <= 0:
        KEPT.remove(found)
        found.end()
        return
    found.rest = threading.Timer(stay, dismissed, [found])
    found.rest.daemon = True
    found.rest.start()


def dismissed(found: Standing) -> None:
    with LOCK:
        rested(found, 0)


def scratch() -> IO[bytes]:
    return TemporaryFile()


def tail(file: IO[bytes]) -> str:
    with suppress(ValueError, OSError):  # closed meanwhile
        file.seek(0)
        return file.read().decode("utf-8", "replace")[-500:]
    return ""


def forked() -> None:
    """A fork of this process has none: the other's control socket must not stay open here."""
    global LOCK
    LOCK = threading.Lock()
    while KEPT:
        KEPT.pop().given_up()


def over() -> None:
    while KEPT:
        KEPT.pop().end()


os.register_at_fork(after_in_child=forked)
atexit.register(over)
