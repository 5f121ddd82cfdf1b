"""Vectors of words without any model: counts of words and of pairs of words, hashed (Weinberger et al. 2009).

Each word adds 1 + log(count) at a place and with a sign that its hash names; the vector has length 1. The last number
is the logarithm of the text's length, which preferences often go by. It knows no meaning: an embedder is better.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log
from typing import Any
from zlib import crc32

WIDTH = 512
WORDS = re.compile(r"\w+|[^\w\s]")
LOOKED_AT = 20_000
LENGTH_SCALE = 0.3


def vectors(texts: Sequence[str]) -> Any:
    """A row of WIDTH + 1 numbers for each text."""
    import numpy as np

    found = np.zeros((len(texts), WIDTH + 1), dtype=np.float32)
    for row, text in zip(found, texts, strict=True):
        words = WORDS.findall(text[:LOOKED_AT].casefold())
        counts = Counter([*words, *map(" ".join, zip(words, words[1:], strict=False))])
        for word, count in counts.items():
            number = crc32(word.encode())
            row[number % WIDTH] += (1.0 if number & 0x8000_0000 else -1.0) * (1 + log(count))
        row /= max(1e-9, float(np.sqrt(row @ row)))
        row[WIDTH] = LENGTH_SCALE * log(1 + len(text))
    return found
