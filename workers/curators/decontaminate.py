"""Pairs that overlap with a benchmark, or with an evaluation split of an earlier version: dropped, with the row named.

A run of 13 words in common with a prompt of a benchmark, as Skywork-Reward-V2 is cleaned (arXiv 2507.01352); besides,
so that disguises are found too, the share of the benchmark's runs of five words, and MinHash (workers/overlap.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Literal

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, Side, curators
from workers.overlap import OWN, Guard, Hit, Protected, Ways, said_by_user

AT_ONCE = 512


class DecontaminateSettings(Settings):
    against: list[str] = Field(
        default=[OWN],
        min_length=1,
        max_length=50,
        title="Against",
        description="names of benchmarks; own: the evaluation splits of the project's earlier versions",
    )
    look_in: Literal["prompt", "everything"] = Field(
        default="prompt", title="Look in", description="the prompts of the pairs, or their responses too"
    )
    ngram: int = Ways.model_fields["ngram"]  # type: ignore[assignment]
    containment: float = Ways.model_fields["containment"]  # type: ignore[assignment]
    minhash: float = Ways.model_fields["minhash"]  # type: ignore[assignment]
    embedder: int | None = Field(
        default=None,
        title="Embedder",
        description="prompts whose vectors are near those of protected ones are found too; 'embed' gives vectors",
        json_schema_extra={"choose": "model", "kinds": ["embedder"]},
    )
    embedding: float = Field(default=0.9, gt=0, le=1, title="Cosine", description="of the embedder: from which on")


def propose(rows: Iterable[Row], params: DecontaminateSettings, aid: Aid) -> Iterator[Proposal]:
    """`aid.references` has the texts of each set. The score is how much of the protected text is there."""
    protected = [Protected(name, row, text) for name, texts in aid.references.items() for row, text in texts()]
    near = params.embedding if aid.embed else 0.0
    ways = Ways(ngram=params.ngram, containment=params.containment, minhash=params.minhash, embedding=near)
    vectors = aid.embed([one.text for one in protected]) if aid.embed else None
    guard = Guard(protected, ways, vectors)
    aid.log(f"{len(guard.entries)} different texts of {', '.join(aid.references) or 'no set'} are protected")
    source, without = iter(rows), 0
    while some := list(islice(source, AT_ONCE)):
        without += sum(row.vector is None for row in some)
        for row, hit in zip(some, looked_at(guard, some, params.look_in), strict=True):
            if hit is not None and not at_home(hit):
                yield Proposal(row.subject, "drop", hit.score, hit.reason, cause(hit.protected.set))
    if aid.embed and without:
        aid.log(f"{without} prompts have no vector; a run of 'embed' with prompts gives them")


def looked_at(guard: Guard, rows: list[Row], where: str) -> list[Hit | None]:
    """What each row overlaps with; its prompt is looked at first."""
    found = guard.hits([said_by_user(row.prompt) for row in rows], [row.vector for row in rows])
    if where == "everything":
        left = [(n, side.text) for n, row in enumerate(rows) if found[n] is None for side in sides(row)]
        for (n, _), hit in zip(left, guard.hits([text for _, text in left]), strict=True):
            found[n] = found[n] or hit
    return found


def sides(row: Row) -> Iterator[Side]:
    yield row.first
    if row.second is not None:
        yield row.second


def at_home(hit: Hit) -> bool:
    """Whether it is the very prompt of an own evaluation split: equal prompts go to that split by themselves."""
    return hit.how == "exact" and hit.protected.set.startswith(f"{OWN} ")


def cause(name: str) -> str:
    return f"overlaps with {name}"


curators.add(
    Curator(
        name="decontaminate",
        title="Decontaminate",
        about="Drops pairs that overlap with a benchmark or an evaluation split, with the row and the words in common.",
        propose=propose,
        params=DecontaminateSettings,
        paper="arXiv 2507.01352",
        needs=frozenset({"references", "prompt vectors"}),
        of="any",
    )
)
