"""What share of a benchmark's questions is found in each disguise, and how many clean ones are taken for them.

    python -m benchmarks.overlap [--data FOLDER] [--seed 0]

GSM8K's test questions (the set verdict_gsm8k_solutions of TOUCHSTONE_DATA) are halved by the seed: one half is
protected, the other is clean and of the same kind. Each protected question comes back in five disguises, and found is
only what names that very question.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import orjson

from workers.overlap import Guard, Protected, Ways

SET = ("verdict_gsm8k_solutions", "solutions.jsonl.gz")
OTHER = (
    "Anna", "Boris", "Clara", "Dmitri", "oranges", "pencils", "blue", "weeks", "garden", "twice", "heavy", "bought",
    "museum", "teacher", "gallons", "ribbon",
)  # fmt: skip
BEFORE, BEHIND = "Solve the following problem. Think step by step.", "Give the answer as a single number."
WAYS = {
    "13 words in a row": Ways(containment=0),
    "8 words in a row": Ways(ngram=8, containment=0),
    "containment 0.2": Ways(ngram=0),
    "MinHash 0.7": Ways(ngram=0, containment=0, minhash=0.7),
    "usual: 13 words or containment 0.2": Ways(),
}


def copied(text: str, chance: Random) -> str:
    """As it is, with other words around."""
    return f"{BEFORE}\n\n{text}\n\n{BEHIND}"


def replaced(text: str, chance: Random) -> str:
    """15 % of the words are others."""
    return " ".join(chance.choice(OTHER) if chance.random() < 0.15 else word for word in text.split())


def reordered(text: str, chance: Random) -> str:
    """The sentences in another order."""
    sentences = re.split(r"(?<=[.?!])\s+", text)
    chance.shuffle(sentences)
    return " ".join(sentences)


def renamed(text: str, chance: Random) -> str:
    """Other numbers, and other names where a capital is not at a beginning."""
    text = re.sub(r"\d+", lambda _: str(chance.randrange(2, 99)), text)
    return re.sub(r"(?<=[a-z,] )[A-Z][a-z]+", lambda _: chance.choice(OTHER[:4]), text)


def respaced(text: str, chance: Random) -> str:
    """Other spaces, case and punctuation."""
    return re.sub(r"[,.;]", " -- ", text).upper().replace(" ", "  ")


DISGUISES: dict[str, Callable[[str, Random], str]] = {
    "copied": copied,
    "respaced": respaced,
    "words": replaced,
    "sentences": reordered,
    "numbers": renamed,
}


def questions(folder: Path, seed: int) -> tuple[list[str], list[str]]:
    """Those that are protected, and the clean ones."""
    with gzip.open(folder.joinpath(*SET)) as file:
        found = sorted({orjson.loads(line)["question"] for line in file})
    Random(seed).shuffle(found)
    return found[: len(found) // 2], found[len(found) // 2 :]


def figures(protected: list[str], clean: list[str], ways: Ways, seed: int) -> Iterator[float]:
    """The share found of each disguise, the share of clean ones taken for protected, and texts a second."""
    guard = Guard((Protected("gsm8k", str(n), text) for n, text in enumerate(protected)), ways)
    began, looked_at = time.process_time(), 0
    for disguise in DISGUISES.values():
        chance = Random(seed)
        hits = guard.hits([disguise(text, chance) for text in protected])
        looked_at += len(hits)
        yield sum(
            hit is not None and hit.protected.text == text for hit, text in zip(hits, protected, strict=True)
        ) / len(protected)
    yield sum(hit is not None for hit in guard.hits(clean)) / len(clean)
    yield (looked_at + len(clean)) / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("TOUCHSTONE_DATA"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.data is None:
        parser.error("say where the data is: --data or TOUCHSTONE_DATA")
    protected, clean = questions(given.data, given.seed)
    print(f"{len(protected)} protected questions, {len(clean)} clean ones, seed {given.seed}\n")
    print("| Found by | " + " | ".join([*DISGUISES, "clean taken", "texts/s"]) + " |")
    print("|---" * (len(DISGUISES) + 3) + "|")
    for name, ways in WAYS.items():
        *shares, speed = figures(protected, clean, ways, given.seed)
        print(f"| {name} | " + " | ".join([*(f"{share:.3f}" for share in shares), f"{speed:,.0f}"]) + " |")


if __name__ == "__main__":
    main()
