"""Reward models on real pairs, ours beside TRL's: `TOUCHSTONE_DATA=… python -m benchmarks.training [--sets …]`.

Both learn from the same token ids of the same pairs, with the same optimizer, schedule, precision and number of steps,
one epoch. What comes out is scored by the scoring engine on pairs of other prompts, beside "the longer response is
better" and a head on the frozen encoder. Seconds are those of the processor, in one process, one after the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measuring import machine, median, watched
from benchmarks.reporting import table
from benchmarks.training_data import SETS, folder, split
from workers.held_out import share
from workers.training import Compared, Job, trainers

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "var" / "benchmark-training.json"
PAGE = ROOT / "docs" / "training-pairs.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BATCH = 16
"""Pairs of a step, as many as TRL takes at once."""
RATE, WARMUP = 1e-4, 0.1
MICRO = 2048
AIM = 1.3
WAYS = {"ours": "bradley-terry", "trl": "TRL", "frozen": "frozen-head", "longer": "longer is better"}


def main() -> None:
    asked = arguments()
    if asked.publish:
        publish(json.loads(asked.publish.read_text()), PAGE)
        return
    folder()
    told = run(asked)
    print(report(told))
    print(
        f"The figures are in {asked.out}; `python -m benchmarks.training --publish {asked.out}` puts them in the docs."
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    add = parser.add_argument
    add("--sets", type=lambda told: told.split(","), default=list(SETS), help=f"by commas ({','.join(SETS)})")
    add("--pairs", type=int, default=384, help="pairs to learn from, at most (384)")
    add("--held-out", type=int, default=300, help="pairs to measure on, at most (300)")
    add("--length", type=int, default=192, help="tokens of a text, at most (192)")
    add("--seeds", type=lambda told: [int(one) for one in told.split(",")], default=[0], help="by commas (0)")
    add("--out", type=Path, default=OUT, help="where the figures go (var/benchmark-training.json)")
    add("--publish", type=Path, metavar="FILE", help="put earlier figures into docs/training-pairs.md")
    return parser.parse_args()


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """All figures; what is there is written after each set."""
    import torch
    import transformers
    import trl

    from workers.nn.fitting import mixed

    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__}
    told: dict[str, Any] = {
        "begun": time.strftime("%Y-%m-%d"), "host": machine(), "threads": torch.get_num_threads(),
        "versions": versions, "precision": "bf16" if mixed("auto") else "fp32", "length": asked.length,
        "seeds": asked.seeds, "sets": {},
    }  # fmt: skip
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for name in asked.sets:
        here: dict[str, Any] = {}
        with watched(here):
            here["seeds"] = [measured(name, asked, seed) for seed in asked.seeds]
        told["sets"][name] = here
        asked.out.write_text(json.dumps(told, indent=1))
    return told


def measured(name: str, asked: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One set, one seed: what each way took and how often it is right on pairs held out."""
    learnt, held = split(name, asked.pairs, asked.held_out, seed)
    print(
        f"{name}, seed {seed}: {len(learnt)} pairs to learn from, {len(held)} held out …", file=sys.stderr, flush=True
    )
    found: dict[str, Any] = {"pairs": len(learnt), "held_out": len(held), "ways": {}}
    longer = sum(longer_first(pair) for pair in held)
    found["ways"]["longer"] = {"accuracy": share(longer, len(held))}
    with tempfile.TemporaryDirectory() as place:
        job = job_of(learnt, Path(place), asked.length, seed)
        for way, train in (("ours", ours), ("trl", theirs), ("frozen", frozen)):
            took, model, length = train(job, learnt)
            scores = scored(model, held, length)
            right = sum(0.5 if one == other else float(one > other) for one, other in scores)
            found["ways"][way] = {**took, "accuracy": share(right, len(held))}
            print(f"  {way}: {found['ways'][way]}", file=sys.stderr, flush=True)
    return found


def longer_first(pair: Compared) -> float:
    words = len(pair.chosen.split()), len(pair.rejected.split())
    return 0.5 if words[0] == words[1] else float(words[0] > words[1])


def job_of(learnt: Sequence[Compared], place: Path, length: int, seed: int) -> Job:
    """A training on the pairs as a dataset version holds them; a step is as many tokens as TRL's has in the mean."""
    from workers.references import builtin_folder

    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    rows = [{"prompt": one.prompt, "chosen": said(one.chosen), "rejected": said(one.rejected)} for one in learnt]
    (place / "train.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    told = {"learning_rate": RATE, "warmup": WARMUP, "batch_tokens": MICRO, "max_length": length, "save_every": 10**6}
    settings = trainers.get("bradley-terry").settings.model_validate(told)
    base = builtin_folder("minilm")
    return Job(place, "trl-preference", {"train": "train.jsonl"}, base, place / "ours", settings, seed)


def token_ids(job: Job) -> list[tuple[list[int], list[int]]]:
    """The texts of every pair as we read them."""
    from workers.nn.pairs import Encoded, opened

    model, tokenizer = opened(job)
    return [(one.ids, other.ids) for one, other in Encoded(job, tokenizer, model).split("train")[1]]


def ours(job: Job, learnt: Sequence[Compared]) -> tuple[dict[str, Any], Path, int]:
    """`bradley-terry` in as many steps as TRL takes."""
    from dataclasses import replace

    texts = token_ids(job)
    tokens = sum(len(one) + len(other) for one, other in texts)
    steps = -(-len(texts) // BATCH)
    settings = job.settings.model_copy(update={"step_tokens": max(64, tokens // steps), "max_steps": steps})
    took = trainers.get("bradley-terry").train(replace(job, settings=settings))
    return figures(took["steps"], tokens, took["cpu_seconds"]), job.model, job.settings.max_length


def theirs(job: Job, learnt: Sequence[Compared]) -> tuple[dict[str, Any], Path, int]:
    """TRL's RewardTrainer as it comes, on our token ids, without gradient checkpointing (it costs time for memory)."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    from workers.nn.fitting import mixed
    from workers.nn.loading import quiet

    assert job.base is not None
    texts = token_ids(job)
    steps = -(-len(texts) // BATCH)
    out = job.folder / "trl"
    torch.manual_seed(job.seed)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(job.base, num_labels=1, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(job.base)
        tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
        tokenizer.model_input_names = ["input_ids", "attention_mask"]  # it learns without token types
        args = RewardConfig(
            output_dir=str(out), per_device_train_batch_size=BATCH, num_train_epochs=1, learning_rate=RATE,
            warmup_steps=round(WARMUP * steps), bf16=mixed("auto"), use_cpu=True, gradient_checkpointing=False,
            max_length=None, seed=job.seed, report_to=[], disable_tqdm=True,
        )  # fmt: skip
        rows = [{"chosen_ids": one, "rejected_ids": other} for one, other in texts]
        trainer = RewardTrainer(model, args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        begun = time.process_time()
        done = trainer.train()
        took = time.process_time() - begun
        trainer.save_model(str(out / "model"))
        tokenizer.save_pretrained(out / "model")
    tokens = sum(len(one) + len(other) for one, other in texts)
    return figures(done.global_step, tokens, took), out / "model", job.settings.max_length


def frozen(job: Job, learnt: Sequence[Compared]) -> tuple[dict[str, Any], Path, int]:
    """`frozen-head` reads texts of its own length."""
    from workers.trainers.frozen_head import LENGTH, learn

    begun = time.process_time()
    out = job.folder / "frozen"
    learn(learnt, out, job.seed, lambda line: None)
    return {"cpu_seconds": round(time.process_time() - begun, 2)}, out, LENGTH


def figures(steps: int, tokens: int, seconds: float) -> dict[str, Any]:
    return {"steps": steps, "tokens": tokens, "cpu_seconds": round(seconds, 2), "rate": round(tokens / seconds, 1)}


def scored(model: Path, held: Sequence[Compared], length: int) -> list[tuple[float, float]]:
    """The scores of the preferred response and of the other one, by the scoring engine."""
    from workers.judging import Candidate, Given, Spec
    from workers.nn.scoring import open_reward

    scorer = open_reward(Spec(0, "reward", f"hf:{model}", config={"max_length": length, "template": "plain"}))
    given = [
        Given(n, one.prompt, [Candidate(2 * n, one.chosen), Candidate(2 * n + 1, one.rejected)])
        for n, one in enumerate(held)
    ]
    values = {said.key: said.scores[""] for said in scorer.judge(given)}
    return [(values[2 * n], values[2 * n + 1]) for n in range(len(held))]


# --- Told ---------------------------------------------------------------------------------------------------


def publish(told: dict[str, Any], path: Path) -> None:
    """Put the tables between the markers of a page."""
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{report(told)}\n{END}{rest.partition(END)[2]}")


def report(told: dict[str, Any]) -> str:
    """The tables."""
    host, versions = told["host"], told["versions"]
    about = (
        f"Measured {told['begun']} on {host['processor']}, {told['threads']} threads, {told['precision']}, texts of "
        f"{told['length']} tokens at most, seeds {told['seeds']}; torch {versions['torch']}, TRL {versions['trl']}."
    )
    rates = [rate_row(name, here) for name, here in told["sets"].items()]
    right = [right_row(name, here) for name, here in told["sets"].items()]
    best = min(row[-1] for row in rates)
    met = "reached" if best >= AIM else "not reached"
    parts = [
        about,
        table(("Tokens per CPU second", "steps", "bradley-terry", "TRL", "times"), [shown(row) for row in rates]),
        f"Aim: {AIM} times TRL's throughput on every set: {met} (least {best:.2f}).",
        table(("Right on held-out pairs, %", "learnt from", "held out", *WAYS.values()), right),
    ]
    return "\n\n".join(parts) + "\n"


def rate_row(name: str, here: dict[str, Any]) -> tuple[Any, ...]:
    ways = [one["ways"] for one in here["seeds"]]
    ours, theirs = (median(way[which]["rate"] for way in ways) for which in ("ours", "trl"))
    steps = "/".join(str(ways[0][which]["steps"]) for which in ("ours", "trl"))
    return SETS[name][0], steps, ours, theirs, ours / theirs


def shown(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*row[:-1], f"{row[-1]:.2f}×")


def right_row(name: str, here: dict[str, Any]) -> tuple[Any, ...]:
    """Accuracies with their intervals: of one seed, or the mean over seeds beside the interval of the first."""
    seeds = here["seeds"]
    cells = []
    for way in WAYS:
        found = [one["ways"][way]["accuracy"] for one in seeds]
        mean = sum(one["accuracy"] for one in found) / len(found)
        cells.append(f"{100 * mean:.1f} ({100 * found[0]['low']:.0f}–{100 * found[0]['high']:.0f})")
    return SETS[name][0], str(seeds[0]["pairs"]), str(seeds[0]["held_out"]), *cells


if __name__ == "__main__":
    main()
