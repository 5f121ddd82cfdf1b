"""Command line: `python -m experiments [NAME …] [--seeds 0,1,2]`. Figures go to var/experiments/NAME.json."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from experiments import Experiment, Figures, experiments

OUT = Path(__file__).resolve().parent.parent / "var" / "experiments"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all unless told")
    parser.add_argument("--seeds", type=lambda given: [int(one) for one in given.split(",")], help="such as 0,1,2")
    told = parser.parse_args()
    chosen = [experiments.get(name) for name in told.names] or list(experiments)
    for one in chosen:
        perform(one, told.seeds or list(one.seeds))


def perform(one: Experiment, seeds: list[int]) -> None:
    """Run every seed, keep the figures, print them with the claims."""
    results = []
    for seed in seeds:
        began = time.process_time()
        results.append({"seed": seed, **one.run(seed), "cpu_seconds": round(time.process_time() - began, 1)})
    claims = one.judge(results)
    OUT.mkdir(parents=True, exist_ok=True)
    kept = {"name": one.name, "results": results, "claims": [list(claim) for claim in claims]}
    (OUT / f"{one.name}.json").write_text(json.dumps(kept, indent=1))
    print(f"## {one.name}\n\n{one.about}\n\n{table(results)}\n")
    for words, held in claims:
        print(f"- {'holds' if held else 'DOES NOT HOLD'}: {words}")
    print()


def table(results: list[Figures]) -> str:
    """A row a figure, a column a seed."""
    names = list(results[0])
    lines = [
        f"| {names[0]} | {' | '.join(str(one['seed']) for one in results)} |",
        "|---|" + "---:|" * len(results),
    ]
    for name in names[1:]:
        lines.append(f"| {name} | {' | '.join(shown(one[name]) for one in results)} |")
    return "\n".join(lines)


def shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
