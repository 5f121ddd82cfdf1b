"""Real compared responses for the benchmark of trainings: public sets out of TOUCHSTONE_DATA, split by prompt."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson

from workers.training import Compared

NOT_ANSWERS = ("NullModel",)
"""It gives everybody the one text that fools the judge: whoever knows it by heart is right."""
CLEAR = 0.3
"""Two answers whose rates of winning against the baseline differ by less are not compared."""
OF_A_PROMPT = 4
HELD_OUT = 4
"""One prompt in so many is held out."""


def folder() -> Path:
    """Where the sets lie. Raises SystemExit, loudly, where there are none."""
    told = os.environ.get("TOUCHSTONE_DATA", "")
    if not told or not (Path(told) / "pref_pandalm").is_dir():
        raise SystemExit(
            "NOTHING IS MEASURED: this benchmark needs real preference data.\n"
            "Set TOUCHSTONE_DATA to the folder that holds pref_pandalm, pref_mtbench_human, … (docs/training-pairs.md)."
        )
    return Path(told)


def rows(path: str) -> Iterator[dict[str, Any]]:
    with gzip.open(folder() / f"{path}.jsonl.gz") as lines:
        yield from map(orjson.loads, lines)


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def pandalm() -> Iterator[Compared]:
    """Answers of small models, three experts each."""
    for row in rows("pref_pandalm/judgments"):
        prompt = asked("\n\n".join(part for part in (row["instruction"], row["input"]) if part))
        yield from decided(
            prompt, str(row["response_a"]), str(row["response_b"]), row["votes"]
        )  # some are true and false


def mtbench() -> Iterator[Compared]:
    """Chatbots, experts: what each said up to the turn that is judged."""
    for row in rows("pref_mtbench_human/judgments"):
        talks = row["conversation_a"], row["conversation_b"]
        texts = ["\n\n".join(said["content"] for said in talk[1 : 2 * row["turn"] : 2]) for talk in talks]
        questions = [said["content"] for said in talks[0][: 2 * row["turn"] : 2]]
        yield from decided(asked("\n\n".join(questions)), texts[0], texts[1], row["votes"])


def decided(prompt: list[dict[str, str]], first: str, second: str, votes: list[dict[str, Any]]) -> Iterator[Compared]:
    """The pair as most votes have it; none at a draw, nor where a response is missing."""
    lead = sum({"a": 1, "b": -1}.get(vote["choice"], 0) for vote in votes)
    if lead and first and second and first != second:
        yield Compared(prompt, *((first, second) if lead > 0 else (second, first)))


def harmless() -> Iterator[Compared]:
    """Replies to red-teaming talks, one crowd worker each."""
    for row in rows("pref_hh_rlhf_harmless/pairs"):
        if row["prompt"] and row["chosen"].strip() and row["rejected"].strip() and row["chosen"] != row["rejected"]:
            yield Compared(asked(row["prompt"].strip()), row["chosen"], row["rejected"])


def alpaca() -> Iterator[Compared]:
    """Two of eleven models' answers, by how often GPT-4 preferred each to the same baseline: labels of an AI."""
    for row in rows("rank_alpacaeval_gpt4/items"):
        told = [
            (one["gpt4_win_rate_vs_baseline"], one["text"])
            for one in row["responses"]
            if one["model"] not in NOT_ANSWERS
        ]
        known = [one for one in told if one[0] is not None and one[1].strip()]
        apart = [pair for pair in combinations(known, 2) if abs(pair[0][0] - pair[1][0]) >= CLEAR]
        for pair in random.Random(row["id"]).sample(apart, min(OF_A_PROMPT, len(apart))):
            better, worse = sorted(pair, reverse=True)
            yield Compared(asked(row["prompt"]), better[1], worse[1])


SETS: dict[str, tuple[str, Callable[[], Iterator[Compared]]]] = {
    "pandalm": ("PandaLM, 3 experts", pandalm),
    "mtbench": ("MT-Bench, experts", mtbench),
    "harmless": ("HH-RLHF harmless, crowd", harmless),
    "alpaca": ("AlpacaEval, GPT-4", alpaca),
}


def split(name: str, pairs: int, held_out: int, seed: int) -> tuple[list[Compared], list[Compared]]:
    """At most `pairs` to learn from and `held_out` to measure on, of different prompts whatever the seed."""
    sides: tuple[list[Compared], list[Compared]] = ([], [])
    for pair in SETS[name][1]():
        prompt = hashlib.sha256(orjson.dumps(pair.prompt)).digest()
        sides[prompt[0] % HELD_OUT == 0].append(pair)
    learnt, measured = ([*side] for side in sides)
    random.Random(seed).shuffle(learnt)
    random.Random(0).shuffle(measured)
    return learnt[:pairs], measured[:held_out]
