"""Do implicit rewards find the error? Plain DPO beside DPO with an SFT anchor, in a world where the error is known.

    python -m benchmarks.localisation [--seeds 3] [--steps 300]

A prompt names a key; under each key some words are bad. The reference ignores keys, so that an error is no surprise to
it. Chosen responses are clean, rejected ones hold one error at a random place. Both policies learn to prefer the
chosen one; the question is which word they blame (after "From r to Q*", arXiv 2404.12358).
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.judging import Candidate, Given
from workers.nn.families import family_of
from workers.nn.implicit import Implicit, beside
from workers.nn.loading import Loaded
from workers.planting import Found, found

KEYS, WORDS, BAD, LENGTH = 8, 32, 4, 10
MARKS = ["<pad>", "<unk>", "</s>"]
NAMES = [*MARKS, *(f"key{n}" for n in range(KEYS)), *(f"w{n}" for n in range(WORDS))]
FIRST_WORD = len(MARKS) + KEYS
BETA = 0.1
BATCH = 64


@dataclass(frozen=True)
class World:
    """Which words are bad under which key."""

    bad: list[list[int]]

    @staticmethod
    def of(seed: int) -> World:
        chance = Random(f"world:{seed}")
        return World([chance.sample(range(WORDS), BAD) for _ in range(KEYS)])

    def clean(self, key: int, chance: Random) -> list[int]:
        return [chance.choice([word for word in range(WORDS) if word not in self.bad[key]]) for _ in range(LENGTH)]

    def wrong(self, key: int, chance: Random) -> tuple[list[int], int]:
        """A response with one bad word, and its place."""
        words, place = self.clean(key, chance), chance.randrange(LENGTH)
        words[place] = chance.choice(self.bad[key])
        return words, place


def ids(key: int, words: list[int]) -> list[int]:
    return [len(MARKS) + key, *(FIRST_WORD + word for word in words), MARKS.index("</s>")]


def text(words: list[int]) -> str:
    return " ".join(NAMES[FIRST_WORD + word] for word in words)


def tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(WordLevel({name: n for n, name in enumerate(NAMES)}, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")


def untrained(seed: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    sizes["num_attention_heads"] = 4
    config = LlamaConfig(vocab_size=len(NAMES), max_position_embeddings=32, pad_token_id=0, eos_token_id=2, **sizes)
    return LlamaForCausalLM(config)


def log_probs(model: Any, rows: Tensor) -> Tensor:
    """[n, LENGTH + 1]: of each token after the key."""
    logits = model(rows[:, :-1]).logits.float().log_softmax(-1)
    return logits.gather(2, rows[:, 1:, None])[..., 0]


def reference(seed: int, steps: int = 120) -> Any:
    """A model of responses of any words under any key: what an error is, it does not know."""
    model, chance = untrained(seed), Random(f"reference:{seed}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        rows = [ids(chance.randrange(KEYS), [chance.randrange(WORDS) for _ in range(LENGTH)]) for _ in range(BATCH)]
        loss = -log_probs(model, torch.tensor(rows)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def policy(world: World, start: Any, *, anchor: float, seed: int, steps: int, rate: float = 1e-3) -> Any:
    """DPO from the reference; `anchor` weighs the SFT loss on the chosen response, as TRL's ["sigmoid", "sft"]."""
    model, chance = copy.deepcopy(start).train(), Random(f"policy:{seed}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    for _ in range(steps):
        keys = [chance.randrange(KEYS) for _ in range(BATCH)]
        chosen = torch.tensor([ids(key, world.clean(key, chance)) for key in keys])
        rejected = torch.tensor([ids(key, world.wrong(key, chance)[0]) for key in keys])
        both = torch.cat([chosen, rejected])
        with torch.no_grad():
            old = log_probs(start, both).sum(1)
        mine = log_probs(model, both)
        ratio = mine.sum(1) - old
        loss = -F.logsigmoid(BETA * (ratio[:BATCH] - ratio[BATCH:])).mean() - anchor * mine[:BATCH].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def judge_of(model: Any, start: Any) -> Implicit:
    """As a worker runs it: packed, with shared prompts, in fp32."""
    from workers.nn import attention

    attention.register()
    tokens = tokenizer()

    def loaded(one: Any) -> Loaded:
        one = copy.deepcopy(one)
        one.set_attn_implementation(attention.NAME)
        return Loaded(one, tokens, torch.device("cpu"), torch.float32, 32, family_of(one.config))

    return beside(loaded(model), loaded(start), BETA, "plain")


@dataclass(frozen=True)
class Measured:
    top1: float
    auroc: float
    before: float
    bad: float
    after: float
    pairs: float
    """Share of pairs whose clean response has the higher reward."""
    surprise: float
    """Top-1 of the reference's own surprise: the control, at chance."""


def measured(world: World, model: Any, start: Any, *, seed: int, count: int = 300) -> Measured:
    """On held-out responses, through the judge and the measures that the probe uses."""
    chance = Random(f"held out:{seed}")
    rows, errors, surprise = [], {}, []
    for number in range(count):
        key = chance.randrange(KEYS)
        (wrong, place), clean = world.wrong(key, chance), world.clean(key, chance)
        begin = len(text([*wrong[:place], 0])) - len(text([0])) if place else 0
        errors[2 * number] = (text(wrong), begin, begin + len(text([wrong[place]])))
        pair = [Candidate(2 * number, text(wrong)), Candidate(2 * number + 1, text(clean))]
        rows.append(Given(number, [{"role": "user", "content": f"key{key}"}], pair))
        with torch.no_grad():
            surprise.append(float(log_probs(start, torch.tensor([ids(key, wrong)]))[0, :-1].argmin() == place))
    told = {one.key: one for one in judge_of(model, start).judge(rows)}
    points: list[Found] = []
    for key, (words, begin, end) in errors.items():
        one = found(told[key].maps[0], words, begin, end)
        assert one is not None
        points.append(one)
    return Measured(
        top1=fmean(one.top1 for one in points),
        auroc=fmean(one.auroc for one in points),
        before=fmean(one.before for one in points if one.before is not None),
        bad=fmean(one.bad for one in points),
        after=fmean(one.after for one in points if one.after is not None),
        pairs=fmean(told[2 * n + 1].scores[""] > told[2 * n].scores[""] for n in range(count)),
        surprise=fmean(surprise),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=1e-3)
    told = parser.parse_args()
    print(f"chance {1 / LENGTH:.3f}; {told.steps} steps, beta {BETA}, {torch.get_num_threads()} threads")
    print("seed policy        top-1  AUROC  r(before)  r(bad)  r(after)  pairs  surprise  seconds")
    for seed in range(told.seeds):
        world, start = World.of(seed), reference(seed)
        for name, anchor in (("DPO", 0.0), ("DPO + anchor", 1.0)):
            began = time.monotonic()
            model = policy(world, start, anchor=anchor, seed=seed, steps=told.steps, rate=told.rate)
            spent = time.monotonic() - began
            m = measured(world, model, start, seed=seed)
            print(
                f"{seed:4} {name:12} {m.top1:6.3f} {m.auroc:6.3f} {m.before:10.3f} {m.bad:7.3f} {m.after:9.3f}"
                f" {m.pairs:6.3f} {m.surprise:9.3f} {spent:8.1f}"
            )


if __name__ == "__main__":
    main()
