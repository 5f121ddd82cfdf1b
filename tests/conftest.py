"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from rest_framework.test import APIClient

from curation import bulk
from curation.models import Project, User
from curation.services import beating, running
from curation.services.beating import Beat
from tests import cast as people
from tests.processes import Workers, empty_broker
from workers import warm

REAL_DATA = Path(os.environ.get("TOUCHSTONE_DATA", conf.BASE_DIR.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: Any) -> None:
    """Every test writes its uploads, runs and versions into a folder of its own."""
    settings.VAR_DIR = tmp_path / "var"


@pytest.fixture(autouse=True)
def steady_heart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread with a connection of its own beside a test's own transaction: on PostgreSQL it sees nothing of it and
    holds a shard for lost after a second; on SQLite it waits 30 s to write. And no statistics of rows that are taken
    back: PostgreSQL keeps how many there are for the tests that follow."""
    marker = request.node.get_closest_marker("django_db")
    committed = {"transactional_db", "live_server"} & set(request.fixturenames)
    if not committed and not (marker and marker.kwargs.get("transaction")):
        monkeypatch.setattr(Beat, "go_on", silent)
        monkeypatch.setattr(running, "renew", lambda run, stop: None)
        monkeypatch.setattr(bulk, "refresh_statistics", lambda *models: None)


def silent(beat: Beat) -> None:
    """A heart that renews nothing, and still ends what hangs."""
    while not beat.stop.wait(beating.EVERY):
        beat.end_if_hung()


@pytest.fixture(autouse=True)
def cold_models() -> None:
    """A transaction that is taken back gives its ids out again: no test meets the model of another under its own id."""
    if warm.held():
        warm.forget()


@pytest.fixture
def cast(db: None) -> people.Cast:
    return people.assemble()


@pytest.fixture
def project(cast: people.Cast) -> Project:
    return cast.project


@pytest.fixture
def owner(cast: people.Cast) -> User:
    return cast.olga


def calling(user: User | None, *scopes: str) -> APIClient:
    """An API client with a bearer token of `user`, or nobody's."""
    client = APIClient()
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {people.token_for(user, *scopes)}")
    return client


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Workers]:
    """`worker()` starts a real Celery worker with its scheduler on the test database. What tests before it called for
    is no longer in the broker: thousands of calls would be taken first."""
    empty_broker()
    workers = Workers(tmp_path)
    yield workers
    workers.end()


@pytest.fixture
def real_data() -> Path:
    """The folder of real preference data; tests that use it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"NOT RUN: no real data at TOUCHSTONE_DATA ({REAL_DATA})")
    return REAL_DATA


DATABASE = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, the suite's second pass, what asks no database is not tested again."""
    if "sqlite" in conf.DATABASES["default"]["ENGINE"] or os.environ.get("TOUCHSTONE_EVERY_TEST"):
        return
    asks = [
        item
        for item in items
        if DATABASE & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db")
    ]
    again = {id(item) for item in asks}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in again])
    items[:] = asks
