"""Real Chromium against a served instance. Without a browser these tests are reported as not run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from curation.models import User
from tests import cast as people

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="NOT RUN: no Chromium on this machine"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def crew(transactional_db: None) -> people.Cast:
    return people.assemble()


@pytest.fixture
def sign_in(chromium: Browser, live_server: Any) -> Iterator[Any]:
    """`sign_in(user)` is a browser context of that user; errors on its pages fail the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def context(user: User, **options: Any) -> BrowserContext:
        made = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800}, **options)
        made.add_cookies([{"name": "sessionid", "value": session_of(user), "url": live_server.url}])
        made.on("weberror", lambda error: wrong.append(str(error.error)))
        contexts.append(made)
        return made

    yield context
    for made in contexts:
        made.close()
    assert not wrong, wrong


def session_of(user: User) -> str:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    assert session.session_key
    return session.session_key


@pytest.fixture
def desk(sign_in: Any, crew: people.Cast) -> Any:
    """`desk(count)` opens ann's annotation screen on a project with that many tasks."""

    def opened(count: int, name: str = "ann") -> Page:
        people.make_pairs(crew.project, count)
        page = sign_in(crew.people[name]).new_page()
        page.goto(f"/projects/{crew.project.slug}/annotate/")
        page.wait_for_selector("[data-task]")
        return page

    return opened
