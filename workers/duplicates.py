"""Which of many entries say the same: groups by digest, by MinHash or by vectors, and which one of each is kept.

Entries are known by their place, from 0. Texts are looked at once and forgotten; what is kept of an entry is 16 bytes
of digest, or 256 bytes of bands and sketch, or its vector.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np

from workers.clustering import BANDS, PERMUTATIONS, Joined, banded, signatures

AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Twin:
    """An entry that says the same as one that is kept. `likeness`: 1 where it is the same."""

    place: int
    kept: int
    likeness: float


def digest(*texts: str) -> bytes:
    """16 bytes that stand for texts in their order."""
    told = blake2b(digest_size=16)
    for text in texts:
        given = text.encode("utf-8", "surrogatepass")
        told.update(len(given).to_bytes(8, "little") + given)
    return told.digest()


def same(digests: bytes | bytearray, weights: Sequence[int]) -> Iterator[Twin]:
    """Of digests of 16 bytes, one behind the other: all but one of those that are equal.

    Kept is the one with the highest weight, of equal ones the first.
    """
    halves = np.frombuffer(bytes(digests), dtype="<u8").reshape(-1, 2)
    if not len(halves):
        return
    heavy = np.asarray(weights, dtype=np.int64)
    order = np.lexsort((np.arange(len(halves)), -heavy, halves[:, 1], halves[:, 0]))
    told = halves[order]
    begins = np.concatenate(([True], (told[1:] != told[:-1]).any(1)))
    kept = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
    for place, of in zip(order[~begins].tolist(), kept[~begins].tolist(), strict=True):
        yield Twin(place, of, 1.0)


def nearly(texts: Iterable[str], weights: Sequence[int], least: float) -> Iterator[Twin]:
    """Texts whose runs of five characters are alike by `least` or more (Jaccard, estimated) to one that is kept.

    Texts that share a band of their MinHash signatures are looked at (workers/clustering.py has with what chance), and
    compared by one byte of each of 128 permutations (Li and König 2010, arXiv 0908.2811): the estimate has a standard
    error of 0.04 at most. `weights` are read when the texts are through.
    """
    bands = [array("Q") for _ in range(BANDS)]
    sketches = bytearray()
    source = iter(texts)
    while some := list(islice(source, AT_ONCE)):
        for signature in signatures(some):
            for band, value in zip(bands, banded(signature), strict=True):
                band.append(value)
            sketches += (np.asarray(signature, dtype=np.uint32) & 0xFF).astype(np.uint8).tobytes()
    drawn = np.frombuffer(sketches, dtype=np.uint8).reshape(-1, PERMUTATIONS)
    for group in together(bands):
        yield from apart(sorted(group, key=lambda place: (-weights[place], place)), drawn, least)


def together(bands: Sequence[array[int]]) -> Iterator[list[int]]:
    """Places that hang together by equal values in a band, where there are two or more."""
    joined = Joined(len(bands[0]))
    for band in bands:
        values = np.frombuffer(band, dtype=np.uint64) if len(band) else np.empty(0, dtype=np.uint64)
        order = np.argsort(values, kind="stable")
        for at in np.flatnonzero(values[order][1:] == values[order][:-1]).tolist():
            joined.join(int(order[at]), int(order[at + 1]))
    groups: dict[int, list[int]] = {}
    above = np.frombuffer(joined.above, dtype=np.uint64) if len(bands[0]) else np.empty(0, dtype=np.uint64)
    for place in np.flatnonzero(above != np.arange(len(above), dtype=np.uint64)).tolist():
        groups.setdefault(joined.top(place), []).append(place)
    for top, others in groups.items():
        yield [top, *others]


def apart(group: Sequence[int], sketches: Any, least: float) -> Iterator[Twin]:
    """Of a group in the order of preference: those alike to one that is kept before them."""
    kept: list[int] = []
    for place in group:
        shares = (sketches[kept] == sketches[place]).mean(1) if kept else np.empty(0)
        likeness = (shares - 1 / 256) / (1 - 1 / 256)
        best = int(likeness.argmax()) if kept else -1
        if kept and likeness[best] >= least:
            yield Twin(place, kept[best], float(likeness[best]))
        else:
            kept.append(place)


def close(vectors: Iterable[Any], weights: Sequence[int], least: float) -> Iterator[Twin]:
    """Entries whose vector has a cosine of `least` or more with one before them; None: it has no vector.

    Each is compared with the first of every group so far, and belongs to the nearest. Kept of a group is the one with
    the highest weight, of equal ones the first; the likeness is that to the first. `weights` are read at the end.
    """
    from workers.neighbours import Neighbours

    first = Neighbours()
    groups: dict[int, list[tuple[int, float]]] = {}
    for place, vector in enumerate(vectors):
        if vector is None:
            continue
        (leader,), (cosine,) = first.nearest([vector])
        if leader is not None and cosine >= least:
            groups.setdefault(leader, []).append((place, cosine))
        else:
            first.add([place], [vector])
    for leader, others in groups.items():
        members = [(leader, max(cosine for _, cosine in others)), *others]
        kept = min(members, key=lambda one: (-weights[one[0]], one[0]))[0]
        for place, cosine in members:
            if place != kept:
                yield Twin(place, kept, cosine)
