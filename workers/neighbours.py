"""Vectors that are most like others: usearch's index where it is installed, all against all where there are few.

usearch (Apache-2.0) builds a graph (HNSW, Malkov and Yashunin 2018, arXiv 1603.09320) in float16; one thread adds in
the order given, so that the same vectors give the same answers. Memory: some 2 bytes a number and 150 bytes a vector,
of all vectors, or with a folder of the last HELD at most: those before them lie in files, which the system reads page
by page as they are needed and forgets again. A search looks into each file.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workers.judging import Unusable

MOST_COMPARED = 20_000
"""So many vectors are compared one by one where there is no index."""
HELD = 100_000
"""So many vectors are in one file of an index."""


class Neighbours:
    """Vectors by whole numbers from 0, and which of them are most like given ones, by the cosine."""

    def __init__(self, *, exact: bool = False, folder: Path | None = None) -> None:
        """`exact`: compare with each one, whether or not there is an index. `folder`: where files of it may lie."""
        self.exact, self.folder = exact, folder
        self.index: Any = None
        self.files: list[Any] = []
        self.keys = array("Q")
        """Of what is compared one by one."""
        self.count = self.passed_over = 0
        self.blocks: list[Any] = []
        self.rows: Any = None

    def __len__(self) -> int:
        return self.count

    def restore(self, count: int) -> None:
        """Open the files of an index that was filled before with `count` vectors and more; the first of these are to
        be added again, and those in files are not taken twice."""
        while self.folder and (len(self.files) + 1) * HELD <= count and self.file(len(self.files)).is_file():
            self.files.append(opened(self.file(len(self.files))))
        self.passed_over = len(self.files) * HELD

    def add(self, keys: Sequence[int], vectors: Any) -> None:
        """Vectors (n, d), not zero. Raises Unusable for more than can be compared without an index."""
        if not len(keys):
            return
        given, numbers = unit(vectors), np.asarray(keys, dtype=np.uint64)
        self.count += len(numbers)
        over = min(self.passed_over, len(numbers))
        self.passed_over -= over
        given, numbers = given[over:], numbers[over:]
        if self.index is None and not self.blocks and not self.exact:
            self.index = made(given.shape[1])
        if self.index is not None:
            while len(numbers):
                room = HELD - len(self.index) if self.folder else len(numbers)
                self.index.add(numbers[:room], given[:room].astype(np.float16), threads=1)
                given, numbers = given[room:], numbers[room:]
                self.put_away(given.shape[1])
            return
        if not self.exact and len(self.keys) + len(numbers) > MOST_COMPARED:
            raise Unusable(f"more than {MOST_COMPARED} vectors need an index on this worker: pip install usearch")
        self.keys.extend(numbers.tolist())
        self.blocks.append(given)
        self.rows = None

    def nearest(self, vectors: Any) -> tuple[list[int | None], list[float]]:
        """Of each vector (n, d) the key of the one most like it and the cosine; None and -1 where there is none."""
        given = unit(vectors)
        indexes = [*self.files, *([self.index] if self.index is not None and len(self.index) else [])]
        if not len(given) or not (indexes or self.blocks):
            return [None] * len(given), [-1.0] * len(given)
        if indexes:
            keys, likeness = looked_up(indexes, given)
        else:
            if self.rows is None:
                self.rows = np.concatenate(self.blocks)
                self.blocks = [self.rows]
            cosines = given @ self.rows.T
            places = cosines.argmax(1)
            keys, likeness = np.asarray(self.keys)[places], cosines[np.arange(len(given)), places]
        return [int(key) for key in keys], [float(one) for one in likeness]

    def put_away(self, dimensions: int) -> None:
        """A full index goes into a file, and another one is begun."""
        if self.folder is None or len(self.index) < HELD:
            return
        path = self.file(len(self.files))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        self.index.save(str(part))
        os.replace(part, path)
        self.files.append(opened(path))
        self.index = made(dimensions)

    def file(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"vectors-{HELD}-{number}.usearch"

    def forget(self) -> None:
        """Remove its files."""
        for number in range(len(self.files)):
            self.file(number).unlink(missing_ok=True)
        self.files, self.index = [], None


def looked_up(indexes: Sequence[Any], given: Any) -> tuple[Any, Any]:
    """Of each vector the key and the cosine of the best that one of the indexes has; of equal ones the first."""
    found = [index.search(given.astype(np.float16), 1, threads=1) for index in indexes]
    keys = np.stack([np.asarray(one.keys).reshape(-1) for one in found])
    likeness = 1 - np.stack([np.asarray(one.distances).reshape(-1) for one in found])
    best = likeness.argmax(0)
    each = np.arange(len(given))
    return keys[best, each], likeness[best, each]


def made(dimensions: int) -> Any:
    """An empty index; None where usearch is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        return None
    return Index(ndim=dimensions, metric="cos", dtype="f16")


def opened(path: Path) -> Any:
    """An index in a file, read as it is needed."""
    from usearch.index import Index

    return Index.restore(str(path), view=True)


def unit(vectors: Any) -> Any:
    """Vectors of length 1 as float32; zero stays zero."""
    given = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    return given / np.where(lengths > 0, lengths, 1)
