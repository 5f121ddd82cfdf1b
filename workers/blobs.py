"""Files kept by what is in them: one file for each SHA-256 under a folder, with hard links to it wherever it is used.

A blob is a finished file that was given a second name, so it is there whole or not at all, whatever is killed when.
Nothing is lost with a blob: the sweep takes away only what has no other name.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from workers.tables import sha256

YOUNG = 3600.0
"""Seconds for which a blob that nothing links to yet is left alone."""
UNLINKABLE = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP)
"""Another disk, a file system without hard links, or too many of them: then a file keeps bytes of its own."""


def place(root: Path, digest: str) -> Path:
    return root / digest[:2] / digest


def keep(root: Path, file: Path, digest: str) -> bool:
    """Put a finished file under its digest, or share the bytes that are there already; whether they were.

    Bytes that are shared are read again first: a blob that was damaged is replaced, and what hung on it keeps its own.
    """
    blob = place(root, digest)
    blob.parent.mkdir(parents=True, exist_ok=True)
    flush(file)
    spare = file.with_name(f".{file.name}.link")
    spare.unlink(missing_ok=True)
    try:
        if blob.is_file() and sha256(blob) == digest:
            os.link(blob, spare)
            spare.replace(file)
            return True
        os.link(file, spare)
        spare.replace(blob)
    except OSError as error:
        if error.errno not in UNLINKABLE:
            raise
        return False
    finally:
        spare.unlink(missing_ok=True)  # a name that replaces another of the same file stays
    file.chmod(0o444)
    flush(blob.parent)
    return False


def flush(path: Path) -> None:
    """What was written to a file, or the names in a folder, on the disk before anybody relies on them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unused(root: Path) -> Iterator[Path]:
    """Blobs that no other name links to, such as a worker that died leaves, unless they are young."""
    for blob in root.glob("??/*"):
        found = blob.stat()
        if found.st_nlink == 1 and found.st_mtime < time.time() - YOUNG:
            yield blob


def sweep(root: Path) -> int:
    """Take away what is unused; how many. Safe beside `keep`: a link that was made meanwhile keeps the bytes."""
    found = list(unused(root))
    for blob in found:
        blob.unlink(missing_ok=True)
    return len(found)
