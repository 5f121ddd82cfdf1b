"""Implicit rewards of a policy over its reference: per response, and per token where the policy passed the probe."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges

CONFIG = ("max_length", "dtype", "template", "reference_model", "beta", "axis")


def open_implicit(spec: Spec) -> Opened:
    from workers.nn.implicit import open_implicit

    return open_implicit(spec)


judges.add(
    Judge(name="implicit", title="Implicit reward", gives=("scores", "tokens"), open=open_implicit, config=CONFIG)
)
