"""`manage.py up`, which `make run` calls: migrates, makes the sample project, serves web, scheduler and worker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from curation import address
from curation.models import Project, User
from curation.services import default_model, health, machines, people, projects

READY_WITHIN = 60
SAMPLE = "sample-helpfulness"
OWN_GROUP: Any = {"start_new_session": True}
"""Ctrl-c reaches us alone; we end our children in order."""

Start = Callable[[], "subprocess.Popen[bytes]"]


class Command(BaseCommand):
    help = "Migrate, make the sample project, serve the web, a scheduler and a worker until ctrl-c."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))

    def handle(self, *_args: Any, port: int, host: str, **_options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        check_free(host, port)
        prepare()
        starts = starters(host, port)
        children = {name: start() for name, start in starts.items()}
        try:
            wait_until_served(children["web"], port)
            self.greet(port)
            keep(children, starts)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping…")
        finally:
            stop(children.values())

    def greet(self, port: int) -> None:
        here = address.on_port(port)
        address.remember(here)
        secret = people.make_sign_in_link(user=administrator())
        self.stdout.write(
            f"\n  Touchstone is at {here}\n"
            f"  Sign in once with {here}/sign-in/{secret}/\n"
            f"  Data in {settings.VAR_DIR}. Ctrl-c stops all.\n"
        )
        if (found := health.models()).ok is None:
            self.stdout.write(f"  Models: {found.words}.\n")
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
            help={"mode": "reveal", "holdout": 0.1},
        )
        projects.load_sample(project=project, user=administrator())
    default_model.queue_defaults(administrator())


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
        **OWN_GROUP,
    )


def temporary() -> str:
    """Where gunicorn keeps its heartbeat files: memory where the system has it."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else str(settings.VAR_DIR)


def worker(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", "worker", *options], cwd=settings.BASE_DIR, **OWN_GROUP)


def scheduler() -> subprocess.Popen[bytes]:
    """A process of its own: one inside a worker (`--beat`) would not be missed if it were killed."""
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "curation", "beat", "--loglevel", "warning"]
    return subprocess.Popen([*command, "--pidfile", ""], cwd=settings.BASE_DIR, **OWN_GROUP)


def starters(host: str, port: int) -> dict[str, Start]:
    """What one machine needs: the web, the scheduler, a worker, and one for its GPUs if it has any."""
    found: dict[str, Start] = {
        "web": lambda: web(host, port),
        "scheduler": scheduler,
        "worker": lambda: worker("--queue", "cpu"),
    }
    if machines.cards():
        found["gpu"] = lambda: worker("--queue", "gpu")
    return found


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


def keep(children: dict[str, subprocess.Popen[bytes]], starts: dict[str, Start]) -> None:
    """Start whatever ends again, for as long as we run."""
    while True:
        time.sleep(5)
        for name, start in starts.items():
            if children[name].poll() is not None:
                children[name] = start()


def stop(children: Any) -> None:
    living = [child for child in children if child.poll() is None]
    for child in living:
        child.terminate()
    for child in living:
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
