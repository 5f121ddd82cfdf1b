"""Reward models: a number per response; higher is better."""

from __future__ import annotations

from workers.judging import Judge, Opened, Spec, judges

CONFIG = ("max_length", "dtype", "template", "heads", "positive", "members", "ensemble", "axis")


def open_reward(spec: Spec) -> Opened:
    from workers.nn.scoring import open_reward

    return open_reward(spec)


judges.add(Judge(name="reward", title="Reward model", gives=("scores",), open=open_reward, config=CONFIG))
