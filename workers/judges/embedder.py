"""Embedders: a vector of length 1 per prompt, or per prompt with its response."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges


def open_embedder(spec: Spec) -> Opened:
    from workers.nn.scoring import open_embedder as opened

    return opened(spec)


judges.add(
    Judge(
        name="embedder",
        title="Embedder",
        gives=("vectors",),
        open=open_embedder,
        config=("max_length", "dtype", "template"),
    )
)
