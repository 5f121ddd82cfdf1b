"""Texts that must stay unseen: prompts of benchmarks, and of the evaluation splits of a project's earlier versions.

They are kept under the digest of their bytes, so that a version or a run that was compared with them can be again,
whatever became of the benchmark's folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from curation import bulk
from curation.errors import Conflict, Invalid
from curation.models import DatasetFile, DatasetVersion, Project
from curation.services.evaluating.gathering import tables_for
from curation.services.freezing.selecting import loaded, past_of
from workers import benchmark_files
from workers.benchmarking import benchmarks
from workers.judging import Unusable
from workers.overlap import OWN, said_by_user

EVALUATION = frozenset(
    ("test", "validation", "valid", "val", "dev", "eval", "evaluation", "held-out", "held_out", "heldout", "holdout")
)
"""Names of splits that are for evaluation."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
ASKED = ("prompt", "question", "problem", "instruction", "input", "query", "text")
"""Where the prompt is in rows of a folder that is no benchmark of the shelf; the first that is there."""
AT_ONCE = 500
PROMPTS = "SELECT i.external_id, i.prompt FROM curation_item i WHERE i.project_id = %s AND i.external_id {}"
Text = tuple[str, str]
"""What it is called in its set, and the text."""
Embed = Callable[[Sequence[str]], Sequence[Any]]
"""Texts to their vectors, None where one has none."""
Facts = dict[str, Any]
"""Of a set: its name, how many texts, the digest under which they are kept, and where they are from."""


def known() -> list[str]:
    """Names that can be asked for here: own, the benchmarks of the shelf, and folders of files."""
    shelf = [one.name for one in benchmarks if one.read is not None]
    folder = Path(settings.BENCHMARKS) if settings.BENCHMARKS else None
    here = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder and folder.is_dir() else []
    return list(dict.fromkeys([OWN, *shelf, *(name for name in here if NAME.fullmatch(name))]))


def checked(names: Sequence[str], field: str) -> list[str]:
    """The names, each once. Raises Invalid for one that is none."""
    there = known()
    for number, name in enumerate(names):
        if name not in there:
            raise Invalid(f"must be one of: {', '.join(there)}", field=f"{field}.{number}")
    return list(dict.fromkeys(names))


def gathered(project: Project, names: Sequence[str], before: datetime) -> list[Facts]:
    """Read the sets and keep them; own splits of versions made before a moment. Raises Conflict for what cannot be
    read."""
    found: list[Facts] = []
    for name in names:
        if name == OWN:
            found += [kept(title, texts, {"from": OWN}) for title, texts in own_splits(project, before)]
        else:
            try:
                texts, source = of_benchmark(name)
                found.append(kept(name, texts, source))
            except Unusable as error:
                raise Conflict(str(error)) from None
    return found


def of_benchmark(name: str) -> tuple[Iterator[Text], dict[str, Any]]:
    """The first thing that a user says in each case. Raises Unusable, Conflict."""
    found = next((one for one in benchmarks if one.name == name and one.read is not None), None)
    if found is None:
        return of_folder(name), {"from": "files"}
    tables, source = tables_for(found, "auto")
    cases = benchmark_files.cases(found, tables)
    return ((f"{case.subset} {case.id}".strip(), first_turn(case.prompt)) for case in cases), source


def of_folder(name: str) -> Iterator[Text]:
    folder = Path(settings.BENCHMARKS or ".") / name
    if not settings.BENCHMARKS or not NAME.fullmatch(name) or not folder.is_dir():
        raise Unusable(f"there is no folder {name} in TOUCHSTONE_BENCHMARKS on this worker")
    for table in benchmark_files.tables_in(folder):
        for number, row in enumerate(benchmark_files.rows(table), 1):
            given = next((row[field] for field in ASKED if row.get(field)), None)
            if given is None:
                raise Unusable(f"{table.path.name}, row {number}: it has none of {', '.join(ASKED)}")
            yield f"{table.name} {row.get('id', number)}", given if isinstance(given, str) else first_turn(given)


def first_turn(messages: Any) -> str:
    """What a user says first; the whole where nobody is called user."""
    said = [one for one in messages if isinstance(one, Mapping)] if isinstance(messages, list | tuple) else []
    users = [one for one in said if one.get("role") == "user"] or said
    return str(users[0].get("content") or "") if users else ""


def own_splits(project: Project, before: datetime) -> Iterator[tuple[str, Iterator[Text]]]:
    """Each evaluation split of each version that was ready, with the prompts of its rows under their items' ids."""
    rows = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    for version in rows.filter(created_at__lt=before).select_related("dataset").order_by("pk"):
        for split in version.filled_splits:
            if split in EVALUATION:
                yield f"{OWN} {version.dataset.name} v{version.number} {split}", prompts_in(version, split)


def prompts_in(version: DatasetVersion, split: str) -> Iterator[Text]:
    """The prompts of the items in a split, as they were for that version."""
    items = items_in(version, split)
    past = past_of(version)
    while some := list(islice(items, AT_ONCE)):
        among, ids = bulk.one_of(some)
        rows = past.rows(PROMPTS.format(among), [version.dataset.project_id, ids])
        yield from sorted((name, said_by_user(loaded(prompt))) for name, prompt in rows)


def items_in(version: DatasetVersion, split: str) -> Iterator[str]:
    """The external ids of the items of a split, out of the version's lineage, once where they are side by side."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    files = DatasetFile.objects.filter(version=version, split="lineage", name__endswith=".parquet")
    last = None
    for name in files.order_by("shard").values_list("name", flat=True):
        path = version.folder / name
        if not path.is_file():
            raise Conflict(f"{path} is not here: all workers need the same TOUCHSTONE_VAR")
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["split", "item"]):
                for item in batch.filter(pc.equal(batch["split"], split))["item"].to_pylist():
                    if item is not None and item != last:
                        last = item
                        yield item


def kept(name: str, texts: Iterable[Text], source: Mapping[str, Any]) -> Facts:
    """Write texts under the digest of what is written, and tell it."""
    folder = place("").parent
    folder.mkdir(parents=True, exist_ok=True)
    part, digest, n = folder / f"{uuid.uuid4().hex}.part", hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            for row, text in texts:
                line = orjson.dumps([row, text]) + b"\n"
                n += 1
                digest.update(line)
                file.write(line)
        os.replace(part, place(digest.hexdigest()))
    finally:
        part.unlink(missing_ok=True)
    return {"name": name, "texts": n, "sha256": digest.hexdigest(), **source}


def place(digest: str, ending: str = "jsonl") -> Path:
    return settings.VAR_DIR / "protected" / f"{digest}.{ending}"


def embedded(facts: Facts, embed: Embed) -> str:
    """Keep the vectors of a set's texts as half-precision rows, zeros where there is none; the digest of the file.
    Raises Conflict where the embedder cannot be used."""
    import numpy as np

    texts, rows = (text for _, text in texts_of(facts)), list[Any]()
    try:
        while some := list(islice(texts, AT_ONCE)):
            rows += embed(some)
    except Unusable as error:
        raise Conflict(str(error)) from None
    wide = max((len(row) for row in rows if row is not None), default=1)
    made = np.zeros((len(rows), wide), dtype="<f2")
    for n, row in enumerate(rows):
        if row is not None:
            made[n] = row
    with io.BytesIO() as file:
        np.save(file, made)
        given = file.getvalue()
    digest = hashlib.sha256(given).hexdigest()
    part = place(f"{digest}.{uuid.uuid4().hex}", "part")
    part.write_bytes(given)
    os.replace(part, place(digest, "npy"))
    return digest


def vectors_of(facts: Facts) -> list[Any]:
    """The vectors of a set's texts in their order, None where one has none. Raises Conflict where they are not here."""
    import numpy as np

    path = place(facts["vectors"], "npy")
    if not path.is_file():
        raise Conflict(f"{path} is not here: all workers need the same TOUCHSTONE_VAR")
    return [row if row.any() else None for row in np.load(path).astype(np.float32)]


def texts_of(facts: Facts) -> Iterator[Text]:
    """Raises Conflict where they are not on this machine."""
    path = place(facts["sha256"])
    if not path.is_file():
        raise Conflict(f"{path} is not here: all workers need the same TOUCHSTONE_VAR")
    with path.open("rb") as lines:
        for line in lines:
            row, text = orjson.loads(line)
            yield row, text


def references(sets: Sequence[Facts]) -> dict[str, Callable[[], Iterator[Text]]]:
    """The texts of sets as curators take them."""
    return {facts["name"]: lambda facts=facts: texts_of(facts) for facts in sets}  # type: ignore[misc]
