"""Does it matter where a reward is paid? The same critic pays the same sum on spans, at the end, or anywhere.

After Text2Grad (arXiv 2505.22338), which learns from rewards on the criticised tokens alone. A policy from scratch (a
small GRU with a value head) fills four slots of two tokens each, with three tokens between them that nobody judges; a
slot is right if its two words add up (modulo 4) to what the prompt wants there. The critic gives each slot +1 or -1.
Paid are

- `span`: half of the slot's mark on each of its tokens;
- `end`: the sum of all marks on the last token;
- `shuffled`: the values of `span`, on positions drawn at random for each response;
- `missed`: as `span`, but every second mark is lost at random; `wrong`: every fifth has the other sign;
- `wrong end`: the sum of the marks of `wrong` on the last token.

All else is the same: PPO (clipped ratio, GAE with gamma 1 and lambda .95, advantages whitened over tokens), the same
number of responses a step. Measured: steps until 90 % of the slots are right on average over ten steps. The world is
smaller than that of the pilot; there is no KL term, since there is no reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from experiments import Experiment, Figures, experiments

PROMPTS, WORDS, SLOTS, EACH, FILL = 4, 4, 4, 2, 3
LENGTH = SLOTS * (EACH + FILL)
BATCH, EPOCHS, STEPS = 64, 3, 200
RATE, CLIP, LAMBDA, VALUE, ENTROPY = 4e-3, 0.2, 0.95, 0.1, 0.01
WANTED, WINDOW = 0.9, 10
ARMS = ("span", "end", "shuffled", "missed", "wrong", "wrong end")


class Policy(nn.Module):
    """Word after word by what came before, by the prompt and the place; beside it the value of having come so far."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS + 1, width)
        self.asked = nn.Embedding(PROMPTS * LENGTH, width)
        self.body = nn.GRU(width, width, batch_first=True)
        self.says, self.value = nn.Linear(width, WORDS), nn.Linear(width, 1)

    def forward(
        self, prompts: Tensor, words: Tensor, state: Tensor | None = None, begin: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities [n, t, WORDS] and values [n, t] after each of `words`; WORDS begins a response."""
        places = prompts[:, None] * LENGTH + torch.arange(begin, begin + words.shape[1])
        hidden, state = self.body(self.words(words) + self.asked(places), state)
        return self.says(hidden).log_softmax(-1), self.value(hidden)[..., 0], state

    @torch.no_grad()
    def sample(self, prompts: Tensor, chance: torch.Generator) -> Tensor:
        word, state, said = torch.full((len(prompts), 1), WORDS), None, []
        for place in range(LENGTH):
            likely, _, state = self(prompts, word, state, place)
            word = torch.multinomial(likely[:, 0].exp(), 1, generator=chance)
            said.append(word)
        return torch.cat(said, 1)


@dataclass(frozen=True)
class World:
    """What the words of each slot must add up to under each prompt, [PROMPTS, SLOTS]."""

    right: Tensor

    @staticmethod
    def of(seed: int) -> World:
        return World(torch.randint(0, WORDS, (PROMPTS, SLOTS), generator=torch.Generator().manual_seed(1000 + seed)))

    def good(self, prompts: Tensor, said: Tensor) -> Tensor:
        """Of each slot whether it is right, [n, SLOTS]."""
        return said.view(-1, SLOTS, EACH + FILL)[:, :, :EACH].sum(2) % WORDS == self.right[prompts]


def paid(arm: str, good: Tensor, chance: torch.Generator) -> Tensor:
    """The reward of every token, [n, LENGTH]."""
    marks = good.float() * 2 - 1
    drawn = torch.rand(marks.shape, generator=chance)
    if arm == "missed":
        marks = marks * (drawn < 0.5)
    if arm.startswith("wrong"):
        marks = torch.where(drawn < 0.2, -marks, marks)
    each = torch.tensor([1 / EACH] * EACH + [0.0] * FILL)
    rewards = (marks[:, :, None] * each).flatten(1)
    if arm.endswith("end"):
        last = torch.zeros_like(rewards)
        last[:, -1] = rewards.sum(1)
        return last
    if arm == "shuffled":
        order = torch.rand(rewards.shape, generator=chance).argsort(1)
        return rewards.gather(1, order)
    return rewards


def advantages(rewards: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """GAE with gamma 1: (whitened advantages, returns), each [n, LENGTH]."""
    found, ahead, after = [], torch.zeros(len(rewards)), torch.zeros(len(rewards))
    for place in range(LENGTH - 1, -1, -1):
        ahead = rewards[:, place] + after - values[:, place] + LAMBDA * ahead
        after = values[:, place]
        found.append(ahead)
    told = torch.stack(found[::-1], 1)
    return (told - told.mean()) / (told.std() + 1e-8), told + values


def learn(arm: str, seed: int) -> list[float]:
    """The share of right slots at every step."""
    torch.manual_seed(seed)
    world, policy = World.of(seed), Policy()
    chance = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=RATE)
    curve: list[float] = []
    for _ in range(STEPS):
        prompts = torch.randint(0, PROMPTS, (BATCH,), generator=chance)
        said = policy.sample(prompts, chance)
        good = world.good(prompts, said)
        curve.append(good.float().mean().item())
        before = torch.cat([torch.full((BATCH, 1), WORDS), said[:, :-1]], 1)
        with torch.no_grad():
            likely, values, _ = policy(prompts, before)
            old = likely.gather(2, said[..., None])[..., 0]
        gain, returns = advantages(paid(arm, good, chance), values)
        for _ in range(EPOCHS):
            likely, now, _ = policy(prompts, before)
            ratio = (likely.gather(2, said[..., None])[..., 0] - old).exp()
            clipped = torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            entropy = -(likely.exp() * likely).sum(2).mean()
            loss = -clipped + VALUE * (now - returns).pow(2).mean() - ENTROPY * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
        if reached(curve) is not None and len(curve) % 20 == 0:
            curve += [fmean(curve[-WINDOW:])] * (STEPS - len(curve))
            break
    return curve


def reached(curve: Sequence[float]) -> int | None:
    """The first step by which the mean of ten steps is at the wanted share."""
    for place in range(WINDOW, len(curve) + 1):
        if fmean(curve[place - WINDOW : place]) >= WANTED:
            return place
    return None


def run(seed: int) -> Figures:
    told: dict[str, Any] = {"chance": round(1 / WORDS, 3)}
    for arm in ARMS:
        curve = learn(arm, seed)
        told[f"{arm}: steps to {WANTED:.0%}"] = reached(curve) or STEPS + 1
        told[f"{arm}: mean right"] = round(fmean(curve), 3)
    return told


def judge(results: Sequence[Figures]) -> list[tuple[str, bool]]:
    steps = {arm: [one[f"{arm}: steps to {WANTED:.0%}"] for one in results] for arm in ARMS}
    area = {arm: [one[f"{arm}: mean right"] for one in results] for arm in ARMS}

    def every(one: list[Any], other: list[Any], most: float = 1.0) -> bool:
        """In every seed at most that part of the other."""
        return all(a <= most * b for a, b in zip(one, other, strict=True))

    return [
        ("span reward needs at most 0.75 of the steps of end-paid", every(steps["span"], steps["end"], 0.75)),
        ("shuffled positions are no better than end-paid", every(steps["end"], steps["shuffled"])),
        ("with half of the spans missed still fewer steps than end-paid", every(steps["missed"], steps["end"])),
        ("half of the spans missed costs less than a fifth wrong", every(area["wrong"], area["missed"])),
        (
            "spans with wrong signs need no more steps than their sum at the end",
            every(steps["wrong"], steps["wrong end"]),
        ),
    ]


experiments.add(
    Experiment(
        name="span-credit",
        about="Updates of PPO to 90 % right slots by where the critic's marks are paid (Text2Grad).",
        run=run,
        judge=judge,
        seeds=(0, 1, 2, 3, 4),
    )
)
