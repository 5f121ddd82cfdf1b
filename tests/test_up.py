"""`make run`'s own command: it sets up, serves, says where, refuses a taken port, and ends with all its children."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

pytestmark = pytest.mark.sqlite


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Any]:
    """`up(port)` starts Touchstone as a newcomer does, in an empty folder of its own."""
    started: list[subprocess.Popen[str]] = []
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "CELERY_BROKER_URL")}
    environment["TOUCHSTONE_VAR"] = str(tmp_path / "fresh")

    def start(port: int) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", "up", "--port", str(port)]
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def greeting(process: subprocess.Popen[str]) -> str:
    """The one-time link, once it is printed."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http\S+/sign-in/\S+", line):
            return found.group()
    raise AssertionError(said)


def test_a_newcomer_gets_a_link_that_opens_the_sample_project(up: Any, tmp_path: Path) -> None:
    port = free_port()
    process = up(port)
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(greeting(process))
        assert page.status_code == 200 and "sample-helpfulness" in page.text
        assert browser.get(f"http://localhost:{port}/projects/sample-helpfulness/annotate/").status_code == 200
        ready = seen(browser, port)
    assert ready["status"] == "ready" and ready["worker"]["ok"], ready

    assert (tmp_path / "fresh" / "address").read_text() == f"http://localhost:{port}\n", "for links that commands print"

    other = up(port)
    assert other.wait(timeout=30) != 0 and other.stdout
    assert f"PORT={port + 1}" in other.stdout.read()

    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://localhost:{port}/healthz")


def seen(browser: httpx.Client, port: int) -> Any:
    """What /readyz says, once the worker has shown itself or had the time to."""
    for _ in range(60):
        ready = browser.get(f"http://localhost:{port}/readyz").json()
        if ready["worker"]["ok"]:
            break
        time.sleep(0.25)
    return ready
