"""The rows of a benchmark, out of a folder or from the Hub: read, checked, and told where they came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from workers import hub
from workers.benchmarking import Benchmark, Case, Hub
from workers.files import read_rows
from workers.hub import Unreachable
from workers.judging import Unusable
from workers.rows import RowError

ENDINGS = (".jsonl", ".json", ".parquet", ".csv")
LONGEST = 256 * 2**20
"""Bytes of one row: a benchmark is somebody's whole file, which an import would cut into lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """One file of rows; `name` is its path in the benchmark without its ending."""

    name: str
    path: Path


def tables_in(folder: Path) -> list[Table]:
    """Every file of rows in a folder and those in it, by name. Raises Unusable where there is none."""
    found = []
    for path in sorted(folder.rglob("*")):
        plain = path.name.removesuffix(".gz")
        if path.is_file() and plain.endswith(ENDINGS):
            inner = path.relative_to(folder).parent / plain.rpartition(".")[0]
            found.append(Table(inner.as_posix(), path))
    if not found:
        raise Unusable(f"there is no file of rows ({', '.join(ENDINGS)}, or with .gz) in {folder}")
    return found


def tables_of(benchmark: Benchmark, where: Path | None) -> tuple[list[Table], dict[str, Any]]:
    """The benchmark's files, and where they are from: out of its folder in `where`, else from the Hub.

    Raises Unusable where neither has them.
    """
    folder = where / benchmark.name if where else None
    if folder is not None and folder.is_dir():
        return tables_in(folder), {"from": "files"}
    otherwise = f"put its files into the folder {benchmark.name} of TOUCHSTONE_BENCHMARKS"
    if not benchmark.hubs:
        raise Unusable(f"{benchmark.title} is not on the Hub as files; {otherwise} ({benchmark.files})")
    return downloaded(benchmark.hubs, f"without a network, {otherwise}")


def downloaded(hubs: tuple[Hub, ...], otherwise: str) -> tuple[list[Table], dict[str, Any]]:
    """Files from the Hub, and the commits that they are of."""
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError:
        raise Unreachable(f"this worker cannot ask the Hub: huggingface_hub is not installed; {otherwise}") from None

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    found, commits = [], {}
    for one in hubs:
        info = hub.asked(one.id, lambda one=one: api.dataset_info(one.id, revision=one.revision), otherwise)  # type: ignore[misc]
        names = [file.rfilename for file in info.siblings or ()]
        wanted = sorted(name for name in names if any(fnmatch(name, pattern) for pattern in one.files))
        if not wanted:
            raise Unusable(f"{one.id} has none of the files {', '.join(one.files)}")
        commits[one.id] = info.sha
        for name in wanted:
            path = hub.asked(
                one.id,
                lambda one=one, name=name, sha=info.sha: hf_hub_download(  # type: ignore[misc]
                    one.id, name, repo_type="dataset", revision=sha, endpoint=api.endpoint
                ),
                otherwise,
            )
            found.append(Table(f"{one.id}/{name}".rpartition(".")[0], Path(path)))
    return found, {"from": "hub", "commits": commits}


def cases(benchmark: Benchmark, tables: list[Table]) -> Iterator[Case]:
    """Every case of the benchmark, once. Raises Unusable naming the file and the row that is none."""
    seen: dict[tuple[str, str], str] = {}
    for table in tables:
        for number, row in enumerate(rows(table)):
            case = read(benchmark, table, number, row)
            if case is None:
                continue
            before = seen.setdefault((case.subset, case.id), table.name)
            if before != table.name:
                raise Unusable(f"{case.id} of {case.subset} is in {before} and in {table.name}: keep one of the files")
            yield case
    if not seen:
        names = ", ".join(table.name for table in tables[:5])
        raise Unusable(f"{names}: there is no row of {benchmark.title} in it")


def rows(table: Table) -> Iterator[Mapping[str, Any]]:
    for found in read_rows(table.path, longest=LONGEST):
        if found.row is None:
            reason = found.problem.reason if found.problem else "is no row"
            raise Unusable(f"{table.path.name}, line {found.line}: {reason}")
        yield found.row


def read(benchmark: Benchmark, table: Table, number: int, row: Mapping[str, Any]) -> Case | None:
    assert benchmark.read is not None
    try:
        return benchmark.read(table.name, number, row)
    except KeyError as error:
        raise Unusable(f"{table.path.name}, row {number + 1}: it has no {error.args[0]!r}") from None
    except RowError as error:
        raise Unusable(f"{table.path.name}, row {number + 1}: {error.field} {error.reason}") from None
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise Unusable(f"{table.path.name}, row {number + 1}: {error}") from None
