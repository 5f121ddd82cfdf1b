"""What `make test` runs: the suite on SQLite with browser and training, then on PostgreSQL with Redis.

Parts that need something this machine lacks are reported as NOT RUN. TOUCHSTONE_REQUIRE names parts whose
absence is a failure (CI: `postgres,redis,chromium`).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

POSTGRES = os.environ.get("TOUCHSTONE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TOUCHSTONE_TEST_REDIS", "redis://127.0.0.1:6379/9")


def has_postgres() -> bool:
    import psycopg

    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def has_redis() -> bool:
    host, _, port = REDIS.split("//")[1].split("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port or 6379)), timeout=3).close()
    except OSError:
        return False
    return True


def pytest(*arguments: str, **environment: str) -> int:
    with tempfile.TemporaryDirectory(prefix="touchstone-test-") as var:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *arguments],
            env={**os.environ, "TOUCHSTONE_VAR": var, **environment},
            check=False,
        ).returncode


def main() -> int:
    present = {
        "postgres": has_postgres(),
        "redis": has_redis(),
        "chromium": bool(shutil.which("chromium") or os.environ.get("CHROMIUM")),
    }
    required = {part for part in os.environ.get("TOUCHSTONE_REQUIRE", "").split(",") if part}
    began = time.monotonic()
    processes = str(min(4, os.cpu_count() or 1))
    codes = {"SQLite": pytest("-n", processes, *sys.argv[1:])}
    if present["postgres"]:
        with_redis = {"CELERY_BROKER_URL": REDIS} if present["redis"] else {}
        only = "not browser and not training and not sqlite and not once"
        codes["PostgreSQL"] = pytest("-n", processes, "-m", only, *sys.argv[1:], DATABASE_URL=POSTGRES, **with_redis)
    print(f"\n— {time.monotonic() - began:.0f} s —")
    for suite, code in codes.items():
        print(f"{suite}: {'passed' if code == 0 else 'FAILED'}")
    for part, there in present.items():
        if not there:
            print(f"NOT RUN: tests that need {part} (not found on this machine)")
    missing = sorted(part for part in required if not present.get(part))
    if missing:
        print(f"FAILED: required but absent: {', '.join(missing)}")
    return 1 if missing or any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
