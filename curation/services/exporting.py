"""Files of a version on their way out: whole or in part, and the shards of a split as one file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.errors import DomainError, NotFound
from curation.models import DatasetFile, DatasetVersion, Project
from curation.services.freezing import ready, storing
from workers.joining import Stretch

RANGE = re.compile(r"bytes=(\d*)-(\d*)")
WORDS = ("README.md", "croissant.json", "manifest.json")


class OutOfRange(DomainError):
    status = 416
    title = "Range not satisfiable"


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent under a name: stretches of files, one behind the other; as a rule the whole of one."""

    name: str
    size: int
    sha256: str
    stretches: Sequence[Stretch]

    @classmethod
    def of(cls, path: Path, size: int, sha256: str) -> Content:
        return cls(path.name, size, sha256, [Stretch(path, 0, size)])


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` (not included) of a content."""

    content: Content
    start: int
    end: int

    @property
    def whole(self) -> bool:
        return self.end - self.start == self.content.size

    def chunks(self) -> Iterator[bytes]:
        yield from storing.read(self.stretches())

    def stretches(self) -> Iterator[Stretch]:
        """Those bytes of each stretch that lie in the part."""
        at = 0
        for one in self.content.stretches:
            size = one.end - one.start
            first, last = max(self.start - at, 0), min(self.end - at, size)
            if first < last:
                yield Stretch(one.path, one.start + first, one.start + last)
            at += size


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


def wholes_of(version: DatasetVersion) -> list[DatasetFile]:
    """What is served besides the files: every split or companion that was cut, as one file."""
    return [DatasetFile(version=version, name=name, **told) for name, told in sorted(version.wholes.items())]


def content_of(version: DatasetVersion, name: str) -> Content:
    """What a ready version has under a name: one of its files, or the shards of a split as one. Raises NotFound."""
    if whole := ready(version).wholes.get(name):
        try:
            return Content(name, whole["bytes"], whole["sha256"], storing.stretches(version.folder, name))
        except (OSError, ValueError):
            raise NotFound(f"the shards of {name} are not whole on this machine") from None
    file = file_of(version, name)
    return Content.of(version.folder / file.name, file.bytes, file.sha256)


def part(content: Content, wanted: str = "") -> Part:
    """The part that a Range header asks for; the whole file without one, or with one of a kind not served.

    Raises OutOfRange when it lies outside the file.
    """
    start, end, size = 0, content.size, content.size
    if found := RANGE.fullmatch(wanted.replace(" ", "")):
        first, last = found.groups()
        if first:
            start, end = int(first), min(int(last) + 1, size) if last else size
        elif last:
            start = max(0, size - int(last))
        if start >= end:
            raise OutOfRange(f"the file has {size} bytes")
    return Part(content, start, end)
