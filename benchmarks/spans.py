"""Does a span reward find what people marked? The trainer `span-reward` on real critiques, on prompts it never saw.

    TOUCHSTONE_DATA=… python -m benchmarks.spans [--sets finegrained,faithbench] [--out var/spans.json]

Each set is read by its import format and written as raw answers, the target that the trainer reads; every fourth
prompt is held out, with all that was answered to it. The encoder is `builtin:minilm`. One setting for all sets, fixed
before the first look at held-out prompts. `planted` has no people: one word of a clean response is changed
(workers/planting.py), which is an upper line for pointing at a place.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson

from workers.held_out import kept
from workers.intervals import estimate
from workers.measures import auroc, average_precision
from workers.paired import Messages
from workers.planting import found, lexicon, plant
from workers.readers import Options, Reader, readers
from workers.references import builtin_folder
from workers.rows import AnswerRow, CritiqueRow, ItemRow, JudgementRow, RowError
from workers.training import Job, trainers

HELD_OUT = 4
"""Every so manieth prompt."""
RESAMPLES = 100
OUT = Path(__file__).resolve().parent.parent / "var" / "spans.json"
SETTINGS: dict[str, Any] = {
    "epochs": 2,
    "learning_rate": 1e-4,
    "step_tokens": 1024,
    "batch_tokens": 1024,
    "max_length": 256,
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Set:
    """Real critiques: where they lie, in which format, what of them is poor, and how many responses are taken."""

    name: str
    file: str
    format: str
    most: int
    poor: Callable[[CritiqueRow], bool] = lambda critique: critique.polarity == -1
    documents: bool = False
    """Whether the documents of an item go before its prompt; of the others the prompt holds them."""


SETS = [
    Set("finegrained", "span_finegrained_rlhf/feedback.jsonl.gz", "qa-feedback", 150, documents=True),
    Set("faithbench", "span_faithbench/annotations.jsonl.gz", "faithbench", 160, lambda one: one.severity != "Benign"),
    Set("halueval", "span_halueval_general/responses.jsonl.gz", "halueval", 320),
    Set("biomqm", "span_biomqm/es2en.jsonl.gz", "mqm", 400),
    Set("ted", "span_mqm_ted/zhen.jsonl.gz", "mqm", 400),
]


def items_of(one: Set, folder: Path) -> list[ItemRow]:
    """Items of whole prompts, shuffled by a seed, until there are as many responses as wanted."""
    reader = readers.get(one.format)
    with gzip.open(folder / one.file) as lines:
        given = [item for line in lines if isinstance(item := read(reader, line), ItemRow)]
    order = sorted(given, key=lambda item: (zlib.crc32(b"order" + prompt_of(item)), prompt_of(item)))
    return order[: one.most]


def read(reader: Reader, line: bytes) -> ItemRow | JudgementRow | None:
    """A row by its format; None where an import would refuse it."""
    try:
        return reader.read(orjson.loads(line), Options())
    except RowError:
        return None


def prompt_of(item: ItemRow) -> bytes:
    return orjson.dumps([item.prompt, dict(item.context).get("documents") or []])


def split_of(prompt: bytes) -> str:
    return "test" if zlib.crc32(b"split" + prompt) % HELD_OUT == 0 else "train"


def rows_of(one: Set, items: list[ItemRow]) -> Iterator[tuple[str, Row]]:
    """Raw answers on the first response of each item, a row an annotator; equal responses to a prompt are one."""
    ids: dict[Any, int] = {}
    for item in items:
        response, prompt = item.responses[0], asked(one, item)
        number = ids.setdefault((prompt_of(item), response.text, response.model), len(ids))
        for answer in item.answers or [AnswerRow("nobody")]:
            marks = [critique for critique in answer.critiques if critique.start is not None]
            yield split_of(prompt_of(item)), {
                "item": item.external_id or str(number),
                "prompt": prompt,
                "responses": [{"id": number, "text": response.text}],
                "critiques": [
                    {
                        "response": number, "message": 0, "start": mark.start, "end": mark.end, "type": mark.type,
                        "severity": mark.severity, "polarity": -1,
                    }
                    for mark in marks if one.poor(mark)
                ],
            }  # fmt: skip


def asked(one: Set, item: ItemRow) -> Messages:
    if not one.documents:
        return item.prompt
    documents = "\n\n".join(document["text"] for document in item.context.get("documents", []))
    return [{"role": "user", "content": f"{documents}\n\n{item.prompt[-1]['content']}"}]


def planted(folder: Path) -> list[tuple[str, Row]]:
    """Clean responses of HaluEval, one word of each changed."""
    chance = Random("planted")
    clean = [item for item in items_of(SETS[2], folder) if not any(answer.critiques for answer in item.answers)][:240]
    words = lexicon(item.responses[0].text for item in clean)
    rows = []
    for number, item in enumerate(clean):
        made = plant(item.responses[0].text, words, chance)
        if made is not None:
            mark = {"start": made.start, "end": made.end, "type": "", "severity": "", "polarity": -1}
            row = {
                "item": str(item.external_id),
                "prompt": item.prompt,
                "responses": [{"id": number, "text": made.text}],
                "critiques": [{"response": number, "message": 0, **mark}],
            }
            rows.append((split_of(prompt_of(item)), row))
    return rows


def trained(rows: list[tuple[str, Row]], folder: Path, seed: int, **settings: Any) -> dict[str, Any]:
    """Train on the rows of train, in `folder`; metrics on those of test, which are looked at once, at the end."""
    from workers.nn import tokens

    tokens.LOOKED_AT = 0
    for split in ("train", "test"):
        lines = [orjson.dumps(row) + b"\n" for name, row in rows if name == split]
        (folder / f"{split}.jsonl").write_bytes(b"".join(lines))
    trainer = trainers.get("span-reward")
    job = Job(
        folder=folder,
        target="annotations",
        lines={"train": "train.jsonl", "test": "test.jsonl"},
        base=builtin_folder("minilm"),
        out=folder,
        settings=trainer.settings(**{**SETTINGS, **settings}),
        seed=seed,
        log=lambda line: print(f"  {line}", file=sys.stderr),
    )
    began = time.process_time()
    told = trainer.train(job)
    told["cpu_seconds"] = round(time.process_time() - began)
    told["responses_held_out"] = len(kept(folder))
    told["intervals"] = intervals(kept(folder))
    return told


def intervals(rows: list[Row]) -> dict[str, list[float]]:
    """Of average precision and AUROC: the middle 95 % over resampled responses."""
    chance = Random(0)
    measures = {"average_precision": average_precision, "auroc": auroc}
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(RESAMPLES):
        some = [chance.choice(rows) for _ in rows]
        truth = [label for row in some for label in row["truth"]]
        scores = [-value for row in some for value in row["values"]]
        for name, measure in measures.items():
            if (value := measure(scores, truth)) is not None:
                drawn[name].append(value)
    sure = {name: estimate(0.0, values) for name, values in drawn.items()}
    return {name: [round(one.low, 3), round(one.high, 3)] for name, one in sure.items()}


def pointing(rows: list[tuple[str, Row]], folder: Path) -> dict[str, Any]:
    """By word, as the probe of implicit rewards measures: how often the changed word is the worst of its text."""
    from workers.judging import Candidate, Given, Spec, judges

    spec = Spec(0, "token", f"hf:{folder / 'model'}", config={"max_length": SETTINGS["max_length"]})
    test = [row for split, row in rows if split == "test"]
    given = [
        Given(n, row["prompt"], [Candidate(n, row["responses"][0]["text"])]) for n, row in enumerate(test)
    ]  # fmt: skip
    points = []
    for one, row in zip(judges.get("token").open(spec).judge(given), test, strict=True):
        mark = row["critiques"][0]
        if point := found(one.maps[0], row["responses"][0]["text"], mark["start"], mark["end"]):
            points.append(point)
    count = len(points)
    return {
        "n": count,
        "top1": round(sum(one.top1 for one in points) / count, 3),
        "auroc": round(sum(one.auroc for one in points) / count, 3),
        "chance": round(sum(one.chance for one in points) / count, 3),
    }


def report(told: dict[str, dict[str, Any]]) -> str:
    """The figures as Markdown tables."""
    lines = [
        "| Set | held out | poor tokens | AP (95 %) | AP by length | AUROC (95 %) | by length | span F1 | everything |"
        " precision | pointing | chance | CPU s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, one in told.items():
        tokens, spans, held, sure = one["tokens"], one["spans"], one["held_out"], one["intervals"]
        long = tokens["longer_token"]
        lines.append(
            f"| {name} | {one['responses_held_out']} | {tokens['poor']:.3f} "
            f"| {tokens['average_precision']:.3f} ({between(sure['average_precision'])}) "
            f"| {long['average_precision']:.3f} | {tokens['auroc']:.3f} ({between(sure['auroc'])}) "
            f"| {long['auroc']:.3f} | {spans['f1']:.3f} | {spans['everything']:.3f} | {shown(spans['precision'])} "
            f"| {shown(held['accuracy'])} of {held['n']} | {shown(held['chance'])} | {one['cpu_seconds']} |"
        )
    lines += ["", "| Set | type | spans | F1 | everything |", "|---|---|---:|---:|---:|"]
    for name, one in told.items():
        most = sorted(one["by_type"].items(), key=lambda pair: -pair[1]["n"])[:6]
        lines += [
            f"| {name} | {type} | {found['n']} | {shown(found['f1'])} | {shown(found['everything'])} |"
            for type, found in most
        ]
    lines += ["", "| Set | responses of several | people | model | everything |", "|---|---:|---:|---:|---:|"]
    for name, one in told.items():
        if people := one["people"]:
            lines.append(
                f"| {name} | {people['responses']} | {shown(people['f1'])} | {shown(people['model'])} "
                f"| {shown(people['everything'])} |"
            )
    lines += ["", "| Set | responses | with a poor span | AUROC of the mean | longer |", "|---|---:|---:|---:|---:|"]
    for name, one in told.items():
        whole = one["responses"]
        lines.append(
            f"| {name} | {whole['n']} | {whole['poor']} | {shown(whole['auroc'])} | {shown(whole['longer'])} |"
        )
    for name, one in told.items():
        if "planted" in one:
            lines += ["", f"Planted words, by the model of {name}: {json.dumps(one['planted'])}"]
    return "\n".join(lines)


def between(sure: list[float]) -> str:
    return f"{sure[0]:.3f} to {sure[1]:.3f}"


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TOUCHSTONE_DATA") or "data"))
    parser.add_argument("--sets", default="finegrained,faithbench,biomqm,planted,halueval", help="also: ted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--report", type=Path, help="print the tables of earlier figures")
    told = parser.parse_args()
    if told.report:
        print(report(json.loads(told.report.read_text())))
        return
    figures: dict[str, dict[str, Any]] = {}
    swapped = planted(told.data)
    for name in told.sets.split(","):
        print(name, file=sys.stderr)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            known = {one.name: one for one in SETS}
            rows = swapped if name == "planted" else list(rows_of(known[name], items_of(known[name], told.data)))
            figures[name] = trained(rows, folder, told.seed)
            if name in ("planted", "halueval"):
                figures[name]["planted"] = pointing(swapped, folder)
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text(json.dumps(figures, indent=1))
    print(report(figures))


if __name__ == "__main__":
    main()
