"""How fast a project's pairs go through each gate of curation, and in how much memory, beside Polars on the same rows.

    python -m benchmarks.gates [--sizes 10000,100000] [--gates exact,minhash,…] [--seed 0] [--keep]

For each size a throw-away database on the PostgreSQL server of TOUCHSTONE_BENCH_POSTGRES gets that many decided pairs
of realistic length with the scores of two models, written as Parquet too. Planted among them: exact copies, copies with
a word of twenty replaced, and prompts that hold 20 words of a protected set. Each gate is a run of the product from its
start to its last row, in a process of its own; so is the pass of Polars over the Parquet that comes nearest, which
reads no database, writes no proposals and names no reason. Most memory is that of the process, without PostgreSQL.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import databases

NAME = "touchstone_bench_gates"
GATES = ("exact", "minhash", "ngram", "margin", "consistency", "version")
PLANTED = {"exact": "copied", "minhash": "changed", "ngram": "protected"}
"""Which of the planted pairs a gate is there for."""
RUN = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000", help="pairs, with commas between")
    parser.add_argument("--gates", default=",".join(GATES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the last database and folder, and say where")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(part(given.part, given.folder, int(given.sizes), given.seed)))
        return
    print("| Pairs | Gate | Pairs/s | Most memory, MB | Found | Polars, rows/s | Its memory, MB | Its result |")
    print("|---:|---|---:|---:|---|---:|---:|---:|", flush=True)
    for size in map(int, given.sizes.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="touchstone-gates-"))
        try:
            measured(size, given.gates.split(","), given.seed, folder, keep=given.keep)
        finally:
            if not given.keep:
                shutil.rmtree(folder)


def measured(size: int, gates: list[str], seed: int, folder: Path, *, keep: bool) -> None:
    """Fill a database, then a line for each gate as it is through."""
    database = databases.create("postgres", folder, NAME)
    try:
        planted = apart("fill", size, seed, folder, database.url)["planted"]
        for gate in gates:
            ours = apart(gate, size, seed, folder, database.url)
            floor = apart(f"polars-{gate}", size, seed, folder, database.url)
            print(line(size, gate, ours, floor, planted), flush=True)
    finally:
        if keep:
            print(f"\n{database.url}, {folder}")
        else:
            databases.drop(database)


def apart(what: str, size: int, seed: int, folder: Path, url: str) -> dict[str, Any]:
    """One part in a process of its own; what it tells."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "curation.settings",
        "DATABASE_URL": url,
        "TOUCHSTONE_VAR": str(folder / "var"),
        "TOUCHSTONE_BENCHMARKS": str(folder / "benchmarks"),
        "TOUCHSTONE_CONSUMERS": "light",
    }
    environment.pop("CELERY_BROKER_URL", None)
    command = [sys.executable, "-m", "benchmarks.gates", "--part", what, "--sizes", str(size), "--seed", str(seed)]
    done = subprocess.run([*command, "--folder", folder], env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(size: int, gate: str, ours: dict[str, Any], floor: dict[str, Any], planted: dict[str, int]) -> str:
    found = f"{ours['found']:,}"
    if gate in PLANTED:
        found += f"; {ours['right']:,} of {planted[PLANTED[gate]]:,} planted"
    cells = [f"{size:,}", gate, f"{size / ours['seconds']:,.0f}", f"{ours['mb']:,.0f}", found]
    if floor:
        cells += [f"{size / floor['seconds']:,.0f}", f"{floor['mb']:,.0f}", f"{floor['found']:,}"]
    else:
        cells += ["–", "–", "–"]
    return f"| {' | '.join(cells)} |"


def part(what: str, folder: Path, size: int, seed: int) -> dict[str, Any]:
    """What a process of its own does."""
    if what.startswith("polars-"):
        way = FLOORS.get(what.removeprefix("polars-"))
        if way is None:
            return {}
        importlib.import_module("polars")
        began = time.perf_counter()
        told: dict[str, Any] = {"found": way(folder)}
    else:
        import django

        django.setup()
        from benchmarks import gates_data

        if what == "fill":
            return {"planted": gates_data.fill(folder, size, seed)}
        began = time.perf_counter()
        told = gates_data.freeze() if what == "version" else gates_data.curate(what)
    seconds = time.perf_counter() - began
    return {**told, "seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


# --- The floor --------------------------------------------------------------------------------------


def rows(folder: Path) -> Any:
    import polars as pl

    return pl.scan_parquet(folder / "pairs.parquet")


def copies(folder: Path) -> int:
    """Rows whose prompt and responses another row has."""
    import polars as pl

    digests = rows(folder).select(pl.concat_str("prompt", "first", "second", separator="\x00").hash())
    told = digests.select(pl.len() - pl.first().n_unique()).collect(engine="streaming")
    return int(told.item())


def protected(folder: Path) -> int:
    """Rows whose prompt has one of the protected runs of 13 words in it."""
    import polars as pl

    from workers.overlap import runs, words

    asked = (json.loads(one) for one in (folder / "benchmarks" / "planted" / "test.jsonl").open())
    patterns = sorted({run for one in asked for run in runs(words(one["prompt"]), RUN)})
    plain = pl.concat_str(pl.col("prompt").str.to_lowercase().str.replace_all(r"\W+", " "), pl.lit(" "))
    found = rows(folder).select(plain.str.contains_any(patterns).sum()).collect(engine="streaming")
    return int(found.item())


def below(folder: Path) -> int:
    """Rows of which a model prefers the other response."""
    import polars as pl

    told = rows(folder).select((pl.col("gold_chosen") < pl.col("gold_rejected")).sum()).collect(engine="streaming")
    return int(told.item())


def doubted(folder: Path) -> int:
    """Rows on whose label two models do not agree, or which both contradict."""
    import polars as pl

    agree = (pl.col("gold_chosen") > pl.col("gold_rejected")) & (pl.col("best_chosen") > pl.col("best_rejected"))
    return int(rows(folder).select((~agree).sum()).collect(engine="streaming").item())


def written(folder: Path) -> int:
    """Rows that a model agrees with, written as Parquet with the chosen response first."""
    import polars as pl

    first = pl.col("value") < 0
    pair = (pl.when(first).then(a).otherwise(b).alias(name) for name, a, b in SIDES)
    kept = rows(folder).filter(pl.col("gold_chosen") >= pl.col("gold_rejected")).select("prompt", *pair)
    kept.sink_parquet(folder / "floor.parquet", compression="zstd", compression_level=1)
    return int(pl.scan_parquet(folder / "floor.parquet").select(pl.len()).collect().item())


SIDES = (("chosen", "first", "second"), ("rejected", "second", "first"))
FLOORS: dict[str, Callable[[Path], int]] = {
    "exact": copies,
    "ngram": protected,
    "margin": below,
    "consistency": doubted,
    "version": written,
}

if __name__ == "__main__":
    main()
