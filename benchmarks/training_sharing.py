"""What reading a prompt once is worth: `python -m benchmarks.training_sharing [--pairs 24]`, losses and gradients only.

The causal model of the scoring benchmark (random weights) on seeded conversations of two responses; the same pairs
padded, packed, and packed with shared prompts, in turns, in seconds of the processor.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measuring import median
from benchmarks.reporting import table
from benchmarks.scoring_models import CAUSAL, build, rows

BUDGET = 2048
WAYS = {"padded": None, "packed": "off", "packed, prompt once": "auto"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_sharing", description=__doc__)
    parser.add_argument("--pairs", type=int, default=24, help="conversations with two responses (24)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds in which the ways take turns (3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        ways, tokens = begun(Path(place), asked.pairs)
        took: dict[str, list[float]] = {name: [] for name in ways}
        sizes = {name: sum(size for size, _ in steps) for name, steps in ways.items()}
        for _ in range(asked.repeats):
            for name, steps in ways.items():
                took[name].append(seconds(steps))
    rates = {name: tokens / median(told) for name, told in took.items()}
    told = [(name, str(sizes[name]), rates[name], f"{rates[name] / rates['padded']:.2f}×") for name in ways]
    print(f"{asked.pairs} pairs of {tokens} tokens together\n")
    print(table(("Loss and gradients", "tokens that the model reads", "tokens per CPU second", "to padded"), told))


Steps = Sequence[tuple[int, Callable[[], None]]]
"""Of each batch the tokens that the model reads, and the work."""


def begun(folder: Path, pairs: int) -> tuple[dict[str, Steps], int]:
    """For each way its batches, and the tokens of all texts."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from workers.nn.fitting import cut
    from workers.nn.reading import Reading
    from workers.nn.texts import Tokenising

    build(CAUSAL, folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)
    tokens.backend_tokenizer.no_truncation()
    tokens.backend_tokenizer.no_padding()
    form = Tokenising(tokens, 512, "chat", False)
    both: Any = [form.texts(n, given)[:2] for n, given in enumerate(rows(pairs))]
    ways: dict[str, Steps] = {}
    for name, share in WAYS.items():
        own = copy.deepcopy(model)
        reading = Reading(own, tokens, share or "off", packs=share is not None)
        sizes = [reading.size(pair) for pair in both]
        order = sorted(range(len(both)), key=lambda n, sizes=sizes: sizes[n])  # type: ignore[misc]
        batches = [[both[n] for n in batch] for batch in cut(order, sizes, BUDGET)]
        ways[name] = [step(own, reading.batch(batch)) for batch in batches]
    return ways, sum(len(text) for pair in both for text in pair)


def step(model: Any, given: dict[str, Any]) -> tuple[int, Callable[[], None]]:
    from workers.nn.pairs import bradley_terry, scores_of

    def work() -> None:
        bradley_terry(*scores_of(model, given)).sum().backward()
        model.zero_grad()

    return given["input_ids"].numel(), work


def seconds(steps: Steps) -> float:
    begun = time.process_time()
    for _, work in steps:
        work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
