"""`python -m experiments [NAME …] [--seeds 0,1,2]`: what a method is to show, measured; exits with 1 if it does not.

Each file of this folder that has a NAME is an experiment: `run(seed)` gives figures, `judge(results)` says in words
what is required and whether it was met. Figures go to var/experiments/NAME.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import experiments

OUT = Path(__file__).resolve().parent.parent / "var" / "experiments"


def known() -> dict[str, Any]:
    """The experiments by name."""
    modules = (
        importlib.import_module(f"experiments.{found.name}")
        for found in pkgutil.iter_modules(experiments.__path__)
        if not found.name.startswith("_")
    )
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all unless told")
    parser.add_argument("--seeds", default="0,1,2", help="by commas (0,1,2)")
    asked = parser.parse_args()
    there = known()
    if unknown := sorted(set(asked.names) - set(there)):
        parser.error(f"no experiment {unknown[0]!r}; there is: {', '.join(sorted(there))}")
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    met = [done(there[name], seeds) for name in asked.names or sorted(there)]
    return 0 if all(met) else 1


def done(experiment: Any, seeds: list[int]) -> bool:
    """One experiment over all seeds, told and kept; whether it showed what it is to show."""
    begun = time.process_time()
    results = [experiment.run(seed) for seed in seeds]
    verdicts = experiment.judge(results)
    told = {"seeds": seeds, "results": results, "verdicts": verdicts, "cpu_seconds": time.process_time() - begun}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{experiment.NAME}.json").write_text(json.dumps(told, indent=1))
    print(report(experiment, told), flush=True)
    return all(met for _, met in verdicts)


def report(experiment: Any, told: Mapping[str, Any]) -> str:
    """A Markdown table with a row for each figure and a column for each seed."""
    lines = [f"## {experiment.NAME}", "", (experiment.__doc__ or "").strip().partition("\n")[0], ""]
    lines += [f"| | {' | '.join(f'seed {seed}' for seed in told['seeds'])} |"]
    lines += ["| --- |" + " ---: |" * len(told["seeds"])]
    for name in told["results"][0]:
        lines.append(f"| {name} | {' | '.join(shown(one.get(name)) for one in told['results'])} |")
    lines += ["", *(f"- {'yes' if met else '**no**'}: {words}" for words, met in told["verdicts"])]
    return "\n".join([*lines, f"- {told['cpu_seconds']:.0f} CPU seconds", ""])


def shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
