"""Which split a row goes to: what belongs together is always in one split, whatever else is in the version."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from curation import bulk
from curation.models import DatasetVersion
from curation.services.freezing.selecting import Candidate, loaded, past_of

PROMPTS = """
SELECT i.prompt_hash, i.prompt FROM curation_item i
WHERE i.project_id = %s AND i.deleted_at IS NULL AND i.created_at <= %s
ORDER BY i.id
"""


def splitter(version: DatasetVersion) -> Callable[[Candidate], str]:
    """The split of each candidate of a version, by what it keeps together."""
    if len(version.splits) == 1:
        (only,) = version.splits
        return lambda _: only
    group = grouping(version)
    return lambda candidate: split_of(version.seed, group(candidate), version.splits)


def grouping(version: DatasetVersion) -> Callable[[Candidate], str]:
    """What stays together, under a name that is the same in every version."""
    if version.split_by == DatasetVersion.SplitBy.CLUSTER:
        return by_cluster(version)
    if version.split_by == DatasetVersion.SplitBy.SOURCE:
        return lambda one: f"source:{one.source}"
    if version.split_by == DatasetVersion.SplitBy.ITEM:
        return lambda one: f"item:{one.lineage[0]['item']}"
    return lambda one: one.prompt_hash


def by_cluster(version: DatasetVersion) -> Callable[[Candidate], str]:
    """Near-duplicate prompts of the whole project are one group, so a filter moves nothing to another split."""
    from workers.clustering import near_duplicates

    together = near_duplicates(prompts(version))
    return lambda one: together.get(one.prompt_hash, one.prompt_hash)


def prompts(version: DatasetVersion) -> Iterator[tuple[str, str]]:
    """The prompt of every item that was there when the version was asked for, under its hash, as one text."""
    params = [version.dataset.project_id, bulk.moment(version.created_at)]
    for prompt_hash, prompt in past_of(version).stream(PROMPTS, params):
        yield prompt_hash, "\n".join(message["content"] for message in loaded(prompt))


def split_of(seed: int, group: str, shares: dict[str, float]) -> str:
    """The split of a group, such as all rows with one prompt: it follows from seed, group and shares alone."""
    digest = hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest()
    point, reached = int.from_bytes(digest, "big") / 2**64, 0.0
    for name, share in shares.items():
        reached += share
        if point < reached:
            return name
    return name
