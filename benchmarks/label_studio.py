"""Label Studio (pip) on the same rows in the same run, from an environment outside this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from benchmarks.client import Client, Unexpected
from benchmarks.data import Row, read
from benchmarks.databases import Database
from benchmarks.measuring import forget_peaks, peak_mb, timed
from benchmarks.processes import DidNotStart, Server, finish, free_port, gunicorn

VENVS = Path(os.environ.get("TOUCHSTONE_BENCH_VENVS", Path(tempfile.gettempdir()) / "touchstone-bench-venvs"))
PACKAGES = ("label-studio", "psycopg2-binary", "gunicorn")
OWNER, PASSWORD = "owner@example.org", "Only-for-a-benchmark-1"
ROWS_A_FILE = 20_000
"""Its uploads are limited to 250 MB."""
WORKERS = 2 * (os.cpu_count() or 1)
"""As many processes as its container image starts."""
FIRST_START = 600
CONFIG = """
<View>
  <Header value="Which response is better?"/>
  <Text name="prompt" value="$prompt"/>
  <Pairwise name="better" toName="first,second"/>
  <View style="display: flex"><Text name="first" value="$first"/><Text name="second" value="$second"/></View>
</View>
"""
FORM = "application/x-www-form-urlencoded"


def answer(side: str) -> dict[str, Any]:
    return {"id": "b", "from_name": "better", "to_name": "first", "type": "pairwise", "value": {"selected": side}}


def python() -> str:
    return str(VENVS / "label-studio" / "bin" / "python")


def install() -> None:
    """Make the environment, unless it is there."""
    if Path(python()).exists():
        return
    VENVS.mkdir(parents=True, exist_ok=True)
    log = VENVS / "install.log"
    finish([sys.executable, "-m", "venv", str(VENVS / "label-studio")], log=log, env={})
    finish([python(), "-m", "pip", "install", "--quiet", *PACKAGES], log=log, env={}, patience=3600)


def version() -> str:
    code = "import importlib.metadata as m; print(m.version('label-studio'))"
    return subprocess.run([python(), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def package() -> Path:
    """Where its code lies, found without importing it."""
    code = "import importlib.util as u; print(u.find_spec('label_studio').submodule_search_locations[0])"
    return Path(subprocess.run([python(), "-c", code], capture_output=True, text=True, check=True).stdout.strip())


@dataclass
class Annotator:
    """A signed-in annotator: the calls of its labelling stream."""

    client: Client
    project: int

    def next(self) -> int | None:
        path = f"/api/dm/actions?id=next_task&project={self.project}"
        body = orjson.dumps({"project": self.project})
        status, content = self.client.exchange("POST", path, body, {"Content-Type": "application/json"})
        if status == 404:
            return None
        if status != 200:
            raise Unexpected(f"next_task answered {status}: {content[:200]!r}")
        number: int = orjson.loads(content)["id"]
        return number

    def submit(self, task: int) -> None:
        body = {"lead_time": 1.234, "result": [answer("left")], "draft_id": 0, "project": self.project}
        path = f"/api/tasks/{task}/annotations?project={self.project}"
        headers = {"Content-Type": "application/json"}
        status, content = self.client.exchange("POST", path, orjson.dumps(body), headers)
        if status != 201:
            raise Unexpected(f"the annotation was answered {status}: {content[:200]!r}")


class LabelStudio:
    """Served by gunicorn as in production; by its own start command where that does not come up."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "label-studio.log"
        self.folder = folder / "label-studio"
        self.folder.mkdir(exist_ok=True)
        self.env = environment(database, self.folder)
        own = [python(), "-m", "label_studio.server", "start", "--no-browser", "--internal-host", "127.0.0.1"]
        own += ["--port", str(self.port), "--username", OWNER, "--password", PASSWORD]
        self.server = Server(own, log=self.log, env=self.env, folder=self.folder)
        try:
            self.server.until_answering(self.port, "/health", FIRST_START)
            self.serve(own)
            self.owner = self.signed("login", OWNER)
        except BaseException:
            self.server.end()
            raise

    def serve(self, own: list[str]) -> None:
        """In place of the start command, which made the tables, the command of production."""
        self.server.end()
        self.command = "gunicorn"
        command = gunicorn("core.wsgi:application", self.port, python=python(), workers=WORKERS)
        command += ["--chdir", str(package())]
        self.server = Server(command, log=self.log, env=self.env, folder=self.folder)
        try:
            self.server.until_answering(self.port, "/health", 180)
        except DidNotStart:
            self.server.end()
            self.command = "label-studio start"
            self.server = Server(own, log=self.log, env=self.env, folder=self.folder)
            self.server.until_answering(self.port, "/health", FIRST_START)

    def __enter__(self) -> LabelStudio:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.end()

    def signed(self, door: str, email: str) -> Client:
        """A session: signs in (`login`) or makes an account (`signup`)."""
        client = Client(self.port)
        jar: SimpleCookie = SimpleCookie()
        for method in ("GET", "POST"):
            form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": value(jar, "csrftoken")}
            answered = client.call(
                method,
                f"/user/{door}/",
                urlencode(form).encode() if method == "POST" else None,
                {"Content-Type": FORM, **headers(self.port, jar)},
            )
            answered.read()
            for cookie in answered.headers.get_all("Set-Cookie") or ():
                jar.load(cookie)
        if "sessionid" not in jar:
            raise Unexpected(f"{door} of {email} answered {answered.status} without a session")
        client.headers = headers(self.port, jar)
        return client

    def annotators(self, count: int) -> list[Client]:
        return [self.signed("signup", f"annotator-{number:02d}@example.org") for number in range(count)]

    def import_file(self, path: Path, *, answered: bool = False) -> tuple[int, float]:
        """A new project with the rows of `path`; its id and the seconds of the upload."""
        made = {"title": path.stem[:50], "label_config": CONFIG, "maximum_annotations": 1}
        project: int = self.owner.json("POST", "/api/projects/", made)["id"]
        spent = 0.0
        rows = read(path)
        while part := list(islice(rows, ROWS_A_FILE)):
            body, kind = upload(tasks(part, answered=answered))
            address = f"/api/projects/{project}/import"
            status, content = self.owner.exchange("POST", address, body, {"Content-Type": kind})
            if status != 201 or orjson.loads(content)["task_count"] != len(part):
                raise Unexpected(f"the import answered {status}: {content[:300]!r}")
            spent += self.owner.seconds
        return project, spent

    def export(self, project: int, rows: int) -> dict[str, Any]:
        """Seconds to pull every task with its answer as JSON, and memory of the server."""
        forget_peaks([self.server.pid])
        address = f"/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
        seconds, (status, content) = timed(lambda: self.owner.exchange("GET", address))
        if status != 200 or len(orjson.loads(content)) != rows:
            raise Unexpected(f"the export answered {status} with {len(content)} bytes")
        return {"seconds": seconds, "web_peak_mb": peak_mb([self.server.pid])}


def tasks(rows: Sequence[Row], *, answered: bool) -> Iterator[dict[str, Any]]:
    """The rows as its tasks; with `answered`, each with the answer that the row carries."""
    for row in rows:
        first, second = row["responses"]
        data = {
            "id": row["id"],
            "prompt": row["prompt"],
            "first": first["text"],
            "second": second["text"],
            "first_model": first["model"],
            "second_model": second["model"],
            **row["metadata"],
        }
        task: dict[str, Any] = {"data": data}
        if answered:
            side = "left" if row["votes"][0]["value"] < 0 else "right"
            task["annotations"] = [{"result": [answer(side)]}]
        yield task


def upload(rows: Iterator[dict[str, Any]]) -> tuple[bytes, str]:
    """A multipart body with one JSON file, and its content type."""
    boundary = "touchstone-benchmark-7f3a9c"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="rows.json"\r\n'
    parts = (head.encode(), b"Content-Type: application/json\r\n\r\n", orjson.dumps(list(rows)))
    return b"".join([*parts, f"\r\n--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def environment(database: Database, folder: Path) -> dict[str, str]:
    quiet = {
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "SECRET_KEY": "only for a benchmark on the loopback address",
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
    }
    if not database.postgres:
        return {**quiet, "DJANGO_DB": "sqlite"}
    server = urlsplit(database.url)
    return {
        **quiet,
        "DJANGO_DB": "default",
        "POSTGRE_NAME": server.path[1:],
        "POSTGRE_USER": server.username or "postgres",
        "POSTGRE_PASSWORD": server.password or "none",
        "POSTGRE_HOST": server.hostname or "127.0.0.1",
        "POSTGRE_PORT": str(server.port or 5432),
    }


def headers(port: int, jar: SimpleCookie) -> dict[str, str]:
    """What a browser with these cookies sends along."""
    if not jar:
        return {}
    return {
        "Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items()),
        "X-CSRFToken": value(jar, "csrftoken"),
        "Referer": f"http://127.0.0.1:{port}/",
    }


def value(jar: SimpleCookie, name: str) -> str:
    return jar[name].value if name in jar else ""
