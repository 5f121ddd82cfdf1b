"""`python -m workers.consumers DESCRIPTOR`: consumers that stay, called over the socket of that number.

A call comes as one letter with two descriptors: a socket of its own, and a file for complaints. On the socket stand the
names of consumers in one line and, once they are written, the files in another; what each said goes back in a third.
What the consumers need is loaded when they are named, so that it is there before the files are (`workers/standing.py`).
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import orjson

from workers.collecting import uncollected
from workers.consumers import Consumer, Files, Refused, consumers


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        letter, descriptors, *_ = socket.recv_fds(control, 1, 2)
        if not letter:
            return
        complaints = descriptors.pop()
        with socket.socket(fileno=descriptors.pop()) as call, call.makefile("rb") as lines:
            if wanted := named(lines):
                gc.freeze()  # what is loaded stays as it is in all forks, and is theirs together
                if os.fork() == 0:
                    control.close()
                    answer(call, lines, wanted, complaints)
        os.close(complaints)


def named(lines: IO[bytes]) -> list[Consumer]:
    """The consumers of a call, with what they need; none where the caller is gone already."""
    wanted = [consumers.get(name) for name in orjson.loads(lines.readline() or b"[]")]
    for one in wanted:
        loaded(one.name)
    return wanted


@cache
def loaded(name: str) -> str:
    """What a consumer needs, once; the version of its package that was loaded. Empty of one that is not installed."""
    one = consumers.get(name)
    with suppress(Exception):  # it fails again when it reads, and that is told
        one.load()
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(one.package) if one.package else ""
    return ""


def answer(call: socket.socket, lines: IO[bytes], wanted: list[Consumer], complaints: int) -> None:
    """In the fork: wait for the files, let each read them, tell what they said, and end."""
    try:
        os.dup2(complaints, 1)  # what libraries print goes to the log
        os.dup2(complaints, 2)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if given := lines.readline():
            threading.Thread(target=until_gone, args=[call], daemon=True).start()
            told = orjson.loads(given)
            files = Files(**{**told, "folder": Path(told["folder"])})
            with uncollected():
                said = [checked(one, files) for one in wanted]
            call.sendall(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)  # nothing of the process that this one was forked from is to be ended here


def until_gone(call: socket.socket) -> None:
    """Nobody reads for a caller that has gone."""
    with suppress(OSError):
        call.recv(1)
    os._exit(1)


def checked(consumer: Consumer, files: Files) -> dict[str, Any]:
    """What one consumer said: `ok` is None where its package is not installed."""
    version = loaded(consumer.name)
    if consumer.package and not version:
        why = f"{consumer.package} is not installed here, so it was not asked"
        return {"consumer": consumer.name, "version": "", "ok": None, "detail": why}
    made: dict[str, Any] = {"consumer": consumer.name, "version": f"{consumer.package} {version}".strip()}
    try:
        return made | {"ok": True, "detail": consumer.read(files)}
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    except Exception as error:
        traceback.print_exc()
        return made | {"ok": False, "detail": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    main()
