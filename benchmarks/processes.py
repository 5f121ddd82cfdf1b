"""Servers started for a measure, on free ports of the loopback address, and ended with everything they started."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.client import Client
from benchmarks.measuring import family

ROOT = Path(__file__).resolve().parent.parent


class DidNotStart(Exception):
    """A server ended, or gave no answer in time."""


class Server:
    """A process with a log file; a context manager."""

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str], folder: Path = ROOT) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self.process.pid

    def end(self, patience: float = 15) -> None:
        """Ask it to stop; what is left of its own session after a while is killed."""
        if self.process.poll() is not None:
            return
        descendants = family([self.pid])
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        for pid in descendants:
            with suppress(OSError):
                if os.getsid(pid) == self.pid:
                    os.kill(pid, signal.SIGKILL)
        self.process.wait(patience)

    def until_answering(self, port: int, path: str, patience: float = 60) -> None:
        """Wait for a 200. Raises DidNotStart with the end of the log."""
        until = time.monotonic() + patience
        while time.monotonic() < until and self.process.poll() is None:
            client = Client(port, timeout=5)
            with suppress(OSError, http.client.HTTPException):
                if client.exchange("GET", path)[0] == 200:
                    client.close()
                    return
            client.close()
            time.sleep(0.1)
        raise DidNotStart(f"{path} did not answer; {self.log} ends with:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def gunicorn(application: str, port: int, *, python: str = sys.executable, workers: int = 2) -> list[str]:
    """One command line for the product, the bare view and Label Studio."""
    heartbeat = "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"
    return [
        *(python, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
        *("--workers", str(workers), "--threads", "8", "--keep-alive", "30", "--timeout", "900"),
        *("--log-level", "warning", "--worker-tmp-dir", heartbeat),
    ]


def finish(command: Sequence[str], *, log: Path, env: Mapping[str, str], patience: float = 600) -> bytes:
    """Run a command to its end; what it printed. Raises DidNotStart with its complaint."""
    with log.open("ab") as file:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            env={**os.environ, **env},
            cwd=ROOT,
            timeout=patience,
            check=False,
        )
    if done.returncode:
        complaint = log.read_text(errors="replace")[-2000:]
        raise DidNotStart(f"{' '.join(command)} ended with {done.returncode}:\n{complaint}")
    return done.stdout
