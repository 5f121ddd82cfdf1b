"""Vectors of an embedder: of every prompt, or of every response with its prompt, that has none yet."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

from django.db.models import Exists, OuterRef
from pydantic import Field

from curation.models import Embedding, Item, ModelVersion, Response, Run, Shard
from curation.services import candidates, scoring
from curation.services.method import Method, Params, Piece
from curation.services.sharding import ShardReport
from workers.judging import Given, Judged

LOOKED_UP = 500


class EmbedParams(Params):
    model: int = Field(
        title="Model", description="which embedder", json_schema_extra={"choose": "model", "kinds": ["embedder"]}
    )
    what: Literal["responses", "prompts"] = Field(
        default="responses", title="What", description="responses, each with its prompt, or prompts alone"
    )
    items_per_shard: int | None = Field(
        default=None, ge=1, le=10_000, title="Items in a shard", description="by default 128, on a GPU 1024"
    )


def plan(run: Run, params: EmbedParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    size = scoring.shard_size(run, params.items_per_shard)
    return candidates.pieces(scoring.items_of(run.home), size, after)


def work(run: Run, shard: Shard, params: EmbedParams, report: ShardReport) -> None:
    """Embed what has no vector of this model version in a range of items."""
    assert run.model is not None
    rows = prompts(run, shard.spec) if params.what == "prompts" else responses(run, shard.spec)
    found = scoring.judged(run.model, rows, report)
    report.progress(max(0, shard.size - report.rows))
    with report.committing(
        embedded=len(found),
        truncated=sum(one.truncated for one in found),
        cut=scoring.named([one.key for one in found if one.truncated][: scoring.LISTED])
        if params.what == "responses"
        else [],
    ):
        write(run, found, of_prompts=params.what == "prompts")


def responses(run: Run, spec: dict[str, Any]) -> Iterator[Given]:
    assert run.model is not None
    items = candidates.in_range(scoring.items_of(run.home), spec)
    return candidates.given(items, unembedded(run.model))


def unembedded(model: ModelVersion) -> Any:
    """Responses that have no vector of this model version."""
    made = Embedding.objects.filter(model=model, response=OuterRef("pk"))
    return Response.objects.filter(~Exists(made), deleted_at=None)


def prompts(run: Run, spec: dict[str, Any]) -> Iterator[Given]:
    """Prompts alone: without a candidate, so that what comes back has the item's key."""
    made = Embedding.objects.filter(model=run.model, item=OuterRef("pk"), response=None)
    items = candidates.in_range(scoring.items_of(run.home), spec).filter(~Exists(made))
    for some in candidates.batches(items):
        for item in some:
            yield Given(key=item.pk, prompt=item.prompt, context=item.context, candidates=[])


def prompts_to_vectors(model: ModelVersion, texts: Sequence[str]) -> list[Any]:
    """The vector of each text as a prompt of one message; None where the model gives none."""
    import numpy as np

    rows = (Given(n, [{"role": "user", "content": text}], []) for n, text in enumerate(texts))
    found = {one.key: np.asarray(one.vector, dtype=np.float32) for one in candidates.opened(model).judge(rows)}
    return [found[n] if n in found and len(found[n]) else None for n in range(len(texts))]


def write(run: Run, found: list[Judged], *, of_prompts: bool) -> None:
    """Vectors as little-endian float16; one that is there already stays."""
    assert run.model is not None
    keys = [one.key for one in found]
    item_of = dict(Response.objects.filter(pk__in=keys).values_list("pk", "item_id")) if not of_prompts else {}
    Embedding.objects.bulk_create(
        (
            Embedding(
                model=run.model,
                item_id=one.key if of_prompts else item_of[one.key],
                response_id=None if of_prompts else one.key,
                vector=struct.pack(f"<{len(one.vector)}e", *one.vector),
                run=run,
            )
            for one in found
            if one.vector
        ),
        ignore_conflicts=True,
        batch_size=500,
    )


def of_prompts(model: ModelVersion, items: Collection[int]) -> dict[int, list[float]]:
    """The vector of each of these prompts, by item; those that have none are embedded now and kept."""
    found = kept(model, items)
    missing = Item.objects.filter(pk__in=[pk for pk in items if pk not in found]).order_by("pk")
    if missing:
        rows = (Given(key=one.pk, prompt=one.prompt, context=one.context, candidates=[]) for one in missing)
        made = [one for one in candidates.opened(model).judge(rows) if one.vector]
        # rounded as the table holds them, so that a later look finds the same
        packed = {one.key: struct.pack(f"<{len(one.vector)}e", *one.vector) for one in made}
        Embedding.objects.bulk_create(
            (Embedding(model=model, item_id=pk, vector=vector) for pk, vector in packed.items()), ignore_conflicts=True
        )
        found |= {pk: unpacked(vector) for pk, vector in packed.items()}
    return found


def kept(model: ModelVersion, items: Collection[int]) -> dict[int, list[float]]:
    """Vectors of prompts that there are."""
    found: dict[int, list[float]] = {}
    names = list(items)
    for start in range(0, len(names), LOOKED_UP):
        rows = Embedding.objects.filter(model=model, response=None, item__in=names[start : start + LOOKED_UP])
        found |= {item: unpacked(bytes(vector)) for item, vector in rows.values_list("item_id", "vector")}
    return found


def unpacked(vector: bytes) -> list[float]:
    return [value for (value,) in struct.iter_unpack("<e", vector)]


METHOD = Method(
    name="embed",
    title="Embed",
    about="An embedder gives every prompt or response a vector: for near duplicates, for finding similar ones.",
    params=EmbedParams,
    unit="items",
    plan=plan,
    work=work,
    close=scoring.close,
    split=candidates.halves,
)
