"""Files of a version on their way out: whole or in part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.errors import DomainError, NotFound
from curation.models import DatasetFile, DatasetVersion, Project
from curation.services.freezing import ready

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
CHUNK = 2**18
WORDS = ("README.md", "croissant.json", "manifest.json")


class OutOfRange(DomainError):
    status = 416
    title = "Range not satisfiable"


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` (not included) of a file of `size` bytes."""

    path: Path
    start: int
    end: int
    size: int
    sha256: str

    @property
    def whole(self) -> bool:
        return self.end - self.start == self.size

    def chunks(self) -> Iterator[bytes]:
        left = self.end - self.start
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk


def find_version(project: Project, name: str, number: int) -> DatasetVersion | None:
    """A version with its dataset, run and files, or None."""
    versions = DatasetVersion.objects.select_related("dataset__project", "run").prefetch_related("files")
    return versions.filter(dataset__project=project, dataset__name=name, number=number).first()


def words_of(version: DatasetVersion) -> list[DatasetFile]:
    """What goes along besides data: the card, the manifest and the Croissant document."""
    there = [name for name in WORDS if (version.folder / name).is_file()]
    texts = {name: (version.folder / name).read_bytes() for name in there}
    return [
        DatasetFile(version=version, name=name, rows=0, bytes=len(text), sha256=hashlib.sha256(text).hexdigest())
        for name, text in texts.items()
    ]


def file_of(version: DatasetVersion, name: str) -> DatasetFile:
    """A file of a ready version by its name. Raises NotFound."""
    if name in WORDS:
        found = next((one for one in words_of(ready(version)) if one.name == name), None)
    else:
        found = DatasetFile.objects.filter(version=ready(version), name=name).first()
    if found is None:
        raise NotFound(f"no such file: {name}")
    return found


def part(path: Path, size: int, sha256: str, wanted: str = "") -> Part:
    """The part that a Range header asks for; the whole file without one, or with one of a kind not served.

    Raises OutOfRange when it lies outside the file.
    """
    start, end = 0, size
    if found := RANGE.fullmatch(wanted.replace(" ", "")):
        first, last = found.groups()
        if first:
            start, end = int(first), min(int(last) + 1, size) if last else size
        elif last:
            start = max(0, size - int(last))
        if start >= end:
            raise OutOfRange(f"the file has {size} bytes")
    return Part(path, start, end, size, sha256)
