"""Pictures: each kept once, as a file named by the SHA-256 of its bytes, and entered in the projects that have it."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from curation.errors import NotFound
from curation.models import Image, Project

HASH = re.compile(r"[0-9a-f]{64}")
AT_ONCE = 500


class Kept(NamedTuple):
    """A picture that a row has."""

    sha256: str
    type: str
    bytes: int
    width: int
    height: int


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def path_of(sha256: str) -> Path:
    """The file of a picture, in a folder that has the first two letters of its name."""
    path: Path = settings.VAR_DIR / "images" / sha256[:2] / sha256
    return path


def keep(sha256: str, data: bytes) -> None:
    """Write the file of a picture, unless it is there. It appears whole or not at all, whatever is killed when."""
    path = path_of(sha256)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def enter(project: Project, pictures: Iterable[Kept]) -> None:
    """Note that a project has these pictures, inside the caller's transaction; those it has already stay."""
    rows = [Image(project=project, **one._asdict()) for one in sorted(set(pictures))]
    if rows:
        Image.objects.bulk_create(rows, ignore_conflicts=True, batch_size=AT_ONCE)


def image_of(project: Project, sha256: str) -> Image:
    """A picture of a project. Raises NotFound for any other: that a hash is known opens no other project's."""
    found = Image.objects.filter(project=project, sha256=sha256).first() if HASH.fullmatch(sha256) else None
    if found is None or not path_of(sha256).is_file():
        raise NotFound("no such image")
    return found
