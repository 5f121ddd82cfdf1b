"""What overlaps with texts that must stay unseen is left out of a version before it is frozen, and counted by set.

Benchmarks are kept out of all splits. Evaluation splits of earlier versions are kept out of the others: what is for
evaluation may be again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from curation.models import DatasetVersion
from curation.services import protecting
from curation.services.filtering import Decontaminate
from curation.services.freezing.selecting import Candidate
from workers.overlap import OWN, Guard, Protected, Ways, said_by_user

AT_ONCE = 500


@dataclass
class Unseen:
    """Protected texts of a version, and in which split each of its candidates would be."""

    everywhere: Guard
    own: Guard
    where: Callable[[Candidate], str]

    def kept_out(self, found: Iterator[Candidate]) -> Iterator[Candidate]:
        """Candidates that overlap get the name of the set as the reason."""
        while some := list(islice(found, AT_ONCE)):
            open_ones = [one for one in some if one.reason is None]
            reasons = dict(zip(map(id, open_ones), self.reasons(open_ones), strict=True))
            for one in some:
                reason = reasons.get(id(one))
                yield replace(one, reason=reason) if reason else one

    def reasons(self, some: Sequence[Candidate]) -> list[str | None]:
        """Why each is left out; equal prompts are looked at once."""
        asked = {one.prompt_hash: prompt_of(one) for one in some}
        found = dict(zip(asked, self.everywhere.hits(list(asked.values())), strict=True))
        learnt = {one.prompt_hash for one in some if self.where(one) not in protecting.EVALUATION}
        left = [name for name in asked if found[name] is None and name in learnt]
        mine = dict(zip(left, self.own.hits([asked[name] for name in left]), strict=True))
        told: list[str | None] = []
        for one in some:
            hit = found[one.prompt_hash]
            if hit is None and self.where(one) not in protecting.EVALUATION:
                hit = mine.get(one.prompt_hash)
            told.append(f"overlaps with {hit.protected.set}" if hit else None)
        return told


def prompt_of(one: Candidate) -> str:
    given = one.given[0] if isinstance(one.given, list) else one.given
    return said_by_user(given.prompt)


def wanted(version: DatasetVersion) -> Decontaminate | None:
    given = version.filters.get("decontaminate")
    return Decontaminate.model_validate(given) if given else None


def sets_of(version: DatasetVersion) -> list[dict[str, Any]]:
    """The sets that a version is compared with; gathered when it is first made, and kept with it."""
    asked = wanted(version)
    if asked is None:
        return []
    if "protected" not in version.lineage:
        version.lineage["protected"] = protecting.gathered(version.dataset.project, asked.against, version.created_at)
        DatasetVersion.objects.filter(pk=version.pk).update(lineage=version.lineage)
    found: list[dict[str, Any]] = version.lineage["protected"]
    return found


def unseen(version: DatasetVersion, where: Callable[[Candidate], str]) -> Unseen | None:
    """None where nothing is asked to be kept out."""
    asked = wanted(version)
    if asked is None:
        return None
    ways = Ways(ngram=asked.ngram, containment=asked.containment, minhash=asked.minhash)
    own: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for facts in sets_of(version):
        (own if facts["from"] == OWN else others).append(facts)
    return Unseen(Guard(texts(others), ways), Guard(texts(own), ways), where)


def texts(sets: Sequence[dict[str, Any]]) -> Iterator[Protected]:
    for facts in sets:
        for row, text in protecting.texts_of(facts):
            yield Protected(facts["name"], row, text)


def counted(version: DatasetVersion) -> list[dict[str, Any]]:
    """For the card: each set with how many texts it has and how many candidates were left out by it."""
    dropped = version.counts["dropped"]
    return [{**facts, "left_out": dropped.get(f"overlaps with {facts['name']}", 0)} for facts in sets_of(version)]
