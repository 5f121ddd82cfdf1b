"""Step and sentence judges: the probability that each is good, and one number for the response."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges

CONFIG = (
    "max_length", "dtype", "template", "labels", "positive", "threshold", "axis", "pool", "read_out", "unit",
    "documents",
)  # fmt: skip


def open_step(spec: Spec) -> Opened:
    from workers.nn.token_heads import open_step

    return open_step(spec)


judges.add(Judge(name="step", title="Step or sentence judge", gives=("scores", "units"), open=open_step, config=CONFIG))
