"""What overlaps with texts that must stay unseen is left out of a version before it is frozen, and counted by set.

With an embedder that is also what is near them by the vectors of prompts: those that there were when the version was
asked for. Texts and vectors of the sets are kept by their digests, so that a version is made again as it was.

Benchmarks are kept out of all splits. Evaluation splits of earlier versions are kept out of the others: what is for
evaluation may be again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from curation import bulk
from curation.models import DatasetVersion, ModelVersion
from curation.services import protecting
from curation.services.embedding import prompts_to_vectors
from curation.services.filtering import Decontaminate
from curation.services.freezing.selecting import Candidate
from curation.statements import rows
from workers.overlap import OWN, Guard, Hit, Protected, Ways, said_by_user

AT_ONCE = 500
OVERLAPS, NEAR = "overlaps with", "near by vectors to"
VECTORS = """
SELECT x.item_id, x.vector FROM curation_embedding x
WHERE x.item_id {} AND x.model_id = %s AND x.response_id IS NULL AND x.id <= %s
"""


@dataclass
class Unseen:
    """Protected texts of a version, and in which split each of its candidates would be."""

    everywhere: Guard
    own: Guard
    where: Callable[[Candidate], str]
    vectors: Callable[[Sequence[Candidate]], dict[str, Any]]
    """Those of prompts by their hash, of some candidates."""

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
        vectors = self.vectors(some)

        def looked_at(guard: Guard, names: Sequence[str]) -> dict[str, Hit | None]:
            hits = guard.hits([asked[name] for name in names], [vectors.get(name) for name in names])
            return dict(zip(names, hits, strict=True))

        found = looked_at(self.everywhere, list(asked))
        learnt = {one.prompt_hash for one in some if self.where(one) not in protecting.EVALUATION}
        left = [name for name in asked if found[name] is None and name in learnt]
        mine = looked_at(self.own, left)
        told: list[str | None] = []
        for one in some:
            hit = found[one.prompt_hash]
            if hit is None and self.where(one) not in protecting.EVALUATION:
                hit = mine.get(one.prompt_hash)
            told.append(reason_of(hit) if hit else None)
        return told


def reason_of(hit: Hit) -> str:
    return f"{NEAR if hit.how == 'embedding' else OVERLAPS} {hit.protected.set}"


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
        made = protecting.gathered(version.dataset.project, asked.against, version.created_at)
        if asked.embedder:
            embed = partial(prompts_to_vectors, ModelVersion.objects.get(pk=asked.embedder))
            made = [{**facts, "vectors": protecting.embedded(facts, embed)} for facts in made]
        version.lineage["protected"] = made
        DatasetVersion.objects.filter(pk=version.pk).update(lineage=version.lineage)
    found: list[dict[str, Any]] = version.lineage["protected"]
    return found


def unseen(version: DatasetVersion, where: Callable[[Candidate], str]) -> Unseen | None:
    """None where nothing is asked to be kept out."""
    asked = wanted(version)
    if asked is None:
        return None
    near = asked.embedding if asked.embedder else 0.0
    ways = Ways(ngram=asked.ngram, containment=asked.containment, minhash=asked.minhash, embedding=near)
    own: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for facts in sets_of(version):
        (own if facts["from"] == OWN else others).append(facts)
    return Unseen(guard_of(others, ways), guard_of(own, ways), where, partial(vectors_of, version))


def guard_of(sets: Sequence[dict[str, Any]], ways: Ways) -> Guard:
    near = [vector for facts in sets for vector in protecting.vectors_of(facts)] if ways.embedding else None
    return Guard(texts(sets), ways, near)


def vectors_of(version: DatasetVersion, some: Sequence[Candidate]) -> dict[str, Any]:
    """The vectors that the prompts of some candidates had when the version was asked for; nothing without an
    embedder."""
    asked = wanted(version)
    if asked is None or not asked.embedder:
        return {}
    import numpy as np

    names = {one.item_id: one.prompt_hash for one in some if one.item_id}
    among, ids = bulk.one_of(sorted(names))
    found = rows(VECTORS.format(among), [ids, asked.embedder, version.lineage["last_embedding"]])
    return {names[item]: np.frombuffer(bytes(vector), dtype="<f2").astype(np.float32) for item, vector in sorted(found)}


def texts(sets: Sequence[dict[str, Any]]) -> Iterator[Protected]:
    for facts in sets:
        for row, text in protecting.texts_of(facts):
            yield Protected(facts["name"], row, text)


def counted(version: DatasetVersion) -> list[dict[str, Any]]:
    """For the card: each set with how many texts it has, and how many candidates were left out by it: in all, and of
    these by vectors alone."""
    dropped, near = version.counts["dropped"], bool((asked := wanted(version)) and asked.embedder)
    told = []
    for facts in sets_of(version):
        by_words, by_vectors = (dropped.get(f"{how} {facts['name']}", 0) for how in (OVERLAPS, NEAR))
        more = {"left_out_by_vectors": by_vectors} if near else {}
        told.append({**facts, "left_out": by_words + by_vectors, **more})
    return told
