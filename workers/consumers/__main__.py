"""`python -m workers.consumers`: a request as JSON on standard input, what each consumer said as JSON on the output."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from workers.collecting import uncollected
from workers.consumers import Consumer, Files, Refused, consumers


def main() -> None:
    given = orjson.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log
    files = Files(**{**given["files"], "folder": Path(given["files"]["folder"])})
    with uncollected():
        said = [checked(consumers.get(name), files) for name in given["consumers"]]
    os.write(out, orjson.dumps(said))


def checked(consumer: Consumer, files: Files) -> dict[str, Any]:
    """What one consumer said: `ok` is None where its package is not installed."""
    made: dict[str, Any] = {"consumer": consumer.name, "version": ""}
    try:
        made["version"] = f"{consumer.package} {metadata.version(consumer.package)}" if consumer.package else ""
    except metadata.PackageNotFoundError:
        return made | {"ok": None, "detail": f"{consumer.package} is not installed here, so it was not asked"}
    try:
        return made | {"ok": True, "detail": consumer.read(files)}
    except Refused as error:
        return made | {"ok": False, "detail": str(error)}
    except Exception as error:
        traceback.print_exc()
        return made | {"ok": False, "detail": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    main()
