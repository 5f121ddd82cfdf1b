"""`make screenshots`: the pictures of the docs, taken anew; `--review FOLDER` takes every page in every look.

A Touchstone of its own is served from a temporary folder, with the sample project and three made-up people who
have worked on it for a fortnight. Chromium is the system's (or `CHROMIUM`).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

from docs.looks import photograph_presets, slug_of

ROOT = Path(__file__).resolve().parent.parent
TEAM = (("amara", "Amara Diallo", 48), ("jonas", "Jonas Weber", 41), ("mei", "Mei Tanaka", 33))
"""User name, name, and how many tasks each has answered."""
SHOWN = "sample-056"
"""The item of the annotation screen's pictures: code, lists, both responses of some length."""
IMAGES = ROOT / "docs" / "images"
SLUG = "sample-helpfulness"
P = f"/projects/{SLUG}"

WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
CRITIQUED = (
    "helpful-harmless",
    "span-critique",
    "verdict-critique",
    "error-spans",
    "step-critique",
    "grounded-sentences",
    "ranking",
)
DOCS = {
    "annotate": f"{P}/annotate/",
    "project": f"{P}/",
    "import": f"{P}/imports/",
    "version": f"{P}/datasets/preferences/1/",
}
"""Pictures of the docs, each wide; the annotation screen in light and in dark, the others in light."""
SECTIONS = (
    "adjudicate", "agreement", "bias", "checks", "curation", "datasets/preferences/1/rows/train/0", "decisions",
    "gold", "gold/mine", "guidelines", "me", "next", "people", "plans", "protocol/versions", "review", "review/all",
    "runs/new", "safety", "schedules", "schedules/new", "training", "webhooks", "work", "work/groups/new",
    "work/queues/new",
)  # fmt: skip
"""Pages of the sample project besides those that are named below."""
PAGES = DOCS | {
    **{section.replace("/", "-"): f"{P}/{section}/" for section in SECTIONS},
    "new-curation": f"{P}/curation/new/?curator=margin",
    "models": "/models/",
    "new-model": "/models/new/",
    "leaderboard": "/models/leaderboard/",
    "switch": "/switch/",
    "inbox": "/inbox/",
    "all-audit-log": "/audit/",
    "api": "/api/v1/docs",
    "projects": "/projects/",
    "new-project": "/projects/new/",
    "settings": f"{P}/settings/",
    "members": f"{P}/members/",
    "crowd-links": f"{P}/members/crowd/",
    "audit-log": f"{P}/settings/audit/",
    "two-factor": "/account/two-factor/",
    "runs": f"{P}/runs/",
    "datasets": f"{P}/datasets/",
    "new-version": f"{P}/datasets/new/",
    "account": "/account/",
    "tokens": "/account/tokens/",
    "not-found": "/projects/nowhere/",
    "empty-project": "/projects/empty/",
    "empty-annotate": "/projects/empty/annotate/",
    "empty-datasets": "/projects/empty/datasets/",
    "items": f"/projects/{slug_of('span-critique')}/items/",
    "protocol": f"/projects/{slug_of('span-critique')}/protocol/",
    "help-of-models": f"/projects/{slug_of('span-critique')}/",
    **{slug_of(name): f"/projects/{slug_of(name)}/annotate/" for name in CRITIQUED},
    "admin": "/admin/",
    "admin-projects": "/admin/curation/project/",
    "admin-items": "/admin/curation/item/",
    "admin-tasks": "/admin/curation/task/",
    "admin-annotations": "/admin/curation/annotation/",
    "admin-runs": "/admin/curation/run/",
    "admin-versions": "/admin/curation/datasetversion/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--review", type=Path, metavar="FOLDER", help="every page, wide and narrow, into this folder")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchstone-pictures-") as var:
        os.environ |= {"TOUCHSTONE_VAR": var, "DJANGO_ALLOW_ASYNC_UNSAFE": "true"}
        with served() as (address, sign_in):
            furnish()
            photograph(address, sign_in, chosen.review)


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """A Touchstone under `make run`'s own command; its address and its one-time link."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        link = next(found for line in process.stdout if (found := re.search(r"http\S+/sign-in/\S+", line)))
        yield f"http://localhost:{port}", link.group()
    finally:
        process.terminate()
        process.wait()


def furnish() -> None:
    """Three people who worked on the sample for two weeks, a dataset version, and a project without anything."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
    import django

    django.setup()
    from curation.models import Membership, Project, Role, Task, User
    from curation.presets import PRESETS
    from curation.services import freezing, people, projects, queueing

    admin = User.objects.get(username="admin")
    project = Project.objects.get(slug=SLUG)
    projects.change_project(project=project, overlap=3)
    projects.create_project(slug="empty", name="Nothing here yet", user=admin)
    for name, preset in PRESETS.items():
        made = projects.create_project(slug=slug_of(name), name=preset.title, user=admin, preset=name)
        projects.load_sample(project=made, user=admin)
    chance = random.Random(7)
    for username, name, tasks in (
        ("amara", "Amara Diallo", 48),
        ("jonas", "Jonas Weber", 41),
        ("mei", "Mei Tanaka", 33),
    ):
        user = people.create_user(username=username, display_name=name)
        Membership.objects.create(user=user, project=project, role=Role.ANNOTATOR)
        work(project, user, tasks, chance)
    work(project, admin, 12, chance)
    queueing.raise_priority(tasks=Task.objects.filter(pair__item__external_id=SHOWN))
    people.make_invite(project=project, by=admin, role=Role.ANNOTATOR, uses=5, note="The Lisbon team")
    for split in ({"train": 0.9, "test": 0.1}, {"train": 1.0}):
        freezing.request_version(project=project, dataset_name="preferences", splits=split, user=admin)
    wait_for_versions()


def work(project: Any, user: Any, tasks: int, chance: random.Random) -> None:
    """`tasks` answers of one person, some on each day of the last fortnight."""
    from curation.access import annotator_for
    from curation.services import annotating, assigning
    from curation.services.desk import desk_of

    annotator = annotator_for(user, project)
    days = sorted(chance.choices(range(14), weights=[3, 4, 5, 4, 1, 1, 4, 6, 5, 7, 6, 2, 1, 5], k=tasks))
    for number, day in enumerate(days):
        moment = datetime.now(UTC) - timedelta(days=13 - day, minutes=tasks - number)
        with patch("django.utils.timezone.now", return_value=moment):
            desk = desk_of(project, annotator)
            task = assigning.next_shown(desk=desk)
            assert task is not None
            value = chance.choices([-2, -1, 0, 1, 2, None], weights=[14, 30, 8, 30, 14, 4])[0]
            annotating.submit(
                desk=desk,
                task_id=task.task_id,
                judgements=[annotating.Judgement("overall", value, both_bad=value is None)],
                commit=annotating.Commit(f"{user}-{number}", active_ms=chance.randrange(8_000, 70_000)),
            )


def wait_for_versions() -> None:
    import time

    from curation.models import DatasetVersion

    until = time.monotonic() + 60
    while DatasetVersion.objects.exclude(state=DatasetVersion.State.READY).exists():
        assert time.monotonic() < until, "the worker made no version"
        time.sleep(0.2)


def photograph(address: str, sign_in: str, review: Path | None) -> None:
    from playwright.sync_api import sync_playwright

    folder, pages = (review, PAGES) if review else (IMAGES, DOCS)
    folder.mkdir(parents=True, exist_ok=True)
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(sign_in)
        page.wait_for_url("**/projects/**")
        cookies = context.cookies()
        for theme in ("light", "dark"):
            for width in WIDTHS if review else ("wide",):
                shoot(browser, cookies, address, pages, folder, theme, width)
        if not review:
            from curation.presets import PRESETS

            photograph_presets(
                browser, cookies, address, [name for name in PRESETS if name != "pairwise-fine"], IMAGES / "presets"
            )
        browser.close()


def shoot(
    browser: Browser, cookies: Any, address: str, pages: dict[str, str], folder: Path, theme: Any, width: str
) -> None:
    """Every page in one look."""
    wide, high = WIDTHS[width]
    context = browser.new_context(
        base_url=address, viewport={"width": wide, "height": high}, color_scheme=theme, reduced_motion="reduce"
    )
    context.add_cookies(cookies)
    page = context.new_page()
    review = pages is PAGES
    for name, path in pages.items():
        if theme == "dark" and name != "annotate" and not review:
            continue
        answer = page.goto(path)
        assert answer and (answer.ok or name == "not-found"), f"{path} answered {answer and answer.status}"
        page.wait_for_load_state("networkidle")
        settle(page, name)
        suffix = f"-{width}" if review else ""
        whole = review and name not in ("annotate", "api")
        page.screenshot(path=folder / f"{name}-{theme}{suffix}.png", full_page=whole)
    context.close()


def settle(page: Page, name: str) -> None:
    if name == "api":
        page.wait_for_selector(".opblock")


if __name__ == "__main__":
    main()
