"""Tokens per second of reward models: `python -m benchmarks.scoring [--encoder 16,64] [--causal 10,40] …`.

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
WORKER_ROWS = 16


def main() -> None:
    asked = arguments()
    if asked.worker:
        worker(Path(asked.worker), asked.kind)
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
    add("--encoder", type=numbers, default=[16, 64], help="pairs for the encoder, by commas (16,64)")
    add("--causal", type=numbers, default=[10, 40], help="pairs for the causal model, by commas (10,40)")
    add("--repeats", type=int, default=3, help="rounds in which the ways take turns (3)")
    add("--database", choices=["postgres", "sqlite"], help="PostgreSQL unless it does not answer")
    add("--out", type=Path, default=OUT, help="where the figures go (var/benchmark-scoring.json)")
    add("--publish", type=Path, metavar="FILE", help="put earlier figures into docs/performance.md")
    add("--worker", help=argparse.SUPPRESS)
    add("--kind", default=ENCODER, help=argparse.SUPPRESS)
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
    started = [started_worker(folder, name) for _ in range(2)]
    try:
        for process in started:
            expect(process, "ready")
        for _ in range(repeats):
            for parts, seconds in found.items():
                seconds.append(together(started[:parts]))
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return {"one": median(found[1]), "two": median(found[2])}


def started_worker(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scoring", "--worker", str(folder), "--kind", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        cwd=ROOT,
        text=True,
    )


def together(processes: list[subprocess.Popen[str]]) -> float:
    """Each process scores its share of the rows; the seconds until the last is done."""
    begun = time.perf_counter()
    for part, process in enumerate(processes):
        assert process.stdin is not None
        process.stdin.write(f"{part} {len(processes)}\n")
        process.stdin.flush()
    for process in processes:
        expect(process, "done")
    return time.perf_counter() - begun


def expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != word:
        raise RuntimeError("a worker process of the benchmark failed")


def worker(folder: Path, name: str) -> None:
    """One worker process: scores its share of the rows at each line `part parts`, until it is ended."""
    from workers.nn.scoring import open_reward

    scorer = open_reward(spec(folder, name))
    known = rows(WORKER_ROWS)
    for _ in scorer.judge(known[:2]):
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        part, parts = map(int, line.split())
        for _ in scorer.judge(known[part::parts]):
            pass
        print("done", flush=True)


if __name__ == "__main__":
    main()
