"""Workers as rows: who is there for a queue, on what, since when; and the command lines that start them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from curation import broker
from curation.management.commands import worker as command
from curation.models import Run, Worker
from curation.services import health, machines


def there(name: str, *queues: str, processes: int = 1, device: str = "cpu", ago: float = 0) -> None:
    machines.report(machines.Self(name, queues, processes, device))
    Worker.objects.filter(pk=name).update(seen_at=timezone.now() - timedelta(seconds=ago))


def test_a_report_makes_a_row_and_renews_it(db: None) -> None:
    there("cpu@here", "cpu", processes=2, ago=30)
    machines.report(machines.Self("cpu@here", ("cpu",), 3))
    row = Worker.objects.get()
    assert (row.processes, row.device) == (3, "cpu")
    assert timezone.now() - row.seen_at < timedelta(seconds=5)


def test_a_queue_has_whom_it_has(db: None) -> None:
    there("cpu@here", "cpu")
    there("gpu0@there", "gpu", device="NVIDIA H100", ago=machines.SILENT_AFTER + 1)
    there("scheduler@here")
    assert [worker.name for worker in machines.alive()] == ["cpu@here"]
    assert machines.alive("cpu") and not machines.alive("gpu")


def test_health_tells_of_each_queue_and_names_no_machine(db: None) -> None:
    there("cpu@a", "cpu", processes=2)
    there("cpu@b", "cpu", ago=20)
    there("gpu0@c", "gpu", device="NVIDIA H100")
    check = health.worker()
    assert check.ok and "cpu: 3 processes, last seen 0 s ago" in check.words
    assert "gpu: 1 process on NVIDIA H100" in check.words and "@" not in check.words


def test_health_says_which_queue_nobody_serves(db: None) -> None:
    assert health.worker("gpu").words.startswith("none has been seen")
    there("cpu@a", "cpu")
    assert health.worker("gpu").words == "none serves the queue gpu; `manage.py worker --queue gpu` starts one"
    assert health.worker("cpu").ok and health.waiting().ok
    Run.objects.create(method="score", queue="gpu")
    assert "runs wait for the queue gpu" in health.waiting().words and health.waiting().ok is False


def test_a_scheduler_alone_is_no_worker(db: None) -> None:
    there("scheduler@here")
    assert not health.worker().ok


def test_workers_that_are_long_gone_are_forgotten(db: None) -> None:
    there("cpu@old", "cpu", ago=machines.KEPT.total_seconds() + 1)
    there("cpu@quiet", "cpu", ago=1000)
    machines.enter(machines.Self("cpu@new", ("cpu",)))
    assert set(Worker.objects.values_list("name", flat=True)) == {"cpu@quiet", "cpu@new"}


@pytest.mark.django_db(transaction=True)
def test_a_worker_reports_by_itself_and_takes_its_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "EVERY", 0.05)
    reporting = machines.Reporting(machines.Self("cpu@here", ("cpu",)))
    reporting.start()
    for _ in range(2):
        until = time.monotonic() + 10
        while not Worker.objects.exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert Worker.objects.get().name == "cpu@here"
        Worker.objects.all().delete()  # even if somebody removes its row, it is back
    reporting.stop()
    assert not Worker.objects.exists() and not reporting.thread.is_alive()


def test_no_process_is_forked_while_a_report_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slow(me: machines.Self) -> None:
        at_work.set()
        go_on.wait(10)

    monkeypatch.setattr(machines, "enter", slow)
    monkeypatch.setattr(machines, "leave", lambda name: None)
    reporting = machines.Reporting(machines.Self("cpu@here", ("cpu",)))
    reporting.start()
    assert at_work.wait(10)
    threading.Timer(0.2, go_on.set).start()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert time.monotonic() - began > 0.15
    reporting.stop()


def test_a_database_that_is_away_ends_no_report(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def away(me: machines.Self) -> None:
        raise DatabaseError("the database is away\nand more")

    monkeypatch.setattr(machines, "enter", away)
    said = machines.Seldom(machines.Self("scheduler@here", ()))
    said()
    assert said.said_at is None and "could not report: the database is away" in caplog.text


def test_a_scheduler_reports_seldom(db: None, django_assert_num_queries: Any) -> None:
    said = machines.Seldom(machines.Self("scheduler@here", ()))
    said()
    assert Worker.objects.get().queues == ""
    with django_assert_num_queries(0):
        said()


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A driver's program that names two cards."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '0, NVIDIA H100 80GB HBM3\\n1, NVIDIA L4\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    machines.cards.cache_clear()
    yield program
    machines.cards.cache_clear()


def test_cards_are_those_that_the_driver_names_and_one_may_see(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machines.cards() == ("0 NVIDIA H100 80GB HBM3", "1 NVIDIA L4")
    assert machines.device_of(["gpu"]) == "NVIDIA H100 80GB HBM3" and machines.device_of(["cpu"]) == "cpu"
    for visible, names in [("1", ("1 NVIDIA L4",)), ("", ())]:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        machines.cards.cache_clear()
        assert machines.cards() == names
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    smi.write_text("#!/bin/sh\nexit 9\n")
    machines.cards.cache_clear()
    assert machines.cards() == ()


class Exec(Exception):
    """In the place of os.execve, which does not come back."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def execve(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        calls.append((" ".join(arguments), environment))
        raise Exec

    monkeypatch.setattr(command.os, "execve", execve)
    monkeypatch.setattr(command, "attend", lambda wanted: calls.extend((" ".join(c), e) for c, e in wanted))
    for name in ("OMP_NUM_THREADS", "WORKER_PROCESSES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    return calls


def test_a_cpu_worker_has_processes_that_share_the_cores(started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exec):
        call_command("worker", "--processes", "4")
    line, environment = started[0]
    assert "--queues cpu --hostname cpu@%h" in line and "--pool prefork --concurrency 4" in line
    assert environment["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with pytest.raises(Exec):
        call_command("worker")
    line, environment = started[1]
    assert "--concurrency 2" in line and environment["OMP_NUM_THREADS"] == "7"


def test_a_gpu_worker_has_a_process_for_each_card(smi: Path, started: list[Any]) -> None:
    call_command("worker", "--queue", "gpu")
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in started] == ["0", "1"]
    for number, (line, _) in enumerate(started):
        assert f"--hostname gpu{number}@%h" in line and "--pool solo" in line and "max-tasks-per-child" not in line
    with pytest.raises(Exec):
        call_command("worker", "--queue", "gpu", "--processes", "1")
    assert started[2][1]["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_gpu_worker_without_a_card_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "cards", lambda: ())
    with pytest.raises(CommandError, match="no GPU is to be seen"):
        call_command("worker", "--queue", "gpu")
    with pytest.raises(CommandError, match="at least 1"):
        call_command("worker", "--processes", "0")


@pytest.mark.parametrize(
    ("part", "name", "queues"),
    [("worker", "cpu@{host}", ["cpu"]), ("worker", "gpu1@{host}", ["gpu"]), ("scheduler", "scheduler@{host}", [])],
)
def test_healthy_answers_for_this_machine(db: None, part: str, name: str, queues: list[str]) -> None:
    from celery.utils.nodenames import gethostname

    there(name.format(host="elsewhere"), *queues)
    with pytest.raises(CommandError, match="not heard of"):
        call_command("healthy", part)
    there(name.format(host=gethostname()), *queues)
    call_command("healthy", part)
    there(name.format(host=gethostname()), *queues, ago=machines.SILENT_AFTER + 5)
    with pytest.raises(CommandError, match="not heard of"):
        call_command("healthy", part)


def test_healthy_asks_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "1")
    with pytest.raises(CommandError, match="does not answer"):
        call_command("healthy", "web")


def test_messages_that_nobody_fetches_do_not_pile_up(tmp_path: Path, settings: Any) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.gpu.msg"
        path.write_text(json.dumps({}))
        if number < 15:
            os.utime(path, (time.time() - 1000,) * 2)
    assert broker.forget(tmp_path, older=broker.FORGOTTEN_AFTER) == 15
    assert len(list(tmp_path.glob("*.msg"))) == 5
    for job in settings.CELERY_BEAT_SCHEDULE.values():
        assert job["options"]["queue"] == "cpu" and job["options"]["expires"] <= max(10, job["schedule"])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_known_of_workers_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(queue: str = "") -> list[Worker]:
        raise DatabaseError("away")

    monkeypatch.setattr(machines, "alive", away)
    assert health.worker().ok is False and "database does not answer" in health.worker().words
    assert connection.vendor
