"""Which pairs to ask for next: those that would change the head most, those that heads differ on, and all kinds.

change        expected length of the gradient over both answers: sum over y of p(y) |y - p| |d| = 2 p (1 - p) |d|
              (Settles, Craven and Ray 2008, "Multiple-instance active learning")
disagreement  standard deviation of P(second is better) over bootstrapped heads: query by committee (Seung et al. 1992)
coverage      clusters by mini-batch k-means (Sculley 2010) begun by k-means++ (Arthur and Vassilvitskii 2007); the next
              pair is always of the cluster with fewest labels, in it the one nearest to its middle
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from workers.learning.heads import sigmoid

CLUSTERS = 32
SAMPLE = 2_000
"""So many vectors choose where clusters begin."""


def change(x: Any, head: Any) -> Any:
    """Expected gradient length of each row under the head's own probabilities."""
    import numpy as np

    p = sigmoid(x @ head)
    return 2 * p * (1 - p) * np.sqrt((x * x).sum(axis=1))


def disagreement(x: Any, heads: Any) -> Any:
    """How far the heads' probabilities of each row are spread."""
    return sigmoid(x @ heads.T).std(axis=1)


def begun(vectors: Any, count: int, seed: int = 0) -> Any:
    """Where clusters begin: k-means++, each next one drawn by its squared distance to those there are."""
    import numpy as np

    chance = np.random.default_rng(seed)
    given = np.asarray(vectors, dtype=np.float64)
    chosen = [int(chance.integers(len(given)))]
    distance = apart(given, given[chosen])[:, 0]
    while len(chosen) < count and distance.sum() > 1e-12:
        chosen.append(int(chance.choice(len(given), p=distance / distance.sum())))
        distance = np.minimum(distance, apart(given, given[chosen[-1:]])[:, 0])
    return given[chosen]


def apart(vectors: Any, middles: Any) -> Any:
    """Squared distances, a row for each vector."""
    import numpy as np

    squares = (vectors * vectors).sum(axis=1)[:, None] + (middles * middles).sum(axis=1)
    return np.maximum(0.0, squares - 2 * vectors @ middles.T)


class Clusters:
    """Middles that move with every batch that comes by; memory does not grow with what they have seen."""

    def __init__(self, middles: Any) -> None:
        import numpy as np

        self.middles = np.asarray(middles, dtype=np.float64).copy()
        self.seen = np.zeros(len(self.middles))

    def learn(self, vectors: Any) -> None:
        import numpy as np

        nearest = apart(vectors, self.middles).argmin(axis=1)
        for one in np.unique(nearest):
            mine = vectors[nearest == one]
            self.seen[one] += len(mine)
            self.middles[one] += (mine.sum(axis=0) - len(mine) * self.middles[one]) / self.seen[one]

    def nearest(self, vectors: Any) -> tuple[Any, Any]:
        """The cluster of each vector, and its squared distance to the middle of it."""
        distance = apart(vectors, self.middles)
        nearest = distance.argmin(axis=1)
        return nearest, distance[range(len(distance)), nearest]


def turns(cluster: Sequence[int], distance: Sequence[float], labelled: Sequence[int]) -> array[float]:
    """The turn of each row: labels its cluster has, and rows of it that are nearer to the middle. Lower comes first."""
    keys = array("d", bytes(8 * len(cluster)))
    rank = list(labelled)
    ends = max(distance, default=0.0) + 1.0
    for n in sorted(range(len(cluster)), key=distance.__getitem__):
        keys[n] = rank[cluster[n]] + distance[n] / ends
        rank[cluster[n]] += 1
    return keys


def mixed(orders: Sequence[Sequence[float]]) -> tuple[array[float], bytearray]:
    """Several orders in turn, each by lowest key: the place of each row, and which order put it there."""
    count = len(orders[0]) if orders else 0
    places, by = array("d", bytes(8 * count)), bytearray(count)
    waiting = [iter(sorted(range(count), key=keys.__getitem__)) for keys in orders]
    taken = bytearray(count)
    for place in range(count):
        number = place % len(orders)
        row = next(n for n in waiting[number] if not taken[n])
        taken[row], places[row], by[row] = 1, float(place), number
    return places, by
