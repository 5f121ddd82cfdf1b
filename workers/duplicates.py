"""Which of many entries say the same: groups by digest, by MinHash or by vectors, and which one of each is kept.

Texts are looked at once and forgotten. What is kept of an entry is in a ledger on the disk (workers/ledger.py): 16
bytes of digest, or 256 bytes of bands and sketch, or the leader of its group; vectors of leaders are in an index. A
ledger that was filled in part is filled on from there, so entries are to come again as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import groupby, islice, pairwise
from typing import Any

import numpy as np

from workers.clustering import PERMUTATIONS, banded, signatures
from workers.ledger import NUMBERED, Entry, Ledger
from workers.neighbours import Neighbours, unit

AT_ONCE = 512
SAME = """
INSERT INTO twin SELECT place, kept, 1 FROM (
    SELECT place, FIRST_VALUE(place) OVER (PARTITION BY said ORDER BY weight DESC, place) AS kept FROM entry
) WHERE place != kept
"""
COLLIDING = "SELECT place, {0} FROM band ORDER BY {0}, place"
GROUPED = """
SELECT m.top, m.place, e.said FROM member m JOIN entry e ON e.place = m.place ORDER BY m.top, e.weight DESC, m.place
"""
CLOSE = """
INSERT INTO twin SELECT place, kept, CASE place WHEN leader THEN furthest ELSE cosine END FROM (
    SELECT n.place, n.leader, n.cosine,
        FIRST_VALUE(n.place) OVER (PARTITION BY n.leader ORDER BY e.weight DESC, n.place) AS kept,
        MAX(CASE n.place WHEN n.leader THEN -1 ELSE n.cosine END) OVER (PARTITION BY n.leader) AS furthest
    FROM near n JOIN entry e ON e.place = n.place
) WHERE place != kept
"""


def digest(*texts: str) -> bytes:
    """16 bytes that stand for texts in their order."""
    told = blake2b(digest_size=16)
    for text in texts:
        given = text.encode("utf-8", "surrogatepass")
        told.update(len(given).to_bytes(8, "little") + given)
    return told.digest()


def same(ledger: Ledger, entries: Iterable[tuple[Entry, bytes]]) -> None:
    """Entries with their digests: all but one of those that are equal become twins of the ledger.

    Kept is the one with the highest weight, of equal ones the first.
    """
    for some in missing(ledger, entries):
        ledger.add([replace(entry, said=said) for entry, said in some])
    with ledger.once("twins") as fresh:
        if fresh:
            ledger.db.execute(SAME)


def nearly(ledger: Ledger, entries: Iterable[tuple[Entry, str]], least: float) -> None:
    """Texts whose runs of five characters are alike by `least` or more (Jaccard, estimated) to one that is kept.

    Texts that share a band of their MinHash signatures are looked at (workers/clustering.py has with what chance), and
    compared by one byte of each of 128 permutations (Li and König 2010, arXiv 0908.2811): the estimate has a standard
    error of 0.04 at most.
    """
    for some in missing(ledger, entries):
        signed = zip(some, signatures([text for _, text in some]), strict=True)
        ledger.add([replace(entry, said=sketch(one), bands=banded(one)) for (entry, _), one in signed])
    with ledger.once("twins") as fresh:
        if fresh:
            together(ledger)
            for group in groups(ledger):
                ledger.db.executemany("INSERT INTO twin VALUES (?, ?, ?)", apart(group, least))


def missing(ledger: Ledger, entries: Iterable[tuple[Entry, Any]]) -> Iterator[list[tuple[Entry, Any]]]:
    """Blocks of those that the ledger does not have; all of them are gone through."""
    source = islice(entries, len(ledger), None)
    while some := list(islice(source, AT_ONCE)):
        yield some


def sketch(signature: Any) -> bytes:
    return (np.asarray(signature, dtype=np.uint32) & 0xFF).astype(np.uint8).tobytes()


def together(ledger: Ledger) -> None:
    """Join what is equal in a band."""
    for name in NUMBERED:
        for (before, one), (place, other) in pairwise(ledger.db.execute(COLLIDING.format(name))):
            if one == other:
                ledger.join(before, place)


def groups(ledger: Ledger) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Of what hangs together the places and sketches, in the order of preference."""
    ledger.db.execute("CREATE TEMP TABLE member (place INTEGER PRIMARY KEY, top INTEGER NOT NULL)")
    joined = ledger.db.execute("SELECT place FROM above ORDER BY place")
    ledger.db.executemany("INSERT INTO member VALUES (?, ?)", ((place, ledger.top(place)) for (place,) in joined))
    for _, rows in groupby(ledger.db.execute(GROUPED), key=lambda row: row[0]):
        yield ((place, said) for _, place, said in rows)
    ledger.db.execute("DROP TABLE member")


def apart(group: Iterable[tuple[int, bytes]], least: float) -> Iterator[tuple[int, int, float]]:
    """Of a group in the order of preference: those alike to one that is kept before them."""
    kept: list[int] = []
    sketches = np.empty((1, PERMUTATIONS), dtype=np.uint8)
    for place, said in group:
        own = np.frombuffer(said, dtype=np.uint8)
        likeness = ((sketches[: len(kept)] == own).mean(1) - 1 / 256) / (1 - 1 / 256)
        best = int(likeness.argmax()) if kept else -1
        if kept and likeness[best] >= least:
            yield place, kept[best], float(likeness[best])
            continue
        if len(kept) == len(sketches):
            sketches = np.concatenate([sketches, np.empty_like(sketches)])
        sketches[len(kept)] = own
        kept.append(place)


def close(ledger: Ledger, entries: Iterable[tuple[Entry, Any]], least: float, first: Neighbours) -> None:
    """Entries whose vector has a cosine of `least` or more with one before them; None: it has no vector.

    Each is compared with the first of every group so far, and belongs to the nearest. Kept of a group is the one with
    the highest weight, of equal ones the first; the likeness is that to the first. `first` is an empty index; of a
    ledger that was filled in part it is filled again as it was.
    """
    there = len(ledger)
    first.restore(ledger.number("SELECT COUNT(*) FROM near WHERE place = leader AND place < ?", there))
    source = iter(entries)
    for entry, vector in islice(source, there):
        if ledger.number("SELECT COUNT(*) FROM near WHERE place = ? AND leader = place", entry.place):
            first.add([entry.place], [vector])
    while some := list(islice(source, AT_ONCE)):
        there_are = [(entry.place, vector) for entry, vector in some if vector is not None]
        ledger.add([entry for entry, _ in some], placed(first, there_are, least))
    with ledger.once("twins") as fresh:
        if fresh:
            ledger.db.execute(CLOSE)


def placed(first: Neighbours, some: Sequence[tuple[int, Any]], least: float) -> list[tuple[int, int, float]]:
    """Of each entry its place, that of the leader of its group and the cosine to it; what is near none leads its own.

    All are looked up in the index at once; the leaders among themselves are compared one by one.
    """
    if not some:
        return []
    vectors = unit(np.stack([vector for _, vector in some]))
    found = []
    fresh: list[int] = []
    for n, (leader, cosine) in enumerate(zip(*first.nearest(vectors), strict=True)):
        if fresh:
            cosines = vectors[fresh] @ vectors[n]
            best = int(cosines.argmax())
            if cosines[best] > cosine:
                leader, cosine = some[fresh[best]][0], float(cosines[best])
        place = some[n][0]
        if leader is not None and cosine >= least:
            found.append((place, leader, cosine))
        else:
            fresh.append(n)
            found.append((place, place, 1.0))
    first.add([some[n][0] for n in fresh], vectors[fresh])
    return found
