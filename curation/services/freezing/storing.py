"""The files of a version as they are kept: under their digests, and what the shards of a split are together.

A split of more rows than a shard holds has several files in each format. Under the split's own name (`train.parquet`,
`train.jsonl`) all of them are still one file, which is put together while it is sent and lies nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from curation.models import DatasetFile
from workers import blobs
from workers.joining import Stretch, joined, tail
from workers.tables import KINDS, shards

CHUNK = 2**20


def root() -> Path:
    """Where the bytes of all versions lie, each once."""
    found: Path = settings.VAR_DIR / "blobs"
    return found


def keep(building: Path, files: Iterable[DatasetFile]) -> int:
    """Put the files of a version under their digests; how many of them were there already. All is on the disk then."""
    known = {file.name: file.sha256 for file in files}
    shared = 0
    for path in sorted(building.iterdir()):
        if path.name in known:
            shared += blobs.keep(root(), path, known[path.name])
        else:
            blobs.flush(path)
    blobs.flush(building)
    return shared


def flush(paths: Iterable[Path]) -> None:
    """Files of a version on the disk; `keep` sees to it once more, and finds little left to do."""
    for path in paths:
        blobs.flush(path)


def wholes_of(building: Path, files: Sequence[DatasetFile]) -> dict[str, Any]:
    """Rows, bytes and SHA-256 of each split or companion that was cut, as one file, by its name."""
    made = {}
    for split in dict.fromkeys(file.split for file in files if file.shard):
        for kind in KINDS:
            name = f"{split}.{kind}"
            if kind == "parquet":
                tail_of(building, name).write_bytes(tail(shards(building, split, kind)))
            size, sha256 = measured(stretches(building, name))
            rows = sum(file.rows for file in files if file.split == split and file.name.endswith(f".{kind}"))
            made[name] = {"split": split, "rows": rows, "bytes": size, "sha256": sha256}
    return made


def stretches(folder: Path, name: str) -> list[Stretch]:
    """What a cut split is made of as one file. Raises OSError or ValueError where shards are missing or damaged."""
    split, _, kind = name.rpartition(".")
    paths = shards(folder, split, kind)
    if kind == "parquet":
        return joined(paths, tail_of(folder, name))
    return [Stretch(path, 0, path.stat().st_size) for path in paths]


def tail_of(folder: Path, name: str) -> Path:
    return folder / f".{name}.tail"


def measured(parts: Iterable[Stretch]) -> tuple[int, str]:
    """Size and SHA-256 of stretches one behind the other."""
    size, digest = 0, hashlib.sha256()
    for chunk in read(parts):
        size += len(chunk)
        digest.update(chunk)
    return size, digest.hexdigest()


def read(parts: Iterable[Stretch]) -> Iterable[bytes]:
    """Their bytes, some at a time."""
    for part in parts:
        left = part.end - part.start
        with part.path.open("rb") as file:
            file.seek(part.start)
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk
