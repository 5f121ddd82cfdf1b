"""Real compared responses with their vectors, for the benchmarks of noise and of the loop: out of TOUCHSTONE_DATA.

Vectors are of the built-in encoder, over the prompt and a response of LENGTH tokens at most: the mean of all tokens,
as embedders give it, and the first token, as `frozen-head` reads it. They are kept in a file a set, for they take
minutes and all else takes seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.training_data import CLEAR, NOT_ANSWERS, asked, rows
from workers.judging import Candidate, Given, Spec

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

LENGTH = 128
TEST = 0.25
"""Of the pairs, in prompts of their own."""
OF_A_PROMPT = 11


@dataclass
class Pairs:
    """Compared responses: `better` and `worse` are places in `texts`, `prompt` a number that pairs on it share."""

    name: str
    texts: list[tuple[list[dict[str, str]], str]] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    better: list[int] = field(default_factory=list)
    worse: list[int] = field(default_factory=list)
    votes: list[tuple[int, int]] = field(default_factory=list)
    """How many prefer the better one and the worse one; (1, 0) where only one label is known."""
    judged: list[int] = field(default_factory=list)
    """What GPT-4 says of it: 1 the better one, -1 the worse one, 0 neither or nothing."""
    models: list[str] = field(default_factory=list)
    """Of each text who wrote it, where that is known."""
    apart: bool = False
    """There are no prompts: responses themselves are dealt to one side or the other."""

    def __len__(self) -> int:
        return len(self.better)


@dataclass(frozen=True)
class Vectors:
    """One row a text: the mean of its tokens, its first token, and its characters (log)."""

    mean: Floats
    first: Floats
    length: Floats

    @property
    def all(self) -> Floats:
        return np.hstack([self.mean, self.first])


class Places(dict[Any, int]):
    """A number for each new text, which is kept."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def of(self, key: Any, prompt: str, text: str, model: str = "") -> int:
        if key not in self:
            self[key] = len(self)
            self.pairs.models.append(model)
            self.pairs.texts.append((asked(prompt) if prompt else [], text))
        return self[key]


def add(pairs: Pairs, prompt: int, sides: tuple[int, int], votes: tuple[int, int], judge: str = "") -> None:
    """A pair as its votes have it; none at a draw. `judge`: a, b or else."""
    if votes[0] != votes[1] and sides[0] != sides[1]:
        swap = votes[1] > votes[0]
        pairs.prompt.append(prompt)
        pairs.better.append(sides[swap])
        pairs.worse.append(sides[not swap])
        pairs.votes.append((max(votes), min(votes)))
        pairs.judged.append({"a": 1, "b": -1}.get(judge, 0) * (-1 if swap else 1))


def counted(row: dict[str, Any]) -> tuple[int, int]:
    said = [vote["choice"] for vote in row["votes"]]
    return said.count("a"), said.count("b")


def convarg() -> Pairs:
    """Arguments of one side of a debate, five crowd workers a pair."""
    pairs = Pairs("convarg")
    texts = {row["arg"]: row["text"] for row in rows("pref_ukpconvarg1/arguments")}
    places, topics = Places(pairs), Numbers()
    for row in rows("pref_ukpconvarg1/judgments"):
        topic = row["topic"].replace("-", " ").replace("_", ": ")
        first, second = (places.of(row[side], topic, texts[row[side]]) for side in ("response_a", "response_b"))
        add(pairs, topics[row["debate"]], (first, second), counted(row))
    return pairs


def humour() -> Pairs:
    """One-liners without a prompt, up to five crowd workers a pair."""
    pairs = Pairs("humour", apart=True)
    texts = {row["item"]: row["text"] for row in rows("pref_humour/items")}
    places = Places(pairs)
    for row in rows("pref_humour/judgments"):
        first, second = (places.of(row[side], "", texts[row[side]]) for side in ("response_a", "response_b"))
        add(pairs, len(pairs), (first, second), (row["votes_a"], row["votes_b"]))
    return pairs


def llmfao() -> Pairs:
    """Answers of some 60 models to few prompts, about four crowd workers a pair."""
    pairs = Pairs("llmfao")
    places, prompts = Places(pairs), Numbers()
    judge = {row["id"]: row["choice"] for row in rows("pref_llmfao/llm_judgments") if row["judge"] == "gpt-4"}
    for row in rows("pref_llmfao/judgments"):
        first, second = (
            places.of((row["slug"], model := row[f"model_{side}"]), row["prompt"], row[f"response_{side}"], model)
            for side in "ab"
        )
        add(pairs, prompts[row["slug"]], (first, second), counted(row), judge.get(row["id"], ""))
    return pairs


def mtbench() -> Pairs:
    """Chatbots, experts: what each said up to the turn that is judged. A draw of votes is no pair."""
    pairs = Pairs("mtbench")
    places, prompts = Places(pairs), Numbers()
    for row in rows("pref_mtbench_human/judgments"):
        sides = []
        for side in "ab":
            talk = row[f"conversation_{side}"]
            text = "\n\n".join(said["content"] for said in talk[1 : 2 * row["turn"] : 2])
            question = "\n\n".join(said["content"] for said in talk[: 2 * row["turn"] : 2])
            model = row[f"model_{side}"]
            sides.append(places.of((row["question_id"], row["turn"], model), question, text, model))
        judge = row["gpt4_pair"]
        add(pairs, prompts[row["question_id"]], (sides[0], sides[1]), counted(row), judge[0] if judge else "")
    return pairs


def harmless() -> Pairs:
    """Replies to red-teaming talks, one crowd worker each."""
    pairs = Pairs("harmless")
    places, prompts = Places(pairs), Numbers()
    for row in rows("pref_hh_rlhf_harmless/pairs"):
        if row["prompt"] and row["chosen"].strip() and row["rejected"].strip() and row["chosen"] != row["rejected"]:
            sides = [places.of((row["prompt"], row[side]), row["prompt"].strip(), row[side]) for side in SIDES]
            add(pairs, prompts[row["prompt"]], (sides[0], sides[1]), (1, 0))
    return pairs


def alpaca() -> Pairs:
    """Answers of eleven models by how often GPT-4 preferred each to one baseline: labels of an AI."""
    pairs = Pairs("alpaca")
    places = Places(pairs)
    for number, row in enumerate(rows("rank_alpacaeval_gpt4/items")):
        told = [(one["gpt4_win_rate_vs_baseline"], one) for one in row["responses"] if one["model"] not in NOT_ANSWERS]
        known = [(rate, one) for rate, one in told if rate is not None and one["text"].strip()]
        apart = [both for both in combinations(known, 2) if abs(both[0][0] - both[1][0]) >= CLEAR]
        for both in Random(row["id"]).sample(apart, min(OF_A_PROMPT, len(apart))):
            (_, better), (_, worse) = sorted(both, key=lambda one: -one[0])
            sides = [
                places.of((number, one["model"]), row["prompt"], one["text"], one["model"]) for one in (better, worse)
            ]
            add(pairs, number, (sides[0], sides[1]), (1, 0))
    return pairs


SIDES = ("chosen", "rejected")

SETS: dict[str, tuple[str, Callable[[], Pairs]]] = {
    "convarg": ("ConvArg, 5 crowd workers", convarg),
    "humour": ("Humour, crowd", humour),
    "llmfao": ("LLMFAO, 4 crowd workers", llmfao),
    "mtbench": ("MT-Bench, experts", mtbench),
    "alpaca": ("AlpacaEval, GPT-4", alpaca),
    "harmless": ("HH-RLHF harmless, crowd", harmless),
}


class Numbers(dict[Any, int]):
    """A number for each new value."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]


def vectors_of(pairs: Pairs, folder: Path) -> Vectors:
    """Those kept in `folder`, or made and kept there."""
    path = folder / f"{pairs.name}-{LENGTH}.npz"
    if not path.exists():
        print(f"{pairs.name}: {len(pairs.texts)} texts are embedded …", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        both = np.array(list(embedded(pairs.texts)), dtype=np.float32)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, both=both)
        unfinished.rename(path)
    both = np.load(path)["both"]
    if len(both) != len(pairs.texts):
        raise SystemExit(f"{path} holds {len(both)} texts, the set {len(pairs.texts)}: remove it")
    half = both.shape[1] // 2
    length = np.log1p([len(text) for _, text in pairs.texts])
    return Vectors(both[:, :half], both[:, half:], length)


def embedded(texts: Sequence[tuple[list[dict[str, str]], str]]) -> Iterator[list[float]]:
    """The mean (of length 1) and the first token's state of each (prompt, response), side by side."""
    from workers.nn.engine import Engine
    from workers.nn.loading import load

    loaded = load(Spec(0, "embedder", "builtin:minilm", config={"max_length": LENGTH, "template": "plain"}), "embed")
    given = (Given(n, prompt, [Candidate(n, text)]) for n, (prompt, text) in enumerate(texts))
    for out in Engine(loaded, Both(), template="plain").run(given):
        yield out.value


class Both:
    """A head of the engine: what `Vectors` gives, and the state of the first token behind it."""

    wants = "tokens"

    def __call__(self, loaded: Any, states: Any) -> list[list[float]]:
        import torch

        from workers.nn.heads import Vectors as Means

        means = torch.tensor(Means()(loaded, states))
        first = torch.stack([states.hidden[states.pack.rows(n)][0].float() for n in range(len(means))])
        both: list[list[float]] = torch.cat([means, first.to(means)], 1).tolist()
        return both


def split(pairs: Pairs, most: int, seed: int, share: float = TEST) -> tuple[Ints, Ints]:
    """Pairs to learn from, at most `most`, and to measure on, `share` of all: no prompt is on both sides."""
    chance = np.random.default_rng(seed)
    better, worse = np.array(pairs.better), np.array(pairs.worse)
    test: Ints
    learnt: Ints
    if pairs.apart:
        held = chance.permutation(len(pairs.texts)) < share * len(pairs.texts)
        one, other = held[better], held[worse]
        test, learnt = np.flatnonzero(one & other), np.flatnonzero(~one & ~other)
    else:
        test, learnt = by_prompt(np.array(pairs.prompt), share, chance)
    return chance.permutation(learnt)[:most], test


def by_prompt(prompt: Ints, share: float, chance: np.random.Generator) -> tuple[Ints, Ints]:
    """Whole prompts in a drawn order, until `share` of the pairs are held out; (held out, the others)."""
    order = chance.permutation(int(prompt.max()) + 1)
    sizes = np.bincount(prompt)[order].cumsum()
    held = np.zeros(len(order), dtype=bool)
    held[order[: int(np.searchsorted(sizes, share * len(prompt))) + 1]] = True
    return np.flatnonzero(held[prompt]), np.flatnonzero(~held[prompt])
