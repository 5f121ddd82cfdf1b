"""Command line: `python -m benchmarks [--sizes 1000,10000,100000 | --size 1000000] [--with-label-studio] …`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks import databases, reporting, runner

ROOT = Path(__file__).resolve().parent.parent
PERFORMANCE = ROOT / "docs" / "performance.md"
USUAL = (1000, 100_000)
FIGURES = ROOT / "var" / "benchmark.json"


def main() -> None:
    asked = arguments()
    if asked.report or asked.publish:
        told = json.loads((asked.report or asked.publish).read_text())
        if asked.publish:
            reporting.publish(told, PERFORMANCE)
        print(reporting.report(told))
        return
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    told = runner.run(plan(asked))
    print(reporting.report(told))
    print(f"The figures are in {asked.out}; `python -m benchmarks --publish {asked.out}` puts them into the docs.")


def plan(asked: argparse.Namespace) -> runner.Plan:
    kind = asked.database or ("postgres" if databases.reachable() else "sqlite")
    return runner.Plan(
        sizes=tuple(sorted(asked.sizes)),
        kind=kind,
        broker=asked.broker,
        peer_sizes=tuple(sorted(n for n in asked.sizes if n <= asked.peer_most)) if asked.with_label_studio else (),
        out=asked.out,
        steps=tuple(asked.only),
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--sizes", type=numbers, default=[1000, 10_000, 100_000], help="pairs, by commas (1000,10000,100000)")
    add("--size", type=int, help="instead of --sizes: 1000, 100000 and this, as far as they are not above it")
    add("--database", choices=["postgres", "sqlite"], help="PostgreSQL unless it does not answer")
    add("--broker", default="", help="CELERY_BROKER_URL of the worker; the embedded broker unless told")
    add("--with-label-studio", action="store_true", help="measure Label Studio too (installs it outside: 1 GB)")
    add("--peer-most", type=int, default=10_000, help="the largest size for Label Studio (10000)")
    add("--only", type=steps, default=list(runner.STEPS), help=f"some measures ({', '.join(runner.STEPS)}), by commas")
    add("--out", type=Path, default=FIGURES, help="where the figures go (var/benchmark.json)")
    add("--report", type=Path, metavar="FILE", help="print the tables of earlier figures")
    add("--publish", type=Path, metavar="FILE", help="put the tables of earlier figures into docs/performance.md")
    asked = parser.parse_args()
    if asked.size:
        asked.sizes = numbers(",".join(str(n) for n in {*(n for n in USUAL if n < asked.size), asked.size}))
    return asked


def numbers(given: str) -> list[int]:
    found = [int(part) for part in given.split(",")]
    if not found or min(found) < 1000:
        raise argparse.ArgumentTypeError("each size is at least 1000")
    return found


def steps(given: str) -> list[str]:
    found = given.split(",")
    if unknown := [name for name in found if name not in runner.STEPS]:
        raise argparse.ArgumentTypeError(f"there is no measure {unknown[0]}")
    return [name for name in runner.STEPS if name in found]


if __name__ == "__main__":
    main()
