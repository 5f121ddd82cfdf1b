"""Vectors that are most like others: usearch's index where it is installed, all against all where there are few.

usearch (Apache-2.0) builds a graph (HNSW, Malkov and Yashunin 2018, arXiv 1603.09320) in float16; one thread adds in
the order given, so that the same vectors give the same answers. Memory: some 2 bytes a number and 150 bytes a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workers.judging import Unusable

MOST_COMPARED = 20_000
"""So many vectors are compared one by one where there is no index."""


class Neighbours:
    """Vectors by whole numbers, and which of them are most like given ones, by the cosine."""

    def __init__(self, *, exact: bool = False) -> None:
        """`exact`: compare with each one, whether or not there is an index."""
        self.exact = exact
        self.index: Any = None
        self.keys: list[int] = []
        self.blocks: list[Any] = []
        self.rows: Any = None

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, keys: Sequence[int], vectors: Any) -> None:
        """Vectors (n, d), not zero. Raises Unusable for more than can be compared without an index."""
        if not len(keys):
            return
        given = unit(vectors)
        self.keys += map(int, keys)
        if self.index is None and not self.blocks and not self.exact:
            self.index = made(given.shape[1])
        if self.index is not None:
            places = np.arange(len(self.keys) - len(given), len(self.keys))
            self.index.add(places, given.astype(np.float16), threads=1)
            return
        if not self.exact and len(self.keys) > MOST_COMPARED:
            raise Unusable(f"more than {MOST_COMPARED} vectors need an index on this worker: pip install usearch")
        self.blocks.append(given)
        self.rows = None

    def nearest(self, vectors: Any) -> tuple[list[int | None], list[float]]:
        """Of each vector (n, d) the key of the one most like it and the cosine; None and -1 where there is none."""
        given = unit(vectors)
        if not self.keys or not len(given):
            return [None] * len(given), [-1.0] * len(given)
        if self.index is not None:
            found = self.index.search(given.astype(np.float16), 1, threads=1)
            places, likeness = np.asarray(found.keys).reshape(-1), 1 - np.asarray(found.distances).reshape(-1)
        else:
            if self.rows is None:
                self.rows = np.concatenate(self.blocks)
                self.blocks = [self.rows]
            cosines = given @ self.rows.T
            places = cosines.argmax(1)
            likeness = cosines[np.arange(len(given)), places]
        return [self.keys[int(place)] for place in places], [float(one) for one in likeness]


def made(dimensions: int) -> Any:
    """An empty index; None where usearch is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        return None
    return Index(ndim=dimensions, metric="cos", dtype="f16")


def unit(vectors: Any) -> Any:
    """Vectors of length 1 as float32; zero stays zero."""
    given = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    return given / np.where(lengths > 0, lengths, 1)
