"""What more labels would bring, and which to ask for: learning curves, and queues ordered by what a head would learn.

vectors.py    vectors of responses: an embedder's, or hashed words
gathering.py  the decided pairs with their vectors, slices and how far people agree on them
asking.py     the run that makes a learning curve
acquiring.py  keys of open tasks: change, disagreement, coverage, mixed
slicing.py    slices by source, by a field of the metadata, or by cluster
telling.py    what pages and API tell
"""

from __future__ import annotations

from curation.services.learning.asking import METHOD

__all__ = ["METHOD"]
