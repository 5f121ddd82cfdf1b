"""`python -m workers.trainers FOLDER`: the training that `FOLDER/job.json` describes, its progress in lines beside it.

`progress.jsonl` gets a line {step, steps, values} or {log}; `done.json` the metrics, or {error} in words. The process
ends itself when whoever started it is gone, so that a killed worker leaves no training behind.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from workers.judging import Spec, Unusable
from workers.training import Job, trainers


def main(folder: Path) -> int:
    threading.Thread(target=end_with_parent, daemon=True).start()
    given = orjson.loads((folder / "job.json").read_bytes())
    trainer = trainers.get(given["trainer"])
    rank = int(os.environ.get("RANK", "0"))
    first = rank == 0  # of processes that accelerate launched, one speaks, and keeps what it writes
    out = folder if first else folder / f"process-{rank}"
    out.mkdir(exist_ok=True)
    with (folder / "progress.jsonl").open("ab", buffering=0) as progress:

        def say(line: Mapping[str, Any]) -> None:
            if first:
                progress.write(orjson.dumps(line) + b"\n")

        try:
            job = Job(
                folder=Path(given["folder"]),
                target=given["target"],
                lines=given["lines"],
                base=base_in(given["base"]),
                out=out,
                settings=trainer.settings.model_validate(given["settings"]),
                seed=given["seed"],
                template=given["template"],
                kept=folder / "checkpoints",
                protocol=given.get("protocol") or {},
                tell=lambda step, steps, values: say({"step": step, "steps": steps, "values": dict(values)}),
                log=lambda line: say({"log": line}),
            )
            done: dict[str, Any] = {"metrics": trainer.train(job)}
        except (Unusable, ValueError) as error:
            traceback.print_exc()
            done = {"error": str(error)}
        except ImportError as error:
            how = ".venv/bin/pip install -r requirements-models.txt"
            done = {"error": f"{error.name} is not installed on the worker: {how}"}
    if first:
        unfinished = folder / "done.json.new"
        unfinished.write_bytes(orjson.dumps(done))
        unfinished.replace(folder / "done.json")
    return 0


def base_in(given: Mapping[str, Any] | None) -> Path | None:
    """Where the weights lie that a training starts from, looked at like those of any model. Raises Unusable."""
    if given is None:
        return None
    from workers.nn.loading import folder_of, looked_at

    spec = Spec(**given)
    folder = folder_of(spec)
    looked_at(folder, spec)
    return folder


def end_with_parent() -> None:
    """Standard input is a pipe of the worker's: it ends when the worker does."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
