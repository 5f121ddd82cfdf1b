"""The API against its own OpenAPI document: schemathesis makes requests from it, and must find nothing.

What it finds would be: a fault of the server, an answer whose status, type or body the document does not tell, a
request that fits the document and is not let in (422 says that a rule beyond it is broken), or one that does not
fit and is, a call that works without signing in.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as conf

from curation.models import Assignment, Item, Project, Task, User
from curation.services import assigning, freezing, projects, registry, running, scheduling
from curation.services.desk import desk_in
from curation.services.gold import marking
from tests import cast as people
from tests.processes import database_url, free_port, kill, until

CONFIG = Path(__file__).parent / "contract" / "schemathesis.toml"
EXAMPLES = os.environ.get("TOUCHSTONE_CONTRACT_EXAMPLES", "3")
"""Requests made at random for each operation, beside those that cover its schema one by one."""

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_document_has_no_warnings(capfd: Any) -> None:
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull)


@pytest.fixture
def served(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The address of a server of its own: Django's live server takes 40 ms longer for each of some thousand answers.
    Its line of a request is as long as may be: that it is too long says gunicorn, and in HTML."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("gunicorn")), "-b", f"127.0.0.1:{port}", "--threads", "4"]
    command += ["--limit-request-line", "0"]
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "TOUCHSTONE_VAR": str(conf.VAR_DIR),
        "LOG_LEVEL": "ERROR",
    }
    server = subprocess.Popen([*command, "curation.wsgi"], env=environment, cwd=conf.BASE_DIR, start_new_session=True)
    try:
        until(lambda: answers(port), 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        kill(server)


def answers(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    return False


@pytest.mark.sqlite
def test_schemathesis_finds_nothing(served: str, tmp_path: Path) -> None:
    user = User.objects.create_superuser("fuzz")
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.read_text() + parameters(user))
    token = people.token_for(user)
    found = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(config),
            "run",
            f"{served}/api/v1/schema",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            EXAMPLES,
            "--seed",
            "5",
            "--no-color",
        ],  # fmt: skip
        env={**os.environ, "TOUCHSTONE_TOKEN": token},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-12_000:]
    assert "Tested: " in found.stdout


def parameters(user: User) -> str:
    """The ids that addresses take, of things that are there."""
    project = projects.create_project(slug="fuzz", name="Fuzz", user=user, preset="helpful-harmless")
    projects.load_sample(project=project, user=user)
    version = freezing.request_version(project=project, dataset_name="preferences", target="touchstone", user=user)
    assert version.run is not None
    running.execute(str(version.run.pk))
    schedule = scheduling.add(project=project, user=user, method="freeze", cron="0 4 * * *", params={})
    model = registry.register(name="builtin", kind="embedder", reference="builtin:minilm", user=user)
    held = reserve(project, user)
    spare = Task.objects.filter(project=project).exclude(pk=held.task_id)[0]
    gold = marking.mark_by_hand(
        project=project,
        task_id=spare.pk,
        expected={"preferences": {project.protocol.axis_names[0]: "first"}},
        phase="hidden",
    )
    named = {
        "slug": project.slug,
        "name": "preferences",
        "number": version.number,
        "filename": "annotations.jsonl",
        "schedule_id": schedule.pk,
        "model_id": model.pk,
        "run_id": str(version.run.pk),
        "task_id": held.task_id,
        "gold_id": gold.pk,
        "annotator_id": held.annotator_id,
        "item_id": Item.objects.filter(project=project).latest("pk").pk,
    }
    return "\n[parameters]\n" + "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in named.items())


def reserve(project: Project, user: User) -> Assignment:
    """A task in the user's hands."""
    desk = desk_in(user, project.slug)
    assert assigning.next_shown(desk=desk, kind="", exclude=[]) is not None
    return Assignment.objects.get(annotator__user=user)
