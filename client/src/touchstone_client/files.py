"""Files of a version on this machine: checked by their digest, and read as tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from touchstone_client.shapes import FileShape, VersionShape


class Damaged(Exception):
    """What arrived is not what the version's manifest names."""


def wanted(version: VersionShape, names: Sequence[str] | None) -> list[FileShape]:
    """The files to fetch: those named, or the Parquet of every split. Raises KeyError for one that is not there."""
    if names is None:
        return [one for one in version.files if one.split in version.splits and one.name.endswith(".parquet")]
    known = {one.name: one for one in [*version.files, *version.wholes]}
    if missing := [name for name in names if name not in known]:
        raise KeyError(f"{', '.join(missing)} not in this version; there is: {', '.join(sorted(known))}")
    return [known[name] for name in names]


def split_files(version: VersionShape, folder: Path) -> dict[str, list[str]]:
    """Downloaded Parquet files by split, without splits that have no rows."""
    found: dict[str, list[str]] = {}
    for one in wanted(version, None):
        if one.rows:
            found.setdefault(one.split, []).append(str(folder / one.name))
    return found


def whole(path: Path, file: FileShape) -> bool:
    """Whether a file is there with the right bytes."""
    return path.is_file() and path.stat().st_size == file.bytes and digest(path) == file.sha256


def place(part: Path, path: Path, file: FileShape) -> None:
    """Put a finished download into place. Raises Damaged, and removes it, when its bytes are not the right ones."""
    if not whole(part, file):
        part.unlink(missing_ok=True)
        raise Damaged(f"{file.name}: what arrived has another digest than the version names; try again")
    part.replace(path)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        sha = hashlib.sha256()
        while chunk := file.read(2**20):
            sha.update(chunk)
        return sha.hexdigest()


def as_pandas(paths: Sequence[str]) -> Any:
    """One frame of all files."""
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError("to_pandas needs pandas and pyarrow: pip install 'touchstone-client[pandas]'") from error
    frames = [pd.read_parquet(path) for path in paths]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def as_datasets(files: dict[str, list[str]]) -> Any:
    """A DatasetDict with every split that has rows."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise ImportError("to_datasets needs datasets: pip install 'touchstone-client[datasets]'") from error
    return load_dataset("parquet", data_files=files)
