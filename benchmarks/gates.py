"""How fast a project's pairs go through each gate of curation, and in how much memory, beside Polars on the same rows.

    python -m benchmarks.gates [--sizes 10000,100000] [--gates exact,minhash,…] [--seed 0] [--keep]
    python -m benchmarks.gates --publish      # the table into docs/curation-scale.md

For each size a throw-away database on the PostgreSQL server of TOUCHSTONE_BENCH_POSTGRES gets that many decided pairs
of realistic length with vectors and the scores of two models, written as Parquet too. Planted among them: exact copies,
copies with a word of twenty replaced, and prompts that hold 20 words of a protected set. Each gate is a run of the
product from its start to its last row, in a process of its own; so is the pass of Polars over the Parquet that comes
nearest, which reads no database, writes no proposals and names no reason. Most memory is that of the process, without
PostgreSQL. Figures are kept size by size as they come, in the place of earlier ones of that size.
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
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from benchmarks import databases, measuring

NAME = "touchstone_bench_gates"
GATES = ("exact", "minhash", "neighbours", "ngram", "margin", "consistency", "version")
PLANTED = {"exact": "copied", "minhash": "changed", "neighbours": "changed", "ngram": "protected"}
"""Which of the planted pairs a gate is there for."""
HEAD = "| Pairs | Gate | Pairs/s | Memory, MB | Found | Polars, rows/s | Its memory | Its result | Others' cores |"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "curation-scale.md"
FIGURES = PAGE.parent.parent / "var" / "gates.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
RUN = 13
SOME, PRIME = 20_000, 1_000_003


def main() -> None:
    given = arguments()
    if given.part:
        print(json.dumps(part(given.part, given.folder, int(given.sizes), given.seed)))
        return
    if given.publish:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{table(kept(given.out))}\n\n{END}{rest.partition(END)[2]}")
        return
    for size in map(int, given.sizes.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="touchstone-gates-"))
        try:
            measured(size, given, folder)
        finally:
            if not given.keep:
                shutil.rmtree(folder)
    print(table(kept(given.out)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gates", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", default="10000,100000", help="pairs, with commas between")
    add("--gates", default=",".join(GATES))
    add("--seed", type=int, default=0)
    add("--keep", action="store_true", help="leave the last database and folder, and say where")
    add("--out", type=Path, default=FIGURES, help="where the figures go (var/gates.json)")
    add("--publish", action="store_true", help="measure nothing, put what is kept into docs/curation-scale.md")
    add("--part", help=argparse.SUPPRESS)
    add("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def measured(size: int, given: argparse.Namespace, folder: Path) -> None:
    """Fill a database, then a gate after the other; each is kept as soon as it is through."""
    database = databases.create("postgres", folder, NAME)
    told: dict[str, Any] = {"database": database.version(), "host": measuring.machine(), "gates": {}}
    try:
        told["fill"] = apart("fill", size, given.seed, folder, database.url)
        for gate in given.gates.split(","):
            here: dict[str, Any] = {}
            with measuring.watched(here):
                here["ours"] = apart(gate, size, given.seed, folder, database.url)
            here["floor"] = apart(f"polars-{gate}", size, given.seed, folder, database.url)
            told["gates"][gate] = here
            print(line(size, gate, here, told["fill"]["planted"]), file=sys.stderr, flush=True)
            given.out.parent.mkdir(parents=True, exist_ok=True)
            given.out.write_text(json.dumps(kept(given.out) | {str(size): told}, indent=1))
    finally:
        if given.keep:
            print(f"\n{database.url}, {folder}")
        else:
            databases.drop(database)


def kept(path: Path) -> dict[str, Any]:
    """Figures by size."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def table(told: dict[str, Any]) -> str:
    """All sizes, then what they were measured on."""
    sizes = sorted(told, key=int)
    lines = [HEAD, "|---:|---|---:|---:|---|---:|---:|---:|---:|"]
    for size in sizes:
        here = told[size]
        lines += [line(int(size), gate, one, here["fill"]["planted"]) for gate, one in here["gates"].items()]
    if not sizes:
        return "\n".join(lines)
    host, took = told[sizes[-1]]["host"], ", ".join(f"{told[n]['fill']['seconds']:,.0f} s" for n in sizes)
    busy = [gate["machine"] for n in sizes for gate in told[n]["gates"].values()]
    loads = [one[when] for one in busy for when in ("load_before", "load_after")]
    words = (
        f"{host['processor']}, {host['cores']} cores, {told[sizes[-1]]['database']}; its load (of one minute) was"
        f" {min(loads):.1f} to {max(loads):.1f} meanwhile. To fill the databases took {took}."
    )
    return "\n".join([*lines, "", words])


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


def line(size: int, gate: str, here: dict[str, Any], planted: dict[str, int]) -> str:
    """A row of the table. In the last column: the cores that other processes used while the gate was measured."""
    ours, floor = here["ours"], here["floor"]
    found = f"{ours['found']:,}"
    if gate in PLANTED:
        found += f"; {ours['right']:,} of {planted[PLANTED[gate]]:,} planted"
    cells = [f"{size:,}", gate, f"{size / ours['seconds']:,.0f}", f"{ours['mb']:,.0f}", found]
    if floor:
        cells += [f"{size / floor['seconds']:,.0f}", f"{floor['mb']:,.0f}", f"{floor['found']:,}"]
    else:
        cells += ["–", "–", "–"]
    cells.append(f"{here['machine']['foreign_cores']:.1f}")
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

        began = time.perf_counter()
        if what == "fill":
            told = {"planted": gates_data.fill(folder, size, seed)}
        else:
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
    """Rows whose prompt has one of the protected runs of 13 words in it, some at a time; runs are compared by hash."""
    import polars as pl

    asked = [json.loads(one)["prompt"] for one in (folder / "benchmarks" / "planted" / "test.jsonl").open()]
    patterns = hashed_runs(pl.LazyFrame({"prompt": asked})).select("run").unique().collect()
    found, size = 0, rows(folder).select(pl.len()).collect().item()
    for start in range(0, size, SOME):
        some = hashed_runs(rows(folder).slice(start, SOME)).join(patterns.lazy(), on="run", how="semi")
        found += int(some.select(pl.col("row").n_unique()).collect().item())
    return found


def hashed_runs(prompts: Any) -> Any:
    """A number for each run of 13 words of each prompt, with the place of the prompt."""
    import polars as pl

    words = prompts.select(pl.col("prompt").str.to_lowercase().str.extract_all("[a-z]+|[0-9]+").alias("word"))
    each = words.with_row_index("row").explode("word").with_columns(pl.col("word").hash())
    terms = (pl.col("word").shift(-n) * pl.lit(pow(PRIME, n, 2**64), pl.UInt64) for n in range(RUN))
    run = reduce(add, terms)
    inside = pl.col("row") == pl.col("row").shift(1 - RUN)
    return each.select("row", run.alias("run"), inside.alias("inside")).filter("inside").drop("inside")


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
