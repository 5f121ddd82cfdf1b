"""Which split a row goes to: what belongs together is always in one split, whatever else is in the version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from curation.models import DatasetVersion
from curation.services.freezing.selecting import Candidate


def splitter(version: DatasetVersion) -> Callable[[Candidate], str]:
    """The split of each candidate of a version, by what it keeps together."""
    return lambda candidate: split_of(version.seed, candidate.prompt_hash, version.splits)


def split_of(seed: int, group: str, shares: dict[str, float]) -> str:
    """The split of a group, such as all rows with one prompt: it follows from seed, group and shares alone."""
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    point, reached = int.from_bytes(digest, "big") / 2**64, 0.0
    for name, share in shares.items():
        reached += share
        if point < reached:
            return name
    return name
