"""`manage.py worker`: a worker of one queue, with the right Celery command line and environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.queue import QUEUES
from curation.services import machines

TASKS_PER_CHILD = 1000
"""A process of a CPU worker is replaced after so many jobs, in case a library loses memory."""
PAUSE = 5
"""Seconds before a card's process that ended is started again."""
AS_ROOT = "ignore:You're running the worker with superuser privileges"
"""A container may run as root; the worker need not say so at each start."""


class Command(BaseCommand):
    help = "Work: `--queue cpu` with some processes, or `--queue gpu` with one process for each GPU."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", choices=QUEUES, default="cpu")
        parser.add_argument("--processes", type=int, help="cpu: how many (default: 2); gpu: how many cards (all)")

    def handle(self, *_args: Any, queue: str, processes: int | None, **_options: Any) -> None:
        if processes is not None and processes < 1:
            raise CommandError("--processes: at least 1")
        if queue == "cpu":
            command, environment = cpu(processes or default_processes())
            os.execve(command[0], command, environment)
        cards = machines.cards()[:processes]
        if not cards:
            raise CommandError("no GPU is to be seen (nvidia-smi names none); use --queue cpu")
        if processes and processes > len(cards):
            raise CommandError(f"--processes {processes}: there is but {len(cards)} to be seen")
        if len(cards) == 1:
            command, environment = gpu(cards[0])
            os.execve(command[0], command, environment)
        attend([gpu(card) for card in cards])


def default_processes() -> int:
    """Two: one goes on with short work while the other is at something long."""
    return int(os.environ.get("WORKER_PROCESSES") or 2)


def celery(queue: str, name: str, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "curation", "worker"),
        *("--queues", queue, "--hostname", f"{name}@%h", "--loglevel", os.environ.get("LOG_LEVEL", "warning").lower()),
        *("--without-gossip", "--without-mingle", *options),
    ]


def cpu(processes: int) -> tuple[list[str], dict[str, str]]:
    """Several processes, which share the cores: each computes with its part of them."""
    options = ("--pool", "prefork", "--concurrency", str(processes), "--max-tasks-per-child", str(TASKS_PER_CHILD))
    threads = max(1, (os.cpu_count() or 1) // processes)
    return celery("cpu", "cpu", *options), environment(OMP_NUM_THREADS=str(threads))


def gpu(card: str) -> tuple[list[str], dict[str, str]]:
    """One process that keeps its models on one card for as long as it lives."""
    index = card.split(" ", 1)[0]
    command = celery("gpu", f"gpu{index}", "--pool", "solo")
    return command, {**environment(), "CUDA_VISIBLE_DEVICES": index, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def environment(**defaults: str) -> dict[str, str]:
    """This process's own, where what somebody set goes before what we would."""
    quiet = {"C_FORCE_ROOT": "1", "PYTHONWARNINGS": AS_ROOT, "TOKENIZERS_PARALLELISM": "false"}
    return {**quiet, **defaults, **os.environ}


def attend(wanted: list[tuple[list[str], dict[str, str]]]) -> None:
    """Keep a process for each card, until told to end."""
    children = [subprocess.Popen(command, env=environ) for command, environ in wanted]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            time.sleep(PAUSE)
            for number, child in enumerate(children):
                if child.poll() is not None:
                    command, environ = wanted[number]
                    children[number] = subprocess.Popen(command, env=environ)
    except KeyboardInterrupt:
        return
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
