"""Token rewards: a value for every token of a response; spans are read out of them (workers/readout.py)."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges

CONFIG = ("max_length", "dtype", "template", "heads", "labels", "positive", "threshold", "axis")


def open_token(spec: Spec) -> Opened:
    from workers.nn.token_heads import open_token

    return open_token(spec)


judges.add(
    Judge(name="token", title="Span and token reward", gives=("scores", "tokens"), open=open_token, config=CONFIG)
)
