"""`python -m workers.consumers NAME…`: the files as JSON on the standard input, what each consumer said on the output.

What the consumers need is loaded before the input is read, so that it can be begun while the files are still written.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from workers.collecting import uncollected
from workers.consumers import Consumer, Files, Refused, consumers


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print goes to the log
    wanted = [consumers.get(name) for name in sys.argv[1:]]
    for one in wanted:
        with suppress(Exception):  # it fails again when it reads, and that is told
            one.load()
    given = sys.stdin.buffer.read()
    if not given:
        return  # there is nothing to read, or nobody to tell
    files = Files(**{**(told := orjson.loads(given)), "folder": Path(told["folder"])})
    with uncollected():
        said = [checked(one, files) for one in wanted]
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
