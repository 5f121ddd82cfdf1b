"""What `python -m experiments skywork skywork-real` found, as tables in docs/curation-measured.md.

python -m benchmarks.skywork [--publish]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.noise_data import SETS
from benchmarks.noise_report import PAGE, spread
from benchmarks.reporting import table
from experiments import experiments
from experiments.__main__ import OUT

BEGIN, END = "<!-- skywork: begin -->", "<!-- skywork: end -->"
Results = Sequence[Mapping[str, Any]]
ACCURACIES = ("longer", "clean", "noisy", "recycled", "relabelled")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skywork", description=__doc__)
    parser.add_argument("--publish", action="store_true", help="put them into docs/curation-measured.md")
    found = report()
    print(found)
    if parser.parse_args().publish:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n{END}{rest.partition(END)[2]}")


def results_of(name: str) -> tuple[Results, list[tuple[str, bool]]]:
    """What was kept of an experiment, with what it claims today; nothing where it did not run."""
    path = OUT / f"{name}.json"
    if not path.exists():
        return [], [(f"NOT MEASURED: `python -m experiments {name}` has not run", False)]
    results = json.loads(path.read_text())["results"]
    return results, experiments.get(name).judge(results)


def report() -> str:
    planted, claims = results_of("skywork")
    real, others = results_of("skywork-real")
    head = ("Planted world", f"mean of {len(planted)} seeds")
    figures = [(name, spread([one[name] for one in planted])) for name in (planted or [{}])[0] if name not in NOT_TOLD]
    on_real = [f"Real pairs, {len(real)} seeds:", table(REAL, real_rows(real))] if real else []
    return "\n\n".join([table(head, figures), told(claims), *on_real, told(others)])


NOT_TOLD = ("seed", "cpu_seconds")
REAL = ("Set", "vectors", *ACCURACIES, "kept", "of it right", "flipped", "of it wrong")


def real_rows(results: Results) -> Iterator[tuple[Any, ...]]:
    for set_and_encoder in dict.fromkeys(name.split(": ")[0] for name in results[0] if ": " in name):
        name, encoder = set_and_encoder.split(", ")

        def mean(what: str, of: str = set_and_encoder) -> float:
            return fmean(one[f"{of}: {what}"] for one in results)

        shares = [f"{mean(what):.3f}" for what in ACCURACIES]
        counts = (
            f"{mean('kept'):.0f}",
            f"{mean('purity'):.3f}",
            f"{mean('flipped'):.0f}",
            f"{mean('flipped rightly'):.3f}",
        )
        yield (SETS[name][0], encoder, *shares, *counts)


def told(claims: Sequence[tuple[str, bool]]) -> str:
    """The thresholds, those that are missed in bold."""
    return "\n".join(
        f"- {words}" if words.startswith("NOT MEASURED") else f"- {'holds' if held else '**missed**'}: {words}"
        for words, held in claims
    )


if __name__ == "__main__":
    main()
