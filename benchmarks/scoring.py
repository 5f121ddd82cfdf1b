"""Tokens per second of reward models: `python -m benchmarks.scoring [--encoder 20,80] [--causal 12,40] …`.

Ways take turns, every figure is a median, and all stand beside a matrix product measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import databases, scoring_report
from benchmarks.measuring import machine, median, timed, watched
from benchmarks.scoring_models import CAUSAL, ENCODER, build, rows, spec

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "var" / "benchmark-scoring.json"
WORKER_ROWS = 32


def main() -> None:
    asked = arguments()
    if asked.worker:
        worker(Path(asked.worker), asked.kind, asked.part, asked.parts)
        return
    if asked.publish:
        scoring_report.publish(json.loads(asked.publish.read_text()), ROOT / "docs" / "performance.md")
        return
    told = run(asked)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(told, indent=1))
    print(scoring_report.report(told))
    print(
        f"The figures are in {asked.out}; `python -m benchmarks.scoring --publish {asked.out}` puts them in the docs."
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    add = parser.add_argument
    add("--encoder", type=numbers, default=[20, 80], help="pairs for the encoder, by commas (20,80)")
    add("--causal", type=numbers, default=[12, 40], help="pairs for the causal model, by commas (12,40)")
    add("--repeats", type=int, default=3, help="rounds in which the ways take turns (3)")
    add("--database", choices=["postgres", "sqlite"], help="PostgreSQL unless it does not answer")
    add("--out", type=Path, default=OUT, help="where the figures go (var/benchmark-scoring.json)")
    add("--publish", type=Path, metavar="FILE", help="put earlier figures into docs/performance.md")
    add("--worker", help=argparse.SUPPRESS)
    add("--kind", default=ENCODER, help=argparse.SUPPRESS)
    add("--part", type=int, default=0, help=argparse.SUPPRESS)
    add("--parts", type=int, default=1, help=argparse.SUPPRESS)
    return parser.parse_args()


def numbers(given: str) -> list[int]:
    return sorted(int(part) for part in given.split(",") if part)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    import torch
    import transformers

    kind = asked.database or ("postgres" if databases.reachable() else "sqlite")
    told: dict[str, Any] = {
        "begun": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "models": {},
    }
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place, watched(told):
        folder = Path(place)
        models = {name: build(name, folder / name) for name in (ENCODER, CAUSAL) if getattr(asked, name)}
        from benchmarks.scoring_database import django

        with django(kind, folder) as version:
            told["database"] = version
            for name, model in models.items():
                sizes = {str(size): measure(name, model, size, asked.repeats) for size in getattr(asked, name)}
                told["models"][name] = sizes
        told["workers"] = {name: side_by_side(model, name, asked.repeats) for name, model in models.items()}
    told["surroundings"], told["machine"] = told["machine"], machine()
    told["seconds"] = round(time.monotonic() - begun)
    return told


def measure(name: str, folder: Path, size: int, repeats: int) -> dict[str, Any]:
    """Every way over the same rows, in turns."""
    from benchmarks.scoring_database import scoring
    from benchmarks.scoring_ways import Bench, ceiling

    print(f"{name}, {size} pairs …", file=sys.stderr, flush=True)
    bench = Bench(name, folder, rows(size))
    ways: dict[str, Any] = {**bench.ways(), "database": scoring(bench.rows, folder, name)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    width = bench.model.config.hidden_size
    peaks = []
    scores: dict[str, Any] = {}
    warm_up(bench)
    for _ in range(repeats):
        peaks.append(ceiling(bench.dtype, width))
        for way, work in ways.items():
            took, scores[way] = timed(work)
            seconds[way].append(took)
    reference = scores["padded"]
    return {
        "dtype": str(bench.dtype).removeprefix("torch."),
        "texts": len(bench.texts),
        "tokens": bench.tokens,
        "row_tokens": bench.row_tokens(),
        "per_second": {way: round(bench.tokens / median(took), 1) for way, took in seconds.items()},
        "seconds": {way: [round(one, 3) for one in took] for way, took in seconds.items()},
        "farthest": {
            way: max(abs(a - b) for a, b in zip(found, reference, strict=True))
            for way, found in scores.items()
            if isinstance(found, list)
        },
        "flops_per_second": bench.flops() / median(seconds["forward"]),
        "ceiling": max(peaks),
    }


def warm_up(bench: Any) -> None:
    """One small call of each kind, so that no way pays for first allocations."""
    bench.engine.values(bench.texts[:4])
    bench.model(**bench.rectangle(bench.texts[:2]))
    bench.pipe(bench.asked[:1])


def side_by_side(folder: Path, name: str, repeats: int) -> dict[str, float]:
    """Seconds for the same rows by one worker process and by two at once, one thread each."""
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for parts, seconds in found.items():
            seconds.append(together(folder, name, parts))
    return {"one": median(found[1]), "two": median(found[2])}


def together(folder: Path, name: str, parts: int) -> float:
    """Worker processes that begin together once each has its model; the seconds until the last has ended."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.scoring", "--worker", str(folder), "--kind", name]
    started = [
        subprocess.Popen(
            [*command, "--part", str(part), "--parts", str(parts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            cwd=ROOT,
            text=True,
        )
        for part in range(parts)
    ]
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("a worker of the benchmark did not start")
    begun = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "done":
            raise RuntimeError("a worker of the benchmark failed")
    seconds = time.perf_counter() - begun
    for process in started:
        process.communicate(timeout=60)
    return seconds


def worker(folder: Path, name: str, part: int, parts: int) -> None:
    """One worker process of `together`: its share of the rows, on the word go."""
    from workers.nn.scoring import open_reward

    scorer = open_reward(spec(folder, name))
    mine = rows(WORKER_ROWS)[part::parts]
    for _ in scorer.judge(mine[:1]):
        pass
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in scorer.judge(mine):
        pass
    print("done", flush=True)


if __name__ == "__main__":
    main()
