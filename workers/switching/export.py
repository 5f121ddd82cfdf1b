"""The files of an export by their names: a folder, a ZIP archive, or one file; and files that are given beside it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Self

import orjson

from workers.files import read_rows
from workers.rows import Found
from workers.unpacking import BOMB_BYTES, BOMB_RATIO

MOST_FILES = 10_000
MOST_SETTINGS = 16 * 2**20
BESIDE = "beside/"
"""Before the names of files that are given beside the export."""
ZIP = b"PK\x03\x04"


class Unreadable(Exception):
    """An export that cannot be used as a whole: why, and which option or file is at fault."""

    def __init__(self, reason: str, field: str = "file") -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


class Export:
    """Opened with `with`: what a ZIP archive holds is unpacked, as far as it is asked for, until the end.

    `name` is what one file was called where it came from; `beside` are more files by name, such as a labelling config.
    """

    def __init__(self, path: Path, *, longest: int, name: str = "", beside: Mapping[str, Path] | None = None) -> None:
        self.longest = longest
        self.files: dict[str, Path] = {}
        self.packed: zipfile.ZipFile | None = None
        self.folder = tempfile.TemporaryDirectory(prefix="switching-")
        try:
            self.look(path, name)
        except BaseException:
            self.close()
            raise
        self.files |= {f"{BESIDE}{given}": file for given, file in (beside or {}).items()}

    def look(self, path: Path, name: str) -> None:
        """Find out what there is."""
        if path.is_dir():
            found = (file for file in sorted(path.rglob("*")) if file.is_file())
            self.files = {file.relative_to(path).as_posix(): file for file in islice(found, MOST_FILES)}
        elif is_zip(path):
            try:
                self.packed = zipfile.ZipFile(path)
            except zipfile.BadZipFile as error:
                raise Unreadable(f"is no good ZIP archive: {error}") from None
            entries = [entry for entry in self.packed.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise Unreadable(f"holds {len(entries)} files; at most {MOST_FILES}")
        else:
            self.files = {name or path.name: path}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.packed:
            self.packed.close()
        self.folder.cleanup()

    @property
    def names(self) -> list[str]:
        """All names, those given beside first, without what macOS adds to archives."""
        packed = [entry.filename for entry in self.packed.infolist() if not entry.is_dir()] if self.packed else []
        names = (name for name in {*self.files, *packed} if not name.startswith("__MACOSX/"))
        return sorted(names, key=lambda name: (not name.startswith(BESIDE), name))

    def find(self, *endings: str) -> list[str]:
        """The files whose names end so, in the order of the endings."""
        return list(dict.fromkeys(name for ending in endings for name in self.names if name.lower().endswith(ending)))

    def path(self, name: str) -> Path:
        """A file as it lies on the disk. Raises Unreadable for an archive's entry that is a bomb or broken."""
        if name in self.files or not self.packed:
            return self.files[name]
        entry = self.packed.getinfo(name)
        if entry.file_size > BOMB_BYTES and entry.file_size > BOMB_RATIO * max(1, entry.compress_size):
            raise Unreadable(f"{name} unpacks to over {BOMB_RATIO} times its size")
        target = Path(self.folder.name) / str(len(self.files))
        try:
            with self.packed.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            raise Unreadable(f"{name} cannot be unpacked: {error}") from None
        self.files[name] = target
        return target

    def size(self, *names: str) -> int:
        return sum(self.path(name).stat().st_size for name in names)

    def rows(self, name: str) -> Iterator[Found]:
        """Every row of a file, good or bad."""
        return read_rows(self.path(name), longest=self.longest)

    def first(self, name: str, most: int = 20) -> list[Mapping[str, Any]]:
        """The first good rows of a file."""
        return list(islice((found.row for found in self.rows(name) if found.row is not None), most))

    def text(self, name: str) -> str:
        """A small file of settings. Raises Unreadable."""
        path = self.path(name)
        if path.stat().st_size > MOST_SETTINGS:
            raise Unreadable(f"{name} is larger than {MOST_SETTINGS // 2**20} MB")
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise Unreadable(f"{name} is not UTF-8 (byte {error.start + 1})") from None

    def json(self, name: str) -> Any:
        """A small file of settings as JSON. Raises Unreadable."""
        try:
            return orjson.loads(self.text(name))
        except orjson.JSONDecodeError as error:
            raise Unreadable(f"{name} is not JSON: {error}") from None

    def holds(self, name: str) -> Any:
        """The JSON of a small file; None where it is large or none."""
        with suppress(Unreadable):
            return self.json(name)
        return None


def is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == ZIP
