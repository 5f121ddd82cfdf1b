"""`manage.py up`: what `make run` calls. Migrates, makes the sample project, serves the web and a worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from curation.models import Project, User
from curation.services import people, projects

READY_WITHIN = 60
SAMPLE = "sample-helpfulness"
AS_ROOT = "ignore:You're running the worker with superuser privileges"
"""A container runs as root; the worker need not say so at each start."""


class Command(BaseCommand):
    help = "Migrate, make the sample project, serve the web and a worker until ctrl-c."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))

    def handle(self, *_args: Any, port: int, host: str, **_options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        check_free(host, port)
        prepare()
        children = {"web": web(host, port), "worker": worker()}
        try:
            wait_until_served(children["web"], port)
            self.greet(port)
            keep(children, host, port)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping…")
        finally:
            stop(children.values())

    def greet(self, port: int) -> None:
        address = f"http://localhost:{port}"
        secret = people.make_sign_in_link(user=administrator())
        self.stdout.write(
            f"\n  Touchstone is at {address}\n"
            f"  Sign in once with {address}/sign-in/{secret}/\n"
            f"  Data in {settings.VAR_DIR}. Ctrl-c stops all.\n"
        )
        self.stdout.flush()


def check_free(host: str, port: int) -> None:
    """Raises CommandError when somebody else serves there, whose answers would be taken for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(f"cannot serve on {host}:{port} ({error}); try PORT={port + 1} make run") from None


def prepare() -> None:
    """Bring the database up to date and, the first time, make an administrator and the sample project."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    if not Project.objects.exists():
        project = projects.create_project(
            slug=SAMPLE,
            name="Helpfulness (sample)",
            user=administrator(),
            description="Pairs that Touchstone ships, to try everything on.",
        )
        projects.load_sample(project=project, user=administrator())


def administrator() -> User:
    """The superuser `admin`, without a password until one is set: the sign-in link is the way in."""
    found = User.objects.filter(username="admin").first()
    if found is None:
        found = User(username="admin", display_name="Admin", is_staff=True, is_superuser=True)
        found.set_unusable_password()
        found.save()
    return found


def web(host: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "curation.wsgi:application", "--bind", f"{host}:{port}"]
        + ["--workers", os.environ.get("WEB_WORKERS", "2"), "--threads", "8", "--worker-class", "gthread"]
        + ["--keep-alive", "30", "--log-level", "warning", "--worker-tmp-dir", temporary()],
        start_new_session=True,
    )


def temporary() -> str:
    """Where gunicorn keeps its heartbeat files: memory where the system has it."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else str(settings.VAR_DIR)


def worker() -> subprocess.Popen[bytes]:
    """One worker with the scheduler in it; enough for one machine."""
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "--quiet", "-A", "curation", "worker", "--beat", "--queues", "cpu"]
        + [
            "--concurrency",
            os.environ.get("WORKER_PROCESSES", "1"),
            "--loglevel",
            "warning",
            "--without-gossip",
        ]
        + ["--without-mingle"],
        start_new_session=True,
        env={**os.environ, "C_FORCE_ROOT": "1", "PYTHONWARNINGS": AS_ROOT},
    )


def wait_until_served(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        if process.poll() is not None:
            raise CommandError("the web server did not start; its own words are above")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise CommandError(f"the web server did not answer within {READY_WITHIN} s")


def keep(children: dict[str, subprocess.Popen[bytes]], host: str, port: int) -> None:
    """Start whatever ends again, for as long as we run."""
    while True:
        time.sleep(5)
        if children["web"].poll() is not None:
            children["web"] = web(host, port)
        if children["worker"].poll() is not None:
            children["worker"] = worker()


def stop(children: Any) -> None:
    living = [child for child in children if child.poll() is None]
    for child in living:
        child.terminate()
    for child in living:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
