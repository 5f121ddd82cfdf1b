"""Cost models: a number per response; higher is worse (Dai et al., Safe RLHF, 2023, arXiv 2310.12773)."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges

CONFIG = ("max_length", "dtype", "template", "heads", "positive", "members", "ensemble", "axis")


def open_cost(spec: Spec) -> Opened:
    from workers.nn.scoring import open_reward

    return open_reward(spec)


judges.add(Judge(name="cost", title="Cost model", gives=("scores",), open=open_cost, config=CONFIG))
