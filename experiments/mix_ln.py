"""Norms before a layer, behind it, or behind the first quarter of layers only: loss and gradients over depth.

A causal language model of bytes, built from nothing by workers/nn/mix_ln.py, learns from the prompts and responses of
the samples that come with this project. Every layout is trained at both learning rates, with the same warm-up, cosine
and clipping, since one rate can prove either side. Told are the loss on held-out text, at each layout's best rate, and
how many times larger the gradient of the deepest third of layers is than that of the shallowest. Chance is the entropy
of single bytes. Source: Mix-LN, arXiv 2412.13795.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import cos, log, pi
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson

from experiments import Experiment, experiments

SAMPLES = Path(__file__).resolve().parent.parent / "curation" / "samples"
LAYERS, WIDTH, LENGTH, BATCH, STEPS = 12, 64, 96, 8, 200
RATES = (1e-3, 3e-3)
LAYOUTS = ("pre", "mix", "post")
LOOKED = (0, 0.1, 0.5)
CLIPPED, WARMUP, FLOOR = 1.0, 0.1, 0.1
GAIN, FLAT, EVEN, STARVED = 0.05, 0.7, (0.8, 1.25), 10.0


def text() -> bytes:
    """The words of every sample, a file after the other."""
    rows = [orjson.loads(line) for path in sorted(SAMPLES.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    return "\n".join(words for row in rows for words in told(row)).encode()


def told(value: Any) -> list[str]:
    """Every longer text in a row."""
    if isinstance(value, str):
        return [value] if len(value) > 20 else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [words for one in inner for words in told(one)]


def run(seed: int) -> dict[str, Any]:
    """Held-out loss by layout and rate, ratios of gradients of deep to shallow layers."""
    data = text()
    cut = len(data) * 9 // 10
    counts = Counter(data[cut:])
    total = sum(counts.values())
    found: dict[str, Any] = {"bytes": -sum(n / total * log(n / total) for n in counts.values())}
    for layout in LAYOUTS:
        for rate in RATES if layout != "post" else RATES[:1]:
            loss, ratios = trained(layout, rate, data[:cut], data[cut:], seed)
            found[f"{layout}, rate {rate}: loss"] = loss
            found |= {f"{layout}, rate {rate}: deep / shallow at {share:.0%}": value for share, value in ratios.items()}
    for layout in LAYOUTS:
        found[f"{layout}: best loss"] = min(
            value for name, value in found.items() if name.startswith(f"{layout},") and name.endswith("loss")
        )
    return found


def trained(layout: Any, rate: float, data: bytes, held: bytes, seed: int) -> tuple[float, dict[float, float]]:
    import torch
    from torch.nn.functional import cross_entropy

    from workers.nn.mix_ln import MixLlamaConfig, MixLlamaForCausalLM, gradients
    from workers.nn.opening import post_layers

    torch.manual_seed(seed)
    config = MixLlamaConfig(
        vocab_size=256,
        num_hidden_layers=LAYERS,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
        use_cache=False,
        post_layers=post_layers(layout, LAYERS),
    )
    model = MixLlamaForCausalLM(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    learnt, unseen = (torch.frombuffer(bytearray(one), dtype=torch.uint8).long() for one in (data, held))
    draw = torch.Generator().manual_seed(seed)

    def loss_of(source: Any) -> Any:
        starts = torch.randint(0, len(source) - LENGTH - 1, (BATCH,), generator=draw).tolist()
        ids = torch.stack([source[start : start + LENGTH + 1] for start in starts])
        return cross_entropy(model(ids[:, :-1]).logits.flatten(0, 1), ids[:, 1:].flatten())

    ratios: dict[float, float] = {}
    looked = {round(share * STEPS): share for share in LOOKED}
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate * scheduled(step)
        optimizer.zero_grad()
        loss_of(learnt).backward()
        if step in looked:
            ratios[looked[step]] = deep_to_shallow(gradients(model))
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIPPED)
        optimizer.step()
    draw.manual_seed(0)
    with torch.no_grad():
        return fmean(float(loss_of(unseen)) for _ in range(16)), ratios


def scheduled(step: int) -> float:
    warm = WARMUP * STEPS
    if step < warm:
        return (step + 1) / warm
    return FLOOR + (1 - FLOOR) * (1 + cos(pi * (step - warm) / (STEPS - warm))) / 2


def deep_to_shallow(norms: Mapping[str, float]) -> float:
    values, third = list(norms.values()), LAYERS // 3
    return fmean(values[-third:]) / max(1e-12, fmean(values[:third]))


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    gains = [one["pre: best loss"] - one["mix: best loss"] for one in results]
    pre = [one[f"pre, rate {RATES[0]}: deep / shallow at 0%"] for one in results]
    mix = [one[f"mix, rate {RATES[0]}: deep / shallow at 0%"] for one in results]
    post = [one[f"post, rate {RATES[0]}: deep / shallow at 10%"] for one in results]
    return [
        (
            f"Mix is better than Pre, each at its best rate: by {fmean(gains):.3f} nats (>= {GAIN})",
            fmean(gains) >= GAIN,
        ),
        (f"at the beginning gradients fall with depth under Pre: ratio {max(pre):.2f} (<= {FLAT})", max(pre) <= FLAT),
        (
            f"and are even under Mix: {min(mix):.2f} to {max(mix):.2f} (within {EVEN})",
            EVEN[0] <= min(mix) <= max(mix) <= EVEN[1],
        ),
        (
            f"shallow layers starve under Post after the warm-up: ratio {min(post):.1f} (>= {STARVED})",
            min(post) >= STARVED,
        ),
    ]


experiments.add(
    Experiment(
        name="mix-ln",
        about="Norms before layers, behind them, or behind the first quarter only: loss, and gradients over depth.",
        run=run,
        judge=judge,
        seeds=(0,),
    )
)
