"""How soon the adjudication screen opens: `python -m benchmarks.adjudicating [--database postgres|sqlite]`.

Ten annotators mark one response 200 times each, at places that mostly overlap. In Chromium: from the request to the end
of the answer, to the text with all marks painted (two frames after the load), and from a key to the frame painted after
it. The aim is a second to the painted page.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks import databases
from benchmarks.processes import Server, finish, free_port, gunicorn
from benchmarks.reporting import table

ANNOTATORS, MARKS, WORDS = 10, 200, 9_000
OPENINGS, KEYS = 7, 20
AIM_MS = 1_000
OWNER = "owner"
OPENED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const [first] = performance.getEntriesByType("navigation");
  done({ server: first.responseEnd - first.requestStart, painted: performance.now(), bytes: first.encodedBodySize });
})))"""
KEYED = """() => { window.keyed = new Promise((done) => document.addEventListener("keydown", (event) => {
  const since = event.timeStamp;
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - since)));
}, { capture: true, once: true })); }"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adjudicating", description=__doc__)
    parser.add_argument("--database", choices=["postgres", "sqlite"], help="PostgreSQL unless it does not answer")
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fill:
        print(json.dumps(fill()))
        return
    kind = asked.database or ("postgres" if databases.reachable() else "sqlite")
    with tempfile.TemporaryDirectory(prefix="touchstone-adjudicating-") as name:
        print(report(measure(kind, Path(name))))


def measure(kind: str, folder: Path) -> dict[str, Any]:
    database = databases.create(kind, folder, "touchstone_bench_adjudicating")
    env = {
        "DATABASE_URL": database.url,
        "TOUCHSTONE_VAR": str(folder / "var"),
        "SECRET_KEY": "only for a benchmark on the loopback address",
        "DJANGO_SETTINGS_MODULE": "curation.settings",
    }
    log, port = folder / "log", free_port()
    try:
        finish([sys.executable, "manage.py", "migrate", "--verbosity", "0"], log=log, env=env)
        told = json.loads(finish([sys.executable, "-m", "benchmarks.adjudicating", "--fill"], log=log, env=env))
        link = finish([sys.executable, "manage.py", "sign_in_link", OWNER], log=log, env=env).decode()
        with Server(gunicorn("curation.wsgi:application", port), log=folder / "web.log", env=env) as web:
            web.until_answering(port, "/healthz")
            secret = link.strip().rstrip("/").rsplit("/", 1)[-1]
            return {"database": database.version(), **opened(f"http://127.0.0.1:{port}", secret, told["path"])}
    finally:
        databases.drop(database)


def opened(address: str, secret: str, path: str) -> dict[str, Any]:
    """Medians in ms over some openings, and over some keys."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/sign-in/{secret}/")
        seen = []
        for _ in range(OPENINGS):
            page.goto(f"{address}{path}", wait_until="load")
            seen.append(page.evaluate(OPENED))
        keys = []
        for _ in range(KEYS):
            page.evaluate(KEYED)
            page.keyboard.press("1")
            keys.append(page.evaluate("window.keyed"))
        elements = page.evaluate("document.querySelectorAll('[data-element]').length")
        browser.close()
    told = {name: median(one[name] for one in seen) for name in ("server", "painted", "bytes")}
    return {**told, "key": median(keys), "elements": elements}


def fill() -> dict[str, str]:
    """One response that ten people marked; the address of its screen."""
    import django

    django.setup()
    from curation.models import Annotation, Annotator, Critique, Item, Response, Task, User
    from curation.services import importing, projects

    owner = User.objects.create_superuser(OWNER)
    project = projects.create_project(slug="marked", name="Marked", preset="span-critique", user=owner)
    chance = Random(5)
    words = [
        chance.choice(("the", "a", "leaf", "water", "root", "light", "soil", "grows", "slowly")) for _ in range(WORDS)
    ]
    row = {"id": "long", "prompt": "What does it need?", "responses": [" ".join(words)]}
    path = Path(os.environ["TOUCHSTONE_VAR"]) / "long.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row))
    importing.import_now(project=project, user=owner, path=path, filename=path.name)
    project.refresh_from_db()
    task = Task.objects.get(project=project, item=None)
    response = Response.objects.get(item=Item.objects.get(project=project))
    assert project.protocol is not None
    types = [one["name"] for one in project.protocol.critiques["types"]] or [""]
    places = sorted(chance.sample(range(len(response.text) - 80), MARKS))
    for n in range(ANNOTATORS):
        annotator = Annotator.objects.create(project=project, kind="person", name=f"person {n}")
        annotation = Annotation.objects.create(
            project=project, task=task, annotator=annotator, protocol=project.protocol, event="answer", source="api",
            idempotency_key=f"{n}",
        )  # fmt: skip
        rows = []
        for place in places:
            start = max(0, place + chance.randrange(-6, 7))
            end = start + 30 + chance.randrange(20)
            quote = response.text[start:end]
            rows.append(
                Critique(
                    annotation=annotation, response=response, start=start, end=end, quote=quote,
                    type=chance.choice(types[:2]), comment="Not so.",
                )
            )  # fmt: skip
        Critique.objects.bulk_create(rows)
    return {"path": f"/projects/marked/adjudicate/{task.pk}/"}


def report(told: dict[str, Any]) -> str:
    """The figures as a table, and whether the aim is reached."""
    rows = [
        (
            f"{ANNOTATORS} × {MARKS}", f"{told['elements']}", f"{told['server']:.0f}", f"{told['painted']:.0f}",
            "yes" if told["painted"] <= AIM_MS else "**no**", f"{told['key']:.0f}", f"{told['bytes'] / 1024:.0f}",
        )
    ]  # fmt: skip
    head = ("Annotators × marks", "To decide", "Server, ms", "Painted, ms", "≤ 1 s", "Key to paint, ms", "Page, kB")
    return f"{told['database']}, medians.\n\n{table(head, rows)}"


if __name__ == "__main__":
    main()
