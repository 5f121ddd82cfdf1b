"""Preferences over whole responses as rewards of tokens: which of them DPO blames, with and without an anchor.

Planted: the prompt names one of eight keys, a response has ten words, and three of twenty-four words are bad under each
key. Chosen responses hold no bad word, rejected ones exactly one, at a place that is known; everything else is drawn
alike, and the reference ignores the key. Of held-out rejected responses we ask which word has the lowest
beta log pi/ref, read by the judge `implicit`; a tenth is chance. Controls of as many steps: fine-tuning on the chosen
responses alone, and the surprisal of the reference. Source: From r to Q*, arXiv 2404.12358, which shows heat maps only.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments import Experiment, experiments
from experiments._language import begun, said, trained
from workers.held_out import share
from workers.judging import Candidate, Given, Spec, judges
from workers.planting import found

KEYS, WORDS, BAD, LENGTH = 8, 24, 3, 10
PAIRS, FREE, HELD_OUT = 2048, 4096, 200
BETA = 0.1
CHANCE = 1 / LENGTH
TOP1, AUROC, ACCURACY = 0.95, 0.98, 0.97
QUICK = {"step_tokens": 1536, "batch_tokens": 1536, "max_length": 32, "epochs": 8, "learning_rate": 3e-3}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "DPO": ("dpo", {"sft_anchor": 0.0, "beta": BETA}),
    "DPO + SFT": ("dpo", {"sft_anchor": 1.0, "beta": BETA}),
    "SFT": ("sft", {}),
}


class World:
    """Which words are bad under which key, and responses drawn from it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.words = [f"w{n:02}" for n in range(WORDS)]
        self.bad = {key: self.chance.sample(self.words, BAD) for key in range(KEYS)}

    def good(self, key: int) -> list[str]:
        allowed = [word for word in self.words if word not in self.bad[key]]
        return [self.chance.choice(allowed) for _ in range(LENGTH)]

    def poor(self, key: int) -> tuple[list[str], int]:
        """A response with one bad word, and where it stands."""
        made, place = self.good(key), self.chance.randrange(LENGTH)
        made[place] = self.chance.choice(self.bad[key])
        return made, place

    def pair(self) -> tuple[int, list[str], list[str], int]:
        key = self.chance.randrange(KEYS)
        return key, self.good(key), *self.poor(key)

    def free(self) -> dict[str, Any]:
        """What the reference is taught: any words under any key."""
        words = [self.chance.choice(self.words) for _ in range(LENGTH)]
        return {"prompt": asking(self.chance.randrange(KEYS)), "completion": said(" ".join(words))}


def asking(key: int) -> list[dict[str, str]]:
    return said(f"key{key}", "user")


def run(seed: int) -> dict[str, Any]:
    """Accuracy on pairs, how often the planted word is found, and the mean reward before, on and after it."""
    world = World(seed)
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        base = begun(folder / "base", [*world.words, *(f"key{n}" for n in range(KEYS))], seed)
        free = [world.free() for _ in range(FREE)]
        base, _, _ = trained(folder / "reference", "sft", base, free, seed, **{**QUICK, "epochs": 2})
        drawn = [world.pair() for _ in range(PAIRS)]
        held = [world.pair() for _ in range(HELD_OUT)]
        rows = [
            {"prompt": asking(key), "chosen": said(" ".join(good)), "rejected": said(" ".join(poor))}
            for key, good, poor, _ in drawn
        ]
        only = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows]
        for way, (trainer, given) in WAYS.items():
            # A step of pairs holds two texts for each of its rows, so fine-tuning is given steps of half the size.
            half = {"step_tokens": QUICK["step_tokens"] // 2} if trainer == "sft" else {}
            data = only if trainer == "sft" else rows
            model, _, _ = trained(folder / way, trainer, base, data, seed, **{**QUICK, **half, **given})
            told |= {f"{way}: {name}": value for name, value in blamed(model, base, held).items()}
        told["reference: top-1"] = surprised(base, held)
    return told


def blamed(model: Path, base: Path, held: Sequence[tuple[int, list[str], list[str], int]]) -> dict[str, float]:
    """The read-out of the judge on held-out pairs."""
    config = {"reference_model": f"hf:{base}", "beta": BETA, "dtype": "fp32", "max_length": 32}
    judge = judges.get("implicit").open(Spec(0, "implicit", f"hf:{model}", config=config))
    given = [
        Given(n, asking(key), [Candidate(2 * n, " ".join(good)), Candidate(2 * n + 1, " ".join(poor))])
        for n, (key, good, poor, _) in enumerate(held)
    ]
    judged = {one.key: one for one in judge.judge(given)}
    places = []
    for n, (_, _, poor, place) in enumerate(held):
        start = len(" ".join(poor[:place])) + (place > 0)
        seen = found(judged[2 * n + 1].maps[0], " ".join(poor), start, start + len(poor[place]))
        assert seen is not None
        places.append(seen)
    margins = [judged[2 * n].scores[""] - judged[2 * n + 1].scores[""] for n in range(len(held))]
    return {
        "pairs right": fmean(margin > 0 for margin in margins),
        "top-1": fmean(one.top1 for one in places),
        "AUROC": fmean(one.auroc for one in places),
        "r before": fmean(one.before for one in places if one.before is not None),
        "r bad": fmean(one.bad for one in places),
        "r after": fmean(one.after for one in places if one.after is not None),
    }


def surprised(base: Path, held: Sequence[tuple[int, list[str], list[str], int]]) -> float:
    """How often the reference holds the planted word to be the least likely."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(base).eval(), AutoTokenizer.from_pretrained(base)
    ids = torch.tensor([tokenizer(f"key{key}\n\n{' '.join(poor)}")["input_ids"] for key, _, poor, _ in held])
    with torch.no_grad():
        told = model(input_ids=ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    lowest = told[:, -LENGTH:].argmin(1).tolist()
    return fmean(one == place for one, (_, _, _, place) in zip(lowest, held, strict=True))


def judge(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    plain, anchored = [one["DPO: top-1"] for one in results], [one["DPO + SFT: top-1"] for one in results]
    aurocs = [one["DPO + SFT: AUROC"] for one in results]
    pairs = [one["DPO: pairs right"] for one in results]
    n = HELD_OUT * len(results)
    told = share(fmean(plain) * n, n)
    after = sum(one["DPO: r after"] < one["DPO: r bad"] for one in results)
    return [
        (
            f"DPO + SFT finds the word: top-1 {min(anchored):.3f} or more in every seed (>= {TOP1})",
            min(anchored) >= TOP1,
        ),
        (f"and tells it from the others: AUROC {min(aurocs):.3f} or more (>= {AUROC})", min(aurocs) >= AUROC),
        (f"DPO alone ranks pairs: {min(pairs):.3f} or more (>= {ACCURACY})", min(pairs) >= ACCURACY),
        (
            f"and does not find the word: top-1 {fmean(plain):.3f} (95 % interval {told['low']:.3f} to "
            f"{told['high']:.3f} over {n} texts, chance {CHANCE}); words after it are blamed more in {after} of "
            f"{len(results)} seeds (required: top-1 of every seed at most 0.5)",
            max(plain) <= 0.5,
        ),
    ]


experiments.add(
    Experiment(
        name="dpo-blame",
        about="DPO ranks whole responses; which of their words it blames, with an anchor and without.",
        run=run,
        judge=judge,
    )
)
