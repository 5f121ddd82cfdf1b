"""docker-compose.yml: what it says fits together, and its commands as plain processes are a whole installation."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from django.conf import settings

from tests.everything import POSTGRES, REDIS, has_postgres, has_redis

COMPOSE = settings.BASE_DIR / "docker-compose.yml"
SECRETS = {"POSTGRES_PASSWORD": "not-used-here", "SECRET_KEY": "x" * 50}
OWN_REDIS = REDIS.rsplit("/", 1)[0] + "/13"
FIRST = """
from curation.models import User
from curation.services import people, projects
olga = User.objects.create_superuser("olga")
projects.create_project(slug="pairs", name="Pairs", user=olga)
print(people.issue_token(user=olga, name="test", scopes=["read", "write"], expires_at=None)[1])
"""
WANTED = {"web", "worker-cpu", "worker-gpu", "scheduler", "postgres", "redis", "migrate"}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text())


def test_every_part_is_there_and_watched(compose: Any) -> None:
    services = compose["services"]
    assert set(services) == WANTED
    for name, service in services.items():
        assert ("healthcheck" in service) == (name != "migrate"), name
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
        for other, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert condition == ("service_completed_successfully" if other == "migrate" else "service_healthy")
            assert condition != "service_healthy" or "healthcheck" in services[other]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    assert services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_no_secret_stands_in_the_file(compose: Any) -> None:
    text = COMPOSE.read_text()
    for name, service in compose["services"].items():
        for key, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD", key):
                # asked for, or empty where it is not needed
                assert re.fullmatch(r"\$\{\w+:(\?[^}]*|-)\}", value), (name, key)
    for name in SECRETS:
        assert re.search(rf"\${{{name}:\?", text) and not re.search(rf"\${{{name}(:-[^}}]+)?}}", text)


def test_the_image_runs_as_nobody_special_and_holds_no_data() -> None:
    lines = (settings.BASE_DIR / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users and users[-1] != "USER root"
    assert not [line for line in lines if re.match(r"(ENV|ARG) .*(SECRET|PASSWORD|TOKEN)", line)]
    ignored = (settings.BASE_DIR / ".dockerignore").read_text().split()
    assert {".git", ".env", "var"} <= set(ignored)


def compose_command() -> list[str]:
    """The way to Docker Compose on this machine, or nothing."""
    asked = ["docker", "compose", "version"]
    if shutil.which("docker") and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def test_docker_compose_reads_the_file(tmp_path: Path) -> None:
    if not (command := compose_command()):
        pytest.skip("NOT RUN: no docker compose here; the tests above check the file's structure only")
    (tmp_path / "empty").touch()
    command += ["--env-file", str(tmp_path / "empty"), "--file", str(COMPOSE)]
    command += ["--profile", "gpu", "config", "--services"]
    bare = {name: value for name, value in os.environ.items() if name not in SECRETS}
    told = subprocess.run(command, env={**bare, **SECRETS}, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert set(told.stdout.split()) == WANTED
    without = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert without.returncode != 0 and "set it" in without.stderr


# --- Its commands ---------------------------------------------------------------------------------------


def filled(value: str, given: dict[str, str]) -> str:
    """A value of the file with its variables in it, as Compose does: `${NAME:-else}` and `${NAME:?words}`."""

    def fill(found: re.Match[str]) -> str:
        name, how, words = found.group(1), found.group(2), found.group(3)
        assert how != ":?" or given.get(name), f"{name}: {words}"
        return given.get(name) or words or ""

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", fill, value)


class House:
    """The services of the file as processes of this machine, with its PostgreSQL and Redis in the place of theirs."""

    def __init__(self, compose: Any, database: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.services, self.folder = compose["services"], folder
        self.elsewhere = {"DATABASE_URL": database, "CELERY_BROKER_URL": OWN_REDIS, "PORT": self.port}
        self.elsewhere["TOUCHSTONE_VAR"] = str(folder / "data")
        self.processes: list[subprocess.Popen[bytes]] = []

    def environment(self, name: str) -> dict[str, str]:
        """What the service is given and nothing of ours but the way to Python."""
        said = {key: filled(str(value), SECRETS) for key, value in self.services[name]["environment"].items()}
        assert set(self.elsewhere) <= set(said)
        path = f"{self.folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
        return {**said, **self.elsewhere, "PATH": path, "HOME": str(self.folder), "OMP_NUM_THREADS": "1"}

    def command(self, words: list[str]) -> list[str]:
        return [word.replace("/tmp/", f"{self.folder}/") for word in words]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.command(self.services[name]["command"]),
            cwd=settings.BASE_DIR,
            env=self.environment(name),
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def healthy(self, name: str) -> bool:
        kind, *check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(
            check, cwd=settings.BASE_DIR, env=self.environment(name), capture_output=True, check=False
        )
        return done.returncode == 0

    def manage(self, *words: str) -> str:
        done = self.run("web", [sys.executable, "manage.py", *words])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, name: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = self.environment(name)
        return subprocess.run(
            command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
        )

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


@pytest.fixture
def house(compose: Any, tmp_path: Path) -> Iterator[House]:
    """A database and a Redis database of its own; both are empty again afterwards."""
    if not (has_postgres() and has_redis()):
        pytest.skip("NOT RUN: no PostgreSQL or no Redis on this machine")
    name = f"touchstone_compose_{os.getpid()}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        made = House(compose, POSTGRES.rsplit("/", 1)[0] + f"/{name}", tmp_path)
        try:
            yield made
        finally:
            made.stop()
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            empty_redis()


def empty_redis() -> None:
    from redis import Redis

    with Redis.from_url(OWN_REDIS) as client:
        client.flushdb()


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="runs once, in the suite on SQLite")
def test_the_commands_of_the_file_are_a_whole_installation(house: House) -> None:
    empty_redis()
    assert house.start("migrate").wait(timeout=60) == 0
    token = re.search(r"ts_\S+", house.manage("shell", "--command", FIRST))
    assert token is not None
    pretend_cards(house.folder)
    for name in ("web", "worker-cpu", "worker-gpu", "scheduler"):
        house.start(name)
    api = httpx.Client(
        base_url=f"http://127.0.0.1:{house.port}/api/v1", headers={"Authorization": f"Bearer {token[0]}"}, timeout=20
    )
    soon(lambda: house.healthy("web"))
    rows = b"".join(
        json.dumps({"prompt": f"Question {n}", "chosen": f"yes {n}", "rejected": f"no {n}"}).encode() + b"\n"
        for n in range(50)
    )
    sent = api.post("/projects/pairs/import", files={"file": ("pairs.jsonl", rows)})
    assert sent.status_code in (200, 202), sent.text
    run = soon(lambda: ended(api, sent.json()["id"]))
    assert (run["state"], run["result"]["created"]) == ("succeeded", 50), run
    for name in ("worker-cpu", "worker-gpu", "scheduler"):
        soon(lambda name=name: house.healthy(name))
    ready = soon(lambda: both_queues(f"http://127.0.0.1:{house.port}/readyz"))
    assert ready["status"] == "ready" and "gpu: 2 processes on NVIDIA L4" in ready["worker"]["detail"]


def both_queues(address: str) -> Any:
    """What /readyz tells once two processes of either queue have reported."""
    ready = httpx.get(address, timeout=20).json()
    return ready if ready["worker"]["detail"].count(": 2 processes") == 2 else None


def pretend_cards(folder: Path) -> None:
    """A driver's program that names two GPUs: their workers start, though no model would."""
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '0, NVIDIA L4\\n1, NVIDIA L4\\n'\n")
    program.chmod(0o755)


def ended(api: httpx.Client, run: str) -> Any:
    found = api.get(f"/runs/{run}").json()
    return found if found["state"] not in ("queued", "running") else None


def soon(ask: Any, seconds: float = 60) -> Any:
    """What `ask` answers once it answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            if answer := ask():
                return answer
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s")
