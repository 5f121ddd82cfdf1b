"""Is everything there that Touchstone needs: what `/readyz` answers and `manage.py doctor` says in words."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

WORKER_SILENT_AFTER = 60
"""Seconds. A worker touches the file every two."""

TRAINING = ("torch", "transformers", "trl", "datasets")
LITTLE_SPACE_GB = 2

_migrated = False


@dataclass(frozen=True)
class Check:
    """One part: `ok` is None where it is merely absent and nothing depends on it."""

    name: str
    ok: bool | None
    words: str


def touch_worker() -> None:
    """Called by a worker every few seconds: it says that one is alive."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    (settings.VAR_DIR / "worker-seen").touch()


def worker_seen() -> float | None:
    """Seconds since a worker last gave a sign of life, or None if none ever did."""
    try:
        return max(0.0, time.time() - (settings.VAR_DIR / "worker-seen").stat().st_mtime)
    except FileNotFoundError:
        return None


def database() -> Check:
    vendor = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)
    where = settings.DATABASES["default"]["NAME"]
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return Check("database", False, f"{vendor} ({where}) does not answer: {str(error).splitlines()[0]}")
    return Check("database", True, f"{vendor} ({where}) answers")


def migrations() -> Check:
    """Whether the tables are up to date. Once they are, they stay so for this process."""
    global _migrated
    if not _migrated:
        try:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return Check("migrations", False, "cannot be read while the database does not answer")
        if missing:
            return Check("migrations", False, f"{len(missing)} not applied; run: manage.py migrate")
        _migrated = True
    return Check("migrations", True, "all applied")


def worker() -> Check:
    seen = worker_seen()
    if seen is None:
        return Check("worker", False, "none has been seen; `make run` starts one, and long work waits for it")
    ok = seen < WORKER_SILENT_AFTER
    words = f"last seen {seen:.0f} s ago"
    return Check("worker", ok, words if ok else f"{words}; long work waits until one is back")


def broker() -> Check:
    url = urlsplit(settings.CELERY_BROKER_URL)
    if url.scheme == "filesystem":
        return Check("broker", True, f"embedded, in {settings.BROKER_DIR}")
    where = f"{url.hostname}:{url.port or 6379}"
    try:
        socket.create_connection((url.hostname or "", url.port or 6379), timeout=2).close()
    except OSError as error:
        return Check("broker", False, f"{url.scheme} at {where} does not answer ({error})")
    return Check("broker", True, f"{url.scheme} at {where} answers")


def training() -> Check:
    """Whether the packages that train and score models are installed; the web never needs them."""
    missing = [name for name in TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        words = f"not installed: {', '.join(missing)}; needed to train and score, not to annotate"
        return Check("training packages", None, words)
    return Check("training packages", True, "installed")


def disk() -> Check:
    free = shutil.disk_usage(settings.VAR_DIR if settings.VAR_DIR.exists() else settings.BASE_DIR).free / 1e9
    return Check("disk", free > LITTLE_SPACE_GB, f"{free:.0f} GB free at {settings.VAR_DIR}")


def secret_key() -> Check:
    path = settings.VAR_DIR / "secret-key"
    if settings.SECRET_KEY and path.exists() and path.read_text() == settings.SECRET_KEY:
        open_to_others = path.stat().st_mode & 0o077
        words = f"in {path}" + ("; others can read it: chmod 600" if open_to_others else "")
        return Check("secret key", not open_to_others, words)
    return Check("secret key", len(settings.SECRET_KEY) >= 32, "from the environment")


def https() -> Check:
    if settings.SECURE:
        return Check("HTTPS", True, "expected: secure cookies and HSTS are on")
    hosts = [host for host in settings.ALLOWED_HOSTS if host not in ("localhost", "127.0.0.1", "[::1]")]
    if hosts:
        return Check("HTTPS", False, f"off, though others may reach {', '.join(hosts)}; set TOUCHSTONE_HTTPS=1")
    return Check("HTTPS", None, "off; right for one machine, else set TOUCHSTONE_HTTPS=1 behind a proxy")


def debugging() -> Check:
    if settings.DEBUG:
        return Check("debug", False, "on; never on a server that others reach")
    return Check("debug", True, "off")


def everything() -> Iterator[Check]:
    """All checks, in the order in which one would mend them."""
    for check in (database, migrations, broker, worker, training, disk, secret_key, https, debugging):
        yield check()
