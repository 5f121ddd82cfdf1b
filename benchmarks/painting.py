"""From a key to the next painted task, in Chromium: `python -m benchmarks.painting [--sizes 1000,100000]`.

Measured in the page: from the event of the deciding key to the second animation frame after the next task is on the
stage, when it has been painted. The floor, in the same page and in turns with it: a key that puts another element of
the same kind on the stage, with nothing sent, kept or fetched. The pages a task needs are weighed as the server sends
them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import databases
from benchmarks.data import write
from benchmarks.measuring import spread, watched
from benchmarks.processes import finish
from benchmarks.product import OWNER, Touchstone
from benchmarks.reporting import table

DECISIONS = 200
AIM_MS = 100.0
LISTEN = """() => {
  const stage = document.getElementById("stage");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const painted = (since) => frame().then(frame).then(() => performance.now() - since);
  window.measured = null;
  document.addEventListener("keydown", (event) => {
    const since = event.timeStamp;
    const before = stage.firstElementChild;
    window.measured = new Promise((done) => {
      if (event.key === "F9") {
        stage.replaceChildren(before.cloneNode(true));
        return done(painted(since));
      }
      new MutationObserver((_, observer) => {
        if (stage.firstElementChild === before || !stage.firstElementChild.dataset.task) return;
        observer.disconnect();
        done(painted(since));
      }).observe(stage, { childList: true });
    });
  }, true);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.painting", description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000", help="pairs, by commas")
    parser.add_argument("--database", choices=["postgres", "sqlite"], help="PostgreSQL unless it does not answer")
    asked = parser.parse_args()
    sizes = [int(part) for part in asked.sizes.split(",")]
    kind = asked.database or ("postgres" if databases.reachable() else "sqlite")
    with tempfile.TemporaryDirectory(prefix="touchstone-painting-") as name:
        print(report(measure(kind, sizes, Path(name))))


def measure(kind: str, sizes: list[int], folder: Path) -> dict[str, Any]:
    """The figures of each size on one server."""
    database = databases.create(kind, folder, databases.OURS)
    try:
        with Touchstone(database, folder, [f"paint-{size}" for size in sizes]) as touchstone:
            with touchstone.working():
                for size in sizes:
                    touchstone.import_file(f"paint-{size}", write(folder / f"{size}.jsonl", size), size)
            told: dict[str, Any] = {"database": database.version(), "sizes": {}}
            for size in sizes:
                here: dict[str, Any] = {}
                with watched(here):
                    here |= painted(touchstone, f"paint-{size}")
                told["sizes"][size] = here
            return told
    finally:
        databases.drop(database)


def painted(touchstone: Touchstone, slug: str) -> dict[str, Any]:
    """200 decisions at reading speed's upper end: a third of a second apart, since sooner is taken for a slip."""
    from playwright.sync_api import sync_playwright

    address = f"http://127.0.0.1:{touchstone.port}"
    command = [sys.executable, "manage.py", "sign_in_link", OWNER]
    link = finish(command, log=touchstone.folder / "setup.log", env=touchstone.env).decode()
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/sign-in/{link.strip().rstrip('/').rsplit('/', 1)[-1]}/")
        page.goto(f"{address}/projects/{slug}/annotate/", wait_until="networkidle")
        weight = page.evaluate(
            "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
            ".filter((one) => !one.name.includes('/fonts/')).reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
        page.evaluate(LISTEN)
        taken: dict[str, list[float]] = {"1": [], "F9": []}
        for number in range(2 * DECISIONS):
            page.wait_for_timeout(320)
            key = "F9" if number % 2 else "1"
            page.keyboard.press(key)
            taken[key].append(page.evaluate("window.measured") / 1000)
        browser.close()
    return {"next": spread(taken["1"]), "floor": spread(taken["F9"]), "kb": round(weight / 1024)}


def report(told: dict[str, Any]) -> str:
    """The figures as a table, and whether the aim is reached."""
    rows = []
    for size, here in told["sizes"].items():
        slower = here["next"]["p95_ms"] / here["floor"]["p95_ms"]
        row = (f"{here[name]['p50_ms']:.1f} / {here[name]['p95_ms']:.1f}" for name in ("next", "floor"))
        rows.append(
            (f"{size}", *row, f"{slower:.2f}×", "yes" if here["next"]["p95_ms"] <= AIM_MS else "**no**", here["kb"])
        )
    head = ("Pairs", "Key to painted task, p50 / p95 ms", "Floor", "to floor", "p95 ≤ 100 ms", "Page, kB")
    disturbed = [str(size) for size, here in told["sizes"].items() if here["machine"].get("disturbed")]
    note = f"\n\n**Other processes disturbed:** {', '.join(disturbed)}." if disturbed else ""
    return f"{told['database']}, {DECISIONS} decisions a size.\n\n{table(head, rows)}{note}"


if __name__ == "__main__":
    main()
