"""The detector of machine-written texts on real answers, and what an attack leaves of it.

    .venv/bin/python -m benchmarks.origin --data FOLDER

FOLDER holds `span_haluquestqa/annotations.jsonl.gz`: questions with an answer of a person and one of a model each.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import orjson

from workers.habits.evading import attacked
from workers.habits.origin import Written, trained


def answers(folder: Path) -> list[Written]:
    """The two answers of each question, once."""
    with gzip.open(folder / "span_haluquestqa" / "annotations.jsonl.gz") as file:
        rows = [orjson.loads(line) for line in file]
    found, seen = [], set()
    for n, row in enumerate(rows):
        if row["question"] not in seen:
            seen.add(row["question"])
            found += [Written(n, row[f"response_{side}"], row[f"author_{side}"] == "model_answer") for side in "ab"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    texts = answers(given.data)
    detector = trained(texts, seed=given.seed)
    caught, accused = detector.rates.caught, detector.rates.accused
    print(f"{len(texts)} texts; held out: AUC {detector.rates.auc:.3f}, {caught}, {accused}\n")
    print("| The attacker's texts | AUC | Caught | AUC of a detector trained anew on them |\n|---|---:|---:|---:|")
    for one in attacked(detector, texts, seed=given.seed):
        print(f"| {one.attack} | {one.auc:.3f} | {100 * (one.caught.share or 0):.0f} % | {one.auc_retrained:.3f} |")


if __name__ == "__main__":
    main()
