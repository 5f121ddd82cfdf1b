"""A bar on the terminal while a run is at work; nothing where the output is no terminal."""

from __future__ import annotations

import sys

from touchstone_client.shapes import RunShape

WIDTH = 30


class Bar:
    def __init__(self, shown: bool | None) -> None:
        self.shown = sys.stderr.isatty() if shown is None else shown

    def tell(self, run: RunShape) -> None:
        if not self.shown:
            return
        done = run.percent if run.percent is not None else 0
        filled = WIDTH * (100 if run.state == "succeeded" else done) // 100
        of = f"{run.done:,}" + (f" of {run.total:,}" if run.total else "")
        line = f"{run.method} [{'#' * filled}{'.' * (WIDTH - filled)}] {of} {run.unit}, {run.state}"
        print(f"\r{line:<100}", end="\n" if run.ended else "", file=sys.stderr, flush=True)
