"""Seeded pairs of realistic length: prompts of 80 words in the mean, responses of 150, log-normal, ~2.3 kB a row."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

SEED = 20_261_124
PROMPT_WORDS, RESPONSE_WORDS, SPREAD = 80, 150, 0.5
SHORTEST, LONGEST = 5, 900
MODELS = ("model-a", "model-b", "model-c", "model-d")
DOMAINS = ("chat", "code", "law", "mathematics")
ONSETS = ("", "b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v")
RIMES = ("a", "an", "e", "en", "er", "i", "in", "ing", "o", "on", "or", "u", "um", "us")
STOPS = (",", ",", ".", ".", ".\n", "?", ";")

Row = dict[str, Any]


def rows(count: int, *, votes: bool = False, seed: int = SEED) -> Iterator[Row]:
    """`count` rows of the touchstone format; with `votes`, each pair carries one answer."""
    dice = random.Random(seed)
    words = stream(dice)
    for number in range(count):
        first, second = dice.sample(MODELS, 2)
        row: Row = {
            "id": f"row-{number:07d}",
            "prompt": text(dice, words, PROMPT_WORDS),
            "responses": [
                {"text": text(dice, words, RESPONSE_WORDS), "model": first},
                {"text": text(dice, words, RESPONSE_WORDS), "model": second},
            ],
            "metadata": {"domain": dice.choice(DOMAINS)},
        }
        if votes:
            row["votes"] = [{"annotator": "w1", "first": 0, "second": 1, "value": dice.choice((-2, -1, 1, 2))}]
        yield row


def stream(dice: random.Random, length: int = 250_000) -> list[str]:
    """A long run of made-up words with the frequencies of a language, punctuated; texts are cut from it."""
    vocabulary = [word(dice) for _ in range(5000)]
    weights = [1 / (rank + 3) for rank in range(len(vocabulary))]
    words = dice.choices(vocabulary, weights, k=length)
    for place in range(7, length, 12):
        words[place] += dice.choice(STOPS)
    return words


def word(dice: random.Random) -> str:
    syllables = dice.choice((1, 1, 2, 2, 2, 3))
    return "".join(dice.choice(ONSETS) + dice.choice(RIMES) for _ in range(syllables))


def text(dice: random.Random, words: list[str], mean: int) -> str:
    drawn = int(dice.lognormvariate(math.log(mean) - SPREAD**2 / 2, SPREAD))
    length = min(LONGEST, max(SHORTEST, drawn))
    start = dice.randrange(len(words) - length)
    return " ".join(words[start : start + length])


def write(path: Path, count: int, *, votes: bool = False) -> Path:
    """The rows as JSON lines in `path`, unless it was written before."""
    if not path.exists():
        with path.open("wb") as file:
            for row in rows(count, votes=votes):
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return path


def read(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for line in file:
            yield orjson.loads(line)
